/**
 * Which name means which host, for each sandbox: pure tables, made anew when a network or sandbox is put, read for
 * every lookup. Nothing here knows of packets or sockets.
 */
import { parseAddress } from '../base/address.ts';
import type { KeeperChange, NamedHost, NetworkNames, ResolverSandbox } from './protocol.ts';

/** What a name stands for: the addresses of all hosts that have it. */
export interface NameEntry {
  /** 4 bytes each. */
  ipv4: Uint8Array;
  /** 16 bytes each. */
  ipv6: Uint8Array;
  /** Counts replies, so that each begins with another address. */
  turn: number;
}

/** RFC 1035 section 2.3.4. */
const MAX_LABEL = 63;
const MAX_NAME = 255;

const noBytes = new Uint8Array(0);

/** One network's names. */
class NetworkTable {
  readonly name: string;
  readonly #names = new Map<string, NameEntry>();
  readonly #pointers = new Map<string, Uint8Array>();

  constructor({ name, hosts }: NetworkNames) {
    this.name = name.toLowerCase();
    for (const host of hosts) this.#add(host, name);
  }

  /** @param name in lower case */
  find(name: string): NameEntry | undefined {
    return this.#names.get(name);
  }

  /** @param name a reverse name in lower case, `2.0.17.172.in-addr.arpa` @returns the host's name as in a message */
  findPointer(name: string): Uint8Array | undefined {
    return this.#pointers.get(name);
  }

  #add({ names, ipv4, ipv6 }: NamedHost, network: string): void {
    const bytes4 = addressBytes(ipv4);
    const bytes6 = addressBytes(ipv6);
    for (const name of new Set(names.map((name) => name.toLowerCase()))) {
      const entry = this.#names.get(name) ?? { ipv4: noBytes, ipv6: noBytes, turn: 0 };
      entry.ipv4 = joined(entry.ipv4, bytes4);
      entry.ipv6 = joined(entry.ipv6, bytes6);
      this.#names.set(name, entry);
    }
    const target = names[0] === undefined ? undefined : encodeName(`${names[0]}.${network}`);
    if (target === undefined) return;
    for (const bytes of [bytes4, bytes6]) {
      if (bytes.length > 0) this.#pointers.set(reverseName(bytes), target);
    }
  }
}

/** One sandbox's sight of the names. */
export interface SandboxNames {
  readonly hasExplicitNdots: boolean;
  /**
   * Looks for `a.b.c` on every network, then for `a.b` on network `c`, then for `a` on network `b.c`.
   * @param name in lower case, without the trailing dot
   */
  find(name: string): NameEntry | undefined;
  /** @param name a reverse name in lower case @returns the host's name as in a message */
  findPointer(name: string): Uint8Array | undefined;
}

interface Attachment {
  readonly id: string;
  readonly links: ReadonlyMap<string, string>;
}

/** The names of all networks, and which sandbox sees which. */
export class NameBook {
  readonly #networks = new Map<string, NetworkTable>();
  readonly #sandboxes = new Map<string, SandboxNames>();

  apply(change: KeeperChange): void {
    for (const id of change.dropNetworks ?? []) this.#networks.delete(id);
    for (const id of change.dropSandboxes ?? []) this.#sandboxes.delete(id);
    for (const network of change.networks ?? []) this.#networks.set(network.id, new NetworkTable(network));
    for (const sandbox of change.sandboxes ?? []) {
      this.#sandboxes.set(sandbox.id, new Sight(sandbox, this.#networks));
    }
  }

  /** What a sandbox sees; undefined when it is not known. Later puts of networks show in it, those of itself do not. */
  sandbox(id: string): SandboxNames | undefined {
    return this.#sandboxes.get(id);
  }
}

class Sight implements SandboxNames {
  readonly hasExplicitNdots: boolean;
  readonly #attachments: readonly Attachment[];
  readonly #networks: ReadonlyMap<string, NetworkTable>;

  constructor(sandbox: ResolverSandbox, networks: ReadonlyMap<string, NetworkTable>) {
    this.hasExplicitNdots = sandbox.hasExplicitNdots;
    this.#attachments = sandbox.networks.map(({ id, links }) => ({
      id,
      links: new Map(
        Object.entries(links).map(([alias, target]) => [alias.toLowerCase(), target.toLowerCase()]),
      ),
    }));
    this.#networks = networks;
  }

  find(name: string): NameEntry | undefined {
    const whole = this.#search(name, undefined);
    if (whole !== undefined) return whole;
    for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
      const entry = this.#search(name.slice(0, dot), name.slice(dot + 1));
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  findPointer(name: string): Uint8Array | undefined {
    for (const { id } of this.#attachments) {
      const target = this.#networks.get(id)?.findPointer(name);
      if (target !== undefined) return target;
    }
    return undefined;
  }

  /** @param network the name of the network to look on. @default every network of the sandbox */
  #search(name: string, network: string | undefined): NameEntry | undefined {
    for (const { id, links } of this.#attachments) {
      const target = links.get(name);
      const entry = target === undefined ? undefined : this.#table(id, network)?.find(target);
      if (entry !== undefined) return entry;
    }
    for (const { id, links } of this.#attachments) {
      // An alias hides a real name that is equal to it, even when what it stands for is not there.
      const entry = links.has(name) ? undefined : this.#table(id, network)?.find(name);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  #table(id: string, network: string | undefined): NetworkTable | undefined {
    const table = this.#networks.get(id);
    return network === undefined || table?.name === network ? table : undefined;
  }
}

/** 4 or 16 bytes; none for what is no address. */
function addressBytes(text: string | undefined): Uint8Array {
  const address = text === undefined ? undefined : parseAddress(text);
  if (address === undefined) return noBytes;
  const bytes = new Uint8Array(address.family === 'ipv4' ? 4 : 16);
  let rest = address.value;
  for (let at = bytes.length - 1; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  return bytes;
}

/** The name under which an address is asked for. Source: RFC 1035 section 3.5, RFC 3596 section 2.5. */
export function reverseName(address: Uint8Array): string {
  if (address.length === 4) return `${[...address].reverse().join('.')}.in-addr.arpa`;
  const nibbles = [...address].reverse().flatMap((byte) => [byte & 15, byte >> 4]);
  return `${nibbles.map((nibble) => nibble.toString(16)).join('.')}.ip6.arpa`;
}

/** A name as in a message (RFC 1035 section 3.1); undefined when it is too long for one. */
export function encodeName(name: string): Uint8Array | undefined {
  const labels = name
    .split('.')
    .filter((label) => label !== '')
    .map((label) => Buffer.from(label));
  if (labels.some((label) => label.length > MAX_LABEL)) return undefined;
  const bytes = Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)]);
  return bytes.length > MAX_NAME ? undefined : bytes;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  return first.length === 0 ? second : second.length === 0 ? first : Buffer.concat([first, second]);
}
