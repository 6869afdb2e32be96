import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { toDockerChanges, toDockerPathStat, toGoMode } from './path-stat.ts';

describe('modes in Go’s bits', () => {
  for (const [what, mode, go] of [
    ['a file', 0o100644, 0o644],
    ['a folder', 0o040755, 0x80000000 + 0o755],
    ['a sticky folder', 0o041777, 0x80000000 + 0x100000 + 0o777],
    ['a link', 0o120777, 0x8000000 + 0o777],
    ['a program with setuid and setgid', 0o106755, 0x800000 + 0x400000 + 0o755],
    ['a character device', 0o020666, 0x4000000 + 0x200000 + 0o666],
    ['a block device', 0o060660, 0x4000000 + 0o660],
    ['a pipe', 0o010600, 0x2000000 + 0o600],
    ['a socket', 0o140755, 0x1000000 + 0o755],
  ] as const) {
    test(what, () => assert.equal(toGoMode(mode), go));
  }
});

describe('the header', () => {
  const decode = (mtimeNs: string) =>
    JSON.parse(
      Buffer.from(
        toDockerPathStat({ name: 'a', sizeBytes: 5, mode: 0o100644, mtimeNs, linkTarget: '' }),
        'base64',
      ).toString(),
    );

  test('has what Docker’s has', () => {
    assert.deepEqual(decode('1700000000123456789'), {
      name: 'a',
      size: 5,
      mode: 0o644,
      mtime: '2023-11-14T22:13:20.123456789Z',
      linkTarget: '',
    });
  });

  test('has no more digits than it takes, also before 1970', () => {
    assert.equal(decode('1700000000000000000').mtime, '2023-11-14T22:13:20Z');
    assert.equal(decode('1700000000500000000').mtime, '2023-11-14T22:13:20.5Z');
    assert.equal(decode('-500000000').mtime, '1969-12-31T23:59:59.5Z');
  });
});

test('changes have numbers, and none is null', () => {
  assert.equal(toDockerChanges([]), null);
  assert.deepEqual(
    toDockerChanges([
      { path: '/a', kind: 'modified' },
      { path: '/b', kind: 'added' },
      { path: '/c', kind: 'deleted' },
    ]),
    [
      { Path: '/a', Kind: 0 },
      { Path: '/b', Kind: 1 },
      { Path: '/c', Kind: 2 },
    ],
  );
});
