/** What users ask of a network's subnets: parsed and checked, all problems at once. Pure; texts are Docker's. */
import {
  contains,
  type Family,
  formatAddress,
  formatSubnet,
  type IpAddress,
  mustParseSubnet,
  overlaps,
  parseAddress,
  parseCidr,
  type Subnet,
} from '../base/address.ts';
import { invalid } from '../base/errors.ts';
import type { SubnetRequest } from '../model/network-request.ts';

/** A request whose parts fit each other. */
export interface ParsedSubnet {
  readonly family: Family;
  /** Absent: any free one. */
  readonly subnet?: Subnet;
  /** Prefix length of the free one, where the request says `0.0.0.0/N` or `::/N`. */
  readonly size?: number;
  readonly gateway?: IpAddress;
  readonly range?: Subnet;
  readonly auxiliary: Readonly<Record<string, IpAddress>>;
}

const familyNames = { ipv4: 'IPv4', ipv6: 'IPv6' } as const;

/** Addresses of which no host can have one: RFC 1122 section 3.2.1.3, RFC 4291 sections 2.5.3 and 2.7. */
const unusableBlocks = ['127.0.0.0/8', '224.0.0.0/4', '::1/128', 'ff00::/8'].map(mustParseSubnet);

type Cidr = NonNullable<ReturnType<typeof parseCidr>>;

/**
 * The requests that name a subnet or anything in one, in their order. Those of IPv6 are left out, unchecked, where
 * the network has no IPv6.
 * @throws invalid with all problems in one text
 */
export function parseSubnetRequests(
  requests: readonly SubnetRequest[],
  families: Readonly<Record<Family, boolean>>,
): ParsedSubnet[] {
  const problems: string[] = [];
  const parsed = requests.flatMap((request) => parseRequest(request, families.ipv6, problems) ?? []);
  if (problems.length > 0) {
    const list = problems.length === 1 ? problems[0] : problems.map((problem) => `* ${problem}`).join('\n');
    throw invalid('invalid-network-config', `invalid network config:\n${list}`, { problems });
  }
  return parsed.filter(({ family }) => families[family]);
}

function parseRequest(
  request: SubnetRequest,
  enableIpv6: boolean,
  problems: string[],
): ParsedSubnet | undefined {
  const given = request.subnet;
  if (!given) return void problems.push(...withoutSubnet(request));
  const cidr = parseCidr(given);
  if (!cidr) return void problems.push(`invalid subnet ${given}: invalid CIDR block notation`);
  const { family } = cidr.subnet;
  if (family === 'ipv6' && !enableIpv6) return undefined;
  const parent = formatCidr(cidr);
  const base = formatSubnet(cidr.subnet);
  const isAny = cidr.address.value === 0n;
  if (base !== parent) problems.push(`invalid subnet ${parent}: it should be ${base}`);
  else if (!isAny && unusableBlocks.some((block) => overlaps(block, cidr.subnet))) {
    problems.push(`invalid subnet ${parent}: no host can have an address of it`);
  }
  const range = request.range ? parseRange(request.range, cidr, problems) : undefined;
  const inside = (what: string, text: string) => {
    const address = parseAddress(text);
    const problem = address ? problemOf(address, cidr) : 'it is no IP address';
    if (problem) problems.push(`invalid ${what}: ${problem}`);
    return address;
  };
  const gateway = request.gateway ? inside(`gateway ${request.gateway}`, request.gateway) : undefined;
  const auxiliary: Record<string, IpAddress> = {};
  for (const [name, text] of Object.entries(request.auxiliary ?? {})) {
    const before = problems.length;
    const address = inside(`auxiliary address ${name}`, text);
    if (address) auxiliary[name] = address;
    if (problems.length > before && isDefaultGateway(name)) {
      problems.push(`${problems.pop()}: default gateway ip must be part of the network`);
    }
  }
  return {
    family,
    ...(isAny ? anyOfSize(cidr.subnet.prefixLength) : { subnet: cidr.subnet }),
    ...(gateway ? { gateway } : {}),
    ...(range ? { range } : {}),
    auxiliary,
  };
}

/** Auxiliary addresses that containers use as their way out. */
function isDefaultGateway(name: string): boolean {
  return name === 'DefaultGatewayIPv4' || name === 'DefaultGatewayIPv6';
}

/** `0.0.0.0/0` says nothing, not even a size. */
function anyOfSize(size: number) {
  return size === 0 ? {} : { size };
}

/** An entry that says nothing at all asks for what is chosen anyway; one that does say something lacks its subnet. */
function withoutSubnet({ gateway, range, auxiliary = {} }: SubnetRequest): string[] {
  const why = 'it needs a subnet that contains it';
  return [
    ...(range ? [`invalid ip-range ${range}: ${why}`] : []),
    ...(gateway ? [`invalid gateway ${gateway}: ${why}`] : []),
    ...Object.keys(auxiliary).map((name) => `invalid auxiliary address ${name}: ${why}`),
  ];
}

function parseRange(text: string, parent: Cidr, problems: string[]): Subnet | undefined {
  const cidr = parseCidr(text);
  if (!cidr) return void problems.push(`invalid ip-range ${text}: invalid CIDR block notation`);
  const { subnet } = parent;
  const range = formatCidr(cidr);
  if (cidr.subnet.family !== subnet.family) {
    return void problems.push(
      `invalid ip-range ${range}: parent subnet is an ${familyNames[subnet.family]} block`,
    );
  }
  if (cidr.subnet.prefixLength < subnet.prefixLength) {
    problems.push(
      `invalid ip-range ${range}: CIDR block is bigger than its parent subnet ${formatCidr(parent)}`,
    );
  }
  if (formatSubnet(cidr.subnet) !== range) {
    problems.push(`invalid ip-range ${range}: it should be ${formatSubnet(cidr.subnet)}`);
  }
  if (!overlaps(subnet, cidr.subnet)) {
    problems.push(`invalid ip-range ${range}: parent subnet ${formatCidr(parent)} doesn't contain ip-range`);
  }
  return cidr.subnet;
}

function problemOf(address: IpAddress, parent: Cidr): string | undefined {
  const { subnet } = parent;
  if (address.family !== subnet.family) return `parent subnet is an ${familyNames[subnet.family]} block`;
  if (contains(subnet, address)) return undefined;
  return `parent subnet ${formatCidr(parent)} doesn't contain this address`;
}

/** As the user wrote it, in canonical spelling: host bits stay. */
function formatCidr({ address, subnet }: Cidr): string {
  return `${formatAddress(address)}/${subnet.prefixLength}`;
}
