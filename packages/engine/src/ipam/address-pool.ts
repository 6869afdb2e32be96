/**
 * The addresses of one subnet: which are taken, which is next. Pure; the caller keeps the result in its store.
 *
 * Automatic claims take the lowest free address of the range, every time, so that start order decides who gets
 * what and a restarted container usually gets its address back. An address that a container was configured with is
 * reserved for it, so that it is still there when the container starts again.
 */
import {
  contains,
  formatAddress,
  formatSubnet,
  type IpAddress,
  lastAddress,
  type Subnet,
  subnetSize,
} from '../base/address.ts';
import { forbidden, invalid } from '../base/errors.ts';

export interface AddressPoolOptions {
  readonly subnet: Subnet;
  /** Where automatic claims come from; must lie inside the subnet. @default the whole subnet */
  readonly range?: Subnet;
  /** Addresses that are never given out: the gateway and the auxiliary addresses. Those outside the subnet are ignored. */
  readonly reserved?: readonly IpAddress[];
}

export class AddressPool {
  readonly subnet: Subnet;
  readonly #range: Subnet;
  readonly #lastOfRange: bigint;
  readonly #taken = new Set<bigint>();
  /** Who may claim an address that nobody else gets, taken or not. */
  readonly #holders = new Map<bigint, string>();
  /** No address of the range below this one is free for everybody. */
  #lowestCandidate: bigint;

  constructor(options: AddressPoolOptions) {
    this.subnet = options.subnet;
    this.#range = options.range ?? options.subnet;
    this.#lastOfRange = lastAddress(this.#range);
    this.#lowestCandidate = this.#range.base;
    for (const value of unusableAddresses(this.subnet)) this.#taken.add(value);
    for (const address of options.reserved ?? []) {
      if (contains(this.subnet, address)) this.#taken.add(address.value);
    }
  }

  /** Takes the lowest address of the range that is free and reserved for nobody, or undefined when there is none. */
  claimNext(): IpAddress | undefined {
    for (let value = this.#lowestCandidate; value <= this.#lastOfRange; value++) {
      if (!this.#taken.has(value) && !this.#holders.has(value)) {
        this.#taken.add(value);
        this.#lowestCandidate = value + 1n;
        return { family: this.subnet.family, value };
      }
    }
    this.#lowestCandidate = this.#lastOfRange + 1n;
    return undefined;
  }

  /**
   * Takes exactly this address; it may lie outside the range, but not outside the subnet.
   * @param holder who claims it, if that may be who it is reserved for
   * @throws invalid when the subnet does not contain it, forbidden when it is taken or reserved for someone else
   */
  claim(address: IpAddress, holder?: string): void {
    if (!contains(this.subnet, address)) {
      const text = formatAddress(address);
      throw invalid('address-outside-subnet', `no configured subnet contains IP address ${text}`, {
        address: text,
        subnet: formatSubnet(this.subnet),
      });
    }
    if (!this.isFree(address, holder)) {
      throw forbidden('address-in-use', 'Address already in use', { address: formatAddress(address) });
    }
    this.#taken.add(address.value);
  }

  /** Gives an address back. Releasing it twice is harmless; the subnet's own addresses stay taken. */
  release(address: IpAddress): void {
    if (unusableAddresses(this.subnet).includes(address.value)) return;
    if (this.#taken.delete(address.value)) this.#offer(address.value);
  }

  /**
   * Keeps an address for a holder until {@link unreserve}, also while it is not taken. A holder may have several.
   * @returns false when it is taken, reserved for someone else or not of this subnet: then nothing changes
   */
  reserve(address: IpAddress, holder: string): boolean {
    if (!this.isFree(address, holder)) return false;
    this.#holders.set(address.value, holder);
    return true;
  }

  /** Gives up all reservations of a holder; what it has taken stays taken. */
  unreserve(holder: string): void {
    for (const [value, who] of this.#holders) {
      if (who !== holder) continue;
      this.#holders.delete(value);
      this.#offer(value);
    }
  }

  /** Whether the holder, or anybody where none is named, can claim the address. */
  isFree(address: IpAddress, holder?: string): boolean {
    const reservedFor = this.#holders.get(address.value);
    return (
      contains(this.subnet, address) &&
      !this.#taken.has(address.value) &&
      (reservedFor === undefined || reservedFor === holder)
    );
  }

  /** How many addresses of the subnet are taken, the network's own included. */
  get takenCount(): number {
    return this.#taken.size;
  }

  /** The address may have become free: automatic claims look at it again. */
  #offer(value: bigint): void {
    if (value >= this.#range.base && value < this.#lowestCandidate) this.#lowestCandidate = value;
  }
}

/**
 * The addresses that no host may have. IPv4: the network and the broadcast address, except in a /31 (RFC 3021,
 * point-to-point) and a /32. IPv6: the subnet-router anycast address (RFC 4291 section 2.6.1), except in a /127
 * (RFC 6164) and a /128.
 */
function unusableAddresses(subnet: Subnet): readonly bigint[] {
  if (subnetSize(subnet) <= 2n) return [];
  return subnet.family === 'ipv4' ? [subnet.base, lastAddress(subnet)] : [subnet.base];
}

/**
 * The gateway of a subnet whose request names none: the first usable address of the range, or of the subnet.
 * @throws invalid when the block is too small to hold one
 */
export function defaultGateway(
  subnet: Subnet,
  range?: Subnet,
  reserved: readonly IpAddress[] = [],
): IpAddress {
  const gateway = new AddressPool({ subnet, reserved, ...(range ? { range } : {}) }).claimNext();
  if (!gateway) {
    throw invalid(
      'no-address-for-gateway',
      `no address left for a gateway in ${formatSubnet(range ?? subnet)}`,
    );
  }
  return gateway;
}
