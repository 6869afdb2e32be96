import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type EntryHeader, extendedRecords, TarWriter } from './tar-writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'seaway-tar-'));
after(() => rmSync(folder, { recursive: true }));

const plain: EntryHeader = {
  name: Buffer.from('name'),
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtimeSeconds: 1_700_000_000,
};

/** What GNU tar says of an archive of these entries. */
function listed(...entries: (Partial<EntryHeader> & { readonly content?: string })[]): string {
  const path = join(folder, 'archive');
  const fd = openSync(path, 'w');
  const tar = new TarWriter(fd);
  for (const { content = '', ...header } of entries) {
    const bytes = Buffer.from(content);
    tar.add({ ...plain, sizeBytes: bytes.length, ...header }, [bytes]);
  }
  tar.end();
  closeSync(fd);
  assert.equal(readFileSync(path).length % 512, 0);
  return execFileSync(
    'tar',
    ['-tvf', path, '--numeric-owner', '--utc', '--full-time', '--quoting-style=escape'],
    {
      env: { ...process.env, LC_ALL: 'C' },
    },
  ).toString();
}

describe('GNU tar reads', () => {
  test('files, links, devices and pipes', () => {
    const text = listed(
      { content: 'some', mode: 0o4751, uid: 33, gid: 50 },
      { name: Buffer.from('empty'), mode: 0 },
      { name: Buffer.from('folder/'), type: 'directory', mode: 0o1777 },
      { name: Buffer.from('link'), type: 'symlink', linkname: Buffer.from('name') },
      { name: Buffer.from('hard'), type: 'link', linkname: Buffer.from('name') },
      { name: Buffer.from('null'), type: 'character-device', device: { major: 1, minor: 3 } },
      { name: Buffer.from('pipe'), type: 'fifo' },
    );
    assert.deepEqual(
      text
        .trim()
        .split('\n')
        .map((line) => line.replace(/ 2023-11-14 22:13:20/, '').replaceAll(/ +/g, ' ')),
      [
        '-rwsr-x--x 33/50 4 name',
        '---------- 0/0 0 empty',
        'drwxrwxrwt 0/0 0 folder/',
        'lrw-r--r-- 0/0 0 link -> name',
        'hrw-r--r-- 0/0 0 hard link to name',
        'crw-r--r-- 0/0 1,3 null',
        'prw-r--r-- 0/0 0 pipe',
      ],
    );
  });

  test('names that are long, and no text', () => {
    const long = 'x'.repeat(300);
    assert.ok(listed({ name: Buffer.from(long), content: 'a' }).includes(long));
    assert.ok(listed({ name: Buffer.from([0xff, 0x61]), content: 'a' }).includes('\\377a'));
    const link = { name: Buffer.from('l'), type: 'symlink', linkname: Buffer.from(long) } as const;
    assert.ok(listed(link).includes(`l -> ${long}`));
  });

  test('owners and times beyond what the plain header holds', () => {
    assert.match(listed({ uid: 3_000_000_000, gid: 2_097_152 }), / 3000000000\/2097152 /);
    assert.match(listed({ mtimeSeconds: -1 }), / 1969-12-31 23:59:59 /);
    assert.match(listed({ mtimeSeconds: 4_102_444_800 }), / 2100-01-01 00:00:00 /);
  });
});

test('attributes are bytes, and a record’s length counts itself', () => {
  const value = Buffer.from([0, 0xff, 0x0a]);
  const [record] = extendedRecords({ ...plain, attributes: new Map([['user.x', value]]) });
  assert.deepEqual(record, Buffer.concat([Buffer.from('27 SCHILY.xattr.user.x='), value, Buffer.from('\n')]));
  for (let length = 80; length < 110; length++) {
    const [path] = extendedRecords({ ...plain, name: Buffer.from('ä'.repeat(length)) });
    assert.equal(Number.parseInt(path!.toString(), 10), path!.length);
  }
});
