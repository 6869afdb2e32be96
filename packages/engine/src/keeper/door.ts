/** The keeper's door: the unix socket at which daemons come in, and what they may ask. */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Keeper } from './keeper.ts';
import {
  encodeLine,
  type KeeperComplaint,
  type KeeperMessage,
  type KeeperRequest,
  lineReader,
} from './protocol.ts';

/** Complaints that are kept for the next daemon while none is there. */
const MAX_KEPT_COMPLAINTS = 100;

export interface DoorEvents {
  /** Somebody came or went, or the keeper's state has changed. */
  onChange(): void;
  /** Another keeper takes over. Resolves when ports are let go. */
  onEnd(): Promise<void>;
}

export class Door {
  readonly #path: string;
  readonly #version: number;
  readonly #keeper: Keeper;
  readonly #events: DoorEvents;
  readonly #server: Server;
  readonly #visitors = new Set<Socket>();
  readonly #kept: KeeperComplaint[] = [];
  /** Requests that are being carried out. */
  #busy = 0;

  constructor(path: string, version: number, keeper: Keeper, events: DoorEvents) {
    this.#path = path;
    this.#version = version;
    this.#keeper = keeper;
    this.#events = events;
    this.#server = createServer((visitor) => this.#welcome(visitor));
  }

  /** How many daemons are connected. */
  get visitors(): number {
    return this.#visitors.size;
  }

  /** Whether a request is being carried out. */
  get isBusy(): boolean {
    return this.#busy > 0;
  }

  /** Opens the socket, in the place of what an earlier keeper left there. Resolves when it listens. */
  open(): Promise<void> {
    rmSync(this.#path, { force: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Nobody else may get in between making the socket and setting its mode.
    const mask = process.umask(0o177);
    this.#server.once('error', reject);
    this.#server.listen(this.#path, () => {
      chmodSync(this.#path, 0o600);
      resolve();
    });
    process.umask(mask);
    return promise;
  }

  /** Shows everybody out. */
  close(): void {
    this.#server.close();
    for (const visitor of this.#visitors) visitor.destroy();
    rmSync(this.#path, { force: true });
  }

  /** Tells the daemon's log, or the next daemon's. */
  complain(complaint: KeeperComplaint): void {
    if (this.#visitors.size > 0) {
      for (const visitor of this.#visitors) visitor.write(encodeLine(complaint));
    } else if (this.#kept.length < MAX_KEPT_COMPLAINTS) this.#kept.push(complaint);
  }

  #welcome(visitor: Socket): void {
    this.#visitors.add(visitor);
    const say = (message: KeeperMessage) => {
      if (!visitor.destroyed) visitor.write(encodeLine(message));
    };
    say({ kind: 'hello', version: this.#version, pid: process.pid });
    for (const complaint of this.#kept.splice(0)) say(complaint);
    const read = lineReader<KeeperRequest>((request) => void this.#carryOut(request, say, visitor));
    visitor.setEncoding('utf8');
    visitor.on('data', (piece: string) => {
      try {
        read(piece);
      } catch (error) {
        visitor.destroy(error instanceof Error ? error : undefined);
      }
    });
    visitor.on('error', () => visitor.destroy());
    visitor.on('close', () => {
      this.#visitors.delete(visitor);
      this.#events.onChange();
    });
  }

  async #carryOut(
    request: KeeperRequest,
    say: (message: KeeperMessage) => void,
    visitor: Socket,
  ): Promise<void> {
    const { n } = request;
    this.#busy++;
    try {
      switch (request.kind) {
        case 'fill': {
          const { state, inherited = [], inheritedPorts = [] } = request;
          const failures = await this.#keeper.fill(state, { sandboxes: inherited, ports: inheritedPorts });
          say({ kind: 'done', n, failures: failures.sandboxes, portFailures: failures.ports });
          break;
        }
        case 'change': {
          const failures = await this.#keeper.change(request.change);
          say({ kind: 'done', n, failures: failures.sandboxes, portFailures: failures.ports });
          break;
        }
        case 'sockets':
          say({
            kind: 'sockets',
            n,
            sockets: this.#keeper.sockets(),
            ports: this.#keeper.heldSockets(),
          });
          break;
        case 'end':
          await this.#events.onEnd();
          say({ kind: 'done', n });
          break;
      }
    } catch (error) {
      visitor.destroy();
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.complain({
        kind: 'log',
        level: 'error',
        message: 'the keeper failed a request',
        fields: { reason },
      });
    } finally {
      this.#busy--;
      this.#events.onChange();
    }
  }
}
