/** Where published ports lead: which of a container's endpoints takes them, and what the kernel cannot translate. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Family } from '../base/address.ts';
import type { FirewallOpening, FirewallPort } from '../firewall/ports.ts';
import type { ReportedPort } from '../firewall/report.ts';
import type { HeldPort } from '../keeper/protocol.ts';
import type { UdpChange } from '../kernel/operations.ts';
import { type Attachment, chooseGateways, type WayOut } from '../model/gateways.ts';
import type { NetworkRecord } from '../model/network.ts';
import type { ContainerPort, PortRequest, PublishedPort } from '../model/ports.ts';

/** A container's addresses behind its ways out, in the families that it has. */
export interface PublishTarget {
  readonly ipv4?: string;
  readonly ipv6?: string;
}

/**
 * The container's addresses that published ports lead to; undefined where it has no way out by translation, so that
 * nothing is published.
 */
export function publishTarget(attachments: readonly Attachment[]): PublishTarget | undefined {
  const waysOut = chooseGateways(attachments).filter((way) => isTranslated(way, attachments));
  const address = (family: Family) => {
    const way = waysOut.find((candidate) => candidate.family === family);
    return family === 'ipv4' ? way?.endpoint.ipv4Address : way?.endpoint.ipv6Address;
  };
  const [ipv4, ipv6] = [address('ipv4'), address('ipv6')];
  if (ipv4 === undefined && ipv6 === undefined) return undefined;
  return { ...(ipv4 ? { ipv4 } : {}), ...(ipv6 ? { ipv6 } : {}) };
}

function isTranslated({ family, endpoint }: WayOut, attachments: readonly Attachment[]): boolean {
  return networkOf(endpoint.id, attachments)?.bridge?.gatewayModes[family].startsWith('nat') ?? false;
}

function networkOf(id: string, attachments: readonly Attachment[]): NetworkRecord | undefined {
  return attachments.find(({ endpoint }) => endpoint.id === id)?.network;
}

/** A port that was asked for, with the host addresses that its binding stands for: one, or every address of each family. */
export interface AddressedPort extends ContainerPort {
  readonly addresses: readonly string[];
}

/**
 * Without the addresses that the host does not answer at: routed networks take no part in translation. A port that is
 * left without any has no port of the host.
 */
export function withHostPorts<T extends AddressedPort>(
  ports: readonly T[],
  attachments: readonly Attachment[],
): T[] {
  const routed = routedFamilies(attachments);
  return ports.flatMap((port) => {
    const addresses = port.addresses.filter((address) => !routed.includes(familyOf(address)));
    return addresses.length > 0 ? [{ ...port, addresses }] : [];
  });
}

/** Families whose way out is routed: no port of the host leads there. */
function routedFamilies(attachments: readonly Attachment[]): Family[] {
  return chooseGateways(attachments)
    .filter((way) => isRouted(way.family, networkOf(way.endpoint.id, attachments)))
    .map(({ family }) => family);
}

/**
 * What becomes of a container's ports of the host when its way out moves, and with that the families that are routed:
 * those of a family that is routed now go, and those of one that was are wanted again, under the numbers that the other
 * family has.
 */
export function refitPorts<T extends AddressedPort & Pick<PortRequest, 'hostPortFirst' | 'hostPortLast'>>(
  held: readonly PublishedPort[],
  wanted: readonly T[],
  before: readonly Attachment[],
  now: readonly Attachment[],
): { readonly kept: readonly PublishedPort[]; readonly missing: readonly T[] } {
  const routed = routedFamilies(now);
  const back = routedFamilies(before).filter((family) => !routed.includes(family));
  const kept = held.filter(({ hostAddress }) => !routed.includes(familyOf(hostAddress)));
  const siblings = [...kept];
  const missing = wanted.flatMap((request): T[] => {
    const addresses = request.addresses.filter((address) => back.includes(familyOf(address)));
    if (addresses.length === 0) return [];
    const index = siblings.findIndex(
      ({ protocol, port, hostAddress }) =>
        protocol === request.protocol && port === request.port && request.addresses.includes(hostAddress),
    );
    const [sibling] = index < 0 ? [] : siblings.splice(index, 1);
    if (!sibling) return [{ ...request, addresses }];
    return [{ ...request, addresses, hostPortFirst: sibling.hostPort, hostPortLast: sibling.hostPort }];
  });
  return { kept, missing };
}

/**
 * What publishing opens on all the container's routed networks, to everybody who routes there. The host's address says
 * no more than the family; but what was meant for the host alone, by an address of its loopback interface, stays closed.
 */
export function openings(
  ports: readonly AddressedPort[],
  attachments: readonly Attachment[],
): FirewallOpening[] {
  const opened = attachments.flatMap(({ endpoint, network }) =>
    ports.flatMap(({ protocol, port, addresses }) =>
      (['ipv4', 'ipv6'] as const).flatMap((family): FirewallOpening[] => {
        const address = family === 'ipv4' ? endpoint.ipv4Address : endpoint.ipv6Address;
        const isMeant = addresses.some((host) => familyOf(host) === family && !isLoopback(host));
        return address && isMeant && isRouted(family, network) ? [{ address, protocol, port }] : [];
      }),
    ),
  );
  return withoutDoubles(opened);
}

/**
 * What publishing opens to the interfaces that a network trusts, where its ports are translated: the container's own
 * ports behind those of the host, also behind those of its loopback addresses.
 */
