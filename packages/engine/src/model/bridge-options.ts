/** The bridge driver's options, by the names under which Docker's users know them. Pure. */
import { type Family, formatAddress, type IpAddress, parseAddress } from '../base/address.ts';
import { invalid } from '../base/errors.ts';
import type { NetworkId } from '../base/ids.ts';
import {
  type BridgeSettings,
  firewallInterfaceNames,
  type GatewayMode,
  isFirewallInterfaceName,
  isInterfaceName,
} from './network.ts';

export const bridgeOptionKeys = {
  device: 'com.docker.network.bridge.name',
  interContainer: 'com.docker.network.bridge.enable_icc',
  masquerade: 'com.docker.network.bridge.enable_ip_masquerade',
  hostBindingIpv4: 'com.docker.network.bridge.host_binding_ipv4',
  gatewayModeIpv4: 'com.docker.network.bridge.gateway_mode_ipv4',
  gatewayModeIpv6: 'com.docker.network.bridge.gateway_mode_ipv6',
  inhibitIpv4: 'com.docker.network.bridge.inhibit_ipv4',
  mtu: 'com.docker.network.driver.mtu',
  interfacePrefix: 'com.docker.network.container_iface_prefix',
  sourceIpv4: 'com.docker.network.host_ipv4',
  sourceIpv6: 'com.docker.network.host_ipv6',
  trustedInterfaces: 'com.docker.network.bridge.trusted_host_interfaces',
} as const;

const gatewayModes: readonly string[] = [
  'nat',
  'nat-unprotected',
  'routed',
  'isolated',
] satisfies GatewayMode[];

/** The smallest packets that the kernel lets a network device have, and those that IPv6 needs (RFC 8200 section 5). */
const smallestMtuBytes = { ipv4: 68, ipv6: 1280 };
/** linux/netdevice.h: ETH_MAX_MTU. */
const largestMtuBytes = 65_535;

/** The interface's number follows the prefix; 15 bytes is what the kernel takes. */
const longestPrefix = 12;

export type DriverOptions = Readonly<Record<string, string>>;

/**
 * What the options mean; unknown ones mean nothing.
 * @param id gives the bridge device its name when no option does
 * @throws invalid for a bad value, in Docker's words
 */
export function parseBridgeOptions(
  options: DriverOptions,
  id: NetworkId,
  enableIpv6: boolean,
): BridgeSettings {
  const keys = bridgeOptionKeys;
  const device = readName(options, keys.device, 15);
  if (device !== undefined && !isFirewallInterfaceName(device)) {
    throw badValue(keys.device, device, `it should be ${firewallInterfaceNames}`);
  }
  const hostBinding = readAddress(options, keys.hostBindingIpv4, 'ipv4');
  const sources = readSources(options);
  const trusted = readInterfaces(options, keys.trustedInterfaces);
  const mtuBytes = readInteger(options, keys.mtu);
  const settings: BridgeSettings = {
    device: device ?? `br-${id.slice(0, 12)}`,
    interContainer: readBoolean(options, keys.interContainer) ?? true,
    masquerade: readBoolean(options, keys.masquerade) ?? true,
    inhibitIpv4: readBoolean(options, keys.inhibitIpv4) ?? false,
    interfacePrefix: readName(options, keys.interfacePrefix, longestPrefix) ?? 'eth',
    gatewayModes: {
      ipv4: readGatewayMode(options, keys.gatewayModeIpv4),
      ipv6: readGatewayMode(options, keys.gatewayModeIpv6),
    },
    ...(hostBinding ? { hostBindingIpv4: hostBinding } : {}),
    ...(mtuBytes ? { mtuBytes } : {}),
    ...(Object.keys(sources).length > 0 ? { sourceAddresses: sources } : {}),
    ...(trusted.length > 0 ? { trustedInterfaces: trusted } : {}),
  };
  if (mtuBytes) checkMtu(mtuBytes, enableIpv6);
  return settings;
}

/** The booleans that Go's strconv.ParseBool knows; undefined for anything else. */
export function parseBoolean(text: string): boolean | undefined {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  return undefined;
}

function badValue(key: string, value: string, why: string) {
  return invalid('invalid-network-option', `failed to parse ${key} value: ${value} (${why})`, { key, value });
}

