import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CliError } from '../cli-error.ts';
import { exitCodeForStartFailure, withStartExitCodes } from './exit-code.ts';

test('the words of a start failure decide its exit code', () => {
  assert.equal(exitCodeForStartFailure('exec: "nope": executable file not found in $PATH: unknown'), 127);
  assert.equal(exitCodeForStartFailure('exec: "/nope": stat /nope: no such file or directory'), 127);
  assert.equal(exitCodeForStartFailure('exec: "/etc": permission denied'), 126);
  assert.equal(exitCodeForStartFailure('exec: "/etc": is a directory'), 126);
  assert.equal(exitCodeForStartFailure('network nope not found'), 125);
});

test('a failure keeps its message and gets its code; one that has a code keeps it', async () => {
  await assert.rejects(
    withStartExitCodes(() => Promise.reject(new Error('Permission denied'))),
    { name: 'CliError', message: 'Permission denied', exitCode: 126 },
  );
  const own = new CliError('no terminal', { exitCode: 1 });
  await assert.rejects(
    withStartExitCodes(() => Promise.reject(own)),
    (error) => error === own,
  );
  assert.equal(await withStartExitCodes(async () => 3), 3);
});
