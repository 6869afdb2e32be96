/** One TCP connection of the relay: bytes go both ways as fast as they are taken, and each side ends for itself. */

import { isIPv6 } from 'node:net';
import {
  closeFd,
  isConnected,
  openInetSocket,
  receiveNow,
  resetConnection,
  sendNow,
  shutdownWrite,
  startConnecting,
  tuneForPassingOn,
} from '@seaway/linux';
import type { RelayTarget } from './protocol.ts';
import type { Handler, RelayLoop } from './relay-loop.ts';

/** What one read takes at most; what is not taken on the other side at once waits, and nothing more is read. */
const PIECE_BYTES = 128 * 1024;
/** After that many pieces in a row others get their turn. */
const PIECES_PER_TURN = 8;

/** Pieces are passed on before the next one is read. */
const piece = new Uint8Array(PIECE_BYTES);

interface Direction {
  readonly from: number;
  readonly to: number;
  /** Read, and not yet taken on the other side. */
  rest: Uint8Array | undefined;
  /** Nothing more comes. */
  ended: boolean;
  /** The other side knows that. */
  finished: boolean;
}

export class RelayConnection implements Handler {
  readonly target: RelayTarget;
  readonly #loop: RelayLoop;
  readonly #onClosed: (connection: RelayConnection) => void;
  readonly #id: number;
  readonly #client: number;
  readonly #server: number;
  readonly #up: Direction;
  readonly #down: Direction;
  #isConnected = false;
  #isClosed = false;

  /** Takes over the client's descriptor, also when it throws LinuxError: the target cannot be reached, or EMFILE. */
  constructor(
    client: number,
    target: RelayTarget,
    loop: RelayLoop,
    onClosed: (connection: RelayConnection) => void,
  ) {
    this.target = target;
    this.#loop = loop;
    this.#onClosed = onClosed;
    this.#client = client;
    try {
      this.#server = openInetSocket('tcp', isIPv6(target.address) ? 'ipv6' : 'ipv4').fd;
    } catch (error) {
      resetConnection(client);
      throw error;
    }
    this.#up = direction(client, this.#server);
    this.#down = direction(this.#server, client);
    this.#id = loop.register(this);
    try {
      tuneForPassingOn(this.#server);
      startConnecting(this.#server, target.address, target.port);
      loop.watchChanges(client, this.#id);
      loop.watchChanges(this.#server, this.#id);
    } catch (error) {
      this.#isClosed = true;
      loop.unregister(this.#id);
      resetConnection(client);
      closeFd(this.#server);
      throw error;
    }
  }

  onReady(): void {
    if (this.#isClosed) return;
    try {
      this.#isConnected ||= isConnected(this.#server);
    } catch {
      this.reset();
      return;
    }
    if (!this.#isConnected) return;
    // Both in any case: where one side has failed, what it said before is passed on still.
    const outcomes = [this.#pass(this.#up), this.#pass(this.#down)];
    if (outcomes.includes('failed')) this.reset();
    else if (this.#up.finished && this.#down.finished) this.#close(closeFd);
    else if (outcomes.includes('more')) this.#loop.again(this);
  }

  /** Ends it as a failure, for both sides. */
  reset(): void {
    this.#close(resetConnection);
  }

  /** Passes on what can be; `more` when there may be more at once. */
  #pass(way: Direction): 'waits' | 'more' | 'failed' {
    try {
      for (let pieces = 0; pieces < PIECES_PER_TURN; pieces++) {
        if (!passPiece(way)) return 'waits';
      }
      return 'more';
    } catch {
      return 'failed';
    }
  }

  #close(close: (fd: number) => void): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#loop.unregister(this.#id);
    this.#loop.forget(this);
    close(this.#client);
    close(this.#server);
    this.#onClosed(this);
  }
}

/** Passes on one piece, or the end; false when that has to wait for one of the sides. Throws LinuxError. */
function passPiece(way: Direction): boolean {
  if (way.rest !== undefined) {
    const taken = sendNow(way.to, way.rest);
    way.rest = taken < way.rest.length ? way.rest.subarray(taken) : undefined;
    return way.rest === undefined;
  }
  if (way.ended) {
    if (!way.finished) shutdownWrite(way.to);
    way.finished = true;
    return false;
  }
  const length = receiveNow(way.from, piece);
  if (length < 0) return false;
  if (length === 0) {
    way.ended = true;
    return true;
  }
  const taken = sendNow(way.to, piece.subarray(0, length));
  if (taken < length) way.rest = piece.slice(taken, length);
  return true;
}

function direction(from: number, to: number): Direction {
  return { from, to, rest: undefined, ended: false, finished: false };
}
