/** The codec against what a real kernel sent; see fixtures/captured.json. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Codec, MalformedMessageError, Writer } from './codec.ts';
import { type Frame, frames, NLMSG_DONE, NLMSG_ERROR, readAcknowledgement } from './message.ts';
import { eachEvent, type RouteEvent } from './monitor.ts';
import { addressMessage, toAddress } from './route/address.ts';
import { linkMessage, toLink } from './route/link.ts';
import { neighbourMessage, toNeighbour } from './route/neighbour.ts';
import { routeMessage, toRoute } from './route/route.ts';

const captured: Record<string, string> = JSON.parse(
  readFileSync(new URL('../fixtures/captured.json', import.meta.url), 'utf8'),
);

function datagram(name: string): { view: DataView; parts: Frame[]; data: Uint8Array } {
  const data = Uint8Array.from(Buffer.from(captured[name]!, 'hex'));
  const view = new DataView(data.buffer);
  return { data, view, parts: [...frames(view, data.length)].filter(({ type }) => type !== NLMSG_DONE) };
}

function decodeAll<Wire, T>(name: string, codec: Codec<Wire>, convert: (message: Wire) => T): T[] {
  const { view, parts } = datagram(name);
  return parts.map(({ start, end }) => convert(codec.read(view, start, end)));
}

const codecs: Record<string, Codec<unknown>> = {
  loopback: linkMessage,
  bridge: linkMessage,
  veth: linkMessage,
  vxlan: linkMessage,
  vxlan6: linkMessage,
  macvlan: linkMessage,
  addresses: addressMessage,
  routes: routeMessage,
  routesOfTable: routeMessage,
  routes6: routeMessage,
  neighbours: neighbourMessage,
  forwarding: neighbourMessage,
};

const link = (name: string) => decodeAll(name, linkMessage, toLink)[0]!;

test('links read as what they were made to be', () => {
  const { statistics, ...loopback } = link('loopback');
  assert.equal(typeof statistics.rxBytes, 'number');
  assert.deepEqual(loopback, {
    index: 1,
    name: 'lo',
    address: '00:00:00:00:00:00',
    mtu: 65536,
    flags: 0x10049,
    up: true,
    running: true,
    loopback: true,
    operationalState: 'unknown',
    promiscuity: 0,
    queueingDiscipline: 'noqueue',
  });
  const bridge = link('bridge');
  assert.deepEqual(
    [bridge.name, bridge.kind, bridge.address, bridge.up, bridge.mtu],
    ['br0', 'bridge', '02:42:ac:11:00:01', true, 1500],
  );
  assert.deepEqual(
    [bridge.bridge?.forwardDelay, bridge.bridge?.helloTime, bridge.bridge?.stpState],
    [0, 200, 0],
  );
  const veth = link('veth');
  assert.deepEqual(
    [
      veth.kind,
      veth.master,
      veth.alias,
      veth.peerNamespaceId,
      veth.bridgePort?.state,
      veth.bridgePort?.hairpin,
    ],
    ['veth', bridge.index, 'seaway:endpoint', 0, 'forwarding', false],
  );
});

test('tunnels and macvlans read with their options, remote ends of either family under one name', () => {
  const { vxlan } = link('vxlan');
  assert.deepEqual(
    [vxlan?.id, vxlan?.port, vxlan?.local, vxlan?.remote, vxlan?.learning],
    [4097, 4789, '192.0.2.1', undefined, false],
  );
  const six = link('vxlan6').vxlan;
  assert.deepEqual(
    [six?.id, six?.local, six?.remote, six?.learning],
    [7, '2001:db8::1', '2001:db8::2', true],
  );
  assert.equal(link('macvlan').macvlan?.mode, 'private');
  assert.equal(link('macvlan').linkIndex, link('bridge').index);
});

test('addresses of both families read alike', () => {
  const addresses = decodeAll('addresses', addressMessage, toAddress);
  assert.deepEqual(addresses[0], {
    index: 2,
    family: 4,
    address: '172.17.0.1',
    prefixLength: 16,
    broadcast: '172.17.255.255',
    label: 'br0',
    scope: 'universe',
    flags: 0x80,
    permanent: true,
    tentative: false,
    duplicate: false,
  });
  const six = addresses.find(({ address }) => address === '2001:db8:1::1');
  assert.deepEqual([six?.family, six?.prefixLength, six?.tentative], [6, 64, false]);
});

test('routes read with their table, scope and type', () => {
  const routes = decodeAll('routes', routeMessage, toRoute);
  assert.deepEqual(routes[0], {
    family: 4,
    gateway: '172.17.255.254',
    index: 2,
    metric: 5,
    table: 254,
    protocol: 3,
    scope: 'universe',
    type: 'unicast',
  });
  assert.deepEqual(routes[1], {
    family: 4,
    destination: '172.17.0.0/16',
    index: 2,
    preferredSource: '172.17.0.1',
    table: 254,
    protocol: 2,
    scope: 'link',
    type: 'unicast',
  });
  const [blackhole] = decodeAll('routesOfTable', routeMessage, toRoute);
  assert.deepEqual(
    [blackhole?.type, blackhole?.table, blackhole?.destination],
    ['blackhole', 1000, '10.9.0.0/16'],
  );
  const six = decodeAll('routes6', routeMessage, toRoute);
  assert.ok(six.some((r) => r.destination === '2001:db8:2::/48' && r.gateway === '2001:db8:1::ff'));
});

test('neighbours and forwarding entries read with their state', () => {
  const neighbours = decodeAll('neighbours', neighbourMessage, toNeighbour);
  for (const address of ['172.17.0.2', '2001:db8:1::2']) {
    const entry = neighbours.find((neighbour) => neighbour.address === address);
    assert.deepEqual([entry?.lladdr, entry?.state], ['02:42:ac:11:00:02', 'permanent']);
  }
  const [forwarding] = decodeAll('forwarding', neighbourMessage, toNeighbour);
  assert.deepEqual(
    [forwarding?.family, forwarding?.lladdr, forwarding?.address],
    ['bridge', '02:42:0a:00:00:05', '192.0.2.5'],
  );
});

test('every captured message encodes again to a message that decodes to the same', () => {
  for (const [name, codec] of Object.entries(codecs)) {
    const { view, parts } = datagram(name);
    assert.ok(parts.length > 0, name);
    for (const { start, end } of parts) {
      const value = codec.read(view, start, end);
      const writer = new Writer();
      codec.write(writer, value);
      const again = writer.bytes().slice();
      assert.deepEqual(codec.read(new DataView(again.buffer), 0, again.length), value, name);
    }
  }
});

test('a captured datagram cut short at any length throws or is the messages before the cut', () => {
  for (const [name, codec] of Object.entries(codecs)) {
    const { data, parts } = datagram(name);
    for (let length = 0; length < data.length; length += 1) {
      const cut = data.slice(0, length);
      const view = new DataView(cut.buffer);
      let read = 0;
      try {
        for (const { type, start, end } of frames(view, length)) {
          if (type === NLMSG_DONE) continue;
          codec.read(view, start, end);
          read += 1;
        }
      } catch (error) {
        assert.ok(error instanceof MalformedMessageError, `${name} at ${length}: ${error}`);
      }
      assert.ok(
        read <= parts.length && parts.slice(0, read).every(({ end }) => end <= length),
        `${name} at ${length}`,
      );
    }
  }
});

test('a message body cut short at any length throws MalformedMessageError or loses attributes', () => {
  for (const [name, codec] of Object.entries(codecs)) {
    const { data, parts } = datagram(name);
    const { start, end } = parts[0]!;
    for (let stop = start; stop < end; stop += 1) {
      const cut = data.slice(start, stop);
      try {
        codec.read(new DataView(cut.buffer), 0, cut.length);
      } catch (error) {
        assert.ok(error instanceof MalformedMessageError, `${name} at ${stop}: ${error}`);
      }
    }
  }
});

test('acknowledgements carry the error number and the words of the kernel', () => {
  const read = (name: string) => {
    const { view, parts } = datagram(name);
    assert.equal(parts[0]!.type, NLMSG_ERROR);
    return readAcknowledgement(view, parts[0]!);
  };
  assert.deepEqual(read('done'), { errno: 0, extended: {} });
  assert.equal(read('noSuchLink').errno, 19);
  const refused = read('badVxlan');
  assert.equal(refused.errno, 34);
  assert.equal(refused.extended.message, 'VXLAN ID must be lower than 16777216');
  assert.equal(refused.extended.offset, 60);
});

test('a cut acknowledgement throws', () => {
  const { data } = datagram('badVxlan');
  const whole = datagram('badVxlan').parts[0]!;
  for (let end = whole.start; end < whole.end - 4; end += 1) {
    const view = new DataView(data.slice(0, end).buffer);
    try {
      readAcknowledgement(view, { ...whole, end });
    } catch (error) {
      assert.ok(error instanceof MalformedMessageError, `at ${end}: ${error}`);
    }
  }
});

test('a multicast datagram becomes events; message types that we do not know are passed over', () => {
  const events: RouteEvent[] = [];
  eachEvent(datagram('bridge').data, (event) => events.push(event));
  eachEvent(datagram('addresses').data, (event) => events.push(event));
  eachEvent(datagram('done').data, (event) => events.push(event));
  assert.deepEqual(
    events.slice(0, 2).map((event) => `${event.kind} ${event.change}`),
    ['link new', 'address new'],
  );
});
