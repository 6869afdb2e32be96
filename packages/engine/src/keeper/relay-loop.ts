/** The relay thread's loop: descriptors, each with what to do when the kernel reports it, and work that is not done yet. */
import { Epoll } from '@seaway/linux';

/** Something that has descriptors of its own. */
export interface Handler {
  /** One of its descriptors is reported. */
  onReady(): void;
}

/** Descriptors reported per wait. */
const CAPACITY = 256;

export class RelayLoop {
  readonly #epoll = new Epoll(CAPACITY);
  readonly #handlers = new Map<number, Handler>();
  #unfinished = new Set<Handler>();
  #lastId = 0;

  /** A number for a handler, by which descriptors are watched. */
  register(handler: Handler): number {
    do this.#lastId = (this.#lastId + 1) >>> 0;
    while (this.#handlers.has(this.#lastId));
    this.#handlers.set(this.#lastId, handler);
    return this.#lastId;
  }

  /** What is reported under that number is nobody's any more. Closed descriptors are not reported. */
  unregister(id: number): void {
    this.#handlers.delete(id);
  }

  /** Reports the descriptor in each turn as long as it can be read. Throws LinuxError. */
  watch(fd: number, id: number): void {
    this.#epoll.add(fd, id);
  }

  /** Reports the descriptor when it becomes possible again to read or write. Throws LinuxError. */
  watchChanges(fd: number, id: number): void {
    this.#epoll.addForChanges(fd, id);
  }

  /** Throws LinuxError. */
  unwatch(fd: number): void {
    this.#epoll.remove(fd);
  }

  /** Calls the handler in the next turn too, reported or not: it has more to do, and lets others go first. */
  again(handler: Handler): void {
    this.#unfinished.add(handler);
  }

  forget(handler: Handler): void {
    this.#unfinished.delete(handler);
  }

  /** Waits, at most that long, and calls who is reported. */
  turn(timeoutMs: number): void {
    const unfinished = this.#unfinished;
    const ready = this.#epoll.wait(unfinished.size > 0 ? 0 : timeoutMs);
    this.#unfinished = new Set();
    for (let index = 0; index < ready; index++) {
      const handler = this.#handlers.get(this.#epoll.id(index));
      if (handler === undefined) continue;
      unfinished.delete(handler);
      handler.onReady();
    }
    for (const handler of unfinished) handler.onReady();
  }
}
