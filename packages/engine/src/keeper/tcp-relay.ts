/** Passes the TCP connections of one listening socket on to a target. */
import { acceptNow, LinuxError, tuneForPassingOn } from '@seaway/linux';
import type { RelayTarget } from './protocol.ts';
import type { RelayBudget } from './relay-budget.ts';
import { RelayConnection } from './relay-connection.ts';
import type { Handler, RelayLoop } from './relay-loop.ts';
import type { RelayService } from './relay-thread-protocol.ts';

/** Connections of one port at a time; later ones wait until one of them ends. */
const MAX_CONNECTIONS = 1024;
/** Connections accepted in a row before others get their turn. */
const ACCEPTS_PER_TURN = 32;

export class TcpRelay implements Handler {
  readonly #fd: number;
  readonly #loop: RelayLoop;
  readonly #budget: RelayBudget;
  readonly #id: number;
  readonly #connections = new Set<RelayConnection>();
  #target: RelayTarget;
  #isStopped = false;

  /** Throws LinuxError. */
  constructor({ fd, target }: RelayService, loop: RelayLoop, budget: RelayBudget) {
    this.#fd = fd;
    this.#target = target;
    this.#loop = loop;
    this.#budget = budget;
    tuneForPassingOn(fd);
    this.#id = loop.register(this);
    loop.watchChanges(fd, this.#id);
  }

  /** Accepts what waits, as far as there is place. */
  onReady(): void {
    for (let count = 0; count < ACCEPTS_PER_TURN; count++) {
      if (this.#isStopped || this.#connections.size >= MAX_CONNECTIONS) return;
      if (!this.#budget.hasPlace(this) || !this.#accept()) return;
    }
    this.#loop.again(this);
  }

  /** From now on to another target. Connections to the earlier one have nobody to talk to. */
  move(target: RelayTarget): void {
    this.#target = target;
    for (const connection of this.#connections) {
      if (connection.target.address !== target.address || connection.target.port !== target.port) {
        connection.reset();
      }
    }
  }

  /** Takes no more connections. @param keepConnections whether those that there are go on */
  stop(keepConnections: boolean): void {
    this.#isStopped = true;
    this.#loop.unwatch(this.#fd);
    this.#loop.unregister(this.#id);
    this.#loop.forget(this);
    this.#budget.forget(this);
    if (keepConnections) return;
    for (const connection of this.#connections) connection.reset();
  }

  /** @returns whether there may be more to accept */
  #accept(): boolean {
    let client: number | undefined;
    try {
      client = acceptNow(this.#fd);
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      // No descriptors or no memory: others may give some back.
      this.#budget.wait(this);
    }
    if (client === undefined) return false;
    try {
      const connection = new RelayConnection(client, this.#target, this.#loop, (closed) =>
        this.#forget(closed),
      );
      this.#connections.add(connection);
      this.#budget.take();
    } catch (error) {
      // The client has been told by now.
      if (!(error instanceof LinuxError)) throw error;
    }
    return true;
  }

  #forget(connection: RelayConnection): void {
    const wasFull = this.#connections.size >= MAX_CONNECTIONS;
    this.#connections.delete(connection);
    this.#budget.giveBack();
    if (wasFull && !this.#isStopped) this.#loop.again(this);
  }
}
