/**
 * Which subnet a network gets when its request names none. Pure: what is in use comes in as arguments.
 * Pools are tried by address; the lowest free subnet wins, so a deleted network's subnet is used again at once.
 */
import {
  addressBits,
  formatSubnet,
  mustParseSubnet,
  overlaps,
  type Subnet,
  subnetSize,
} from '../base/address.ts';
import { invalid } from '../base/errors.ts';

export interface SubnetPool {
  readonly base: Subnet;
  /** Prefix length of the subnets that the pool is cut into. */
  readonly size: number;
}

/** Docker's own pools, in its order: room for 31 networks. 10.0.0.0/8 is left to the user's own networks. */
export const defaultSubnetPools: readonly SubnetPool[] = (
  [
    ['172.17.0.0/16', 16],
    ['172.18.0.0/16', 16],
    ['172.19.0.0/16', 16],
    ['172.20.0.0/14', 16],
    ['172.24.0.0/14', 16],
    ['172.28.0.0/14', 16],
    ['192.168.0.0/16', 20],
  ] as const
).map(([base, size]) => ({ base: mustParseSubnet(base), size }));

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
 * The lowest subnet of the pools that overlaps with none of `avoid`.
 * @param avoid subnets of existing networks, the host's on-link routes, addresses of its name servers
 * @throws invalid when every subnet overlaps with something
 */
export function claimSubnet(pools: readonly SubnetPool[], avoid: readonly Subnet[]): Subnet {
  const sorted = [...pools].sort((a, b) => (a.base.base < b.base.base ? -1 : 1));
  for (const { base, size } of sorted) {
    const step = subnetSize({ ...base, prefixLength: size });
    const end = base.base + subnetSize(base);
    for (let candidate = base.base; candidate < end; candidate += step) {
      const subnet: Subnet = { family: base.family, base: candidate, prefixLength: size };
      if (!avoid.some((other) => overlaps(subnet, other))) return subnet;
    }
  }
  throw invalid('subnets-exhausted', 'all predefined address pools have been fully subnetted', {
    pools: sorted.map((pool) => formatSubnet(pool.base)),
  });
}
