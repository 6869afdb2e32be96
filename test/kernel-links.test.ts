/** The engine's links on the real kernel, in namespaces of this process's own: none of somebody else's is touched. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, beforeEach, describe, test } from 'node:test';
import { createNamespace, deleteLink, newLink, RouteSocket, setLink } from '@seaway/linux';
import { createMarked } from '../packages/engine/src/kernel/marked-links.ts';
import {
  type AttachRequest,
  attachToBridge,
  type BridgeRequest,
  isAttached,
  markedLinks,
} from '../packages/engine/src/kernel/operations.ts';
import { cannotIsolate, isolate, type PrivateHost } from '../packages/linux/src/fixtures/private-host.ts';

const bridge: BridgeRequest = {
  name: 'br0',
  mark: 'seaway:test:network:1',
  macAddress: '02:00:00:00:00:01',
  addresses: [{ address: '10.0.0.1', prefixLength: 24 }],
  ipv6: false,
};

describe('veth pairs that join sandboxes to bridges', { skip: cannotIsolate }, () => {
  let host: PrivateHost;
  let route: RouteSocket;
  let inside: RouteSocket;
  let request: AttachRequest;
  let count = 0;

  before(() => {
    host = isolate();
    route = RouteSocket.open();
  });

  beforeEach(() => {
    const namespace = `${host.folder}/${++count}`;
    createNamespace(namespace);
    inside = RouteSocket.open({ namespace });
    request = {
      ...{ namespace, bridge, hostInterface: `veth${count}`, interfaceName: 'eth0' },
      ...{ macAddress: '02:00:00:00:00:02', announce: false, mark: 'seaway:test:endpoint:1' },
      addresses: [{ address: '10.0.0.2', prefixLength: 24 }],
      gateways: ['10.0.0.1'],
      sysctls: [],
    };
  });

  after(() => {
    route.close();
    host[Symbol.dispose]();
  });

  /** Whatever may be changed of a link from outside. */
  const look = (name: string) => {
    const link = route.link({ name });
    return (
      link && { kind: link.kind, alias: link.alias, up: link.up, master: link.master, index: link.index }
    );
  };
  const ofEndpoints = () => markedLinks('seaway:test:endpoint:').map(({ name }) => name);

  test("they are marked and in nobody's group, like the bridge", () => {
    assert.equal(attachToBridge(request).kind, 'ready');
    const { master, alias, up } = look(request.hostInterface)!;
    assert.deepEqual([master, alias, up], [look('br0')!.index, request.mark, true]);
    assert.deepEqual(
      inside.addresses({ index: inside.link({ name: 'eth0' })!.index }).map(({ address }) => address),
      ['10.0.0.2'],
    );
    assert.equal(look('br0')!.alias, bridge.mark);
    const shown: { group: string }[] = JSON.parse(
      execFileSync('ip', ['-json', 'link'], { encoding: 'utf8' }),
    );
    assert.deepEqual([...new Set(shown.map(({ group }) => group))], ['default']);
    assert.equal(isAttached(request), true);
    route.execute([deleteLink({ name: request.hostInterface })]);
    assert.equal(isAttached(request), false);
  });

  for (const alias of [undefined, 'a note of the owner', 'seaway:other:endpoint:1']) {
    test(`somebody else's link of that name, with ${alias ? `the alias "${alias}"` : 'no alias'}, stays as it is`, () => {
      const name = request.hostInterface;
      route.execute([
        newLink({ name, kind: 'veth', peer: { name: `peer${count}` } }),
        ...(alias === undefined ? [] : [setLink({ name }, { alias })]),
      ]);
      const before = look(name);
      assert.equal(isAttached(request), false);
      assert.throws(() => attachToBridge(request), {
        message: `veth ${name} exists already${alias ? ` (marked "${alias}")` : ''}: it is left as it is`,
      });
      assert.deepEqual(look(name), before);
      assert.deepEqual(ofEndpoints(), []);
      assert.equal(inside.link({ name: 'eth0' }), undefined);
      route.execute([deleteLink({ name })]);
      assert.equal(attachToBridge(request).kind, 'ready', 'the name is free');
      route.execute([deleteLink({ name })]);
    });
  }

  test('one that cannot be marked is gone at once, and so is one whose other end has no place', () => {
    const before = route.links().map(({ name }) => name);
    // The kernel makes such addresses only where it has been given a secret.
    const impossible = { ipv6AddressGeneration: 'stablePrivacy' } as const;
    const link = { name: request.hostInterface, kind: 'veth' } as const;
    assert.throws(() => createMarked(link, request.mark, impossible), { index: 1, code: 'EINVAL' });
    inside.execute([newLink({ name: 'eth0', kind: 'bridge' })]);
    assert.throws(() => attachToBridge(request), { index: 0, code: 'EEXIST' });
    assert.deepEqual(
      route.links().map(({ name }) => name),
      before,
    );
  });
});
