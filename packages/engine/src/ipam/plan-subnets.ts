/**
 * The subnets of a new network: chosen where the request leaves them open, checked against the other networks where
 * it does not, each with the address of its gateway. Pure.
 */
import {
  addressBits,
  type Family,
  formatAddress,
  formatSubnet,
  type IpAddress,
  mustParseSubnet,
  overlaps,
  parseAddress,
  parseCidr,
  type Subnet,
  subnetOf,
} from '../base/address.ts';
import { EngineError, forbidden, messageOf } from '../base/errors.ts';
import type { NetworkRecord, SubnetConfig } from '../model/network.ts';
import { AddressPool, defaultGateway } from './address-pool.ts';
import { claimSubnet, proposeSubnet, type SubnetPool, uniqueLocalPool } from './subnet-pools.ts';
import type { ParsedSubnet } from './subnet-request.ts';

/** A block that the host reaches without a gateway. */
export interface HostRoute {
  /** In CIDR form. */
  readonly destination: string;
  readonly device?: string;
}

/** What is in use already. */
export interface AddressFacts {
  readonly networks: readonly NetworkRecord[];
  /** In the daemon's order. */
  readonly pools: readonly SubnetPool[];
  /** Those of the networks' own bridges may be among them. */
  readonly hostRoutes: readonly HostRoute[];
  /** Addresses of the name servers that the host uses. */
  readonly hostServers: readonly string[];
  /** Decides the IPv6 pool where the daemon has none. */
  readonly hostId: string;
}

interface TakenSubnet {
  readonly network: NetworkRecord;
  readonly subnet: Subnet;
}

interface RoutedSubnet {
  readonly route: HostRoute;
  readonly subnet: Subnet;
}

/** Everything that a network's addresses can collide with, parsed once for one plan. */
export class AddressSpace {
  readonly #facts: AddressFacts;
  readonly #taken: readonly TakenSubnet[];
  readonly #routed: readonly RoutedSubnet[];
  readonly #avoid: readonly Subnet[];

  constructor(facts: AddressFacts) {
    this.#facts = facts;
    const ownDevices = new Set<string>();
    const taken: TakenSubnet[] = [];
    const avoid: Subnet[] = [];
    for (const network of facts.networks) {
      if (network.bridge) ownDevices.add(network.bridge.device);
      for (const entry of takenBy(network)) {
        taken.push(entry);
        avoid.push(entry.subnet);
      }
    }
    this.#taken = taken;
    this.#routed = facts.hostRoutes.flatMap((route) => {
      if (route.device !== undefined && ownDevices.has(route.device)) return noRoutes;
      const subnet = parseCidr(route.destination)?.subnet;
      return subnet && !isDefaultRoute(subnet) ? [{ route, subnet }] : noRoutes;
    });
    for (const { subnet } of this.#routed) avoid.push(subnet);
    this.#avoid = avoid.concat(facts.hostServers.flatMap(hostSubnet));
  }

  /**
   * A free subnet out of the pools.
   * @throws invalid when there is none
   */
  claim(family: Family, size: number | undefined): Subnet {
    const { pools, hostId } = this.#facts;
    const own = pools.filter(({ base }) => base.family === family);
    const usable = own.length > 0 || family === 'ipv4' ? own : [uniqueLocalPool(hostId)];
    return claimSubnet(usable, this.#avoid, { family, ...(size === undefined ? {} : { size }) });
  }

  /** @throws forbidden when the subnet has an address in common with another network's, and says what is free */
  checkOverlap(subnet: Subnet): void {
    const other = this.#taken.find((taken) => overlaps(taken.subnet, subnet));
    if (!other) return;
    const { name } = other.network;
    throw forbidden(
      'subnet-overlaps',
      `invalid pool request: Pool overlaps with other one on this address space: ${formatSubnet(subnet)} has addresses of ` +
        `network ${name} (${formatSubnet(other.subnet)})${this.#proposal(subnet)}`,
      { subnet: formatSubnet(subnet), network: name, otherSubnet: formatSubnet(other.subnet) },
    );
  }

  /** What the user should know about a subnet that may be used; empty when there is nothing. */
  warningAbout(subnet: Subnet): string {
    const hit = this.#routed.find((routed) => overlaps(routed.subnet, subnet));
    if (!hit) return '';
    const { destination, device } = hit.route;
    return (
      `${formatSubnet(subnet)} overlaps with this host's route to ${destination}${device ? ` on ${device}` : ''}: ` +
      `the host may no longer reach what has these addresses there${this.#proposal(subnet)}`
    );
  }

  #proposal(subnet: Subnet): string {
    const free = proposeSubnet(subnet, this.#avoid);
    return free ? `; ${formatSubnet(free)} is free` : '';
  }
}

/**
 * What each network has, parsed once: a plan looks at all of them and would spend most of its time on that. Records
 * never change, they are replaced.
 */
const known = new WeakMap<NetworkRecord, readonly TakenSubnet[]>();

/** Templates only describe addresses, they do not have them. */
function takenBy(network: NetworkRecord): readonly TakenSubnet[] {
  let taken = known.get(network);
  if (!taken) {
    const subnets = network.configOnly ? [] : network.subnets;
    taken = subnets.map(({ subnet }) => ({ network, subnet: mustParseSubnet(subnet) }));
    known.set(network, taken);
  }
  return taken;
}

const noRoutes: readonly RoutedSubnet[] = [];

/** A tunnel for everything is often made of two routes to one half each. */
function isDefaultRoute({ prefixLength }: Subnet): boolean {
  return prefixLength <= 1;
}

/** A server behind a gateway has no route of its own, and would vanish behind a bridge of the same subnet. */
function hostSubnet(text: string): Subnet[] {
  const address = parseAddress(text);
  return address ? [subnetOf(address, addressBits[address.family])] : [];
}

/**
 * Gives the subnet its gateway and puts it into the record's form.
 * @throws invalid when no address is left for the gateway, forbidden when the gateway or an auxiliary address is one
 *   that no host may have, or is named twice
 */
export function finishSubnet(request: ParsedSubnet, subnet: Subnet): SubnetConfig {
  const { range, auxiliary } = request;
  const gateway = request.gateway ?? defaultGateway(subnet, range, Object.values(auxiliary));
  const pool = new AddressPool({ subnet });
  claimFor(pool, `gateway (${formatAddress(gateway)})`, gateway);
  const names = Object.entries(auxiliary);
  for (const [name, address] of names) {
    claimFor(pool, `auxiliary address (${name}:${formatAddress(address)})`, address);
  }
  return {
    subnet: formatSubnet(subnet),
    gateway: formatAddress(gateway),
    ...(range ? { range: formatSubnet(range) } : {}),
    ...(names.length > 0
      ? { auxiliary: Object.fromEntries(names.map(([name, address]) => [name, formatAddress(address)])) }
      : {}),
  };
}

function claimFor(pool: AddressPool, what: string, address: IpAddress): void {
  try {
    pool.claim(address);
  } catch (error) {
    const { kind, code, facts } = error as EngineError;
    throw new EngineError(kind, `failed to allocate ${what}: ${messageOf(error)}`, {
      code,
      facts,
      cause: error,
    });
  }
}
