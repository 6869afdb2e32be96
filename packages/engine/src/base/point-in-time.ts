import { setTimeout as sleep } from 'node:timers/promises';

/** The longest that a timer can be set to. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Resolves when a point in time, in nanoseconds since 1970, has passed, or the signal says so. */
export async function isPast(timeNs: bigint, signal: AbortSignal): Promise<void> {
  const leftMs = () => Number(timeNs / 1_000_000n) - Date.now();
  while (!signal.aborted && leftMs() >= 0) {
    const waitMs = Math.min(leftMs() + 1, MAX_TIMER_MS);
    await sleep(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
