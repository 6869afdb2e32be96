/** Networks and endpoints for the tests of publishing. */
import type { ContainerId, EndpointId, NetworkId } from '../base/ids.ts';
import { bridgeSettings, networkRecord } from '../model/fixtures.ts';
import type { Attachment } from '../model/gateways.ts';
import type { BridgeSettings, NetworkRecord, SubnetConfig } from '../model/network.ts';

export interface AttachmentShape {
  readonly name: string;
  /** Addresses of the container there; the network has the families that these have. */
  readonly ipv4Address?: string;
  readonly ipv6Address?: string;
  readonly internal?: boolean;
  readonly bridge?: Partial<BridgeSettings>;
}

export function attachment(shape: AttachmentShape): Attachment {
  const { name, ipv4Address, ipv6Address } = shape;
  const addresses = { ...(ipv4Address ? { ipv4Address } : {}), ...(ipv6Address ? { ipv6Address } : {}) };
  return {
    network: network(shape),
    priority: 0,
    endpoint: {
      id: `endpoint-${name}` as EndpointId,
      networkId: name as NetworkId,
      containerId: 'web' as ContainerId,
      containerName: 'web',
      macAddress: '',
      gatewayPriority: 0,
      hostInterface: `veth-${name}`,
      ...addresses,
    },
  };
}

function network({
  name,
  ipv4Address,
  ipv6Address,
  internal = false,
  bridge,
}: AttachmentShape): NetworkRecord {
  const subnets: SubnetConfig[] = [
    ...(ipv4Address ? [{ subnet: '172.18.0.0/16', gateway: '172.18.0.1' }] : []),
    ...(ipv6Address ? [{ subnet: 'fd00::/64', gateway: 'fd00::1' }] : []),
  ];
  return networkRecord({
    id: name as NetworkId,
    name,
    internal,
    enableIpv4: ipv4Address !== undefined,
    enableIpv6: ipv6Address !== undefined,
    subnets,
    bridge: bridgeSettings({ device: `br-${name}`, ...bridge }),
  });
}
