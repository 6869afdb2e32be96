/**
 * Which subnet a network gets when its request names none. Pure: what is in use comes in as arguments.
 * Pools are tried by address; the lowest free subnet wins, so a deleted network's subnet is used again at once.
 */
import { createHash } from 'node:crypto';
import {
  addressBits,
  type Family,
  formatSubnet,
  lastAddress,
  mustParseSubnet,
  overlaps,
  type Subnet,
} from '../base/address.ts';
import { invalid } from '../base/errors.ts';

export interface SubnetPool {
  readonly base: Subnet;
  /** Prefix length of the subnets that the pool is cut into. */
  readonly size: number;
}

function poolOf(base: string, size: number): SubnetPool {
  return { base: mustParseSubnet(base), size };
}

/** Docker's own pools, in its order: room for 31 networks. 10.0.0.0/8 is left to the user's own networks. */
export const defaultSubnetPools: readonly SubnetPool[] = [
  poolOf('172.17.0.0/16', 16),
  poolOf('172.18.0.0/16', 16),
  poolOf('172.19.0.0/16', 16),
  poolOf('172.20.0.0/14', 16),
  poolOf('172.24.0.0/14', 16),
  poolOf('172.28.0.0/14', 16),
  poolOf('192.168.0.0/16', 20),
];

/** Used only when Docker's pools are full: 512 more networks, in the one private block that those leave out. */
const overflowPools: readonly SubnetPool[] = [poolOf('172.16.0.0/16', 25)];

/**
 * Parses the daemon's `--default-address-pool base=CIDR,size=N`.
 * @throws invalid naming the text and what is wrong with it
 */
export function parseSubnetPool(text: string): SubnetPool {
  const fields = new Map(text.split(',').map((field) => field.split('=', 2) as [string, string | undefined]));
  const base = fields.get('base');
  const size = Number(fields.get('size'));
  for (const key of fields.keys()) {
    if (key !== 'base' && key !== 'size') throw invalidPool(text, `unexpected key '${key}'`);
  }
  if (!base || !fields.get('size')) throw invalidPool(text, 'both base and size are needed');
  const subnet = mustParseSubnet(base);
  if (!Number.isInteger(size) || size < subnet.prefixLength || size > addressBits[subnet.family]) {
    throw invalidPool(
      text,
      `size must be a prefix length from ${subnet.prefixLength} to ${addressBits[subnet.family]}`,
    );
  }
  return { base: subnet, size };
}

function invalidPool(text: string, why: string) {
  return invalid(
    'invalid-address-pool',
    `invalid default address pool '${text}': ${why} (base=CIDR,size=PREFIX)`,
  );
}

/**
 * The host's own IPv6 pool: a unique local /48 (RFC 4193) that follows from the host's id, so that it is the same
 * after every start and another one on other hosts.
 */
export function uniqueLocalPool(hostId: string): SubnetPool {
  const digest = createHash('sha256').update(hostId).digest();
  const globalId = BigInt(`0x${digest.subarray(-5).toString('hex')}`);
  return { base: { family: 'ipv6', base: ((0xfdn << 40n) | globalId) << 80n, prefixLength: 48 }, size: 64 };
}

export interface ClaimOptions {
  /** @default 'ipv4' */
  readonly family?: Family;
  /** Prefix length to cut the pools into instead of their own. */
  readonly size?: number;
}

/**
 * The lowest subnet of the pools that overlaps with none of `avoid`.
 * @param pools those of the daemon; where none is of the family, Docker's own are meant
 * @param avoid subnets of existing networks, the host's on-link routes, addresses of its name servers
 * @throws invalid when every subnet overlaps with something
 */
