/**
 * Sees to it that veth pairs really go. When a namespace is removed the kernel destroys its interfaces in the
 * background, in batches, which costs less than deleting each; but a connection that was cut off in the middle keeps
 * the namespace alive for as long as TCP tries to say goodbye, and the pair with it.
 */
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Kernel } from '../kernel/kernel.ts';

/** Long enough for the kernel's own clean-up, short enough that everything is gone within a second. */
const GRACE_MS = 250;

export class LinkReaper {
  readonly #kernel: Kernel;
  readonly #log: Log;
  #expected: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(kernel: Kernel, log: Log) {
    this.#kernel = kernel;
    this.#log = log;
  }

  /** These links of the host should vanish by themselves; what is left of them after a while is deleted. */
  expectGone(names: readonly string[]): void {
    if (names.length === 0) return;
    this.#expected.push(...names);
    this.#timer ??= setTimeout(() => void this.#reap(), GRACE_MS).unref();
  }

  async #reap(): Promise<void> {
    const names = this.#expected;
    this.#expected = [];
    this.#timer = undefined;
    try {
      await this.#kernel.deletions.run('removeLinks', names);
    } catch (error) {
      this.#log.error({ links: names, error: messageOf(error) }, 'links of stopped containers not deleted');
    }
  }

  /** Deletes what is left without waiting. */
  async close(): Promise<void> {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    await this.#reap();
  }
}
