/** rtnetlink on the real kernel, in namespaces of this process's own. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createNamespace,
  deleteAddress,
  deleteLink,
  deleteLinkGroup,
  deleteNeighbour,
  deleteRoute,
  isNamespace,
  KernelThread,
  type NamespaceHandle,
  NetlinkError,
  namespaceIdentity,
  newAddress,
  newLink,
  newNeighbour,
  newRoute,
  openNamespace,
  type RouteEvent,
  RouteInbox,
  RouteMonitor,
  RouteSocket,
  readSysctl,
  removeNamespace,
  runInNamespace,
  setLink,
  writeSysctl,
} from '@seaway/linux';
import { cannotIsolate, isolate, type PrivateHost } from '../packages/linux/src/fixtures/private-host.ts';

function failure(run: () => void): NetlinkError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof NetlinkError, String(error));
    return error;
  }
  return assert.fail('it should have failed');
}

describe('rtnetlink on the real kernel', { skip: cannotIsolate }, () => {
  let host: PrivateHost;
  let count = 0;
  const opened: { close(): void }[] = [];

  before(() => {
    host = isolate();
  });

  after(() => {
    for (const handle of opened) handle.close();
    host[Symbol.dispose]();
  });

  /** A new namespace, a handle on it, and a socket in it. */
  function enter(): { path: string; handle: NamespaceHandle; route: RouteSocket } {
    count += 1;
    const path = `${host.folder}/ns${count}`;
    createNamespace(path);
    const handle = openNamespace(path);
    const route = RouteSocket.open({ namespace: handle });
    opened.push(handle, route);
    return { path, handle, route };
  }

  const indexOf = (route: RouteSocket, name: string) => route.link({ name })!.index;

  test('a namespace is created, recognised, entered for a function, and removed', () => {
    const home = namespaceIdentity();
    const { path } = enter();
    assert.ok(isNamespace(path));
    assert.ok(!isNamespace(host.folder) && !isNamespace(`${path}-nope`));
    assert.notEqual(namespaceIdentity(path), home);
    assert.equal(
      runInNamespace(path, () => namespaceIdentity()),
      namespaceIdentity(path),
    );
    assert.equal(namespaceIdentity({ pid: process.pid }), home);
    assert.equal(namespaceIdentity(), home);
    assert.throws(() => runInNamespace(path, async () => 1), TypeError);
    assert.throws(
      () =>
        runInNamespace(path, () => {
          throw new RangeError('inside');
        }),
      RangeError,
    );
    assert.equal(namespaceIdentity(), home);
    assert.throws(() => createNamespace(path), { code: 'EEXIST' });
    assert.ok(isNamespace(path), 'a failed creation leaves what was there');
    removeNamespace(path);
    removeNamespace(path);
    assert.ok(!isNamespace(path));
    assert.throws(() => openNamespace(path), { code: 'ENOENT' });
    assert.throws(() => RouteSocket.open({ namespace: host.folder }), { code: 'EINVAL' });
    assert.equal(namespaceIdentity(), home);
  });

  test('one request makes a veth with its peer in another namespace, attached and up', () => {
    const outer = enter();
    const inner = enter();
    outer.route.execute([newLink({ name: 'br0', kind: 'bridge', up: true, bridge: { forwardDelay: 0 } })]);
    const bridge = indexOf(outer.route, 'br0');
    outer.route.execute([
      newLink({
        name: 'veth0',
        kind: 'veth',
        mtu: 1400,
        master: bridge,
        up: true,
        peer: { name: 'eth0', namespaceFd: inner.handle.fd, address: '02:42:ac:11:00:02', mtu: 1400 },
      }),
    ]);
    const eth0 = inner.route.link({ name: 'eth0' })!;
    const veth0 = outer.route.link({ name: 'veth0' })!;
    assert.deepEqual(
      [eth0.kind, eth0.address, eth0.mtu, eth0.linkIndex, eth0.up],
      ['veth', '02:42:ac:11:00:02', 1400, veth0.index, false],
    );
    assert.deepEqual([veth0.master, veth0.up, veth0.linkIndex], [bridge, true, eth0.index]);
    assert.equal(outer.route.link({ name: 'eth0' }), undefined, 'the peer was never seen on the outside');
    inner.route.execute([setLink(eth0, { up: true })]);
    assert.equal(outer.route.link({ name: 'veth0' })?.running, true);
    assert.deepEqual(
      outer.route.links({ master: bridge }).map(({ name }) => name),
      ['veth0'],
    );
    assert.deepEqual(
      outer.route.links({ kind: 'bridge' }).map(({ name }) => name),
      ['br0'],
    );
    outer.route.execute([deleteLink({ name: 'veth0' })]);
    assert.equal(inner.route.link(eth0), undefined, 'a veth takes its peer with it');
  });

  test('links are changed: name, MTU, address, alias, port options, detached, moved', () => {
    const { route } = enter();
    const other = enter();
    route.execute([
      newLink({ name: 'br0', kind: 'bridge' }),
      newLink({ name: 'a', kind: 'veth', peer: { name: 'b' } }),
    ]);
    const index = indexOf(route, 'a');
    route.execute([
      setLink({ index }, { name: 'renamed', mtu: 1300, address: '02:00:00:00:00:0a', alias: 'note' }),
      setLink({ index }, { master: indexOf(route, 'br0'), ipv6AddressGeneration: 'none' }),
      setLink({ index }, { hairpin: true, bridgePort: { isolated: true, learning: false }, up: true }),
      setLink({ name: 'br0' }, { bridge: { ageingTime: 12300 }, promiscuous: true }),
    ]);
    const link = route.link({ index })!;
    assert.deepEqual(
      [link.name, link.mtu, link.address, link.alias, link.up],
      ['renamed', 1300, '02:00:00:00:00:0a', 'note', true],
    );
    const port = link.bridgePort!;
    assert.deepEqual([port.hairpin, port.isolated, port.learning], [true, true, false]);
    assert.equal(route.link({ name: 'br0' })?.bridge?.ageingTime, 12300);
    assert.equal(route.link({ name: 'br0' })?.promiscuity, 1);
    route.execute([setLink({ index }, { master: 0, down: true })]);
    assert.deepEqual([route.link({ index })?.master, route.link({ index })?.up], [undefined, false]);
    route.execute([setLink({ index }, { namespaceFd: other.handle.fd })]);
    assert.equal(route.link({ name: 'renamed' }), undefined);
    assert.equal(other.route.link({ name: 'renamed' })?.mtu, 1300);
  });

  test('VXLANs and macvlans are made with their options', () => {
    const { route } = enter();
    route.execute([
      newLink({ name: 'br0', kind: 'bridge', up: true }),
      newLink({
        name: 'vx4',
        kind: 'vxlan',
        vxlan: {
          id: 4097,
          local: '192.0.2.1',
          port: 4790,
          learning: false,
          proxy: true,
          l2miss: true,
          ttl: 9,
        },
      }),
      newLink({ name: 'vx6', kind: 'vxlan', vxlan: { id: 5, local: '2001:db8::1', remote: '2001:db8::2' } }),
    ]);
    const parent = indexOf(route, 'br0');
    route.execute([newLink({ name: 'mv', kind: 'macvlan', macvlan: { link: parent, mode: 'vepa' } })]);
    const { vxlan } = route.link({ name: 'vx4' })!;
    assert.deepEqual(
      [
        vxlan?.id,
        vxlan?.local,
        vxlan?.port,
        vxlan?.learning,
        vxlan?.proxy,
        vxlan?.l2miss,
        vxlan?.l3miss,
        vxlan?.ttl,
      ],
      [4097, '192.0.2.1', 4790, false, true, true, false, 9],
    );
    assert.equal(route.link({ name: 'vx6' })?.vxlan?.remote, '2001:db8::2');
    assert.deepEqual(
      [route.link({ name: 'mv' })?.macvlan?.mode, route.link({ name: 'mv' })?.linkIndex],
      ['vepa', parent],
    );
  });

  test('addresses and routes of both families are added, listed by filter, and deleted', () => {
    const { route } = enter();
    route.execute([
      newLink({ name: 'br0', kind: 'bridge', up: true }),
      setLink({ name: 'lo' }, { up: true }),
    ]);
    const index = indexOf(route, 'br0');
    const four = { index, address: '10.1.0.1', prefixLength: 16 };
    const six = { index, address: '2001:db8::1', prefixLength: 64 };
    route.execute([
      newAddress({ ...four, broadcast: true }),
      newAddress({ ...six, noDad: true }),
      newRoute({ gateway: '10.1.255.254' }),
      newRoute({ gateway: '2001:db8::ff', metric: 7 }),
      newRoute({ destination: '10.9.0.0/16', index, preferredSource: '10.1.0.1', table: 77 }),
      newRoute({ destination: '10.8.0.0/16', type: 'unreachable', table: 77 }),
    ]);
    assert.deepEqual(
      route
        .addresses({ index, family: 4 })
        .map(({ address, broadcast, label }) => [address, broadcast, label]),
      [['10.1.0.1', '10.1.255.255', 'br0']],
    );
    assert.ok(route.addresses({ index, family: 6 }).some(({ address }) => address === '2001:db8::1'));
    assert.equal(route.addresses({ index: 1, family: 4 })[0]?.address, '127.0.0.1');
    const defaults = route.routes({ table: 254 }).filter(({ destination }) => destination === undefined);
    assert.deepEqual(
      defaults.map(({ family, gateway, metric }) => [family, gateway, metric]),
      [
        [4, '10.1.255.254', undefined],
        [6, '2001:db8::ff', 7],
      ],
    );
    assert.deepEqual(
      route.routes({ table: 77 }).map(({ destination, type, scope }) => [destination, type, scope]),
      [
        ['10.8.0.0/16', 'unreachable', 'universe'],
        ['10.9.0.0/16', 'unicast', 'link'],
      ],
    );
    assert.equal(failure(() => route.execute([newAddress(four)])).code, 'EEXIST');
    assert.equal(failure(() => route.execute([newRoute({ gateway: '10.1.255.254' })])).code, 'EEXIST');
    route.execute([newAddress({ ...four, replace: true }), newRoute({ gateway: '10.1.0.9', replace: true })]);
    assert.equal(route.routes({ table: 254, family: 4 })[0]?.gateway, '10.1.0.9');
    route.execute([
      deleteRoute({ destination: '10.9.0.0/16', table: 77 }),
      deleteRoute({}),
      deleteRoute({ gateway: '2001:db8::ff' }),
      deleteAddress(six),
      deleteAddress(four),
    ]);
    assert.deepEqual(route.addresses({ index, family: 4 }), []);
    assert.equal(failure(() => route.execute([deleteAddress(four)])).code, 'EADDRNOTAVAIL');
    assert.equal(failure(() => route.execute([deleteRoute({})])).code, 'ESRCH');
  });

  test('neighbours and forwarding entries are added, listed, and deleted', () => {
    const { route } = enter();
    route.execute([
      newLink({ name: 'br0', kind: 'bridge', up: true }),
      newLink({ name: 'vx', kind: 'vxlan', vxlan: { id: 9, local: '192.0.2.1' } }),
    ]);
    const index = indexOf(route, 'br0');
    const vxlan = indexOf(route, 'vx');
    const flood = { index: vxlan, bridgeFdb: true, lladdr: '00:00:00:00:00:00' } as const;
    const port = { index: vxlan, bridgeFdb: true, lladdr: '02:00:00:00:00:01' } as const;
    route.execute([
      setLink({ index: vxlan }, { master: index }),
      newNeighbour({ index, address: '10.0.0.2', lladdr: '02:00:00:00:00:02' }),
      newNeighbour({ index, address: 'fd00::2', lladdr: '02:00:00:00:00:02', state: 'reachable' }),
      newNeighbour({ ...flood, destination: '192.0.2.2', append: true }),
      newNeighbour({ ...flood, destination: '192.0.2.3', append: true }),
      newNeighbour(port),
    ]);
    const find = (address: string) => route.neighbours({ index }).find((entry) => entry.address === address);
    assert.deepEqual([find('10.0.0.2')?.state, find('fd00::2')?.state], ['permanent', 'reachable']);
    const entries = route.neighbours({ family: 'bridge', index: vxlan });
    assert.deepEqual(
      entries.filter(({ lladdr }) => lladdr === flood.lladdr).map(({ address }) => address),
      ['192.0.2.2', '192.0.2.3'],
    );
    assert.ok(entries.some(({ lladdr, master }) => lladdr === port.lladdr && master === index));
    assert.equal(
      failure(() =>
        route.execute([newNeighbour({ index, address: '10.0.0.2', lladdr: '02:00:00:00:00:03' })]),
      ).code,
      'EEXIST',
    );
    route.execute([
      deleteNeighbour({ index, address: '10.0.0.2' }),
      deleteNeighbour({ ...flood, destination: '192.0.2.3' }),
      deleteNeighbour(port),
    ]);
    assert.equal(find('10.0.0.2'), undefined);
    assert.equal(
      failure(() => route.execute([deleteNeighbour({ index, address: '10.0.0.2' })])).code,
      'ENOENT',
    );
  });

  test('failures carry the name, the request, and the words of the kernel', () => {
    const { route } = enter();
    const refused = failure(() =>
      route.execute([newLink({ name: 'vx', kind: 'vxlan', vxlan: { id: 2 ** 25, local: '192.0.2.1' } })]),
    );
    assert.equal(refused.code, 'ERANGE');
    assert.equal(refused.request, 'create vxlan vx');
    assert.equal(refused.extendedAck, 'VXLAN ID must be lower than 16777216');
    assert.ok(refused.attributeOffset! > 16);
    assert.match(refused.message, /^create vxlan vx: ERANGE \(.+\): VXLAN ID must be lower than 16777216$/);
    const unreachable = failure(() => route.execute([newRoute({ gateway: '192.0.2.1' })]));
    assert.deepEqual(
      [unreachable.code, unreachable.extendedAck],
      ['ENETUNREACH', 'Nexthop has invalid gateway'],
    );
    assert.equal(route.link({ name: 'nope' }), undefined);
    assert.equal(route.link({ index: 12345 }), undefined);
    assert.equal(failure(() => route.execute([deleteLink({ name: 'nope' })])).code, 'ENODEV');
  });

  test('a batch goes on past a failing member and reports the first failure with its place', () => {
    const { route } = enter();
    const bridge = (name: string) => newLink({ name, kind: 'bridge' });
    const error = failure(() =>
      route.execute([bridge('a'), bridge('a'), bridge('b'), deleteLink({ name: 'nope' }), bridge('c')]),
    );
    assert.deepEqual([error.index, error.code, error.request], [1, 'EEXIST', 'create bridge a']);
    const last = failure(() => route.execute([bridge('d'), bridge('d')]));
    assert.equal(last.index, 1);
    const names = route.links({ kind: 'bridge' }).map(({ name }) => name);
    assert.deepEqual(names.sort(), ['a', 'b', 'c', 'd']);
    route.execute([]);
    route.execute([newLink({ name: 'a', kind: 'bridge', exclusive: false })]);
  });

  test('nothing is sent when one member cannot be encoded', () => {
    const { route } = enter();
    const tooLong = newLink({ name: 'a-name-of-sixteen', kind: 'bridge' });
    assert.throws(() => route.execute([newLink({ name: 'a', kind: 'bridge' }), tooLong]), RangeError);
    assert.equal(route.link({ name: 'a' }), undefined);
  });

  test('batches larger than one send and lists of 500 links are whole', () => {
    const { route, path } = enter();
    route.execute([newLink({ name: 'br0', kind: 'bridge', up: true })]);
    const index = indexOf(route, 'br0');
    const addresses = Array.from({ length: 1500 }, (_, i) =>
      newAddress({ index, address: `10.${i >> 8}.${i & 255}.1`, prefixLength: 24 }),
    );
    route.execute(addresses);
    assert.equal(route.addresses({ index, family: 4 }).length, 1500);
    const failing = failure(() => route.execute([...addresses.slice(0, 3), ...addresses]));
    assert.equal(failing.index, 0);
    assert.equal(route.addresses({ index, family: 4 }).length, 1500);
    const pairs = Array.from({ length: 250 }, (_, i) =>
      newLink({ name: `a${i}`, kind: 'veth', peer: { name: `b${i}` } }),
    );
    route.execute(pairs);
    const links = route.links({ kind: 'veth' });
    assert.equal(links.length, 500);
    assert.equal(new Set(links.map(({ name }) => name)).size, 500);
    assert.ok(links.every(({ statistics, address }) => statistics.rxBytes === 0 && address !== ''));
    route.close();
    removeNamespace(path); // the kernel destroys the links with it, in the background
  });

  test('a monitor reports what happens, decoded, and nothing after close', async () => {
    const { route, handle } = enter();
    const events: RouteEvent[] = [];
    const overruns: unknown[] = [];
    const monitor = RouteMonitor.open(
      { namespace: handle, groups: ['link', 'ipv4-address', 'ipv6-address', 'ipv4-route', 'neighbour'] },
      (event) => events.push(event),
      (error) => overruns.push(error),
    );
    route.execute([newLink({ name: 'br0', kind: 'bridge', up: true })]);
    const index = indexOf(route, 'br0');
    route.execute([
      newAddress({ index, address: '10.0.0.1', prefixLength: 8 }),
      newNeighbour({ index, address: '10.0.0.2', lladdr: '02:00:00:00:00:02' }),
      newRoute({ destination: '10.9.0.0/16', gateway: '10.0.0.2' }),
      deleteLink({ name: 'br0' }),
    ]);
    const words = () => events.map(({ kind, change }) => `${kind} ${change}`);
    for (let i = 0; i < 500 && !words().includes('link delete'); i += 1) await sleep(10);
    for (const expected of [
      'link new',
      'address new',
      'neighbour new',
      'route new',
      'address delete',
      'link delete',
    ]) {
      assert.ok(words().includes(expected), `${expected} is missing in ${words().join(', ')}`);
    }
    const added = events.find((event) => event.kind === 'address');
    assert.equal(added?.kind === 'address' && added.address.address, '10.0.0.1');
    await monitor.close();
    const seen = events.length;
    route.execute([newLink({ name: 'br1', kind: 'bridge' })]);
    await sleep(50);
    assert.equal(events.length, seen);
    assert.deepEqual(overruns, []);
  });

  test('events that nobody could read in time are reported as an overrun', async () => {
    const { route, handle } = enter();
    let overruns = 0;
    let events = 0;
    route.execute([newLink({ name: 'br0', kind: 'bridge' })]);
    const index = indexOf(route, 'br0');
    await using monitor = RouteMonitor.open(
      { namespace: handle, groups: ['link'] },
      () => {
        events += 1;
      },
      () => {
        overruns += 1;
      },
    );
    const change = (mtu: number) => setLink({ index }, { mtu });
    for (let round = 0; round < 8; round += 1) {
      // The event loop is held meanwhile, so the thread stops reading and the kernel's buffer fills.
      for (let i = 0; i < 300; i += 1) route.execute([change(1280 + i), change(1500)]);
    }
    for (let i = 0; i < 500 && overruns === 0; i += 1) await sleep(10);
    assert.ok(overruns > 0, `${events} events and no overrun`);
    events = 0;
    route.execute([change(1400)]);
    for (let i = 0; i < 500 && events === 0; i += 1) await sleep(10);
    assert.ok(events > 0, 'it goes on after an overrun');
    await monitor.close();
  });

  test('an inbox gives the events since it was last asked, and says when some were lost', () => {
    const { route, handle } = enter();
    using inbox = RouteInbox.open({ namespace: handle, groups: ['ipv4-route'] });
    const read = () => {
      const seen: string[] = [];
      const isComplete = inbox.read((event) => {
        if (event.kind === 'route' && event.route.table === 254) {
          seen.push(`${event.change} ${event.route.destination}`);
        }
      });
      return { seen, isComplete };
    };
    route.execute([newLink({ name: 'br0', kind: 'bridge', up: true })]);
    const index = indexOf(route, 'br0');
    assert.deepEqual(read(), { seen: [], isComplete: true });
    route.execute([newAddress({ index, address: '10.0.0.1', prefixLength: 8 })]);
    assert.deepEqual(read(), { seen: ['new 10.0.0.0/8'], isComplete: true });
    route.execute([deleteAddress({ index, address: '10.0.0.1', prefixLength: 8 })]);
    assert.deepEqual(read(), { seen: ['delete 10.0.0.0/8'], isComplete: true });

    const flap = [
      newRoute({ destination: '10.9.0.0/16', index }),
      deleteRoute({ destination: '10.9.0.0/16', index }),
    ];
    for (let round = 0; round < 20; round += 1) route.execute(Array.from({ length: 200 }, () => flap).flat());
    assert.equal(read().isComplete, false);
    route.execute(flap.slice(0, 1));
    assert.deepEqual(read(), { seen: ['new 10.9.0.0/16'], isComplete: true });
  });

  test('the links of a group are deleted together, and no others', () => {
    const { route } = enter();
    const pairs = Array.from({ length: 20 }, (_, i) => `v${i}`);
    route.execute(pairs.map((name) => newLink({ name, kind: 'veth', peer: { name: `p${name}` } })));
    route.execute(pairs.slice(1).map((name) => setLink({ name }, { group: 4711 })));
    route.execute([deleteLinkGroup(4711)]);
    assert.deepEqual(
      route
        .links()
        .map(({ name }) => name)
        .sort(),
      ['lo', 'pv0', 'v0'],
    );
    assert.equal(failure(() => route.execute([deleteLinkGroup(4711)])).code, 'ENODEV');
  });

  test('the event loop stays free while a kernel thread deletes 50 veth pairs', async () => {
    const { route, path } = enter();
    const names = Array.from({ length: 50 }, (_, i) => `v${i}`);
    route.execute(names.map((name) => newLink({ name, kind: 'veth', peer: { name: `p${name}` } })));
    const module = new URL('../packages/linux/src/fixtures/thread-operations.ts', import.meta.url);
    await using thread =
      KernelThread.start<typeof import('../packages/linux/src/fixtures/thread-operations.ts')>(module);
    await thread.run('add', 1, 1);
    const cpu = process.threadCpuUsage();
    const start = performance.now();
    await thread.run('deleteLinks', path, names);
    const tookMs = performance.now() - start;
    const busyMs = process.threadCpuUsage(cpu).user / 1000;
    assert.deepEqual(
      route.links().map(({ name }) => name),
      ['lo'],
    );
    assert.ok(busyMs < tookMs / 2, `the main thread was busy for ${busyMs} of ${tookMs} ms`);
  });

  test('kernel parameters are those of the namespace that is entered', () => {
    const { route, path } = enter();
    const parts = ['net', 'ipv4', 'conf', 'v.5', 'rp_filter'];
    route.execute([newLink({ name: 'v.5', kind: 'veth', peer: { name: 'p' } })]);
    runInNamespace(path, () => {
      writeSysctl('net.ipv4.ip_forward', 1);
      writeSysctl(parts, '2');
    });
    assert.deepEqual(
      runInNamespace(path, () => [readSysctl('net.ipv4.ip_forward'), readSysctl(parts)]),
      ['1', '2'],
    );
    assert.equal(readSysctl('net.ipv4.ip_forward'), '0');
    assert.throws(() => readSysctl(parts), { code: 'ENOENT' });
    assert.throws(() => runInNamespace(path, () => writeSysctl(parts, 'x')), { code: 'EINVAL' });
  });
});
