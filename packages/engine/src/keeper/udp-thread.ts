/** The main thread's side of the UDP thread. */
import type { Worker } from 'node:worker_threads';
import { EventFlag, startWorker } from '@seaway/linux/sockets';
import type { KeeperChange } from './protocol.ts';
import type { HandedOver, UdpCommand, UdpReport, UdpService, UdpThreadData } from './udp-thread-protocol.ts';

export interface UdpThreadHandlers {
  /** Queries that other servers are to be asked. */
  onForward(queries: readonly HandedOver[]): void;
  /** A socket failed and is not served any more. */
  onFailed(slot: number, reason: string): void;
  /** The thread has died, and with it all it served. */
  onCrash(error: unknown): void;
}

export class UdpThread {
  readonly #worker: Worker;
  readonly #flag = EventFlag.open();
  readonly #ending = new Int32Array(new SharedArrayBuffer(4));
  readonly #pending = new Map<number, () => void>();
  #n = 0;

  /** Starts the thread, which takes longer than everything else that a keeper does first. */
  constructor() {
    const workerData: UdpThreadData = { wakeUp: this.#flag.fd, ending: this.#ending };
    this.#worker = startWorker({ name: 'udp', entry: 'udp-worker', ourUrl: import.meta.url, workerData });
    // The thread waits in the kernel, and Node waits for its threads.
    process.on('exit', () => this.stop());
  }

  /** To be called before anything is applied. */
  listen(handlers: UdpThreadHandlers): void {
    this.#worker.on('message', (report: UdpReport) => {
      if (report.kind === 'forward') handlers.onForward(report.queries);
      else if (report.kind === 'failed') handlers.onFailed(report.slot, report.reason);
      else this.#settle(report.n);
    });
    this.#worker.on('error', (error) => handlers.onCrash(error));
  }

  /** Resolves when lookups see the change. */
  apply(change: KeeperChange, start: readonly UdpService[], stop: readonly number[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const command: UdpCommand = { n: ++this.#n, change, start, stop };
    this.#pending.set(command.n, resolve);
    this.#worker.postMessage(command);
    this.#flag.raise();
    return promise;
  }

  /** Ends the thread, without waiting. */
  stop(): void {
    Atomics.store(this.#ending, 0, 1);
    this.#flag.raise();
  }

  #settle(n: number): void {
    this.#pending.get(n)?.();
    this.#pending.delete(n);
  }
}
