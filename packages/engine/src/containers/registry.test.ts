import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, it } from 'node:test';
import { type ContainerId, newId } from '../base/ids.ts';
import type { ContainerRecord } from '../model/container.ts';
import { DocumentTable } from '../store/document-table.ts';
import { randomName } from './random-name.ts';
import { ContainerRegistry } from './registry.ts';

let table: DocumentTable<ContainerRecord>;
let registry: ContainerRegistry;

beforeEach(() => {
  table = new DocumentTable(new DatabaseSync(':memory:'), 'containers');
  registry = new ContainerRegistry(table);
});

function add(name: string | undefined, id = newId<ContainerId>()): ContainerRecord {
  return registry.put({ id, name: registry.claimName(name, id) } as ContainerRecord);
}

describe('finding a container', () => {
  it('goes by full id, name with or without a slash, and unique prefix', () => {
    const web = add('web', 'ab1'.padEnd(64, '0') as ContainerId);
    add('db', 'ab2'.padEnd(64, '0') as ContainerId);
    for (const reference of [web.id, 'web', '/web', 'ab1']) assert.equal(registry.resolve(reference), web);
    assert.throws(() => registry.resolve('ab'), {
      kind: 'invalid',
      message: 'multiple IDs found with provided prefix: ab',
    });
    for (const unknown of ['', 'nope', 'ff', '/']) {
      assert.throws(() => registry.resolve(unknown), {
        kind: 'notFound',
        message: `No such container: ${unknown}`,
      });
    }
  });

  it('goes by the names that links give', () => {
    const db = add('db');
    const web = add('web');
    const other = { target: newId<ContainerId>(), alias: 'gone' };
    registry.update(web.id, {
      links: [{ target: db.id, alias: 'store' }, { target: db.id, alias: 'base' }, other],
    });
    for (const reference of ['web/store', '/web/base']) assert.equal(registry.resolve(reference), db);
    for (const unknown of ['web/gone', 'web/db', 'db/store', 'web/', 'web/store/x']) {
      assert.throws(() => registry.resolve(unknown), { kind: 'notFound' });
    }
    assert.deepEqual(registry.linkNames().get(db.id), ['web/store', 'web/base']);
  });

  it('prefers a name to the prefix of an id', () => {
    add('one', 'cafe'.padEnd(64, '0') as ContainerId);
    const named = add('cafe');
    assert.equal(registry.resolve('cafe'), named);
  });

  it('knows the names again that were stored before', () => {
    const web = add('web');
    assert.deepEqual(new ContainerRegistry(table).resolve('web'), web);
  });
});

describe('names', () => {
  it('belong to one container at a time', () => {
    const web = add('web');
    assert.throws(() => add('web'), {
      kind: 'conflict',
      message: `Conflict. The container name "/web" is already in use by container "${web.id}". You have to remove (or rename) that container to be able to reuse that name.`,
    });
    registry.delete(web.id);
    registry.delete(web.id);
    assert.equal(add('web').name, 'web');
  });

  it('that are given up late stay with whoever has them by then', () => {
    const before = add('web');
    registry.delete(before.id);
    const now = add('web');
    registry.releaseName('web', before.id);
    assert.equal(registry.resolve('web'), now);
    assert.throws(() => add('web'), { kind: 'conflict' });
  });

  it('move with a rename, or stay when the new one is taken or bad', () => {
    const web = add('web');
    const db = add('db');
    assert.throws(() => registry.rename(web.id, 'db'), { kind: 'conflict' });
    assert.throws(() => registry.rename(web.id, '!'), { kind: 'invalid' });
    assert.equal(registry.resolve('web').id, web.id);
    registry.rename(web.id, 'shop');
    assert.equal(registry.resolve('shop').id, web.id);
    assert.throws(() => registry.resolve('web'), { kind: 'notFound' });
    assert.equal(registry.rename(db.id, 'web').name, 'web');
  });

  it('are made up where none is given, and never twice', () => {
    const names = new Set(Array.from({ length: 500 }, () => add(undefined).name));
    assert.equal(names.size, 500);
    for (const name of names) assert.match(name, /^[a-z]+_[a-z]+\d*$/);
  });

  it('find room also when nearly all are taken', () => {
    let asked = 0;
    assert.match(
      randomName(() => ++asked < 50),
      /^[a-z]+_[a-z]+\d+$/,
    );
  });
});

describe('changes', () => {
  it('are committed field by field, and only to what exists', () => {
    const web = registry.put({ ...add('web'), state: { status: 'created', pid: 0 } } as ContainerRecord);
    registry.updateState(web.id, { pid: 7 });
    assert.deepEqual(registry.get(web.id).state, { status: 'created', pid: 7 });
    assert.throws(() => registry.update(newId<ContainerId>(), {}), { kind: 'notFound' });
  });
});
