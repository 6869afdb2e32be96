import assert from 'node:assert/strict';
import { link, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { diskUsageBytes } from './disk-usage.ts';

const folder = await mkdtemp(join(tmpdir(), 'seaway-usage-'));
after(() => rm(folder, { recursive: true }));

describe('the room that a folder takes', () => {
  it('is what its files hold at any depth, hard links once, symbolic links not at all', async () => {
    const root = join(folder, 'tree');
    await mkdir(join(root, 'a', 'b'), { recursive: true });
    await writeFile(join(root, 'one'), 'x'.repeat(1000));
    await writeFile(join(root, 'a', 'b', 'two'), 'x'.repeat(234));
    await link(join(root, 'one'), join(root, 'a', 'again'));
    await symlink('/etc', join(root, 'elsewhere'));
    await symlink('one', join(root, 'a', 'link'));
    assert.equal(await diskUsageBytes(root), 1234);
  });

  it('counts a hole as what can be read from it', async () => {
    const path = join(folder, 'sparse');
    await mkdir(path);
    await writeFile(join(path, 'file'), '');
    await truncate(join(path, 'file'), 1_000_000);
    assert.equal(await diskUsageBytes(path), 1_000_000);
  });

  it('is nothing where there is no folder, or an empty one', async () => {
    await mkdir(join(folder, 'empty'));
    assert.equal(await diskUsageBytes(join(folder, 'empty')), 0);
    assert.equal(await diskUsageBytes(join(folder, 'missing')), 0);
  });
});
