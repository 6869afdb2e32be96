/** nf_tables and mounts on the real kernel, in namespaces of this process's own. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import {
  createNamespace,
  isMountPoint,
  mount,
  mounts,
  Nftables,
  NftablesError,
  type NftCommand,
  type NftElement,
  openNamespace,
  removeNamespace,
  unmount,
} from '@seaway/linux';
import { cannotIsolate, isolate, type PrivateHost } from '../packages/linux/src/fixtures/private-host.ts';

const family = 'inet';

function failure(run: () => void): NftablesError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof NftablesError, String(error));
    return error;
  }
  return assert.fail('it should have failed');
}

function elements(from: number, to: number): NftElement {
  const elem = [];
  for (let port = from; port < to; port += 1) elem.push([port, '10.0.0.2'] as const);
  return { family, table: 'web', name: 'ports', elem };
}

/** A table as the engine's: fixed rules, and a map that grows. */
const ruleset: readonly NftCommand[] = [
  { add: { table: { family, name: 'web' } } },
  {
    add: {
      map: { family, table: 'web', name: 'ports', type: 'inet_service', map: 'ipv4_addr' },
    },
  },
  {
    add: {
      chain: { family, table: 'web', name: 'in', type: 'filter', hook: 'input', prio: 0, policy: 'accept' },
    },
  },
  {
    add: {
      rule: {
        family,
        table: 'web',
        chain: 'in',
        expr: [
          { match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: 81 } },
          { counter: null },
          { drop: null },
        ],
      },
    },
  },
];

