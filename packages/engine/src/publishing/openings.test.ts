import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PortProtocol } from '../model/ports.ts';
import { attachment } from './fixtures.ts';
import {
  type AddressedPort,
  openings,
  relayedPorts,
  routedPorts,
  trustedOpenings,
  withHostPorts,
} from './targets.ts';

const every = ['0.0.0.0', '::'];
const port = (number: number, addresses: readonly string[]): AddressedPort => ({
  port: number,
  protocol: 'tcp',
  addresses,
});
const modes = (ipv4: 'nat' | 'routed', ipv6: 'nat' | 'routed') => ({
  bridge: { gatewayModes: { ipv4, ipv6 } },
});
const addresses = { ipv4Address: '172.18.0.2', ipv6Address: 'fd00::2' };
const routed = attachment({ name: 'routed', ...addresses, ...modes('routed', 'routed') });
const half = attachment({ name: 'half', ...addresses, ...modes('nat', 'routed') });
const translated = attachment({
  name: 'translated',
  ipv4Address: '172.19.0.2',
  ipv6Address: 'fd01::2',
  ...modes('nat', 'nat'),
});

describe('ports on routed networks', () => {
  const opened = (ports: readonly AddressedPort[], ...attachments: Parameters<typeof openings>[1]) =>
    openings(ports, attachments).map((opening) => `${opening.address} ${opening.protocol} ${opening.port}`);

  it('are opened at the address of the container in each family that is routed', () => {
    assert.deepEqual(opened([port(80, every)], routed), ['172.18.0.2 tcp 80', 'fd00::2 tcp 80']);
    assert.deepEqual(opened([port(80, every)], half), ['fd00::2 tcp 80']);
    assert.deepEqual(opened([port(80, every)], translated), []);
  });

  it('are opened on all of them, also where another network is the way out', () => {
    assert.deepEqual(opened([port(80, every)], attachment({ name: 'a', ipv4Address: '10.0.0.2' }), routed), [
      '172.18.0.2 tcp 80',
      'fd00::2 tcp 80',
    ]);
  });

  it('are opened in the family of the address that they were bound to', () => {
    assert.deepEqual(opened([port(80, ['192.0.2.1'])], routed), ['172.18.0.2 tcp 80']);
    assert.deepEqual(opened([port(80, ['::'])], routed), ['fd00::2 tcp 80']);
  });

  it('stay closed where they were meant for the host alone', () => {
    assert.deepEqual(
      opened([port(80, ['127.0.0.1']), port(81, ['127.8.8.8']), port(82, ['::1'])], routed),
      [],
    );
  });

  it('are opened once, however often they were bound', () => {
    assert.deepEqual(opened([port(80, ['0.0.0.0']), port(80, ['192.0.2.1'])], routed), ['172.18.0.2 tcp 80']);
  });

  it('are told with the address that was asked for and without a port of the host', () => {
    const told = (ports: readonly AddressedPort[], ...attachments: Parameters<typeof routedPorts>[1]) =>
      routedPorts(ports, attachments).map(({ hostAddress, hostPort }) => `${hostAddress} ${hostPort}`);
    assert.deepEqual(told([port(80, every)], routed, half), ['0.0.0.0 0', ':: 0']);
    assert.deepEqual(told([port(80, every)], half), [':: 0']);
    assert.deepEqual(told([port(80, ['192.0.2.1']), port(81, ['127.0.0.1'])], routed), ['192.0.2.1 0']);
    assert.deepEqual(told([port(80, every)], translated), []);
  });

  it('stay closed on internal networks', () => {
    const inner = attachment({ name: 'inner', ...addresses, internal: true, ...modes('routed', 'routed') });
    assert.deepEqual(opened([port(80, every)], inner), []);
  });
});

describe('ports for the interfaces that a network trusts', () => {
  const trusting = (name: string, ipv4: 'nat' | 'routed' = 'nat', internal = false) =>
    attachment({
      name,
      ...addresses,
      internal,
      bridge: { gatewayModes: { ipv4, ipv6: 'nat' }, trustedInterfaces: ['eth1'] },
    });
  const opened = (hostAddresses: readonly string[], ...attachments: Parameters<typeof trustedOpenings>[1]) =>
    trustedOpenings(
      hostAddresses.map((hostAddress) => ({ protocol: 'udp', port: 53, hostAddress, hostPort: 5353 })),
      attachments,
    ).map(({ address, protocol, port }) => `${address} ${protocol} ${port}`);

  it('are those that are published, in the families that they are published in', () => {
    assert.deepEqual(opened(every, trusting('a')), ['172.18.0.2 udp 53', 'fd00::2 udp 53']);
    assert.deepEqual(opened(['192.0.2.1'], trusting('a')), ['172.18.0.2 udp 53']);
    assert.deepEqual(opened([], trusting('a')), []);
  });

  it('are also those that are published for the host alone', () => {
    assert.deepEqual(opened(['127.0.0.1', '::1'], trusting('a')), ['172.18.0.2 udp 53', 'fd00::2 udp 53']);
  });

  it('are opened once, however often they were bound', () => {
    assert.deepEqual(opened(['0.0.0.0', '127.0.0.1'], trusting('a')), ['172.18.0.2 udp 53']);
  });

  it('are none on networks that trust nobody, on those that are not the way out, and where nothing is translated', () => {
    assert.deepEqual(opened(every, translated), []);
    assert.deepEqual(opened(every, translated, trusting('z')), []);
    assert.deepEqual(opened(every, trusting('a', 'routed')), ['fd00::2 udp 53']);
    assert.deepEqual(opened(every, trusting('a', 'nat', true)), []);
  });
});

describe('ports of the host', () => {
  const left = (...attachments: Parameters<typeof withHostPorts>[1]) =>
    withHostPorts([port(80, every), port(81, ['::1'])], attachments).map((kept) => [
      kept.port,
      kept.addresses,
    ]);

  it('are taken in families that are translated, and in those that the container does not have', () => {
    assert.deepEqual(left(translated), [
      [80, every],
      [81, ['::1']],
    ]);
    assert.deepEqual(left(attachment({ name: 'a', ipv4Address: '10.0.0.2' })), [
      [80, every],
      [81, ['::1']],
    ]);
  });

  it('are not taken in families that are routed', () => {
    assert.deepEqual(left(half), [[80, ['0.0.0.0']]]);
    assert.deepEqual(left(routed), []);
  });
});

describe('ports that the keeper passes on', () => {
  const relayed = (hostAddress: string, target: object, protocol: PortProtocol = 'tcp') =>
    relayedPorts([{ port: 80, protocol, hostAddress, hostPort: 8080 }], target).length > 0;

  it('are those of addresses in a family that the container lacks', () => {
    const [ipv4, ipv6] = [{ ipv4: '172.18.0.2' }, { ipv6: 'fd00::2' }];
    assert.deepEqual(
      [
        relayed('::', ipv4),
        relayed('2001:db8::1', ipv4),
        relayed('0.0.0.0', ipv6),
        relayed('::', ipv4, 'udp'),
      ],
      [true, true, true, true],
    );
    assert.deepEqual(
      [relayed('::', ipv6), relayed('0.0.0.0', ipv4), relayed('::1', { ...ipv4, ...ipv6 })],
      [false, false, false],
    );
  });

  it('are not those of SCTP, which it does not speak', () => {
    assert.equal(relayed('::', { ipv4: '172.18.0.2' }, 'sctp'), false);
  });
});