export function trustedOpenings(
  published: readonly PublishedPort[],
  attachments: readonly Attachment[],
): FirewallOpening[] {
  const target = publishTarget(attachments) ?? {};
  const trusting = chooseGateways(attachments).flatMap(({ family, endpoint }) =>
    networkOf(endpoint.id, attachments)?.bridge?.trustedInterfaces?.length ? [family] : [],
  );
  const opened = published.flatMap(({ protocol, hostAddress, port }): FirewallOpening[] => {
    const family = familyOf(hostAddress);
    const address = target[family];
    return address && trusting.includes(family) ? [{ address, protocol, port }] : [];
  });
  return withoutDoubles(opened);
}

function withoutDoubles(openings: readonly FirewallOpening[]): FirewallOpening[] {
  return [...new Map(openings.map((opening) => [JSON.stringify(opening), opening])).values()];
}

/**
 * The bindings behind {@link openings}, as clients are told of them: each has the host address that was asked for, and
 * 0 in place of a port of the host.
 */
export function routedPorts(
  ports: readonly AddressedPort[],
  attachments: readonly Attachment[],
): PublishedPort[] {
  return ports.flatMap(({ protocol, port, addresses }) =>
    addresses
      .filter((address) => openings([{ protocol, port, addresses: [address] }], attachments).length > 0)
      .map((hostAddress) => ({ protocol, port, hostAddress, hostPort: 0 })),
  );
}

function isRouted(family: Family, network: NetworkRecord | undefined): boolean {
  return network?.internal === false && network.bridge?.gatewayModes[family] === 'routed';
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

/** The host address of ports whose binding names none, as the network that takes them wants it. */
export function defaultHostAddress(attachments: readonly Attachment[]): string | undefined {
  const [way] = chooseGateways(attachments);
  return way && networkOf(way.endpoint.id, attachments)?.bridge?.hostBindingIpv4;
}

function familyOf(address: string): Family {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

/** What the kernel translates: ports of the host whose family the container has, but not those of `::1`. */
export function firewallPorts(ports: readonly PublishedPort[], target: PublishTarget): FirewallPort[] {
  return ports.flatMap(({ protocol, hostAddress, hostPort, port: containerPort }) => {
    const containerAddress = target[familyOf(hostAddress)];
    if (containerAddress === undefined || hostAddress === '::1') return [];
    return [{ protocol, hostAddress, hostPort, containerAddress, containerPort }];
  });
}

/** What the keeper passes on in the kernel's place, for the firewall to know of: ports whose family the container lacks. */
export function relayedPorts(ports: readonly PublishedPort[], target: PublishTarget): FirewallPort[] {
  return ports.flatMap(({ protocol, hostAddress, hostPort, port: containerPort }) => {
    const isRelayed = target[familyOf(hostAddress)] === undefined && protocol !== 'sctp';
    return isRelayed ? [{ protocol, hostAddress, hostPort, containerPort }] : [];
  });
}

/**
 * What the keeper holds: every port, so that nobody else takes it; and a relay for those that the kernel does not
 * translate, or not for everybody: `::1` is one of the addresses that `::` stands for.
 */
export function heldPorts(ports: readonly PublishedPort[], target: PublishTarget): HeldPort[] {
  return ports.map(({ protocol, hostAddress, hostPort, port }) => {
    const own = target[familyOf(hostAddress)];
    const needsRelay = own === undefined || hostAddress === '::' || hostAddress === '::1';
    const address = own ?? target.ipv4 ?? target.ipv6;
    return {
      protocol,
      address: hostAddress,
      port: hostPort,
      ...(needsRelay && address !== undefined && protocol !== 'sctp' ? { relay: { address, port } } : {}),
    };
  });
}

/** Who serves each port, and where it leads. */
export function servedPorts(
  ports: readonly PublishedPort[],
  target: PublishTarget,
): Pick<ReportedPort, 'protocol' | 'containerAddress' | 'containerPort' | 'host'>[] {
  return ports.map((published) => {
    const { protocol, hostAddress: address, hostPort, port: containerPort } = published;
    const [translated] = firewallPorts([published], target);
    const [held] = heldPorts([published], target);
    const containerAddress = translated?.containerAddress ?? held?.relay?.address;
    const servedBy = [
      ...(translated ? (['kernel'] as const) : []),
      ...(held?.relay ? (['relay'] as const) : []),
    ];
    return {
      protocol,
      ...(containerAddress === undefined ? {} : { containerAddress }),
      containerPort,
      host: { address, port: hostPort, servedBy },
    };
  });
}

/** Which UDP ports lead elsewhere from now on: those of containers that were left, and those of the host. */
export function udpChange(old: readonly FirewallPort[], now: readonly FirewallPort[]): UdpChange {
  const without = (ports: readonly FirewallPort[], others: readonly FirewallPort[]) =>
    ports.filter(
      (port) => port.protocol === 'udp' && !others.some((other) => isDeepStrictEqual(port, other)),
    );
  return {
    left: without(old, now).flatMap(({ containerAddress, containerPort }) =>
      // The keeper ends what it passes on by itself.
      containerAddress === undefined ? [] : { address: containerAddress, port: containerPort },
    ),
    taken: without(now, old).map(({ hostAddress, hostPort }) => ({ address: hostAddress, port: hostPort })),
  };
}
