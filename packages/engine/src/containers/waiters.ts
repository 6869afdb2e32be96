import type { ContainerId } from '../base/ids.ts';

export interface WaitResult {
  readonly exitCode: number;
  /** Why the container did not run, or why it could not be waited for. */
  readonly error?: string;
}

export type WaitEvent = 'exit' | 'removed';

/** Those who wait for a container's end or removal. */
export class Waiters {
  readonly #waiting = new Map<string, Set<(result: WaitResult) => void>>();

  /** @param signal gives up waiting; the promise then stays open */
  wait(id: ContainerId, event: WaitEvent, signal?: AbortSignal): Promise<WaitResult> {
    const key = `${event} ${id}`;
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(key) ?? new Set();
      this.#waiting.set(key, waiting.add(resolve));
      signal?.addEventListener('abort', () => waiting.delete(resolve), { once: true });
    });
  }

  notify(id: ContainerId, event: WaitEvent, result: WaitResult): void {
    const key = `${event} ${id}`;
    const waiting = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    for (const resolve of waiting) resolve(result);
  }
}
