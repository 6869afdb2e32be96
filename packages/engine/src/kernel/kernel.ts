/**
 * The engine's two kernel threads. Changes that users wait for go to the first; deletions, which sleep for tens of
 * milliseconds in the kernel, to a second one behind it, so that no start waits for somebody else's removal.
 */
import { KernelThread } from '@seaway/linux';
import type * as operations from './operations.ts';

export type KernelOperations = typeof operations;
type Thread = Pick<KernelThread<KernelOperations>, 'run' | 'close'>;
export type Kernel = { readonly changes: Thread; readonly deletions: Thread };

const module = new URL('./operations.ts', import.meta.url);

export function openKernel(): Kernel {
  return { changes: startThread('changes'), deletions: new ThreadOnDemand('deletions') };
}

export async function closeKernel(kernel: Kernel): Promise<void> {
  await Promise.all([kernel.changes.close(), kernel.deletions.close()]);
}

function startThread(name: string): KernelThread<KernelOperations> {
  return KernelThread.start<KernelOperations>(module, { name });
}

/** Starts with its first call: a daemon that has nothing to delete yet saves the 9 MB of a thread. */
class ThreadOnDemand implements Thread {
  readonly #name: string;
  #thread: KernelThread<KernelOperations> | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  readonly run: Thread['run'] = (name, ...args) => {
    this.#thread ??= startThread(this.#name);
    return this.#thread.run(name, ...args);
  };

  async close(): Promise<void> {
    await this.#thread?.close();
  }
}
