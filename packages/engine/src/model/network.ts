/** Networks and endpoints as the engine knows them, and the rules of their names. Pure. */
import {
  contains,
  type Family,
  formatAddress,
  formatSubnet,
  mustParseAddress,
  mustParseSubnet,
  parseCidr,
} from '../base/address.ts';
import { invalid } from '../base/errors.ts';
import type { ContainerId, EndpointId, NetworkId, SandboxId } from '../base/ids.ts';

export type DriverName = 'bridge' | 'host' | 'null';

/** One subnet of a network, all texts in canonical form. A network has at most one of each family. */
export interface SubnetConfig {
  readonly subnet: string;
  /** The bridge's own address, unless the network has none: then it is still never given out. */
  readonly gateway: string;
  /** Where automatic claims come from. */
  readonly range?: string;
  /** Addresses that are never given out, by the name the user gave them. */
  readonly auxiliary?: Readonly<Record<string, string>>;
}

/**
 * How a network of one address family is reached from elsewhere: by address translation; by that, with all container
 * ports open to who routes to them directly; by routing alone; or, for internal networks, without any gateway.
 */
export type GatewayMode = 'nat' | 'nat-unprotected' | 'routed' | 'isolated';

/** What the bridge driver makes of a network's options. */
export interface BridgeSettings {
  /** The bridge device's name in the host's namespace. */
  readonly device: string;
  /** Absent: the kernel's own choice, 1500. */
  readonly mtuBytes?: number;
  readonly masquerade: boolean;
  readonly interContainer: boolean;
  /** Prefix of the interface's name inside containers. */
  readonly interfacePrefix: string;
  readonly gatewayModes: Readonly<Record<Family, GatewayMode>>;
  /** The bridge gets no IPv4 address. */
  readonly inhibitIpv4: boolean;
  /** Host address for published ports whose binding names none. @default every address */
  readonly hostBindingIpv4?: string;
}

export interface NetworkRecord {
  readonly id: NetworkId;
  readonly name: string;
  readonly driver: DriverName;
  /** RFC 3339 with nanoseconds. */
  readonly createdAt: string;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly enableIpv4: boolean;
  readonly enableIpv6: boolean;
  readonly subnets: readonly SubnetConfig[];
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Present on networks of the bridge driver, but not on templates. */
  readonly bridge?: BridgeSettings;
  /** A template: it is never real, and other networks take their settings from it. */
  readonly configOnly: boolean;
  /** Name of the template that this network took its settings from. */
  readonly configFrom?: string;
}

/** One attachment of one sandbox to one network, kept while its container runs. */
export interface EndpointRecord {
  readonly id: EndpointId;
  readonly networkId: NetworkId;
  readonly containerId: ContainerId;
  readonly containerName: string;
  /** Absent on the network `host`, whose namespace is not the engine's. */
  readonly sandboxId?: SandboxId;
  /** Dotted quad without prefix length; absent on networks without IPv4. */
  readonly ipv4Address?: string;
  readonly ipv6Address?: string;
  /** Lower-case, colon-separated; empty for drivers without an interface of their own. */
  readonly macAddress: string;
  /** The veth's end in the host's namespace. */
  readonly hostInterface?: string;
  /** Its other end, inside the sandbox. */
  readonly interfaceName?: string;
}

/** A network namespace that the engine owns; gone when no running container uses it any more. */
export interface SandboxRecord {
  readonly id: SandboxId;
  /** The container that the interfaces, files and names belong to. */
  readonly ownerId: ContainerId;
}

/** Names that exist from the start; `default` is an alias of `bridge`. */
export const predefinedNetworks = ['bridge', 'host', 'none'] as const;

export function isPredefinedNetwork(name: string): boolean {
  return (predefinedNetworks as readonly string[]).includes(name);
}

/** Name of an interface that the kernel accepts: 1 to 15 bytes without `/`, whitespace or `:`, not `.` or `..`. */
export function isInterfaceName(name: string): boolean {
  return /^[^\s/:]{1,15}$/.test(name) && Buffer.byteLength(name) <= 15 && name !== '.' && name !== '..';
}

/**
 * Name of the veth's host end, unique because it comes from the endpoint's id: `veth` and 7 hex digits.
 * @param attempt moves along the id when the kernel already knows the name
 */
export function hostInterfaceName(id: EndpointId, attempt = 0): string {
  return `veth${id.slice(attempt, attempt + 7)}`;
}

/**
 * The MAC address of an interface: `02:42` and the four bytes of its IPv4 address.
 *
 * Addresses are handed out lowest-free-first, so a stopped container's address goes to the next one at once.
 * With the MAC bound to the address, the neighbours' ARP entries stay right; a random one would be ignored by
 * them for a second (the kernel's `locktime`) and packets would go nowhere.
 */
export function macAddressFor(ipv4Address: string): string {
  const bytes = ipv4Address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return ['02', '42', ...bytes].join(':');
}

export interface DefaultBridgeOptions {
  /** The bridge's address with prefix length (`--bip`). */
  readonly bip?: string;
  /** Sub-range for automatic addresses (`--fixed-cidr`). */
  readonly fixedCidr?: string;
  /** Overrides the containers' gateway (`--default-gateway`). */
  readonly defaultGateway?: string;
}

/**
 * The subnet of the default bridge from the daemon's flags.
 * @param automatic called for a subnet when no `bip` is given
 * @throws invalid naming the flag and its value
 */
export function defaultBridgeSubnet(
  options: DefaultBridgeOptions,
  automatic: () => SubnetConfig,
): SubnetConfig {
  const base = options.bip === undefined ? automatic() : subnetFromBip(options.bip);
  const subnet = mustParseSubnet(base.subnet);
  const range = options.fixedCidr === undefined ? {} : { range: fixedRange(options.fixedCidr, base.subnet) };
  if (options.defaultGateway === undefined) return { ...base, ...range };
  const gateway = mustParseAddress(options.defaultGateway);
  if (!contains(subnet, gateway)) {
    throw invalid(
      'invalid-default-gateway',
      `--default-gateway ${options.defaultGateway}: not inside ${base.subnet}`,
    );
  }
  return { ...base, ...range, auxiliary: { DefaultGatewayIPv4: formatAddress(gateway) } };
}

function subnetFromBip(bip: string): SubnetConfig {
  const parsed = parseCidr(bip);
  if (parsed?.address.family !== 'ipv4' || parsed.subnet.prefixLength > 30) {
    throw invalid(
      'invalid-bip',
      `--bip ${bip}: it should be an IPv4 address with a prefix length of at most 30`,
    );
  }
  if (parsed.address.value === parsed.subnet.base) {
    throw invalid('invalid-bip', `--bip ${bip}: that is the network's own address, choose one inside it`);
  }
  return { subnet: formatSubnet(parsed.subnet), gateway: formatAddress(parsed.address) };
}

function fixedRange(fixedCidr: string, subnetText: string): string {
  const parsed = parseCidr(fixedCidr);
  const subnet = mustParseSubnet(subnetText);
  if (!parsed || !contains(subnet, parsed.address) || parsed.subnet.prefixLength < subnet.prefixLength) {
    throw invalid(
      'invalid-fixed-cidr',
      `--fixed-cidr ${fixedCidr}: it should be a block inside ${subnetText}`,
    );
  }
  return formatSubnet(parsed.subnet);
}

/** The address that containers of the network use as their way out. */
export function containerGateway(subnet: SubnetConfig): string {
  return subnet.auxiliary?.DefaultGatewayIPv4 ?? subnet.gateway;
}
