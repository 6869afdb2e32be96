/** Waiting for many descriptors at once on a thread of its own. Source: epoll(7). */
import * as libc from './libc.ts';

/** struct epoll_event is packed on x86-64 only. Source: linux/eventpoll.h, EPOLL_PACKED. */
const EVENT_BYTES = process.arch === 'x64' ? 12 : 16;
const DATA_OFFSET = process.arch === 'x64' ? 4 : 8;

/** A set of descriptors, each with a number of the caller's. */
export class Epoll {
  readonly #fd: number;
  readonly #events: libc.NativeMemory;
  readonly #capacity: number;

  /** @param capacity how many ready descriptors one wait reports at most. Throws LinuxError. */
  constructor(capacity = 64) {
    this.#fd = libc.epollCreate();
    this.#capacity = capacity;
    this.#events = libc.allocate(capacity * EVENT_BYTES);
  }

  /** Reports the descriptor as `id` (32 bits, unsigned) in every wait as long as it can be read. Throws LinuxError. */
  add(fd: number, id: number): void {
    this.#add(fd, id, libc.EPOLLIN);
  }

  /**
   * Reports the descriptor as `id` once now and each time that it becomes possible again to read or to write, or that
   * the peer ends its side or fails. Throws LinuxError.
   */
  addForChanges(fd: number, id: number): void {
    this.#add(fd, id, libc.EPOLLIN | libc.EPOLLOUT | libc.EPOLLRDHUP | libc.EPOLLET);
  }

  #add(fd: number, id: number, events: number): void {
    const event = new DataView(new ArrayBuffer(EVENT_BYTES));
    event.setUint32(0, events, true);
    event.setUint32(DATA_OFFSET, id, true);
    libc.epollCtl(this.#fd, libc.EPOLL_CTL_ADD, fd, new Uint8Array(event.buffer));
  }

  /** Throws LinuxError. */
  remove(fd: number): void {
    libc.epollCtl(this.#fd, libc.EPOLL_CTL_DEL, fd, new Uint8Array(EVENT_BYTES));
  }

  /** Waits and returns how many are ready: 0 only after `timeoutMs` or a signal. Throws LinuxError. */
  wait(timeoutMs = -1): number {
    return libc.epollWait(this.#fd, this.#events.address, this.#capacity, timeoutMs);
  }

  /** The number given to `add` of one of the descriptors that the last wait found ready. */
  id(index: number): number {
    return this.#events.view.getUint32(index * EVENT_BYTES + DATA_OFFSET, true);
  }

  close(): void {
    libc.close(this.#fd);
  }
}
