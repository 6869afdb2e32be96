/** The host's ports that the keeper holds for containers: sockets that nobody else can bind beside. */
import { isIPv6 } from 'node:net';
import {
  closeFd,
  copyDescriptor,
  holdPort,
  isErrno,
  setDeaf,
  startListening,
  stopListening,
} from '@seaway/linux';
import type { HeldPort, HeldSocket, KeeperChange, PortFailure, PortHolder, RelayTarget } from './protocol.ts';
import { RelayThread } from './relay-thread.ts';
import type { RelayService } from './relay-thread-protocol.ts';

export interface HeldPortsHandlers {
  complain(level: 'warn', message: string, fields: Readonly<Record<string, unknown>>): void;
  /** The relay thread has died. */
  onCrash(error: unknown): void;
}

/** TCP connections that may wait to be accepted at a relayed port. */
const BACKLOG = 1024;

interface Holding {
  port: HeldPort;
  /** Undefined where the kernel does not know the protocol: then nobody can take the port. */
  readonly fd: number | undefined;
  /** Its number for the relay thread; undefined where nothing is passed on. */
  slot: number | undefined;
}

/** What the relay thread is to be told of a change. */
interface RelayChange {
  readonly start: RelayService[];
  readonly move: { readonly slot: number; readonly target: RelayTarget }[];
  readonly stop: number[];
}

/** What tells one port from another; a port with another relay is the same. */
function keyOf({ protocol, address, port }: HeldPort): string {
  return `${protocol} ${address} ${port}`;
}

export class HeldPorts {
  /** By holder, then by key. */
  readonly #holders = new Map<string, Map<string, Holding>>();
  readonly #complain: HeldPortsHandlers['complain'];
  readonly #relay: RelayThread;
  #lastSlot = 0;

