/** Which of a sandbox's networks is its way out, and in which order its networks are asked for names. Pure. */
import { type Family, mustParseSubnet } from '../base/address.ts';
import { type EndpointRecord, type NetworkRecord, subnetOfFamily } from './network.ts';

/** One of a sandbox's networks as the choice sees it. */
export interface Attachment {
  readonly network: NetworkRecord;
  readonly endpoint: EndpointRecord;
  /** As the user set it; higher wins. */
  readonly priority: number;
}

/** The address by which containers of the network leave it; undefined where there is no way out. */
export function gatewayOf(network: NetworkRecord, family: Family): string | undefined {
  const subnet = subnetOfFamily(network, family);
  const mode = network.bridge?.gatewayModes[family];
  if (!subnet || network.internal || mode === undefined || mode === 'isolated') return undefined;
  const chosen = family === 'ipv4' ? 'DefaultGatewayIPv4' : 'DefaultGatewayIPv6';
  return subnet.auxiliary?.[chosen] ?? subnet.gateway;
}

/**
 * Best first: higher priority, then networks with a way out, then those with one in both families, then the
 * name in byte order.
 */
export function byPreference(attachments: readonly Attachment[]): Attachment[] {
  return [...attachments].sort(
    (a, b) =>
      b.priority - a.priority ||
      Number(a.network.internal) - Number(b.network.internal) ||
      gatewayCount(b.network) - gatewayCount(a.network) ||
      Buffer.compare(Buffer.from(a.network.name), Buffer.from(b.network.name)),
  );
}

function gatewayCount(network: NetworkRecord): number {
  return families.filter((family) => gatewayOf(network, family) !== undefined).length;
}

const families: readonly Family[] = ['ipv4', 'ipv6'];

/** The way out in one family. */
export interface WayOut {
  readonly family: Family;
  readonly gateway: string;
  readonly endpoint: EndpointRecord;
}

/** At most one way out in each family, over the best network that has one. */
export function chooseGateways(attachments: readonly Attachment[]): WayOut[] {
  const best = byPreference(attachments);
  return families.flatMap((family) => {
    for (const { network, endpoint } of best) {
      const gateway = gatewayOf(network, family);
      if (gateway !== undefined) return [{ family, gateway, endpoint }];
    }
    return [];
  });
}

/** An endpoint's addresses with the prefix lengths of their subnets. */
export function interfaceAddresses(
  network: NetworkRecord,
  { ipv4Address, ipv6Address }: Pick<EndpointRecord, 'ipv4Address' | 'ipv6Address'>,
): { readonly family: Family; readonly address: string; readonly prefixLength: number }[] {
  const given = { ipv4: ipv4Address, ipv6: ipv6Address };
  return families.flatMap((family) => {
    const address = given[family];
    const subnet = subnetOfFamily(network, family);
    if (!address || !subnet) return [];
    return [{ family, address, prefixLength: mustParseSubnet(subnet.subnet).prefixLength }];
  });
}
