import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '../base/errors.ts';
import {
  checkExecRequest,
  type ExecRecord,
  type ExecRequest,
  exitCodeOfFailure,
  isOutdated,
} from './exec-record.ts';

const request: ExecRequest = {
  command: ['true'],
  env: [],
  user: '',
  workingDir: '',
  tty: false,
  attachStdin: false,
  attachStdout: false,
  attachStderr: false,
  privileged: false,
  detachKeys: '',
};

test('a command is needed', () => {
  checkExecRequest(request);
  assert.throws(() => checkExecRequest({ ...request, command: [] }), {
    kind: 'invalid',
    message: 'No exec command specified',
  });
});

const minute = 60_000;
for (const [status, ageMs, outdated] of [
  ['ended', 4 * minute, false],
  ['ended', 6 * minute, true],
  ['created', 59 * minute, false],
  ['created', 61 * minute, true],
  ['running', 1e9, false],
] as const) {
  test(`an exec that is ${status} for ${ageMs / minute} minutes is ${outdated ? '' : 'not '}forgotten`, () => {
    const exec = { id: 'e', containerId: 'c', request, status, pid: 0, since: 1000 } as unknown as ExecRecord;
    assert.equal(isOutdated(exec, 1000 + ageMs), outdated);
  });
}

for (const [complaint, code] of [
  ['exec: "nope": executable file not found in $PATH', 127],
  ['exec: "/nope": stat /nope: no such file or directory', 127],
  ['exec: "/bin/x": no such file or directory', 127],
  ['exec: "/etc": permission denied', 126],
  ['chdir to cwd ("/nope") set in config.json failed: no such file or directory', 126],
] as const) {
  test(`${complaint}: exit code ${code}`, () => {
    const message = `OCI runtime exec failed: exec failed: unable to start container process: ${complaint}: unknown`;
    assert.equal(exitCodeOfFailure(new EngineError('invalid', message, { code: 'runtime-failed' })), code);
  });
}

test('whatever else goes wrong is 126', () => {
  assert.equal(exitCodeOfFailure(new Error('exec: "x": executable file not found')), 126);
  assert.equal(exitCodeOfFailure(undefined), 126);
});
