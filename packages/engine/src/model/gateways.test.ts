import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerId, EndpointId, NetworkId } from '../base/ids.ts';
import { bridgeSettings, networkRecord } from './fixtures.ts';
import { type Attachment, byPreference, chooseGateways, gatewayOf, interfaceAddresses } from './gateways.ts';
import type { GatewayMode, SubnetConfig } from './network.ts';

const ipv4Subnet: SubnetConfig = { subnet: '172.18.0.0/16', gateway: '172.18.0.1' };
const ipv6Subnet: SubnetConfig = { subnet: 'fd00::/64', gateway: 'fd00::1' };

interface Shape {
  readonly subnets?: readonly SubnetConfig[];
  readonly internal?: boolean;
  readonly modes?: Partial<Record<'ipv4' | 'ipv6', GatewayMode>>;
}

function network(name: string, { subnets = [ipv4Subnet], internal = false, modes = {} }: Shape = {}) {
  return networkRecord({
    id: name.padEnd(64, '0') as NetworkId,
    name,
    internal,
    enableIpv4: subnets.includes(ipv4Subnet),
    enableIpv6: subnets.includes(ipv6Subnet),
    subnets,
    bridge: bridgeSettings({
      device: `br-${name}`,
      gatewayModes: { ipv4: 'nat', ipv6: 'nat', ...modes },
    }),
  });
}

function attachment(name: string, shape: Shape = {}, priority = 0): Attachment {
  return {
    network: network(name, shape),
    priority,
    endpoint: {
      id: `e-${name}` as EndpointId,
      networkId: name.padEnd(64, '0') as NetworkId,
      containerId: 'c' as ContainerId,
      containerName: 'web',
      macAddress: '',
      gatewayPriority: priority,
    },
  };
}

const both = { subnets: [ipv4Subnet, ipv6Subnet] };
const onlyIpv6 = { subnets: [ipv6Subnet] };

describe('the order of preference', () => {
  const cases: readonly [string, Attachment[], string[]][] = [
    ['the name, where nothing else tells', [attachment('b'), attachment('a')], ['a', 'b']],
    ['the name in byte order', [attachment('a'), attachment('B'), attachment('ä')], ['B', 'a', 'ä']],
    [
      'priority before everything',
      [attachment('a', {}, 1), attachment('z', { internal: true }, 2)],
      ['z', 'a'],
    ],
    ['a negative priority comes last', [attachment('a', {}, -1), attachment('z')], ['z', 'a']],
    ['internal networks after others', [attachment('a', { internal: true }), attachment('b')], ['b', 'a']],
    [
      'two ways out before one, and one before none',
      [attachment('a', { modes: { ipv4: 'isolated' } }), attachment('b'), attachment('c', both)],
      ['c', 'b', 'a'],
    ],
  ];
  for (const [name, given, expected] of cases) {
    it(name, () => {
      assert.deepEqual(
        byPreference(given).map((one) => one.network.name),
        expected,
      );
    });
  }
});

describe('the ways out', () => {
  const cases: readonly [string, Attachment[], string[]][] = [
    ['none without a network', [], []],
    ['none over internal networks', [attachment('a', { internal: true, ...both })], []],
    ['one network for both families', [attachment('a', both)], ['ipv4 a 172.18.0.1', 'ipv6 a fd00::1']],
    [
      'each family over the best network that has it',
      [attachment('a', onlyIpv6, 5), attachment('b')],
      ['ipv4 b 172.18.0.1', 'ipv6 a fd00::1'],
    ],
    ['one of several', [attachment('b'), attachment('a')], ['ipv4 a 172.18.0.1']],
  ];
  for (const [name, given, expected] of cases) {
    it(name, () => {
      assert.deepEqual(
        chooseGateways(given).map(
          ({ family, gateway, endpoint }) => `${family} ${endpoint.id.slice(2)} ${gateway}`,
        ),
        expected,
      );
    });
  }
});

describe('the gateway of a network', () => {
  it('is the bridge, unless the network names another address', () => {
    assert.equal(gatewayOf(network('a', both), 'ipv4'), '172.18.0.1');
    const elsewhere: Shape = {
      subnets: [
        { ...ipv4Subnet, auxiliary: { DefaultGatewayIPv4: '172.18.0.254', printer: '172.18.0.9' } },
        { ...ipv6Subnet, auxiliary: { DefaultGatewayIPv6: 'fd00::fe' } },
      ],
    };
    assert.equal(gatewayOf(network('a', elsewhere), 'ipv4'), '172.18.0.254');
    assert.equal(gatewayOf(network('a', elsewhere), 'ipv6'), 'fd00::fe');
  });

  it('is none in a family that the network does not have, or where it is isolated', () => {
    assert.equal(gatewayOf(network('a'), 'ipv6'), undefined);
    assert.equal(gatewayOf(network('a', { modes: { ipv4: 'isolated' } }), 'ipv4'), undefined);
    assert.equal(gatewayOf(network('a', { internal: true }), 'ipv4'), undefined);
  });
});

it('addresses go with the prefix lengths of their subnets, IPv4 first', () => {
  assert.deepEqual(
    interfaceAddresses(network('a', both), { ipv6Address: 'fd00::2', ipv4Address: '172.18.0.2' }),
    [
      { family: 'ipv4', address: '172.18.0.2', prefixLength: 16 },
      { family: 'ipv6', address: 'fd00::2', prefixLength: 64 },
    ],
  );
  assert.deepEqual(interfaceAddresses(network('a'), {}), []);
});
