/** What people are shown of the firewall: the networks and ports that it is for, as far as it treats them. Pure. */
import { type Family, mustParseSubnet } from '../base/address.ts';
import type { ContainerId, NetworkId } from '../base/ids.ts';
import type { GatewayMode, NetworkRecord } from '../model/network.ts';
import type { PortProtocol } from '../model/ports.ts';
import { toFirewallNetwork } from './model.ts';

/** Under which address traffic leaves a network: the host's, a chosen one, the container's own, or it does not leave. */
export type Outbound = 'masquerade' | 'snat' | 'direct' | 'none';

export interface ReportedSubnet {
  readonly family: Family;
  readonly subnet: string;
  readonly gatewayMode: GatewayMode;
  readonly outbound: Outbound;
  /** The chosen address, with `snat`. */
  readonly source?: string;
}

export interface ReportedNetwork {
  readonly id: NetworkId;
  readonly name: string;
  readonly device: string;
  readonly internal: boolean;
  /** Whether its containers may talk to each other. */
  readonly interContainer: boolean;
  /** Interfaces from which published ports are reached at the containers' own addresses. */
  readonly trusted: readonly string[];
  /** One for each family that is on. */
  readonly subnets: readonly ReportedSubnet[];
}

/** Who takes what arrives at a port of the host: the kernel by translation, the keeper by passing it on. */
export type PortService = 'kernel' | 'relay';

/** A container's port, and what leads there. */
export interface ReportedPort {
  readonly containerId: ContainerId;
  readonly containerName: string;
  readonly protocol: PortProtocol;
  /** Absent where the port of the host is only kept from others. */
  readonly containerAddress?: string;
  readonly containerPort: number;
  /** Absent on routed networks, where the container's own port is open instead. */
  readonly host?: {
    readonly address: string;
    readonly port: number;
    /** None: the port is only kept from others. */
    readonly servedBy: readonly PortService[];
  };
}

/** The firewall's view of a network for people; undefined where it has no bridge. */
export function reportNetwork(network: NetworkRecord): ReportedNetwork | undefined {
  const { id, name, bridge, internal } = network;
  const view = toFirewallNetwork(network);
  if (!bridge || !view) return undefined;
  const outbound = (family: Family): Outbound => {
    if (internal) return 'none';
    if (view.sources[family] !== undefined) return 'snat';
    return view.masquerade.includes(family) ? 'masquerade' : 'direct';
  };
  return {
    id,
    name,
    device: bridge.device,
    internal,
    interContainer: bridge.interContainer,
    trusted: view.trusted,
    subnets: network.subnets.map(({ subnet }) => {
      const { family } = mustParseSubnet(subnet);
      const source = view.sources[family];
      return {
        family,
        subnet,
        gatewayMode: bridge.gatewayModes[family],
        outbound: outbound(family),
        ...(source === undefined ? {} : { source }),
      };
    }),
  };
}
