/**
 * Sees to it that links really go, behind what users wait for: deleting one sleeps for tens of milliseconds in the
 * kernel, and whoever changes another link waits meanwhile. So it is left for a quiet moment, where many go at once.
 */
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Kernel } from '../kernel/kernel.ts';

/** A moment counts as quiet when no link was to be removed for this long. */
const QUIET_MS = 20;
/** The longest that a link waits for that. */
const PATIENCE_MS = 500;
/**
 * How long the kernel may take to destroy the interfaces of a removed namespace by itself: long enough for its own
 * clean-up, short enough that everything is gone within a second.
 */
const GRACE_MS = 250;
/** How many are deleted at once: others wait for 20 ms a bridge, or 1 ms a veth pair. */
const BATCH = 8;

export class LinkRemovals {
  readonly #kernel: Kernel;
  readonly #markPrefix: string;
  readonly #log: Log;
  readonly #waiting = new Set<string>();
  #deletion: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  /** When the waiting links are deleted at the latest. */
  #deadline = Infinity;

  /** @param markPrefix what the marks of our links begin with; no others are deleted */
  constructor(kernel: Kernel, markPrefix: string, log: Log) {
    this.#kernel = kernel;
    this.#markPrefix = markPrefix;
    this.#log = log;
  }

  /** Deletes a link of the host soon. */
  remove(link: string): void {
    this.#wait([link], QUIET_MS);
  }

  /**
   * These links of the host should vanish by themselves; what is left of them after a while is deleted. When a
   * namespace is removed the kernel destroys its interfaces in the background; but a connection that was cut off in
   * the middle keeps the namespace alive for as long as TCP tries to say goodbye, and the pair with it.
   */
  expectGone(links: readonly string[]): void {
    if (links.length > 0) this.#wait(links, GRACE_MS);
  }

  #wait(links: readonly string[], delayMs: number): void {
    for (const link of links) this.#waiting.add(link);
    const now = performance.now();
    this.#deadline = Math.min(this.#deadline, now + PATIENCE_MS);
    clearTimeout(this.#timer);
    const delay = Math.max(0, Math.min(delayMs, this.#deadline - now));
    this.#timer = setTimeout(() => void this.#deleteWaiting(), delay).unref();
  }

  /** Resolves when the link is not waiting any more and is not being deleted. */
  async gone(link: string): Promise<void> {
    if (this.#waiting.has(link)) await this.#deleteWaiting();
    else await this.#deletion;
  }

  #deleteWaiting(): Promise<void> {
    const links = [...this.#waiting];
    this.#waiting.clear();
    this.#deadline = Infinity;
    clearTimeout(this.#timer);
    this.#deletion = this.#deletion.then(() => this.#delete(links));
    return this.#deletion;
  }

  async #delete(links: readonly string[]): Promise<void> {
    for (let start = 0; start < links.length; start += BATCH) {
      const names = links.slice(start, start + BATCH);
      try {
        await this.#kernel.deletions.run('removeLinks', { names, markPrefix: this.#markPrefix });
      } catch (error) {
        // They bear our mark, and nothing claims them: the next start of the daemon tries again.
        this.#log.error({ links: names, error: messageOf(error) }, 'links were not deleted');
      }
    }
  }

  /** Deletes what is left without waiting for a quiet moment; resolves when everything is done. */
  async close(): Promise<void> {
    await this.#deleteWaiting();
  }
}
