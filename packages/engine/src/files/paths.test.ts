import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { absolutePath, baseName, cleanName, joinBytes, parentOf } from './paths.ts';

describe('names of archives', () => {
  for (const [name, clean] of [
    ['a/b', 'a/b'],
    ['./a//b/', 'a/b'],
    ['a/../b', 'b'],
    ['/a/b', 'a/b'],
    ['/../../a', 'a'],
    ['.', ''],
    ['/', ''],
    ['..', undefined],
    ['a/../../b', undefined],
    ['../a', undefined],
  ] as const) {
    test(`${name} is ${clean ?? 'refused'}`, () =>
      assert.equal(cleanName(Buffer.from(name))?.toString(), clean));
  }

  test('are bytes', () => {
    const name = Buffer.from([0x61, 0x2f, 0xff, 0xfe]);
    assert.deepEqual(cleanName(name), name);
  });
});

describe('paths of requests', () => {
  for (const [path, absolute, base] of [
    ['/a/b', '/a/b', 'b'],
    ['a', '/a', 'a'],
    ['/a/', '/a/', 'a'],
    ['/a/.', '/a/.', '.'],
    ['a/../../..//b', '/b', 'b'],
    ['/', '/', '/'],
    ['.', '/.', '.'],
    ['..', '/', '/'],
    ['/..', '/', '/'],
  ] as const) {
    test(`${path} is ${absolute}, called ${base}`, () => {
      assert.equal(absolutePath(path), absolute);
      assert.equal(baseName(absolute), base);
    });
  }
});

test('paths are joined and taken apart', () => {
  const joined = (folder: string, name: string) =>
    joinBytes(Buffer.from(folder), Buffer.from(name)).toString();
  assert.deepEqual(
    [joined('/', 'a'), joined('/a', 'b'), joined('/a', ''), joined('', 'a')],
    ['/a', '/a/b', '/a', 'a'],
  );
  assert.equal(parentOf(Buffer.from('/a/b')).toString(), '/a');
  assert.equal(parentOf(Buffer.from('/a')).toString(), '/');
});