export function claimSubnet(
  pools: readonly SubnetPool[],
  avoid: readonly Subnet[],
  { family = 'ipv4', size }: ClaimOptions = {},
): Subnet {
  const stages = stagesOf(pools, family);
  const spans = spansOf(avoid, family);
  for (const stage of stages) {
    const subnet = lowestFreeSubnet(size === undefined ? stage : resize(stage, size), spans);
    if (subnet) return subnet;
  }
  throw invalid(
    'subnets-exhausted',
    'all predefined address pools have been fully subnetted: remove networks that are not in use, choose a subnet ' +
      'yourself (--subnet), or give the daemon more room (--default-address-pool base=CIDR,size=PREFIX)',
    { pools: stages.flat().map((pool) => formatSubnet(pool.base)), family },
  );
}

/** Pools that are tried one after the other. */
function stagesOf(pools: readonly SubnetPool[], family: Family): (readonly SubnetPool[])[] {
  const own = pools.filter(({ base }) => base.family === family);
  if (family === 'ipv6') return [own];
  if (own.length === 0) return [defaultSubnetPools, overflowPools];
  return own.every((pool) => defaultSubnetPools.includes(pool)) ? [own, overflowPools] : [own];
}

function resize(pools: readonly SubnetPool[], size: number): SubnetPool[] {
  return pools.flatMap(({ base }) => (size >= base.prefixLength ? [{ base, size }] : []));
}

/** A block as its first and last address. */
interface Span {
  readonly first: bigint;
  readonly last: bigint;
}

/** The blocks of one family, in the order of their first addresses. */
function spansOf(subnets: readonly Subnet[], family: Family): Span[] {
  const spans: Span[] = [];
  for (const subnet of subnets) {
    if (subnet.family === family) spans.push({ first: subnet.base, last: lastAddress(subnet) });
  }
  return spans.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
}

/**
 * The lowest subnet of the pools, all of one family, that lies above `from` and overlaps with none of the spans. One
 * walk over both in the order of their addresses: what it costs does not depend on the size of the pools.
 */
function lowestFreeSubnet(
  pools: readonly SubnetPool[],
  spans: readonly Span[],
  from = 0n,
): Subnet | undefined {
  let index = 0;
  /** What lies below this is passed or in use. */
  let lowest = from;
  for (const { base: pool, size } of pools.toSorted((a, b) => (a.base.base < b.base.base ? -1 : 1))) {
    const hostBits = BigInt(addressBits[pool.family] - size);
    const hostMask = (1n << hostBits) - 1n;
    const lastOfPool = lastAddress(pool);
    if (lowest < pool.base) lowest = pool.base;
    let candidate = ((lowest + hostMask) >> hostBits) << hostBits;
    for (; candidate <= lastOfPool; index++) {
      const span = spans[index];
      if (span === undefined || span.first > candidate + hostMask) {
        return { family: pool.family, base: candidate, prefixLength: size };
      }
      if (span.last < candidate) continue;
      lowest = span.last + 1n;
      candidate = ((lowest + hostMask) >> hostBits) << hostBits;
    }
  }
  return undefined;
}

/** The private blocks of RFC 1918, in the order in which a subnet is proposed from them, and that of RFC 4193. */
const privateBlocks: Readonly<Record<Family, readonly Subnet[]>> = {
  ipv4: ['192.168.0.0/16', '172.16.0.0/12', '10.0.0.0/8'].map(mustParseSubnet),
  ipv6: [mustParseSubnet('fd00::/8')],
};

/**
 * A free private subnet of the same size as one that cannot be had: the next one above in the same block, else any.
 * Undefined when there is none.
 */
export function proposeSubnet(wanted: Subnet, avoid: readonly Subnet[]): Subnet | undefined {
  const blocks = privateBlocks[wanted.family].filter((block) => block.prefixLength <= wanted.prefixLength);
  const spans = spansOf(avoid, wanted.family);
  const home = blocks.find((block) => overlaps(block, wanted));
  const find = (base: Subnet, from?: bigint) =>
    lowestFreeSubnet([{ base, size: wanted.prefixLength }], spans, from);
  const above = home && find(home, lastAddress(wanted) + 1n);
  if (above) return above;
  for (const block of blocks) {
    const subnet = find(block);
    if (subnet) return subnet;
  }
  return undefined;
}
