/**
 * What the daemon and the keeper say to each other: lines of JSON over a unix socket in the run folder.
 *
 * The keeper greets; the daemon asks with a number, and the keeper answers with that number when it is done. Complaints
 * for the daemon's log come in between. The greeting, `sockets` and `end` must stay as they are in every later version:
 * by them a daemon of one version takes over from the keeper of another.
 */
import { join } from 'node:path';

/** Raise it when a message changes, or when a keeper that runs must be replaced by this one for another reason. */
export const KEEPER_VERSION = 2;

/** One host on a network: the names that the network's members find it by. */
export interface NamedHost {
  /** The first is what its addresses resolve to. Upper and lower case are the same. */
  readonly names: readonly string[];
  readonly ipv4?: string;
  readonly ipv6?: string;
}

export interface NetworkNames {
  readonly id: string;
  readonly name: string;
  readonly hosts: readonly NamedHost[];
}

/** A network namespace in which 127.0.0.11 answers. */
export interface ResolverSandbox {
  readonly id: string;
  /** Path of the network namespace's handle. */
  readonly namespace: string;
  /**
   * In order of preference: the first network with a hit answers alone. `links` maps an alias to the name that is
   * meant, private to this sandbox, looked up before real names and resolved on the same network.
   */
  readonly networks: readonly { readonly id: string; readonly links: Readonly<Record<string, string>> }[];
  /** Servers to ask from inside the sandbox's namespace. @default those of the host's resolv.conf, asked from the host */
  readonly servers?: readonly string[];
  /** False where no network leads out: the host's servers are not asked (SERVFAIL); own servers still are. */
  readonly forwardsFromHost: boolean;
  /** The user chose `ndots`: unknown names of one label have no addresses, and nobody is asked for them. */
  readonly hasExplicitNdots: boolean;
}

/** A port of the host that nobody else can take while it is held. */
export interface HeldPort {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** `0.0.0.0` or `::` for all addresses of that family, or one address. */
  readonly address: string;
  readonly port: number;
  /**
   * Where the keeper itself passes connections on to, for what the kernel cannot translate. TCP and UDP only.
   * @default nowhere: what arrives at the port is refused or dropped
   */
  readonly relay?: RelayTarget;
}

/** Reached from the host. */
export interface RelayTarget {
  readonly address: string;
  readonly port: number;
}

/** A container and the ports that it publishes. */
export interface PortHolder {
  readonly id: string;
  readonly ports: readonly HeldPort[];
}

/** All that the keeper serves. */
export interface KeeperState {
  readonly networks: readonly NetworkNames[];
  readonly sandboxes: readonly ResolverSandbox[];
  readonly holders: readonly PortHolder[];
}

/** Whole units: what is put replaces what was there under that id. Drops come before puts. */
export interface KeeperChange {
  readonly networks?: readonly NetworkNames[];
  readonly sandboxes?: readonly ResolverSandbox[];
  readonly holders?: readonly PortHolder[];
  readonly dropNetworks?: readonly string[];
  readonly dropSandboxes?: readonly string[];
  readonly dropHolders?: readonly string[];
}

/** The sockets that serve one namespace, as another process can duplicate them (pidfd_getfd(2)). */
export interface ServedSockets {
  readonly pid: number;
  /** `device:inode` of the namespace. */
  readonly identity: string;
  readonly udp: { readonly fd: number; readonly port: number };
  readonly tcp: { readonly fd: number; readonly port: number };
}

/** The socket that holds a port, as another process can duplicate it. */
export interface HeldSocket {
  readonly pid: number;
  readonly fd: number;
  readonly protocol: HeldPort['protocol'];
  readonly address: string;
  readonly port: number;
}

export type KeeperRequest =
  /** Serve this and nothing else; where a namespace or a port has a socket in what is inherited, with that. */
  | {
      readonly kind: 'fill';
      readonly n: number;
      readonly state: KeeperState;
      readonly inherited?: readonly ServedSockets[];
      readonly inheritedPorts?: readonly HeldSocket[];
    }
  | { readonly kind: 'change'; readonly n: number; readonly change: KeeperChange }
  /** Tell which sockets are served. */
  | { readonly kind: 'sockets'; readonly n: number }
  /** Another keeper has taken over: let go of ports, take no more lookups, answer those that are under way, end. */
  | { readonly kind: 'end'; readonly n: number };

/** A sandbox whose resolver could not be opened. */
export interface SandboxFailure {
  readonly sandbox: string;
  readonly reason: string;
}

/** A port that could not be held. */
export interface PortFailure {
  /** The container. */
  readonly holder: string;
  readonly port: HeldPort;
  /** Why, in the kernel's word: `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`. */
  readonly code: string;
}

export type KeeperMessage =
  | { readonly kind: 'hello'; readonly version: number; readonly pid: number }
  | {
      readonly kind: 'done';
      readonly n: number;
      readonly failures?: readonly SandboxFailure[];
      readonly portFailures?: readonly PortFailure[];
    }
  | {
      readonly kind: 'sockets';
      readonly n: number;
      readonly sockets: readonly ServedSockets[];
      /** Since version 2. */
      readonly ports?: readonly HeldSocket[];
    }
  | KeeperComplaint;

/** Something for the daemon's log. */
export interface KeeperComplaint {
  readonly kind: 'log';
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Where a keeper of that version listens. A keeper of each version has its own, so that one can follow another. */
export function keeperSocket(folder: string, version: number): string {
  return join(folder, `keeper-${version}.sock`);
}

/** Held locked (flock(2)) by the keeper of that version as long as it lives. */
export function keeperLock(folder: string, version: number): string {
  return join(folder, `keeper-${version}.lock`);
}

/** What a keeper writes when it fails. */
export function keeperLog(folder: string): string {
  return join(folder, 'keeper.log');
}

/** The version in a socket's file name; undefined for other files. */
export function versionOfSocket(file: string): number | undefined {
  const digits = /^keeper-(\d+)\.sock$/.exec(file)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** One message as a line. */
export function encodeLine(message: KeeperRequest | KeeperMessage): string {
  return `${JSON.stringify(message)}\n`;
}

/**
 * Collects pieces of text and gives the messages of whole lines to `take`.
 * @throws SyntaxError when a line is no JSON, and whatever `take` throws
 */
export function lineReader<Message>(take: (message: Message) => void): (piece: string) => void {
  let pieces: string[] = [];
  return (piece) => {
    const lines = piece.split('\n');
    const rest = lines.pop() ?? '';
    for (const [index, line] of lines.entries()) {
      const whole = index === 0 ? pieces.join('') + line : line;
      pieces = [];
      if (whole !== '') take(JSON.parse(whole) as Message);
    }
    if (rest !== '') pieces.push(rest);
  };
}