  constructor({ complain, onCrash }: HeldPortsHandlers) {
    this.#complain = complain;
    this.#relay = new RelayThread({
      onComplaint: (message, fields) => complain('warn', message, fields),
      onCrash,
    });
  }

  /** How many holders there are, also of ports that could not be had. */
  get size(): number {
    return this.#holders.size;
  }

  /** How many TCP connections are passed on. */
  get connections(): number {
    return this.#relay.connections;
  }

  get holders(): readonly string[] {
    return [...this.#holders.keys()];
  }

  /**
   * Lets go of what is no longer named, then takes what is new. What is named before and after keeps its socket.
   * One call must be done before the next.
   * @param inherited sockets of an earlier keeper, to be taken over where they fit
   * @returns the ports that could not be had
   */
  async apply(change: KeeperChange, inherited: readonly HeldSocket[] = []): Promise<PortFailure[]> {
    const holders = change.holders ?? [];
    const wanted = new Map<string, ReadonlySet<string>>(change.dropHolders?.map((id) => [id, new Set()]));
    for (const { id, ports } of holders) wanted.set(id, new Set(ports.map(keyOf)));
    await this.#release([...wanted].flatMap(([id, keys]) => this.#forget(id, keys)));
    const sockets = new Map(inherited.map((socket) => [keyOf(socket), socket]));
    const relays: RelayChange = { start: [], move: [], stop: [] };
    const failures = holders.flatMap((holder) => this.#take(holder, sockets, relays));
    if (relays.start.length + relays.move.length + relays.stop.length > 0) {
      const done = this.#relay.apply({ ...relays, keepConnections: false });
      // What is to be passed on waits in the kernel until the thread comes to it; what is not may be closed next.
      if (relays.stop.length > 0) await done;
    }
    return failures;
  }

  /** The sockets, as another process can copy them. */
  sockets(): HeldSocket[] {
    return [...this.#holders.values()].flatMap((holdings) =>
      [...holdings.values()].flatMap(({ port: { protocol, address, port }, fd }) =>
        fd === undefined ? [] : { pid: process.pid, protocol, address, port, fd },
      ),
    );
  }

  /** Closes all sockets; copies in other processes go on. Connections that are passed on go on too. */
  close(): Promise<void> {
    return this.#release(
      this.holders.flatMap((id) => this.#forget(id, new Set())),
      true,
    );
  }

  /** Takes all but `kept` off the books. */
  #forget(id: string, kept: ReadonlySet<string>): Holding[] {
    const holdings = this.#holders.get(id);
    if (holdings === undefined) return [];
    const gone = [...holdings].filter(([key]) => !kept.has(key));
    for (const [key] of gone) holdings.delete(key);
    if (kept.size === 0) this.#holders.delete(id);
    return gone.map(([, holding]) => holding);
  }

  async #release(holdings: readonly Holding[], keepConnections = false): Promise<void> {
    const stop = holdings.flatMap(({ slot }) => slot ?? []);
    if (stop.length > 0) await this.#relay.apply({ start: [], move: [], stop, keepConnections });
    for (const { fd } of holdings) if (fd !== undefined) closeFd(fd);
  }

  #take(
    { id, ports }: PortHolder,
    inherited: ReadonlyMap<string, HeldSocket>,
    relays: RelayChange,
  ): PortFailure[] {
    if (ports.length === 0) return [];
    const holdings = this.#holders.get(id) ?? new Map<string, Holding>();
    this.#holders.set(id, holdings);
    const failures: PortFailure[] = [];
    for (const port of ports) {
      const key = keyOf(port);
      try {
        const holding = holdings.get(key) ?? {
          port,
          fd: this.#open(port, inherited.get(key)),
          slot: undefined,
        };
        holdings.set(key, holding);
        this.#route(holding, port, relays);
      } catch (error) {
        failures.push({ holder: id, port, code: codeOf(error) });
      }
    }
    return failures;
  }

  /** Has what arrives at a port passed on, or no longer. Throws LinuxError. */
  #route(holding: Holding, port: HeldPort, { start, move, stop }: RelayChange): void {
    const { fd, slot } = holding;
    const { protocol, address, relay: target } = port;
    holding.port = port;
    if (fd === undefined || protocol === 'sctp') return;
    if (slot === undefined && target !== undefined) {
      if (protocol === 'tcp') startListening(fd, BACKLOG);
      else setDeaf(fd, false);
      holding.slot = ++this.#lastSlot;
      const family = isIPv6(address) ? 'ipv6' : 'ipv4';
      start.push({ slot: holding.slot, protocol, family, fd, target });
    } else if (slot !== undefined && target !== undefined) move.push({ slot, target });
    else if (slot !== undefined) {
      quieten(fd, protocol);
      holding.slot = undefined;
      stop.push(slot);
    }
  }

  #open(port: HeldPort, inherited: HeldSocket | undefined): number | undefined {
    if (inherited !== undefined) {
      try {
        return inherit(inherited, port.relay !== undefined);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#complain('warn', 'a port of the earlier keeper cannot be taken over', { ...port, reason });
      }
    }
    return holdPort(port.protocol, port.address, port.port);
  }
}

/** A copy of another keeper's socket, at which nothing arrives unless it is to be passed on. Throws LinuxError. */
function inherit({ pid, fd, protocol }: HeldSocket, isRelayed: boolean): number {
  const own = copyDescriptor(pid, fd);
  try {
    if (!isRelayed) quieten(own, protocol);
    return own;
  } catch (error) {
    closeFd(own);
    throw error;
  }
}

/** Nothing arrives at the socket any more. Throws LinuxError. */
function quieten(fd: number, protocol: HeldPort['protocol']): void {
  if (protocol === 'tcp') stopListening(fd);
  else if (protocol === 'udp') setDeaf(fd, true);
}

/** The kernel's name of the failure. */
function codeOf(error: unknown): string {
  // What is no address at all is refused before the kernel sees it.
  if (error instanceof RangeError) return 'EINVAL';
  if (error instanceof Error && 'code' in error && isErrno(error, String(error.code)))
    return String(error.code);
  throw error;
}
