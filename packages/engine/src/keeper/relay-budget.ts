/** How much all relays of the thread may use, and who waits for some of it. */
import type { Handler, RelayLoop } from './relay-loop.ts';

/** TCP connections, each of which needs two descriptors. */
const MAX_CONNECTIONS = 4096;

export class RelayBudget {
  readonly #loop: RelayLoop;
  readonly #onCount: (connections: number) => void;
  readonly #waiting = new Set<Handler>();
  #connections = 0;

  /** @param onCount hears how many connections there are, each time */
  constructor(loop: RelayLoop, onCount: (connections: number) => void) {
    this.#loop = loop;
    this.#onCount = onCount;
  }

  /** Whether somebody waits, be it for another connection to end or for descriptors that others have. */
  get isShort(): boolean {
    return this.#waiting.size > 0;
  }

  /** Whether there is a place for a connection; if not, `handler` is called again when there may be. */
  hasPlace(handler: Handler): boolean {
    if (this.#connections < MAX_CONNECTIONS) return true;
    this.wait(handler);
    return false;
  }

  take(): void {
    this.#onCount(++this.#connections);
  }

  giveBack(): void {
    this.#onCount(--this.#connections);
    this.retry();
  }

  /** Calls `handler` again when something has been given back, or after some time. */
  wait(handler: Handler): void {
    this.#waiting.add(handler);
  }

  forget(handler: Handler): void {
    this.#waiting.delete(handler);
  }

  /** Calls those that wait. */
  retry(): void {
    for (const handler of this.#waiting) this.#loop.again(handler);
    this.#waiting.clear();
  }
}
