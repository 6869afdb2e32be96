/** The search for the host port of one binding. Pure: what the operating system says of a port is told to it. */
import type { PortFailure } from '../keeper/protocol.ts';
import type { PortRequest, PublishedPort } from '../model/ports.ts';
import type { PortAllocator } from './port-allocator.ts';

/** How many free-looking random ports are tried when other processes turn out to have them. */
const RANDOM_ATTEMPTS = 10;

/** Holds what it has chosen, in the allocator, until it chooses something else or is released. */
export class HostPortChoice {
  readonly request: PortRequest;
  readonly #allocator: PortAllocator;
  readonly #candidates: Iterator<number, void>;
  #addresses: readonly string[];
  #attempts = 0;
  #ports: readonly PublishedPort[] = [];

  /** @param addresses canonical; the host answers at all of them under one number */
  constructor(request: PortRequest, addresses: readonly string[], allocator: PortAllocator) {
    const { protocol, hostPortFirst, hostPortLast } = request;
    this.request = request;
    this.#addresses = addresses;
    this.#allocator = allocator;
    this.#candidates = allocator.candidates(protocol, addresses, hostPortFirst, hostPortLast);
  }

  /** What is chosen: one port for each address, or nothing. */
  get ports(): readonly PublishedPort[] {
    return this.#ports;
  }

  /** Takes the next candidate instead of the one before; false when none is left. */
  next(): boolean {
    this.release();
    const { value: hostPort, done } = this.#candidates.next();
    if (done) return false;
    this.#attempts++;
    const { port, protocol } = this.request;
    this.#ports = this.#addresses.map((hostAddress) => ({ port, protocol, hostAddress, hostPort }));
    for (const published of this.#ports) this.#allocator.take(published);
    return true;
  }

  /** Whether a port that could not be had is one of these; it may have been given up meanwhile. */
  has({ port: { protocol, address, port } }: PortFailure): boolean {
    return this.#ports.some(
      (published) =>
        published.protocol === protocol && published.hostAddress === address && published.hostPort === port,
    );
  }

  /** Makes another choice for the sake of a port that could not be had; false when there is none. */
  retry(failure: PortFailure): boolean {
    return this.#goWithoutIpv6(failure) || (this.#mayMove(failure) && this.next());
  }

  /** Where the host has no IPv6, "every address" means IPv4 alone. */
  #goWithoutIpv6({ port: { address }, code }: PortFailure): boolean {
    const isOptional = address === '::' && this.#addresses.length > 1;
    if (!isOptional || (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL')) return false;
    for (const published of this.#ports) {
      if (published.hostAddress === address) this.#allocator.release(published);
    }
    this.#addresses = this.#addresses.filter((other) => other !== address);
    this.#ports = this.#ports.filter(({ hostAddress }) => hostAddress !== address);
    return true;
  }

  #mayMove({ code }: PortFailure): boolean {
    const { hostPortFirst, hostPortLast } = this.request;
    if (code !== 'EADDRINUSE') return false;
    return hostPortFirst === 0 ? this.#attempts < RANDOM_ATTEMPTS : hostPortLast > hostPortFirst;
  }

  /** Gives back what was chosen. Doing so twice is harmless. */
  release(): void {
    for (const published of this.#ports) this.#allocator.release(published);
    this.#ports = [];
  }

  /** The one port that was asked for, at the first address where Seaway has given it out; undefined for a choice of several. */
  takenPort(): PublishedPort | undefined {
    const { port, protocol, hostPortFirst: hostPort, hostPortLast } = this.request;
    if (hostPort === 0 || hostPort !== hostPortLast) return undefined;
    const hostAddress = this.#addresses.find(
      (address) => !this.#allocator.isFree(protocol, address, hostPort),
    );
    return hostAddress === undefined ? undefined : { port, protocol, hostAddress, hostPort };
  }
}

const refusals: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
  EMFILE: 'too many open files',
  EAFNOSUPPORT: 'address family not supported by protocol',
};

/** Why the operating system did not give a port, in Docker's words. */
export function refusalText({ port: { protocol, address, port }, code }: PortFailure): string {
  const reason = refusals[code] ?? code;
  return `failed to bind host port ${formatHostPort(address, port)}/${protocol}: ${reason}`;
}

/** That a container has the port, in Docker's words; and which. @param owner absent where the port was asked for twice */
export function takenText({ hostAddress, hostPort }: PublishedPort, owner: string | undefined): string {
  const by = owner === undefined ? '' : ` by container ${owner}`;
  return `Bind for ${formatHostPort(hostAddress, hostPort)} failed: port is already allocated${by}`;
}

function formatHostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
