/**
 * IP addresses and subnets as values. An address is its number and its family, so that ranges can be compared
 * and counted; text is parsed at the border and formatted again on the way out.
 * Text forms: RFC 4632 (CIDR), RFC 4291 section 2.2 (IPv6), RFC 5952 (canonical IPv6).
 */
// biome-ignore lint/style/noRestrictedImports: the two classifiers are pure text functions
import { isIPv4, isIPv6 } from 'node:net';
import { invalid } from './errors.ts';

export type Family = 'ipv4' | 'ipv6';

export interface IpAddress {
  readonly family: Family;
  /** The address as an unsigned integer of 32 or 128 bits. */
  readonly value: bigint;
}

export interface Subnet {
  readonly family: Family;
  /** The network address: all host bits are zero. */
  readonly base: bigint;
  readonly prefixLength: number;
}

export const addressBits = { ipv4: 32, ipv6: 128 } as const satisfies Record<Family, number>;

/** Parses an IPv4 or IPv6 address without zone or prefix length. Returns undefined when it is neither. */
export function parseAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) {
    return { family: 'ipv4', value: parseIpv4(text) };
  }
  if (isIPv6(text) && !text.includes('%')) {
    return { family: 'ipv6', value: parseIpv6(text) };
  }
  return undefined;
}

function parseIpv4(text: string): bigint {
  return text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function parseIpv6(text: string): bigint {
  // An embedded IPv4 tail (RFC 4291 section 2.2.3) is two groups written in another way.
  const tail = /(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const groups = tail
    ? `${tail[1]}${(parseIpv4(tail[2]!) >> 16n).toString(16)}:${(parseIpv4(tail[2]!) & 0xffffn).toString(16)}`
    : text;
  const [left = '', right] = groups.split('::');
  const head = left === '' ? [] : left.split(':');
  const rest = right === undefined || right === '' ? [] : right.split(':');
  const zeros = right === undefined ? 0 : 8 - head.length - rest.length;
  return [...head, ...new Array<string>(zeros).fill('0'), ...rest].reduce(
    (value, group) => (value << 16n) | BigInt(`0x${group}`),
    0n,
  );
}

export function formatAddress(address: IpAddress): string {
  return address.family === 'ipv4' ? formatIpv4(address.value) : formatIpv6(address.value);
}

function formatIpv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
}

/** RFC 5952 section 4: lower case, no leading zeros, the longest run of two or more zero groups as `::`. */
function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
  );
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === '0') end++;
    if (end - start > best.length) best = { start, length: end - start };
  }
  if (best.start < 0) return groups.join(':');
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`;
}

/**
 * Parses `address/length`. Returns undefined when the text is no CIDR block; host bits are allowed and kept in
 * `address`, because callers that must refuse them want to name the block that was meant.
 */
export function parseCidr(
  text: string,
): { readonly address: IpAddress; readonly subnet: Subnet } | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const address = match && parseAddress(match[1]!);
  const prefixLength = Number(match?.[2]);
  if (!address || prefixLength > addressBits[address.family]) return undefined;
  return { address, subnet: subnetOf(address, prefixLength) };
}

/** A subnet from text that the program itself wrote or that was checked before; throws `invalid` otherwise. */
export function mustParseSubnet(text: string): Subnet {
  const parsed = parseCidr(text);
  if (!parsed)
    throw invalid('invalid-subnet', `invalid subnet ${text}: it should be ADDRESS/PREFIX`, { text });
  return parsed.subnet;
}

/** An address from text that was checked before; throws `invalid` otherwise. */
export function mustParseAddress(text: string): IpAddress {
  const address = parseAddress(text);
  if (!address) throw invalid('invalid-address', `invalid IP address: ${text}`, { text });
  return address;
}

/** The block of the given prefix length that holds the address. */
export function subnetOf(address: IpAddress, prefixLength: number): Subnet {
  const hostBits = BigInt(addressBits[address.family] - prefixLength);
  return { family: address.family, base: (address.value >> hostBits) << hostBits, prefixLength };
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress({ family: subnet.family, value: subnet.base })}/${subnet.prefixLength}`;
}

/** How many addresses the block holds. */
export function subnetSize(subnet: Subnet): bigint {
  return 1n << BigInt(addressBits[subnet.family] - subnet.prefixLength);
}

/** The highest address of the block (for IPv4 the broadcast address). */
export function lastAddress(subnet: Subnet): bigint {
  return subnet.base + subnetSize(subnet) - 1n;
}

/** The address that reaches every host of an IPv4 block; undefined for IPv6 and for blocks without one (RFC 3021). */
export function broadcastAddress(subnet: Subnet): string | undefined {
  if (subnet.family === 'ipv6' || subnetSize(subnet) <= 2n) return undefined;
  return formatAddress({ family: 'ipv4', value: lastAddress(subnet) });
}

export function contains(subnet: Subnet, address: IpAddress): boolean {
  return (
    subnet.family === address.family && address.value >= subnet.base && address.value <= lastAddress(subnet)
  );
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.family === b.family && a.base <= lastAddress(b) && b.base <= lastAddress(a);
}
