import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '../../base/errors.ts';
import { defaultPath, resolveCommand, resolveEnv } from './command.ts';

const image = { imageEntrypoint: ['/entry'], imageCmd: ['serve', '--fast'] };

test('the image alone gives its entrypoint with its command', () => {
  assert.deepEqual(resolveCommand(image), {
    entrypoint: ['/entry'],
    cmd: ['serve', '--fast'],
    args: ['/entry', 'serve', '--fast'],
  });
});

test('a given command replaces the command of the image and keeps its entrypoint', () => {
  assert.deepEqual(resolveCommand({ ...image, cmd: ['help'] }).args, ['/entry', 'help']);
});

test('a given entrypoint makes the command of the image void', () => {
  assert.deepEqual(resolveCommand({ ...image, entrypoint: ['/bin/sh', '-e'] }), {
    entrypoint: ['/bin/sh', '-e'],
    cmd: null,
    args: ['/bin/sh', '-e'],
  });
  assert.deepEqual(resolveCommand({ ...image, entrypoint: ['/bin/sh'], cmd: ['-c', 'id'] }).args, [
    '/bin/sh',
    '-c',
    'id',
  ]);
});

test('an empty string as entrypoint clears it', () => {
  assert.deepEqual(resolveCommand({ ...image, entrypoint: [''], cmd: ['ls'] }), {
    entrypoint: null,
    cmd: ['ls'],
    args: ['ls'],
  });
});

test('empty lists count as not given', () => {
  assert.deepEqual(resolveCommand({ ...image, entrypoint: [], cmd: [] }).args, ['/entry', 'serve', '--fast']);
});

test('nothing to run is refused', () => {
  for (const input of [{}, { imageCmd: [], cmd: null }, { ...image, entrypoint: [''] }]) {
    assert.throws(
      () => resolveCommand(input),
      (error) =>
        error instanceof EngineError && error.kind === 'invalid' && error.message === 'no command specified',
    );
  }
});

test('the environment starts with the defaults', () => {
  assert.deepEqual(resolveEnv({ home: '/root', hostname: 'web', tty: true }), [
    `PATH=${defaultPath}`,
    'HOSTNAME=web',
    'TERM=xterm',
    'HOME=/root',
  ]);
  assert.deepEqual(resolveEnv({ home: '/', tty: false }), [`PATH=${defaultPath}`, 'HOME=/']);
});

test('the request wins over the image, the image over the defaults, and each name occurs once', () => {
  assert.deepEqual(
    resolveEnv({
      imageEnv: ['PATH=/bin', 'A=1', 'B=image'],
      env: ['B=x=y', 'C=', 'A=2', 'A=3', 'HOME=/data'],
      home: '/root',
      tty: false,
    }),
    ['PATH=/bin', 'A=3', 'B=x=y', 'C=', 'HOME=/data'],
  );
});

test('a name without value removes the variable', () => {
  assert.deepEqual(
    resolveEnv({
      imageEnv: ['A=1', 'B=2'],
      env: ['A', 'HOME', 'HOSTNAME', 'ABSENT'],
      home: '/root',
      hostname: 'h',
      tty: false,
    }),
    [`PATH=${defaultPath}`, 'B=2'],
  );
});
