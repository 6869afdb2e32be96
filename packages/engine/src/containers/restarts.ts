/**
 * Containers that wait for their restart policy to start them again: after a while each, and when the daemon starts all
 * together, those first that others need. What is waited for is on record; the time that is left is not.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerId } from '../base/ids.ts';
import { Slots } from '../base/slots.ts';
import type { ContainerRecord } from '../model/container.ts';
import { restartDelayMs } from '../model/restart-policy.ts';

/** How long one waits for those that it needs, as at Docker. */
const DEPENDENCIES_PATIENCE_MS = 5_000;
/** How many are started side by side when the daemon starts: each keeps a processor busy. */
const STARTED_AT_ONCE = 4;

export class Restarts {
  /** Starts a container if it still waits for that; never rejects. */
  readonly #start: (id: ContainerId) => Promise<void>;
  readonly #timers = new Map<ContainerId, NodeJS.Timeout>();
  /** The delay before each container's last start; none for one that a user started. */
  readonly #delaysMs = new Map<ContainerId, number>();
  /** Those that wait for {@link begin}. */
  #early: Set<ContainerId> | undefined = new Set();
  #isClosed = false;

  constructor(start: (id: ContainerId) => Promise<void>) {
    this.#start = start;
  }

  /** @param ranMs how long the container ran */
  schedule(id: ContainerId, ranMs: number): void {
    if (this.#early) {
      this.#early.add(id);
      return;
    }
    this.cancel(id);
    if (this.#isClosed) return;
    const delayMs = restartDelayMs(this.#delaysMs.get(id), ranMs);
    this.#delaysMs.set(id, delayMs);
    const timer = setTimeout(() => {
      this.#timers.delete(id);
      void this.#start(id);
    }, delayMs);
    this.#timers.set(id, timer);
  }

  /** It is not to be started any more; what it waited for before is still remembered. */
  cancel(id: ContainerId): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#early?.delete(id);
  }

  /** It begins anew: a user started or removed it. */
  forget(id: ContainerId): void {
    this.cancel(id);
    this.#delaysMs.delete(id);
  }

  /**
   * Starts all that were scheduled so far, and from now on each after its delay. Resolves when all were tried.
   * @param find a container's record, if there still is one
   */
  async begin(find: (id: ContainerId) => ContainerRecord | undefined): Promise<void> {
    const waiting = this.#early ?? new Set();
    this.#early = undefined;
    const slots = new Slots(STARTED_AT_ONCE);
    const starts = new Map<ContainerId, Promise<void>>();
    const start = (id: ContainerId): Promise<void> => {
      const known = starts.get(id);
      if (known) return known;
      const started = Promise.resolve().then(async () => {
        const container = find(id);
        const needed = container ? dependenciesOf(container).filter((other) => waiting.has(other)) : [];
        if (needed.length > 0) await withPatience(needed.map(start));
        await slots.run(async () => {
          if (!this.#isClosed) await this.#start(id);
        });
      });
      starts.set(id, started);
      return started;
    };
    await Promise.all([...waiting].map(start));
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** The containers that have to run before this one can. */
export function dependenciesOf({ host, links = [] }: ContainerRecord): ContainerId[] {
  const { networkMode } = host;
  const joined = networkMode.kind === 'container' ? [networkMode.container as ContainerId] : [];
  return [...joined, ...links.map(({ target }) => target)];
}

async function withPatience(promises: readonly Promise<void>[]): Promise<void> {
  const given = new AbortController();
  const patience = sleep(DEPENDENCIES_PATIENCE_MS, undefined, { signal: given.signal, ref: false }).catch(
    () => {},
  );
  await Promise.race([Promise.all(promises), patience]);
  given.abort();
}
