/** The main thread's side of the relay thread, which is started when there is something to pass on. */
import type { Worker } from 'node:worker_threads';
import { EventFlag, startWorker } from '@seaway/linux';
import {
  CONNECTIONS,
  ENDING,
  type RelayCommand,
  type RelayReport,
  type RelayThreadData,
} from './relay-thread-protocol.ts';

export interface RelayThreadHandlers {
  onComplaint(message: string, fields: Readonly<Record<string, unknown>>): void;
  /** The thread has died, and with it all that it passed on. */
  onCrash(error: unknown): void;
}

export class RelayThread {
  readonly #handlers: RelayThreadHandlers;
  readonly #shared = new Int32Array(new SharedArrayBuffer(8));
  readonly #pending = new Map<number, () => void>();
  #running: { readonly worker: Worker; readonly flag: EventFlag } | undefined;
  #n = 0;

  constructor(handlers: RelayThreadHandlers) {
    this.#handlers = handlers;
  }

  /** How many TCP connections are passed on. */
  get connections(): number {
    return Atomics.load(this.#shared, CONNECTIONS);
  }

  /** Resolves when it is done. One command is carried out after the other. */
  apply(command: Omit<RelayCommand, 'n'>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const n = ++this.#n;
    this.#pending.set(n, resolve);
    this.#running ??= this.#start();
    this.#running.worker.postMessage({ ...command, n } satisfies RelayCommand);
    this.#running.flag.raise();
    return promise;
  }

  #start(): { readonly worker: Worker; readonly flag: EventFlag } {
    const flag = EventFlag.open();
    const workerData: RelayThreadData = { wakeUp: flag.fd, shared: this.#shared };
    const worker = startWorker({
      name: 'relay',
      entry: 'relay-worker',
      ourUrl: import.meta.url,
      workerData,
    });
    worker.on('message', (report: RelayReport) => {
      if (report.kind === 'complaint') this.#handlers.onComplaint(report.message, report.fields);
      else this.#settle(report.n);
    });
    worker.on('error', (error) => this.#handlers.onCrash(error));
    // The thread waits in the kernel, and Node waits for its threads.
    process.on('exit', () => {
      Atomics.store(this.#shared, ENDING, 1);
      flag.raise();
    });
    return { worker, flag };
  }

  #settle(n: number): void {
    this.#pending.get(n)?.();
    this.#pending.delete(n);
  }
}
