import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { startProgram } from './program.ts';

const env = { PATH: process.env.PATH };

test('channels go from us and to us, on any descriptor', async () => {
  const { ends, ended } = startProgram(
    '/bin/sh',
    ['-c', 'cat; echo error >&2; cat <&4 >&3'],
    { env, channels: ['from us', 'to us', 'to us', 'to us', 'from us'] },
    'runc-failed',
  );
  const [stdin, stdout, stderr, more, input] = ends;
  stdin?.end('typed');
  input?.end('on four');
  assert.deepEqual(await Promise.all([text(stdout!), text(stderr!), text(more!)]), [
    'typed',
    'error\n',
    'on four',
  ]);
  assert.deepEqual(await ended, { code: 0 });
});

test('a program that is killed has ended by that, and one that has ended cannot be', async () => {
  const { kill, ended } = startProgram('/bin/sleep', ['60'], { env, channels: ['nothing'] }, 'runc-failed');
  kill();
  assert.deepEqual(await ended, { signal: 9 });
  kill();
});

test('what cannot be run is said, and leaves no descriptor', () => {
  const before = readdirSync('/proc/self/fd').length;
  const start = () => startProgram('/nope', [], { env, channels: ['nothing', 'to us'] }, 'conmon-failed');
  assert.throws(start, { code: 'conmon-failed', message: /^cannot run \/nope: / });
  assert.equal(readdirSync('/proc/self/fd').length, before);
});
