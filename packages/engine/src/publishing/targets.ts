/** Where published ports lead: which of a container's endpoints takes them, and what the kernel cannot translate. Pure. */
import type { Family } from '../base/address.ts';
import type { FirewallPort } from '../firewall/ports.ts';
import type { HeldPort } from '../keeper/protocol.ts';
import { type Attachment, chooseGateways, type WayOut } from '../model/gateways.ts';
import type { NetworkRecord } from '../model/network.ts';
import type { PublishedPort } from '../model/ports.ts';

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