function readBoolean(options: DriverOptions, key: string): boolean | undefined {
  const text = options[key];
  if (text === undefined) return undefined;
  const value = parseBoolean(text);
  if (value === undefined) {
    throw badValue(key, text, `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return value;
}

function readInteger(options: DriverOptions, key: string): number | undefined {
  const text = options[key];
  if (text === undefined) return undefined;
  const isNumber = /^[+-]?\d+$/.test(text);
  const value = Number(text);
  if (!isNumber || !Number.isSafeInteger(value)) {
    const why = isNumber ? 'value out of range' : 'invalid syntax';
    throw badValue(key, text, `strconv.Atoi: parsing ${JSON.stringify(text)}: ${why}`);
  }
  return value;
}

function readAddress(options: DriverOptions, key: string, family: Family): string | undefined {
  const text = options[key];
  if (text === undefined) return undefined;
  const address = parseAddress(text);
  if (address?.family !== family) throw badValue(key, text, 'nil ip');
  return formatAddress(address);
}

function readSources(options: DriverOptions): Partial<Record<Family, string>> {
  const keys = { ipv4: bridgeOptionKeys.sourceIpv4, ipv6: bridgeOptionKeys.sourceIpv6 };
  const sources: Partial<Record<Family, string>> = {};
  for (const family of ['ipv4', 'ipv6'] as const) {
    const source = readAddress(options, keys[family], family);
    if (source === undefined) continue;
    if (!canBeSource(parseAddress(source)!)) {
      throw badValue(keys[family], source, 'no packet on a wire can come from there');
    }
    sources[family] = source;
  }
  return sources;
}

/** Not "this host", the host's own loopback, a group of hosts, or all of them (RFC 1122 section 3.2.1.3, RFC 4291 section 2.4). */
function canBeSource({ family, value }: IpAddress): boolean {
  if (family === 'ipv6') return value > 1n && value >> 120n !== 0xffn;
  const first = value >> 24n;
  return first !== 0n && first !== 127n && first < 224n;
}

/** Separated by colons; empty ones are passed over, as Docker does. */
function readInterfaces(options: DriverOptions, key: string): readonly string[] {
  const names = (options[key] ?? '').split(':').filter((name) => name !== '');
  for (const name of names) {
    if (!isFirewallInterfaceName(name)) {
      throw badValue(key, options[key]!, `${JSON.stringify(name)}: it should be ${firewallInterfaceNames}`);
    }
  }
  return [...new Set(names)];
}

function readGatewayMode(options: DriverOptions, key: string): GatewayMode {
  const text = options[key];
  if (!text) return 'nat';
  if (!gatewayModes.includes(text)) throw badValue(key, text, `unknown gateway mode ${text}`);
  return text as GatewayMode;
}

/**
 * A name for the kernel. Beside what it refuses itself: it would put a number in the place of `%d` (net/core/dev.c,
 * dev_alloc_name), and `all` and `default` stand beside the devices' names in /proc/sys/net/ipv4/conf.
 */
function readName(options: DriverOptions, key: string, longest: number): string | undefined {
  const text = options[key];
  if (!text) return undefined;
  if (!isInterfaceName(text) || Buffer.byteLength(text) > longest || /%|^(all|default)$/.test(text)) {
    throw badValue(
      key,
      text,
      `it should be 1 to ${longest} characters without '/', ':', '%' or spaces, and not 'all' or 'default'`,
    );
  }
  return text;
}

function checkMtu(mtuBytes: number, enableIpv6: boolean): void {
  const smallest = enableIpv6 ? smallestMtuBytes.ipv6 : smallestMtuBytes.ipv4;
  if (mtuBytes < 0) throw invalid('invalid-mtu', `invalid MTU number: ${mtuBytes}`, { mtuBytes });
  if (mtuBytes < smallest || mtuBytes > largestMtuBytes) {
    throw invalid(
      'invalid-mtu',
      `invalid MTU number: ${mtuBytes}: it should be ${smallest} to ${largestMtuBytes}${enableIpv6 ? ' where IPv6 is on' : ''}`,
      { mtuBytes },
    );
  }
}
