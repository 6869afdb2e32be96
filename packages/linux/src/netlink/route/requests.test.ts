/** What the request builders put into a request; what the kernel makes of it is tested in test/linux-route.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newAddress } from './address.ts';
import { deleteLink, newLink, setLink } from './link.ts';
import { deleteNeighbour, newNeighbour } from './neighbour.ts';
import { deleteRoute, newRoute } from './route.ts';

test('requests are plain data that survives a structured clone', () => {
  const requests = [
    newLink({ name: 'v', kind: 'veth', master: 3, up: true, peer: { name: 'eth0', namespaceFd: 9 } }),
    setLink({ index: 1 }, { up: true, hairpin: true }),
    newAddress({ index: 1, address: '10.0.0.1', prefixLength: 8 }),
    newRoute({ gateway: '10.0.0.2' }),
    newNeighbour({ index: 1, address: '10.0.0.3', lladdr: '02:00:00:00:00:01' }),
  ];
  assert.deepEqual(structuredClone(requests), requests);
});

test('a link may be renamed by index only: a name in the request already says which link', () => {
  assert.equal(setLink({ index: 4 }, { name: 'eth0' }).attributes.name, 'eth0');
  assert.throws(() => setLink({ name: 'veth0' }, { name: 'eth0' }), TypeError);
});

test('up and down change only that flag, and neither changes none', () => {
  assert.deepEqual(setLink({ index: 4 }, { up: true }).header, { index: 4, flags: 1, change: 1 });
  assert.deepEqual(setLink({ index: 4 }, { down: true }).header, { index: 4, flags: 0, change: 1 });
  assert.deepEqual(setLink({ index: 4 }, { up: false }).header, { index: 4, flags: 0, change: 1 });
  assert.deepEqual(setLink({ index: 4 }, { mtu: 9000 }).header, { index: 4, flags: 0, change: 0 });
});

test('descriptions say what was attempted', () => {
  assert.equal(newLink({ name: 'br0', kind: 'bridge' }).description, 'create bridge br0');
  assert.equal(deleteLink({ index: 7 }).description, 'delete link 7');
  assert.equal(
    newRoute({ gateway: '10.0.0.1', index: 2 }).description,
    'add route default via 10.0.0.1 on link 2',
  );
});

test('the broadcast address is the last of the prefix where the prefix has one', () => {
  const broadcast = (address: string, prefixLength: number) =>
    newAddress({ index: 1, address, prefixLength, broadcast: true }).attributes.broadcast;
  assert.equal(broadcast('172.17.0.2', 16), '172.17.255.255');
  assert.equal(broadcast('10.1.2.3', 30), '10.1.2.3');
  assert.equal(broadcast('10.1.2.2', 31), undefined);
  assert.equal(broadcast('10.1.2.2', 32), undefined);
  assert.equal(broadcast('fd00::1', 64), undefined);
});

test('the scope of a route follows from its kind as in ip-route(8)', () => {
  const scope = (route: Parameters<typeof newRoute>[0]) => newRoute(route).header.scope;
  assert.equal(scope({ destination: '10.0.0.0/8', index: 1 }), 253);
  assert.equal(scope({ destination: '10.0.0.0/8', gateway: '10.0.0.1' }), 0);
  assert.equal(scope({ destination: '10.0.0.1', type: 'local', index: 1 }), 254);
  assert.equal(scope({ destination: '10.0.0.0/8', type: 'blackhole' }), 0);
  assert.equal(scope({ destination: 'fd00::/8', index: 1 }), 0);
  assert.equal(deleteRoute({ destination: '10.0.0.0/8' }).header.scope, 255);
});

test('a route takes its family from what tells it, and is IPv4 when nothing does', () => {
  const family = (route: Parameters<typeof newRoute>[0]) => newRoute(route).header.family;
  assert.equal(family({ index: 1 }), 2);
  assert.equal(family({ index: 1, family: 6 }), 10);
  assert.equal(family({ gateway: 'fd00::1' }), 10);
  assert.equal(family({ destination: '::/0', index: 1 }), 10);
  assert.equal(newRoute({ destination: '::/0', index: 1 }).attributes.destination, undefined);
});

test('tables above 255 go into their attribute, those below into the header', () => {
  assert.deepEqual(
    [100, 1000].map((table) => {
      const { header, attributes } = newRoute({ index: 1, table });
      return [header.table, attributes.table];
    }),
    [
      [100, undefined],
      [0, 1000],
    ],
  );
});

test('a forwarding entry with a remote end is the VXLAN’s own, one without belongs to the bridge', () => {
  const key = { index: 1, bridgeFdb: true, lladdr: '02:00:00:00:00:01' } as const;
  assert.equal(newNeighbour({ ...key, destination: '192.0.2.1' }).header.flags, 2);
  assert.equal(newNeighbour(key).header.flags, 4);
  assert.equal(deleteNeighbour({ ...key, table: 'self' as const }).header.flags, 2);
});

test('impossible addresses are refused before anything is sent', () => {
  assert.throws(() => newAddress({ index: 1, address: '10.0.0.1', prefixLength: 33 }), RangeError);
  assert.throws(() => newAddress({ index: 1, address: 'localhost', prefixLength: 8 }), RangeError);
  assert.throws(() => newRoute({ destination: '10.0.0.0/99' }), RangeError);
  assert.throws(() => newNeighbour({ index: 1, address: 'x', lladdr: '02:00:00:00:00:01' }), RangeError);
});
