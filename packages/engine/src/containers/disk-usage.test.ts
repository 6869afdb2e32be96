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

  it('counts files and folders whose names are no text', async () => {
    const path = join(folder, 'bytes');
    const odd = Buffer.concat([Buffer.from(`${path}/`), Buffer.of(0xff, 0xfe)]);
    await mkdir(odd, { recursive: true });
    await writeFile(Buffer.concat([odd, Buffer.from('/'), Buffer.of(0xfd)]), 'twelve bytes');
    assert.equal(await diskUsageBytes(path), 12);
  });

  it('stays inside while folders become links', async () => {
    const path = join(folder, 'changing');
    const outside = join(folder, 'outside');
    await mkdir(join(path, 'swap'), { recursive: true });
    await mkdir(outside);
    await writeFile(join(outside, 'large'), 'x'.repeat(5000));
    let isOver = false;
    const changing = (async () => {
      while (!isOver) {
        await rm(join(path, 'swap'), { recursive: true });
        await symlink(outside, join(path, 'swap'));
        await rm(join(path, 'swap'));
        await mkdir(join(path, 'swap'));
      }
    })();
    for (let round = 0; round < 300; round++) assert.equal(await diskUsageBytes(path), 0);
    isOver = true;
    await changing;
  });

  it('is nothing where there is no folder, or an empty one', async () => {
    await mkdir(join(folder, 'empty'));
    assert.equal(await diskUsageBytes(join(folder, 'empty')), 0);
    assert.equal(await diskUsageBytes(join(folder, 'missing')), 0);
  });
});
