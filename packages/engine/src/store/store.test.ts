import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { DocumentTable } from './document-table.ts';
import { Store } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'seaway-store-'));
after(() => rmSync(folder, { recursive: true }));

describe('the store', () => {
  it('finds again what was put before it was closed', () => {
    {
      using store = Store.open(folder);
      store.meta.put({ id: 'installation', value: 'abc' });
      store.meta.put({ id: 'gone', value: 'x' });
      store.meta.put({ id: 'installation', value: 'def' });
      store.meta.delete('gone');
      store.meta.delete('never was');
    }
    using store = Store.open(folder);
    assert.deepEqual([...store.meta.all()], [{ id: 'installation', value: 'def' }]);
  });

  it('refuses a folder that is in use, naming it', () => {
    using _store = Store.open(folder);
    assert.throws(() => Store.open(folder), {
      kind: 'unavailable',
      message: new RegExp(`data root ${folder} is in use`),
    });
  });

  it('refuses a folder that cannot be one', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    assert.throws(() => Store.open(file), {
      kind: 'internal',
      message: new RegExp(`cannot use data root ${file}`),
    });
  });

  it('keeps documents in groups, through changes of their keys', () => {
    const table = new DocumentTable<{ id: string; of?: string }>(new DatabaseSync(':memory:'), 'things');
    table.put({ id: 'a', of: 'x' });
    const ofGroup = table.groupBy((document) => document.of);
    const ids = (key: string) => ofGroup(key).map(({ id }) => id);
    table.put({ id: 'b', of: 'x' });
    table.put({ id: 'c' });
    assert.deepEqual(ids('x'), ['a', 'b']);
    table.put({ id: 'a', of: 'y' });
    table.put({ id: 'c', of: 'x' });
    assert.deepEqual([ids('x'), ids('y')], [['b', 'c'], ['a']]);
    table.put({ id: 'b' });
    table.delete('c');
    table.delete('c');
    assert.deepEqual([ids('x'), ids('y'), ids('z')], [[], ['a'], []]);
  });

  it('keeps memory and disk the same when a write fails', () => {
    const database = new DatabaseSync(':memory:');
    const table = new DocumentTable<{ id: string; text: string }>(database, 'things');
    table.put({ id: 'a', text: 'one' });
    database.exec('PRAGMA max_page_count = 1');
    assert.throws(() => table.put({ id: 'a', text: 'x'.repeat(100_000) }), {
      kind: 'internal',
      message: /cannot write to the database \(things\): .*full/,
    });
    assert.deepEqual(table.get('a'), { id: 'a', text: 'one' });
  });
});
