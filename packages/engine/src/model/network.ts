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
  /**
   * The bridge's own address, unless the network has none: then it is still never given out. Empty where a template
   * leaves the whole subnet open.
   */
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
  /** Host address for published ports whose binding names none, 0.0.0.0 for every one. @default what the daemon says */
  readonly hostBindingIpv4?: string;
  /** Under which address traffic leaves, in place of the one that the host would choose; it need not be the host's. */
  readonly sourceAddresses?: Readonly<Partial<Record<Family, string>>>;
  /** Interfaces of the host, there or not, from which published ports are reached at the container's own address. */
  readonly trustedInterfaces?: readonly string[];
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
  /** Kept and shown; the only IPAM driver takes none. */
  readonly ipamOptions?: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Present on networks of the bridge driver, but not on templates. */
  readonly bridge?: BridgeSettings;
  /** A template: it is never real, and other networks take their settings from it. */
  readonly configOnly: boolean;
  /** Name of the template that this network took its settings from. */
  readonly configFrom?: string;
}

/** The addresses of an endpoint, without prefix lengths; absent in families that the network does not have. */
export interface EndpointAddresses {
  readonly ipv4Address?: string;
  readonly ipv6Address?: string;
}

/** One attachment of one sandbox to one network, kept while its container runs. */
export interface EndpointRecord extends EndpointAddresses {
  readonly id: EndpointId;
  readonly networkId: NetworkId;
  readonly containerId: ContainerId;
  readonly containerName: string;
  /** Absent on the network `host`, whose namespace is not the engine's. */
  readonly sandboxId?: SandboxId;
  /** Lower-case, colon-separated; empty for drivers without an interface of their own. */
  readonly macAddress: string;
  /** The veth's end in the host's namespace. */
  readonly hostInterface?: string;
  /** Its other end, inside the sandbox. */
  readonly interfaceName?: string;
  /** Among the sandbox's networks; the highest is its way out. */
  readonly gatewayPriority: number;
  /** Kernel parameters of the interface inside the sandbox, each a path below /proc/sys and its value. */
  readonly sysctls?: readonly InterfaceSysctl[];
}

/** A path below /proc/sys in its parts, and the value. */
export type InterfaceSysctl = readonly [path: readonly string[], value: string];

/** A network namespace that the engine owns; gone when no running container uses it any more. */
export interface SandboxRecord {
  readonly id: SandboxId;
  /** The container that the interfaces, files and names belong to. */
  readonly ownerId: ContainerId;
  /**
   * Where the owner has stopped and others live on in its namespace: the addresses it had, by network. They are kept
   * for it, so that the others' connections go on when it comes back.
   */
  readonly keptAddresses?: Readonly<Record<NetworkId, EndpointAddresses>>;
  /** Set with the first user-defined network, and then as long as the sandbox lives: 127.0.0.11 answers inside. */
  readonly hasResolver?: boolean;
}

/** Names that exist from the start; `default` is an alias of `bridge`. */
export const predefinedNetworks = ['bridge', 'host', 'none'] as const;

/** Where containers are that name no network; its members are linked, and not found by their names. */
export const defaultBridge = 'bridge';

export function isPredefinedNetwork(name: string): boolean {
  return (predefinedNetworks as readonly string[]).includes(name);
}

/** Networks that users made: containers find each other there by name. */
export function isUserDefined({ name, driver }: NetworkRecord): boolean {
  return driver === 'bridge' && !isPredefinedNetwork(name);
}

/** Name of an interface that the kernel accepts: 1 to 15 bytes without `/`, whitespace or `:`, not `.` or `..`. */
export function isInterfaceName(name: string): boolean {
  return /^[^\s/:]{1,15}$/.test(name) && Buffer.byteLength(name) <= 15 && name !== '.' && name !== '..';
}

/** Strings that libnftables 1.0.6 takes for numbers of protocols wherever JSON has them: src/parser_json.c. */
const protocolWords: ReadonlySet<string> = new Set([
  'tcp',
  'udp',
  'udplite',
  'esp',
  'ah',
  'icmp',
  'icmpv6',
  'comp',
  'dccp',
  'sctp',
  'redirect',
]);

/**
 * Whether the firewall can know an interface by this name: no asterisk, which stands for anything; no quote, backslash
 * or `@`, and no protocol's name, which mean something else there.
 */
export function isFirewallInterfaceName(name: string): boolean {
  return isInterfaceName(name) && !/[*"\\@]/.test(name) && !protocolWords.has(name);
}

/** What {@link isFirewallInterfaceName} allows, for messages. */
export const firewallInterfaceNames =
  "1 to 15 characters without '/', ':', '*', '\"', '\\', '@' or spaces, and not the name of a protocol";

/**
 * Name of the veth's host end, unique because it comes from the endpoint's id: `veth` and 7 hex digits.
 * @param attempt moves along the id when the kernel already knows the name
 */
export function hostInterfaceName(id: EndpointId, attempt = 0): string {
  return `veth${id.slice(attempt, attempt + 7)}`;
}

/**
 * The MAC address of an interface: `02:42` and the four bytes of its IPv4 address, or the last four of its IPv6 one.
 *
 * Addresses are handed out lowest-free-first, so a stopped container's address goes to the next one at once.
 * With the MAC bound to the address, the neighbours' ARP entries stay right; a random one would be ignored by
 * them for a second (the kernel's `locktime`) and packets would go nowhere.
 */
export function macAddressFor(address: string): string {
  const tail = mustParseAddress(address).value & 0xffff_ffffn;
  return ['02', '42', ...tail.toString(16).padStart(8, '0').match(/../g)!].join(':');
}

/** The lowest `prefix` and number that the sandbox does not have yet. */
export function nextInterfaceName(prefix: string, taken: ReadonlySet<string>): string {
  let index = 0;
  while (taken.has(`${prefix}${index}`)) index++;
  return `${prefix}${index}`;
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

/** The network's subnet of that family, of which there is at most one. */
export function subnetOfFamily(network: NetworkRecord, family: Family): SubnetConfig | undefined {
  return network.subnets.find(({ subnet }) => mustParseSubnet(subnet).family === family);
}
