import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { test } from 'node:test';
import { errnoName, errnoNameOfText, errnoNumber, isErrno, LinuxError } from './errno.ts';
import * as libc from './libc.ts';

test('the table agrees with the one that Node was built with', () => {
  const synonyms = new Set(['EWOULDBLOCK', 'ENOTSUP']);
  for (const [name, number] of Object.entries(constants.errno)) {
    if (!synonyms.has(name)) assert.deepEqual([errnoName(number), errnoNumber(name)], [name, number]);
  }
  assert.equal(errnoName(9999), 'E#9999');
});

test('a message says what was attempted, the name and the meaning', () => {
  const error = new LinuxError(16, 'mount', 'mount overlay on /x');
  assert.equal(error.message, 'mount overlay on /x: EBUSY (device or resource busy)');
  assert.deepEqual(
    [error.errno, error.code, error.syscall, error.name],
    [16, 'EBUSY', 'mount', 'LinuxError'],
  );
});

test('texts lead back to names', () => {
  assert.equal(errnoNameOfText('File exists'), 'EEXIST');
  assert.equal(errnoNameOfText('no such thing'), undefined);
});

test('codes are recognised on our errors and on those of Node, and on nothing else', () => {
  assert.ok(isErrno(new LinuxError(2, 'open'), 'EEXIST', 'ENOENT'));
  assert.ok(!isErrno(new LinuxError(2, 'open'), 'EEXIST'));
  for (const thrown of [undefined, null, 'ENOENT', { code: 'ENOENT' }, new Error('x')]) {
    assert.ok(!isErrno(thrown, 'ENOENT'));
  }
  try {
    readFileSync('/nonexistent');
  } catch (error) {
    assert.ok(isErrno(error, 'ENOENT'));
  }
});

test('a failing call throws with the number that the kernel gave', () => {
  assert.throws(() => libc.open('/nonexistent', 0), {
    name: 'LinuxError',
    code: 'ENOENT',
    errno: 2,
    syscall: 'open',
  });
  assert.throws(() => libc.close(-1), { code: 'EBADF' });
});
