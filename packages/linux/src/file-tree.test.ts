import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { decodeDevice, encodeDevice, makeNode, readAttribute, writeAttribute } from './file-tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'seaway-files-'));
after(() => rmSync(folder, { recursive: true }));

test('device numbers go there and back, small and large', () => {
  for (const device of [
    { major: 1, minor: 3 },
    { major: 0, minor: 0 },
    { major: 259, minor: 65_537 },
    { major: 4095, minor: 1_048_575 },
  ]) {
    assert.deepEqual(decodeDevice(encodeDevice(device)), device);
  }
});

test('a pipe is made with a name that is no text', () => {
  const path = Buffer.concat([Buffer.from(`${folder}/pipe`), Buffer.of(0xff)]);
  makeNode(path, 'fifo', { major: 0, minor: 0 });
  assert.ok(statSync(path).isFIFO());
  assert.throws(() => makeNode(path, 'fifo', { major: 0, minor: 0 }), { code: 'EEXIST' });
});

test('attributes are written and read', (context) => {
  const path = join(folder, 'file');
  writeFileSync(path, '');
  const value = Buffer.from([1, 0, 0xff]);
  try {
    writeAttribute(path, 'user.seaway', value);
  } catch (error) {
    assert.equal(
      (error as NodeJS.ErrnoException).code,
      'EOPNOTSUPP',
      execFileSync('stat', ['-f', folder]).toString(),
    );
    context.diagnostic('this file system has no attributes of users');
    return;
  }
  assert.deepEqual(readAttribute(path, 'user.seaway'), value);
  assert.equal(readAttribute(path, 'user.other'), undefined);
});
