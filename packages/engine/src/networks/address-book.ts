/** Who has which address on which network, and which addresses are kept for whom. */
import {
  type Family,
  formatAddress,
  mustParseAddress,
  mustParseSubnet,
  parseAddress,
} from '../base/address.ts';
import { EngineError, internal, invalid } from '../base/errors.ts';
import type { ContainerId, NetworkId } from '../base/ids.ts';
import { AddressPool } from '../ipam/address-pool.ts';
import type { EndpointSettings } from '../model/container.ts';
import type { EndpointAddresses, NetworkRecord, SubnetConfig } from '../model/network.ts';

type Pools = Partial<Record<Family, AddressPool>>;

const fields = { ipv4: 'ipv4Address', ipv6: 'ipv6Address' } as const satisfies Record<
  Family,
  keyof EndpointAddresses
>;
const families = ['ipv4', 'ipv6'] as const;
const familyNames = { ipv4: 'IPv4', ipv6: 'IPv6' } as const;

export class AddressBook {
  readonly #pools = new Map<NetworkId, Pools>();

  /** Opens the network's page, with the addresses that its endpoints have already. */
  open(network: NetworkRecord, taken: readonly EndpointAddresses[]): void {
    const pools: Pools = {};
    for (const subnet of network.subnets) {
      const pool = openPool(subnet);
      pools[pool.subnet.family] = pool;
    }
    this.#pools.set(network.id, pools);
    for (const addresses of taken) {
      for (const [family, address] of entries(addresses)) pools[family]?.claim(mustParseAddress(address));
    }
  }

  close(id: NetworkId): void {
    this.#pools.delete(id);
  }

  /**
   * Takes one address of each of the network's families: the one that the settings ask for, or the one that is
   * `kept` for the holder, or the lowest free one.
   * @throws invalid for an address outside the network's subnets, forbidden for one in use, internal when none is free
   */
  claim(
    network: NetworkRecord,
    settings: EndpointSettings,
    holder: ContainerId,
    kept: EndpointAddresses = {},
  ): EndpointAddresses {
    const pools = this.#pools.get(network.id) ?? {};
    for (const [family, address] of entries(settings)) if (!pools[family]) throw outsideSubnets(address);
    const addresses: { -readonly [Field in keyof EndpointAddresses]: string } = {};
    try {
      for (const family of families) {
        const pool = pools[family];
        const field = fields[family];
        if (pool) addresses[field] = claimOne(pool, network, holder, settings[field], kept[field]);
      }
    } catch (error) {
      this.release(network.id, addresses);
      throw error;
    }
    return addresses;
  }

  /** Gives addresses back; those that are reserved stay so. Repeatable. */
  release(id: NetworkId, addresses: EndpointAddresses): void {
    const pools = this.#pools.get(id) ?? {};
    for (const [family, address] of entries(addresses)) pools[family]?.release(mustParseAddress(address));
  }

  /** Keeps these addresses for the holder alone, and no others on this network. What others have stays theirs. */
  reserve(id: NetworkId, holder: ContainerId, wanted: readonly EndpointAddresses[]): void {
    const pools = this.#pools.get(id) ?? {};
    for (const family of families) pools[family]?.unreserve(holder);
    for (const addresses of wanted) {
      for (const [family, text] of entries(addresses)) {
        const address = parseAddress(text);
        // What cannot be claimed is said when it is claimed.
        if (address) pools[family]?.reserve(address, holder);
      }
    }
  }
}

function entries(addresses: EndpointAddresses): (readonly [Family, string])[] {
  return families.flatMap((family) => {
    const address = addresses[fields[family]];
    return address ? [[family, address] as const] : [];
  });
}

function openPool({ subnet, range, gateway, auxiliary }: SubnetConfig): AddressPool {
  return new AddressPool({
    subnet: mustParseSubnet(subnet),
    ...(range ? { range: mustParseSubnet(range) } : {}),
    reserved: [gateway, ...Object.values(auxiliary ?? {})].map(mustParseAddress),
  });
}

function claimOne(
  pool: AddressPool,
  network: NetworkRecord,
  holder: ContainerId,
  wanted: string | undefined,
  kept: string | undefined,
): string {
  if (wanted) {
    const address = mustParseAddress(wanted);
    pool.claim(address, holder);
    return formatAddress(address);
  }
  if (kept && isHadAgain(pool, kept, holder)) return kept;
  const next = pool.claimNext();
  if (next) return formatAddress(next);
  const name = familyNames[pool.subnet.family];
  throw internal(
    'addresses-exhausted',
    `no available ${name} addresses on this network's address pools: ${network.name} (${network.id})`,
    { network: network.id },
  );
}

/** Whether the address could be claimed. */
function isHadAgain(pool: AddressPool, kept: string, holder: ContainerId): boolean {
  try {
    pool.claim(mustParseAddress(kept), holder);
    return true;
  } catch (error) {
    if (error instanceof EngineError) return false;
    throw error;
  }
}

function outsideSubnets(address: string): EngineError {
  return invalid('address-outside-subnet', `no configured subnet contains IP address ${address}`, {
    address,
  });
}
