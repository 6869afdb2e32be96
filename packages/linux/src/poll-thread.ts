/**
 * One thread that waits on many descriptors for messages, so that reading them never blocks the event loop.
 *
 * For sockets that Node cannot wrap (SOCK_SEQPACKET, netlink multicast). Messages arrive whole and in order.
 * A descriptor that is read faster than its handler works is left alone until the handler has caught up, so that
 * the kernel's own flow control reaches the sender. Descriptors stay the caller's; their flags are not touched.
 */
import type { Worker } from 'node:worker_threads';
import { LinuxError } from './errno.ts';
import * as libc from './libc.ts';
import {
  MAX_UNHANDLED_BYTES,
  PAUSED,
  type PollCommand,
  type PollReport,
  UNHANDLED,
} from './poll-thread-protocol.ts';
import { decodeError } from './posted-error.ts';
import { startWorker } from './worker.ts';

export interface WatchHandlers {
  /**
   * One message; for a stream or a pipe, a piece of it. The bytes are the handler's to keep.
   * A handler that cannot keep up returns a promise: the message counts as handled when that settles, and while too
   * much is unhandled the descriptor is left alone. Messages that have been read already arrive meanwhile.
   */
  onMessage(data: Uint8Array): void | Promise<void>;
  /** No more will come: the peer has closed, or (with `error`) reading failed. Called at most once. */
  onEnd(error?: LinuxError): void;
  /** The kernel dropped messages because its buffer was full (ENOBUFS on netlink sockets). The watch goes on. */
  onOverrun?(): void;
}

export interface WatchOptions {
  /** A longer message ends the watch with EMSGSIZE. @default 65536 */
  readonly maxMessageBytes?: number;
}

/** A watched descriptor. */
export interface Watch {
  /** Stops watching. Once it resolves, no handler is called any more and the descriptor may be closed. */
  close(): Promise<void>;
}

interface Watched {
  readonly handlers: WatchHandlers;
  readonly counters: Int32Array<SharedArrayBuffer>;
  ended: boolean;
  closing: Promise<void> | undefined;
  /** Settles `closing`. */
  released: () => void;
}

const wakeUp = new Uint8Array(BigUint64Array.of(1n).buffer);

/** Threads whose poll(2) must be ended when the process exits: Node waits for its workers, and they for the kernel. */
const running = new Set<PollThread>();

function stopAll(): void {
  for (const thread of running) thread.stopNow();
}

/** The thread. It keeps the process alive only while something is watched. */
export class PollThread {
  readonly #worker: Worker;
  readonly #eventFd: number;
  readonly #watches = new Map<number, Watched>();
  readonly #ended: Promise<void>;
  #nextId = 1;
  #stopped = false;

  private constructor() {
    this.#eventFd = libc.eventfd();
    this.#worker = startWorker({
      name: 'poll',
      entry: 'poll-worker',
      ourUrl: import.meta.url,
      workerData: this.#eventFd,
    });
    this.#worker.on('message', (reports: readonly PollReport[]) => {
      for (const report of reports) this.#deliver(report);
    });
    this.#worker.on('error', (error) => this.#crash(error));
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#release();
        resolve();
      });
    });
    this.#worker.unref();
    if (running.size === 0) process.on('exit', stopAll);
    running.add(this);
  }

  /** Starts a thread. One is enough for many hundreds of descriptors. Throws LinuxError. */
  static start(): PollThread {
    return new PollThread();
  }

  /**
   * Reports what arrives on a descriptor that can be read: a socket, a pipe, a terminal. Nobody else may read it.
   * Throws Error when the thread has been closed.
   */
  watch(fd: number, handlers: WatchHandlers, { maxMessageBytes = 65536 }: WatchOptions = {}): Watch {
    if (this.#stopped) throw new Error('the poll thread is closed');
    const id = this.#nextId++;
    const counters = new Int32Array(new SharedArrayBuffer(8));
    const watched: Watched = { handlers, counters, ended: false, closing: undefined, released: () => {} };
    this.#watches.set(id, watched);
    this.#worker.ref();
    this.#tell({ kind: 'watch', id, fd, maxMessageBytes, counters });
    return { close: () => this.#close(id, watched) };
  }

  /** Ends all watches, without calling their handlers, and the thread. */
  async close(): Promise<void> {
    this.#worker.ref();
    this.stopNow();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Tells the thread to end, without waiting. For the exit of the process, where nothing can be awaited. */
  stopNow(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#tell({ kind: 'stop' });
  }

  #tell(command: PollCommand): void {
    this.#worker.postMessage(command);
    libc.write(this.#eventFd, wakeUp);
  }

  #close(id: number, watched: Watched): Promise<void> {
    if (watched.closing === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      watched.closing = promise;
      watched.released = resolve;
      if (this.#watches.get(id) !== watched) resolve();
      else if (!this.#stopped) this.#tell({ kind: 'unwatch', id });
    }
    return watched.closing;
  }

  #deliver(report: PollReport): void {
    const watched = this.#watches.get(report.id);
    if (watched === undefined) return;
    if (report.kind === 'unwatched') {
      this.#forget(report.id, watched);
      return;
    }
    const silent = watched.closing !== undefined || this.#stopped;
    const handled = silent ? undefined : this.#call(watched, report);
    if (report.kind !== 'message') return;
    const acknowledge = () => this.#acknowledge(watched, report.data.byteLength);
    if (handled) handled.then(acknowledge, acknowledge);
    else acknowledge();
  }

  #call(watched: Watched, report: PollReport): void | Promise<void> {
    try {
      if (report.kind === 'message') return watched.handlers.onMessage(report.data);
      if (report.kind === 'overrun') watched.handlers.onOverrun?.();
      else if (report.kind === 'end')
        this.#end(watched, report.error && (decodeError(report.error) as LinuxError));
    } catch (error) {
      // A handler's failure is the program's, and must not cost the other messages of this round.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #end(watched: Watched, error?: LinuxError): void {
    if (watched.ended) return;
    watched.ended = true;
    watched.handlers.onEnd(error);
  }

  /** Counts handled bytes off; wakes the thread when it left the descriptor alone and half of it is done. */
  #acknowledge({ counters }: Watched, length: number): void {
    const left = Atomics.sub(counters, UNHANDLED, length) - length;
    if (left <= MAX_UNHANDLED_BYTES / 2 && Atomics.exchange(counters, PAUSED, 0) === 1 && !this.#stopped) {
      libc.write(this.#eventFd, wakeUp);
    }
  }

  #forget(id: number, watched: Watched): void {
    this.#watches.delete(id);
    if (this.#watches.size === 0 && !this.#stopped) this.#worker.unref();
    watched.released();
  }

  /** The thread itself failed: all its watches end with that. */
  #crash(error: unknown): void {
    const EIO = 5;
    for (const watched of this.#watches.values()) {
      if (watched.closing !== undefined) continue;
      this.#end(
        watched,
        new LinuxError(
          EIO,
          'poll',
          `poll thread failed (${error instanceof Error ? error.message : String(error)})`,
        ),
      );
    }
  }

  #release(): void {
    this.#stopped = true;
    running.delete(this);
    if (running.size === 0) process.off('exit', stopAll);
    for (const [id, watched] of this.#watches) this.#forget(id, watched);
    libc.close(this.#eventFd);
  }
}
