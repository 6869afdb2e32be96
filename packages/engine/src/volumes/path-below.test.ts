import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { pathBelow } from './path-below.ts';

const root = await mkdtemp(join(tmpdir(), 'seaway-below-'));
after(() => rm(root, { recursive: true }));
await mkdir(join(root, 'a/b'), { recursive: true });
await writeFile(join(root, 'a/file'), '');
for (const [path, target] of [
  ['absolute', '/a/b'],
  ['up', '../../../../a'],
  ['a/sibling', 'b'],
  ['a/over', '../up/file'],
  ['dangling', '/nowhere'],
  ['loop', 'pool'],
  ['pool', 'loop'],
  ['outside', '/etc'],
] as const) {
  await symlink(target, join(root, path));
}

describe('a path in a tree', () => {
  for (const [path, expected] of [
    ['/', ''],
    ['/a/b', '/a/b'],
    ['a//./b/..', '/a'],
    ['/../../a', '/a'],
    ['/absolute', '/a/b'],
    ['/up/b', '/a/b'],
    ['/a/sibling', '/a/b'],
    ['/a/over', '/a/file'],
    ['/absolute/../file', '/a/file'],
    ['/nope', undefined],
    ['/a/file/x', undefined],
    ['/dangling', undefined],
    ['/loop', undefined],
    ['/outside/passwd', undefined],
    ['/outside', undefined],
  ] as const) {
    it(`${path} is ${expected ?? 'nowhere'}`, async () => {
      assert.equal(await pathBelow(root, path), expected === undefined ? undefined : `${root}${expected}`);
    });
  }
});
