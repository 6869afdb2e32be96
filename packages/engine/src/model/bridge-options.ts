/** The bridge driver's options, by the names under which Docker's users know them. Pure. */
import { formatAddress, parseAddress } from '../base/address.ts';
import { invalid, notImplemented } from '../base/errors.ts';
import type { NetworkId } from '../base/ids.ts';
import { type BridgeSettings, type GatewayMode, isInterfaceName } from './network.ts';

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
} as const;

/** Options that would have an effect at Docker and have none here: a network without it would not be what was asked for. */
const unsupportedKeys = [
  'com.docker.network.bridge.trusted_host_interfaces',
  'com.docker.network.host_ipv4',
  'com.docker.network.host_ipv6',
];

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
 * @throws invalid for a bad value, in Docker's words; notImplemented for an option that would have no effect
 */
export function parseBridgeOptions(
  options: DriverOptions,
  id: NetworkId,
  enableIpv6: boolean,
): BridgeSettings {
  const keys = bridgeOptionKeys;
  const device = readName(options, keys.device, 15);
  const hostBinding = readIpv4(options, keys.hostBindingIpv4);
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
  };
  if (mtuBytes) checkMtu(mtuBytes, enableIpv6);
  for (const key of unsupportedKeys) {
    if (options[key]) {
      throw notImplemented(
        'unsupported-network-option',
        `the network option ${key} (${options[key]}) is not supported by this version of Seaway`,
        { key, value: options[key] },
      );
    }
  }
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

function readIpv4(options: DriverOptions, key: string): string | undefined {
  const text = options[key];
  if (text === undefined) return undefined;
  const address = parseAddress(text);
  if (address?.family !== 'ipv4') throw badValue(key, text, 'nil ip');
  return formatAddress(address);
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
