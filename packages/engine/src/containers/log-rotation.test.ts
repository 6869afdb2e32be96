import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeRoom, rotate } from './log-rotation.ts';

test('what is replaced is kept, as often as there may be files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rotation-test-'));
  const path = join(folder, 'log');
  /** As conmon replaces it. */
  const replace = async (text: string) => {
    await writeFile(`${path}.tmp`, text);
    await rename(`${path}.tmp`, path);
  };
  const contents = async () => {
    const names = (await readdir(folder)).filter((name) => !name.endsWith('.held')).sort();
    return Promise.all(names.map(async (name) => `${name}: ${await readFile(join(folder, name), 'utf8')}`));
  };
  try {
    await assert.rejects(rotate(path, 3), { code: 'ENOENT' });
    await replace('one');
    for (let times = 0; times < 3; times += 1) await rotate(path, 3);
    assert.deepEqual(await contents(), ['log: one']);
    await replace('two');
    await rotate(path, 3);
    assert.deepEqual(await contents(), ['log: two', 'log.1: one']);
    await replace('three');
    await rotate(path, 3);
    await replace('four');
    await rotate(path, 3);
    await rotate(path, 3);
    assert.deepEqual(await contents(), ['log: four', 'log.1: three', 'log.2: two']);
    await replace('five');
    await replace('six');
    await rotate(path, 2);
    assert.deepEqual(
      await contents(),
      ['log: six', 'log.1: four', 'log.2: two'],
      'five came and went unseen',
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('another life of the container counts what is there, and leaves a log behind that is half full', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rotation-test-'));
  const path = join(folder, 'log');
  const names = async () => (await readdir(folder)).sort();
  const limits = { maxSizeBytes: 100, maxFiles: 3 };
  try {
    assert.equal(await makeRoom(path, { maxFiles: 1 }), undefined);
    assert.equal(await makeRoom(path, limits), 100);
    await writeFile(path, '.'.repeat(50));
    assert.equal(await makeRoom(path, limits), 50);
    assert.deepEqual(await names(), ['log']);
    for (const expected of [['log.1'], ['log.1', 'log.2'], ['log.1', 'log.2']]) {
      await writeFile(path, '.'.repeat(51));
      await rotate(path, 3);
      assert.equal(await makeRoom(path, limits), 100);
      assert.deepEqual(await names(), expected);
    }
    await writeFile(path, '.'.repeat(51));
    assert.equal(await makeRoom(path, { ...limits, maxFiles: 1 }), 100);
    assert.deepEqual(await names(), ['log.1', 'log.2']);
  } finally {
    await rm(folder, { recursive: true });
  }
});
