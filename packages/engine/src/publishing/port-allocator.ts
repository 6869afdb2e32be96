/**
 * Which host ports Seaway itself has given out, and which to try next. Pure: whether another process of the host has
 * a port is for the operating system to say, when the port is bound.
 */
import type { PortProtocol, PublishedPort } from '../model/ports.ts';

export interface PortAllocatorOptions {
  /** Where random ports come from: `net.ipv4.ip_local_port_range`, both ends included. */
  readonly range: readonly [first: number, last: number];
  /** `net.ipv4.ip_local_reserved_ports`: never given out at random, but to those who ask for them. @default none */
  readonly reserved?: ReadonlySet<number>;
}

/** The addresses on which each port number is taken. */
type Holders = Map<number, Set<string>>;

export class PortAllocator {
  readonly #range: readonly [first: number, last: number];
  readonly #reserved: ReadonlySet<number>;
  /** By protocol and family: the same number may be given once in each. */
  readonly #taken = new Map<string, Holders>();
  /** By protocol and range: the number that was tried last, after which the next search begins. */
  readonly #lastTried = new Map<string, number>();

  constructor(options: PortAllocatorOptions) {
    this.#range = options.range;
    this.#reserved = options.reserved ?? new Set();
  }

  /**
   * The host ports to try for bindings that must have the same number, best first, without those that Seaway has given
   * out. A range and the random ports go on after the number that was tried last for them and begin again at their
   * end, as Docker does, so that a port that was just given back rests for a while. Numbers are looked at when they
   * are asked for: take one before you wait for anything, and no other search finds it.
   * @param addresses canonical, as in {@link PublishedPort.hostAddress}
   * @param first 0 for random ports; then `last` is 0 too
   */
  *candidates(
    protocol: PortProtocol,
    addresses: readonly string[],
    first: number,
    last: number,
  ): Generator<number, void, undefined> {
    const isRandom = first === 0;
    const [from, to] = isRandom ? this.#range : [first, last];
    const cursor = `${protocol} ${from}-${to}${isRandom ? ' random' : ''}`;
    const size = to - from + 1;
    const start = (this.#lastTried.get(cursor) ?? to) + 1 - from;
    for (let step = 0; step < size; step++) {
      const port = from + ((start + step) % size);
      if (isRandom && this.#reserved.has(port)) continue;
      if (!addresses.every((address) => this.isFree(protocol, address, port))) continue;
      this.#lastTried.set(cursor, port);
      yield port;
    }
  }

  /** Marks a port as given out. Doing so twice is harmless. */
  take({ protocol, hostAddress, hostPort }: PublishedPort): void {
    const key = spaceOf(protocol, hostAddress);
    const holders: Holders = this.#taken.get(key) ?? new Map();
    this.#taken.set(key, holders);
    const addresses = holders.get(hostPort) ?? new Set();
    holders.set(hostPort, addresses.add(hostAddress));
  }

  /** Gives a port back. Doing so twice is harmless. */
  release({ protocol, hostAddress, hostPort }: PublishedPort): void {
    const holders = this.#taken.get(spaceOf(protocol, hostAddress));
    const addresses = holders?.get(hostPort);
    addresses?.delete(hostAddress);
    if (addresses?.size === 0) holders?.delete(hostPort);
  }

  /** Whether Seaway can give the port out at this address: an address conflicts with itself and with all of its family. */
  isFree(protocol: PortProtocol, address: string, port: number): boolean {
    const addresses = this.#taken.get(spaceOf(protocol, address))?.get(port);
    if (!addresses) return true;
    const everyAddress = everyAddressOf(address);
    return address !== everyAddress && !addresses.has(everyAddress) && !addresses.has(address);
  }
}

/** Whether of two ports of the host only one can be given out. */
export function isInTheWay(one: PublishedPort, other: PublishedPort): boolean {
  if (one.protocol !== other.protocol || one.hostPort !== other.hostPort) return false;
  const [address, another] = [one.hostAddress, other.hostAddress];
  const isSameFamily = isIpv6(address) === isIpv6(another);
  return (
    isSameFamily && [address, another].some((text) => text === everyAddressOf(text) || address === another)
  );
}

function everyAddressOf(address: string): string {
  return isIpv6(address) ? '::' : '0.0.0.0';
}

function spaceOf(protocol: PortProtocol, address: string): string {
  return isIpv6(address) ? `${protocol} ipv6` : `${protocol} ipv4`;
}

function isIpv6(address: string): boolean {
  return address.includes(':');
}

const MAX_PORT = 65535;

/** RFC 6335 section 6: the ports that nobody is registered for, but for the first, as Docker has it. */
const fallbackRange = [49153, MAX_PORT] as const;

/**
 * Reads `/proc/sys/net/ipv4/ip_local_port_range`: two numbers between blanks.
 * @returns 49153 to 65535, Docker's choice, where the text is nothing of the kind
 */
export function parseLocalPortRange(text: string): readonly [first: number, last: number] {
  const match = /^\s*(\d{1,5})\s+(\d{1,5})\s*$/.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  return match && first >= 1 && first <= last && last <= MAX_PORT ? [first, last] : fallbackRange;
}

/** Reads `/proc/sys/net/ipv4/ip_local_reserved_ports`: ports and ranges between commas, such as `8080,9148-9150`. */
export function parseReservedPorts(text: string): ReadonlySet<number> {
  const ports = new Set<number>();
  for (const [, first, last] of text.matchAll(/(\d+)(?:-(\d+))?/g)) {
    const end = Math.min(Number(last ?? first), MAX_PORT);
    for (let port = Number(first); port <= end; port++) ports.add(port);
  }
  return ports;
}
