/**
 * The engine's two kernel threads. Changes that users wait for go to the first; deletions, which sleep for tens of
 * milliseconds in the kernel, to a second one behind it, so that no start waits for somebody else's removal.
 */
import { KernelThread } from '@seaway/linux';
import type * as operations from './operations.ts';

export type KernelOperations = typeof operations;
export type Kernel = {
  readonly changes: KernelThread<KernelOperations>;
  readonly deletions: KernelThread<KernelOperations>;
};

const module = new URL('./operations.ts', import.meta.url);

export function openKernel(): Kernel {
  return {
    changes: KernelThread.start<KernelOperations>(module, { name: 'changes' }),
    deletions: KernelThread.start<KernelOperations>(module, { name: 'deletions' }),
  };
}

export async function closeKernel(kernel: Kernel): Promise<void> {
  await Promise.all([kernel.changes.close(), kernel.deletions.close()]);
}
