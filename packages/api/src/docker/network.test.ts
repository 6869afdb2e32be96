import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointRecord } from '@seaway/engine';
import { bridgeId, containerId, endpointRecord, hostNetwork, networkRecord } from '../fixtures/engine.ts';
import { toDockerNetwork } from './network.ts';

/** Endpoints of containers that the engine knows. */
const members = (...endpoints: EndpointRecord[]) => ({ endpoints, isContainer: () => true });

const bridge = {
  Name: 'bridge',
  Id: bridgeId,
  Created: '2026-01-02T03:04:00.000000001Z',
  Scope: 'local',
  Driver: 'bridge',
  EnableIPv4: true,
  EnableIPv6: false,
  IPAM: { Driver: 'default', Options: null, Config: [{ Subnet: '172.17.0.0/16', Gateway: '172.17.0.1' }] },
  Internal: false,
  Attachable: false,
  Ingress: false,
  ConfigFrom: { Network: '' },
  ConfigOnly: false,
  Options: { 'com.docker.network.bridge.name': 'docker0' },
  Labels: {},
};

test('an entry of the list has everything but containers', () => {
  assert.deepEqual(toDockerNetwork(networkRecord(), undefined), bridge);
});

test('inspect has an empty object where no container runs', () => {
  assert.deepEqual(toDockerNetwork(networkRecord(), members()), { ...bridge, Containers: {} });
});

test('inspect lists the running containers by their id, with prefix lengths', () => {
  const member = {
    Name: 'web',
    EndpointID: 'e'.repeat(64),
    MacAddress: '02:42:ac:11:00:02',
    IPv4Address: '172.17.0.2/16',
    IPv6Address: '',
  };
  assert.deepEqual(toDockerNetwork(networkRecord(), members(endpointRecord())).Containers, {
    [containerId]: member,
  });
  const both = networkRecord({
    enableIpv6: true,
    // The order of subnets says nothing about their family.
    subnets: [
      { subnet: '2001:db8::/64', gateway: '2001:db8::1' },
      { subnet: '172.17.0.0/16', gateway: '172.17.0.1' },
    ],
  });
  const shown = toDockerNetwork(both, members(endpointRecord({ ipv6Address: '2001:db8::2' })));
  assert.deepEqual(shown.Containers, { [containerId]: { ...member, IPv6Address: '2001:db8::2/64' } });
  assert.equal(shown.EnableIPv6, true);
});

test('members of the host network have no addresses', () => {
  const { ipv4Address: _, ...bare } = endpointRecord({ networkId: hostNetwork.id, macAddress: '' });
  const shown = toDockerNetwork(hostNetwork, members(bare));
  assert.equal(shown.IPAM.Config, null);
  assert.deepEqual(shown.Options, {});
  assert.deepEqual(shown.Containers?.[containerId], {
    Name: 'web',
    EndpointID: 'e'.repeat(64),
    MacAddress: '',
    IPv4Address: '',
    IPv6Address: '',
  });
});

test('subnets show range and auxiliary addresses where there are any', () => {
  const network = networkRecord({
    internal: true,
    attachable: true,
    labels: { a: 'b' },
    subnets: [
      {
        subnet: '192.0.2.0/24',
        gateway: '192.0.2.1',
        range: '192.0.2.128/25',
        auxiliary: { router: '192.0.2.9' },
      },
    ],
  });
  const shown = toDockerNetwork(network, undefined);
  assert.deepEqual(shown.IPAM.Config, [
    {
      Subnet: '192.0.2.0/24',
      IPRange: '192.0.2.128/25',
      Gateway: '192.0.2.1',
      AuxiliaryAddresses: { router: '192.0.2.9' },
    },
  ]);
  assert.deepEqual([shown.Internal, shown.Attachable, shown.Labels], [true, true, { a: 'b' }]);
});

test('an endpoint that its container left behind stands under its own name', () => {
  const stale = { endpoints: [endpointRecord()], isContainer: () => false };
  const shown = toDockerNetwork(networkRecord(), stale).Containers ?? {};
  assert.deepEqual(Object.keys(shown), [`ep-${'e'.repeat(64)}`]);
  assert.equal(shown[`ep-${'e'.repeat(64)}`]?.Name, 'web');
});

test('options of the address management are shown as they were given', () => {
  assert.equal(toDockerNetwork(networkRecord(), undefined).IPAM.Options, null);
  for (const ipamOptions of [{}, { a: 'b' }] as Record<string, string>[]) {
    assert.deepEqual(toDockerNetwork(networkRecord({ ipamOptions }), undefined).IPAM.Options, ipamOptions);
  }
});

test('templates and networks made from them say so', () => {
  const template = toDockerNetwork(
    networkRecord({ driver: 'null', configOnly: true, subnets: [{ subnet: '0.0.0.0/24', gateway: '' }] }),
    members(),
  );
  assert.deepEqual(
    [template.ConfigOnly, template.ConfigFrom, template.Driver],
    [true, { Network: '' }, 'null'],
  );
  assert.deepEqual(template.IPAM.Config, [{ Subnet: '0.0.0.0/24' }]);
  const made = toDockerNetwork(networkRecord({ configFrom: 'template' }), undefined);
  assert.deepEqual([made.ConfigOnly, made.ConfigFrom], [false, { Network: 'template' }]);
});