describe('nf_tables and mounts on the real kernel', { skip: cannotIsolate }, () => {
  let host: PrivateHost;
  before(() => {
    host = isolate();
  });
  after(() => host[Symbol.dispose]());

  test('a transaction is applied, listed with its handles, and shown in the language of nft', () => {
    createNamespace(`${host.folder}/apply`);
    using nft = Nftables.open({ namespace: `${host.folder}/apply` });
    assert.deepEqual(nft.list({ kind: 'ruleset' }), []);
    nft.apply(ruleset);
    nft.apply([]);
    const objects = nft.list({ kind: 'table', family, name: 'web' });
    assert.deepEqual(
      objects.map((object) => Object.keys(object)[0]),
      ['table', 'map', 'chain', 'rule'],
    );
    const rule = objects.find((object) => 'rule' in object) as { rule: { handle: number } };
    assert.ok(rule.rule.handle > 0);
    assert.match(nft.run('list table inet web'), /tcp dport 81 counter packets 0 bytes 0 drop/);
    nft.apply([{ delete: { rule: { family, table: 'web', chain: 'in', handle: rule.rule.handle } } }]);
    assert.equal(nft.list({ kind: 'chain', family, table: 'web', name: 'in' }).length, 1);
    assert.deepEqual(nft.list({ kind: 'tables' }).length, 1);
    assert.deepEqual(nft.list({ kind: 'ruleset', family: 'ip' }), []);
    nft.close();
    removeNamespace(`${host.folder}/apply`);
  });

  test('of a transaction with one bad command nothing is applied', () => {
    using nft = Nftables.open();
    nft.apply(ruleset);
    const before = nft.list({ kind: 'ruleset' });
    const error = failure(() =>
      nft.apply([
        { add: { table: { family, name: 'other' } } },
        { add: { element: elements(1000, 1010) } },
        { create: { table: { family, name: 'web' } } },
      ]),
    );
    assert.equal(error.code, 'EEXIST');
    assert.equal(error.message, 'nftables: Could not process rule: File exists');
    assert.deepEqual(nft.list({ kind: 'ruleset' }), before);
    nft.apply([{ flush: { ruleset: null } }]);
    assert.deepEqual(nft.list({ kind: 'ruleset' }), []);
  });

  test('failures say what libnftables said, all of it in `output`', () => {
    using nft = Nftables.open();
    const field = {
      match: { op: '==', left: { payload: { protocol: 'tcp', field: 'nope' } }, right: 1 },
    } as const;
    const bad = failure(() =>
      nft.apply([{ add: { rule: { family, table: 'web', chain: 'in', expr: [field] } } }]),
    );
    assert.equal(bad.message, "nftables: Unknown tcp field 'nope'.");
    assert.match(bad.output, /Parsing expr array at index 0 failed/);
    assert.equal(bad.code, undefined);
    assert.equal(failure(() => nft.list({ kind: 'table', family, name: 'nope' })).code, 'ENOENT');
    assert.match(failure(() => nft.run('rubbish here')).message, /syntax error/);
    nft.close();
    nft.close();
    assert.match(failure(() => nft.apply(ruleset)).message, /closed/);
  });

  test('sets take thousands of elements in one transaction', () => {
    using nft = Nftables.open();
    nft.apply(ruleset);
    nft.apply([{ add: { element: elements(10_000, 15_000) } }]);
    nft.apply([{ delete: { element: elements(10_000, 14_990) } }]);
    const [object] = nft.list({ kind: 'map', family, table: 'web', name: 'ports' });
    assert.equal((object as { map: { elem: unknown[] } }).map.elem.length, 10);
    nft.apply([{ delete: { table: { family, name: 'web' } } }]);
  });

  test('a map to concatenations is made in the language of nft and filled in JSON', () => {
    using nft = Nftables.open();
    nft.run('add table inet web; add map inet web nat { type inet_service : ipv4_addr . inet_service; }');
    const target = (port: number) => [port, { concat: ['10.0.0.2', port + 1] }] as const;
    nft.apply([{ add: { element: { family, table: 'web', name: 'nat', elem: [target(80), target(443)] } } }]);
    assert.match(nft.run('list map inet web nat'), /80 : 10\.0\.0\.2 \. 81/);
    nft.apply([{ delete: { element: { family, table: 'web', name: 'nat', elem: [target(80)] } } }]);
    assert.doesNotMatch(nft.run('list map inet web nat'), /80 :/);
    nft.apply([{ delete: { table: { family, name: 'web' } } }]);
  });

  test('a context speaks about its own namespace only', () => {
    const path = `${host.folder}/own`;
    createNamespace(path);
    using handle = openNamespace(path);
    using inside = Nftables.open({ namespace: handle });
    using outside = Nftables.open();
    handle.close();
    removeNamespace(path);
    inside.apply(ruleset);
    assert.equal(inside.list({ kind: 'tables' }).length, 1);
    assert.deepEqual(outside.list({ kind: 'tables' }), []);
  });

  test('file systems are mounted, seen in the table, and unmounted', () => {
    const folder = `${host.folder}/a folder\\with odd\tcharacters`;
    mkdirSync(folder);
    mount({
      source: 'none',
      target: folder,
      type: 'tmpfs',
      flags: ['nosuid', 'nodev'],
      data: 'size=64k,mode=700',
    });
    assert.ok(isMountPoint(folder));
    const entry = mounts().find(({ target }) => target === folder);
    assert.equal(entry?.type, 'tmpfs');
    assert.ok(entry?.options.includes('nosuid') && entry.superOptions.includes('size=64k'));
    writeFileSync(`${folder}/file`, 'x');
    mount({ source: folder, target: folder, flags: ['bind'] });
    mount({ source: 'none', target: folder, flags: ['remount', 'bind', 'readonly'] });
    assert.throws(() => writeFileSync(`${folder}/file`, 'y'), { code: 'EROFS' });
    unmount(folder);
    assert.equal(readFileSync(`${folder}/file`, 'utf8'), 'x');
    unmount(folder, { detach: true });
    assert.ok(!isMountPoint(folder));
    unmount(folder);
    unmount(`${folder}/nothing/here`);
    assert.throws(() => mount({ source: 'none', target: `${folder}/nothing`, type: 'tmpfs' }), {
      code: 'ENOENT',
      syscall: 'mount',
      message: `mount tmpfs on ${folder}/nothing: ENOENT (no such file or directory)`,
    });
    assert.throws(() => mount({ source: 'none', target: folder, type: 'nofs' }), { code: 'ENODEV' });
  });
});
