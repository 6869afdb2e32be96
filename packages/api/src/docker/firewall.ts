/** Seaway's own answer about the firewall, in the style of Docker's. Pure. */
import type { FirewallReport, Outbound, PortService } from '@seaway/engine';

export interface ShownFirewall {
  readonly Networks: readonly {
    readonly Id: string;
    readonly Name: string;
    readonly Bridge: string;
    readonly Internal: boolean;
    readonly InterContainer: boolean;
    readonly TrustedInterfaces: readonly string[];
    readonly Subnets: readonly {
      readonly Family: string;
      readonly Subnet: string;
      readonly GatewayMode: string;
      readonly Outbound: Outbound;
      /** Empty unless `Outbound` is `snat`. */
      readonly SourceAddress: string;
    }[];
  }[];
  /** `HostIp` is empty and `HostPort` 0 where the container's own port is open instead. */
  readonly Ports: readonly {
    readonly HostIp: string;
    readonly HostPort: number;
    readonly Protocol: string;
    readonly ContainerId: string;
    readonly ContainerName: string;
    readonly ContainerIp: string;
    readonly ContainerPort: number;
    readonly ServedBy: readonly PortService[];
  }[];
  /** In the language of nft(8). */
  readonly Ruleset: string;
  readonly InSync: boolean;
  readonly Missing: readonly string[];
  readonly Foreign: readonly string[];
  readonly Warnings: readonly string[];
}

export function toShownFirewall({ networks, ports, live, obstacles }: FirewallReport): ShownFirewall {
  return {
    Networks: networks.map(({ id, name, device, internal, interContainer, trusted, subnets }) => ({
      Id: id,
      Name: name,
      Bridge: device,
      Internal: internal,
      InterContainer: interContainer,
      TrustedInterfaces: trusted,
      Subnets: subnets.map(({ family, subnet, gatewayMode, outbound, source }) => ({
        Family: family,
        Subnet: subnet,
        GatewayMode: gatewayMode,
        Outbound: outbound,
        SourceAddress: source ?? '',
      })),
    })),
    Ports: ports.map(({ host, protocol, containerId, containerName, containerAddress, containerPort }) => ({
      HostIp: host?.address ?? '',
      HostPort: host?.port ?? 0,
      Protocol: protocol,
      ContainerId: containerId,
      ContainerName: containerName,
      ContainerIp: containerAddress ?? '',
      ContainerPort: containerPort,
      ServedBy: host?.servedBy ?? [],
    })),
    Ruleset: live.text,
    InSync: live.missing.length === 0 && live.foreign.length === 0,
    Missing: live.missing,
    Foreign: live.foreign,
    Warnings: obstacles,
  };
}
