/**
 * A thread for kernel work that sleeps. Calls run one after another, in the order they were made, on a worker
 * that has imported the caller's module; the event loop stays free. Errors come back as what they were.
 */
import type { Worker } from 'node:worker_threads';
import { decodeError, type PostedError } from './posted-error.ts';
import { startWorker } from './worker.ts';

/** The functions that a module exports for running on a thread. What they take and return is structured-cloned. */
// biome-ignore lint/suspicious/noExplicitAny: the constraint must admit every signature.
export type ThreadOperations = { readonly [name: string]: (...args: any[]) => unknown };

export interface KernelThreadOptions {
  /** Shown in error messages and by debuggers. @default 'kernel' */
  readonly name?: string;
}

/** What the thread is asked. */
export interface ThreadCall {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

/** What it answers. */
export type ThreadAnswer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: PostedError };

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * `Operations` is the type of the module: `KernelThread.start<typeof import('./work.ts')>(new URL(...))`.
 * An idle thread does not keep the process alive; one with work to do does.
 */
export class KernelThread<Operations> {
  readonly #worker: Worker;
  readonly #name: string;
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<void>;
  #nextId = 1;
  #closed: Error | undefined;

  private constructor(module: URL, name: string) {
    this.#name = name;
    this.#worker = startWorker({
      name,
      entry: 'kernel-thread-worker',
      ourUrl: import.meta.url,
      workerData: module.href,
    });
    this.#worker.on('message', (answer: ThreadAnswer) => this.#settle(answer));
    this.#worker.on('error', (error) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#fail(new Error(`thread ${name} failed: ${reason}`, { cause: error }));
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#fail(new Error(`thread ${name} ended${code === 0 ? '' : ` with code ${code}`}`));
        resolve();
      });
    });
    this.#worker.unref();
  }

  /** Starts a thread that imports `module` (a TypeScript or JavaScript file) and calls the functions it exports. */
  static start<Operations>(module: URL, options: KernelThreadOptions = {}): KernelThread<Operations> {
    return new KernelThread<Operations>(module, options.name ?? 'kernel');
  }

  /**
   * Calls an exported function on the thread, after all earlier calls have ended, and gives its result.
   * Rejects with what it threw: LinuxError, NetlinkError and NftablesError arrive as such with all their fields,
   * other errors keep name, message, code and cause. Rejects as well when the thread has been closed or has crashed.
   */
  run<Name extends keyof Operations & string>(
    name: Name,
    ...args: Operations[Name] extends (...args: infer Args) => unknown ? Args : never
  ): Promise<Operations[Name] extends (...args: never) => infer Result ? Awaited<Result> : never> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const call: ThreadCall = { id, name, args };
      this.#worker.postMessage(call); // throws, and so rejects, for what cannot be cloned
      this.#pending.set(id, { resolve, reject });
      if (this.#pending.size === 1) this.#worker.ref();
    });
  }

  /** Lets the calls made so far end, then ends the thread. Later calls are rejected. */
  async close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = new Error(`thread ${this.#name} is closed`);
      this.#worker.ref();
      this.#worker.postMessage(null);
    }
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #settle(answer: ThreadAnswer): void {
    const pending = this.#pending.get(answer.id);
    if (pending === undefined) return;
    this.#pending.delete(answer.id);
    if (this.#pending.size === 0 && this.#closed === undefined) this.#worker.unref();
    if ('error' in answer) pending.reject(decodeError(answer.error));
    else pending.resolve(answer.result as never);
  }

  #fail(error: Error): void {
    this.#closed ??= error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
