/** The host's ports that the keeper holds for containers: sockets that nobody else can bind beside. */
import { closeFd, copyDescriptor, holdPort, isErrno, setDeaf, stopListening } from '@seaway/linux';
import type { HeldPort, HeldSocket, KeeperChange, PortFailure, PortHolder } from './protocol.ts';

type Complain = (level: 'warn', message: string, fields: Readonly<Record<string, unknown>>) => void;

interface Holding {
  readonly port: HeldPort;
  /** Undefined where the kernel does not know the protocol: then nobody can take the port. */
  readonly fd: number | undefined;
}

/** What tells one port from another; a port with another relay is the same. */
function keyOf({ protocol, address, port }: HeldPort): string {
  return `${protocol} ${address} ${port}`;
}

export class HeldPorts {
  /** By holder, then by key. */
  readonly #holders = new Map<string, Map<string, Holding>>();
  readonly #complain: Complain;

  constructor(complain: Complain) {
    this.#complain = complain;
  }

  /** How many holders there are, also of ports that could not be had. */
  get size(): number {
    return this.#holders.size;
  }

  get holders(): readonly string[] {
    return [...this.#holders.keys()];
  }

  /**
   * Lets go of what is no longer named, then takes what is new. What is named before and after keeps its socket.
   * @param inherited sockets of an earlier keeper, to be taken over where they fit
   * @returns the ports that could not be had
   */
  apply(change: KeeperChange, inherited: readonly HeldSocket[] = []): PortFailure[] {
    const holders = change.holders ?? [];
    const wanted = new Map<string, ReadonlySet<string>>(change.dropHolders?.map((id) => [id, new Set()]));
    for (const { id, ports } of holders) wanted.set(id, new Set(ports.map(keyOf)));
    for (const [id, keys] of wanted) this.#letGo(id, keys);
    const sockets = new Map(inherited.map((socket) => [keyOf(socket), socket]));
    return holders.flatMap((holder) => this.#take(holder, sockets));
  }

  /** The sockets, as another process can copy them. */
  sockets(): HeldSocket[] {
    return [...this.#holders.values()].flatMap((holdings) =>
      [...holdings.values()].flatMap(({ port: { protocol, address, port }, fd }) =>
        fd === undefined ? [] : { pid: process.pid, protocol, address, port, fd },
      ),
    );
  }

  /** Closes all sockets; copies in other processes go on. */
  close(): void {
    for (const id of this.holders) this.#letGo(id, new Set());
  }

  #letGo(id: string, kept: ReadonlySet<string>): void {
    const holdings = this.#holders.get(id);
    if (holdings === undefined) return;
    for (const [key, { fd }] of holdings) {
      if (kept.has(key)) continue;
      holdings.delete(key);
      if (fd !== undefined) closeFd(fd);
    }
    if (kept.size === 0) this.#holders.delete(id);
  }

  #take({ id, ports }: PortHolder, inherited: ReadonlyMap<string, HeldSocket>): PortFailure[] {
    if (ports.length === 0) return [];
    const holdings = this.#holders.get(id) ?? new Map<string, Holding>();
    this.#holders.set(id, holdings);
    const failures: PortFailure[] = [];
    for (const port of ports) {
      const key = keyOf(port);
      const held = holdings.get(key);
      try {
        holdings.set(key, { port, fd: held === undefined ? this.#open(port, inherited.get(key)) : held.fd });
      } catch (error) {
        failures.push({ holder: id, port, code: codeOf(error) });
      }
    }
    return failures;
  }

  #open(port: HeldPort, inherited: HeldSocket | undefined): number | undefined {
    if (inherited !== undefined) {
      try {
        return inherit(inherited);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#complain('warn', 'a port of the earlier keeper cannot be taken over', { ...port, reason });
      }
    }
    return holdPort(port.protocol, port.address, port.port);
  }
}

/** A copy of another keeper's socket, with nothing arriving at it. Throws LinuxError. */
function inherit({ pid, fd, protocol }: HeldSocket): number {
  const own = copyDescriptor(pid, fd);
  try {
    if (protocol === 'tcp') stopListening(own);
    if (protocol === 'udp') setDeaf(own, true);
    return own;
  } catch (error) {
    closeFd(own);
    throw error;
  }
}

/** The kernel's name of the failure. */
function codeOf(error: unknown): string {
  // What is no address at all is refused before the kernel sees it.
  if (error instanceof RangeError) return 'EINVAL';
  if (error instanceof Error && 'code' in error && isErrno(error, String(error.code)))
    return String(error.code);
  throw error;
}
