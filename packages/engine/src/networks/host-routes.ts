/**
 * What the host reaches without a gateway: a copy of its routing table, kept up to date by what the kernel reports.
 * Each of our networks has routes there, and to read hundreds of them anew for every new network would cost more than
 * the network.
 */
import { type Route, RouteInbox, RT_TABLE_MAIN } from '@seaway/linux';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Kernel } from '../kernel/kernel.ts';

/** A block of addresses that is reached without a gateway. */
export interface OnLinkRoute {
  /** In CIDR form. */
  readonly destination: string;
  readonly device?: string;
}

interface KnownRoute {
  readonly destination: string;
  readonly index: number | undefined;
  readonly device?: string;
}

export class HostRoutes {
  readonly #kernel: Kernel;
  readonly #log: Log;
  readonly #inbox = RouteInbox.open({ groups: ['ipv4-route', 'ipv6-route'] });
  readonly #known = new Map<string, KnownRoute>();
  #isComplete = false;

  constructor(kernel: Kernel, log: Log) {
    this.#kernel = kernel;
    this.#log = log;
  }

  /** @param ignored destinations that are not wanted, in canonical CIDR form */
  async list(ignored: ReadonlySet<string>): Promise<OnLinkRoute[]> {
    if (!this.#readReports()) {
      await this.#readAll();
      await this.#lookAtLinks(ignored);
    } else {
      // For the next time: whoever asks now does not wait for another thread.
      void this.#lookAtLinks(ignored).catch((error) => {
        this.#log.warn({ error: messageOf(error) }, "the host's links were not looked at");
      });
    }
    return this.#without(ignored).map(([, { destination, device }]) => ({
      destination,
      ...(device === undefined ? {} : { device }),
    }));
  }

  #without(ignored: ReadonlySet<string>): [string, KnownRoute][] {
    return [...this.#known].filter(([, { destination }]) => !ignored.has(destination));
  }

  /** @returns whether what is known is whole */
  #readReports(): boolean {
    const nothingLost = this.#inbox.read((event) => {
      if (event.kind === 'route') this.#note(event.route, event.change === 'new');
    });
    this.#isComplete &&= nothingLost;
    return this.#isComplete;
  }

  async #readAll(): Promise<void> {
    const routes = await this.#kernel.changes.run('mainRoutes');
    this.#known.clear();
    for (const route of routes) this.#note(route, true);
    this.#isComplete = true;
    // What was reported meanwhile is newer, or the same.
    this.#readReports();
  }

  #note({ table, destination, gateway, index, family }: Route, isThere: boolean): void {
    if (table !== RT_TABLE_MAIN || !destination || gateway) return;
    // Every link has a block for link-local addresses and one for groups.
    if (family === 6 && /^f[ef]/.test(destination)) return;
    const key = `${destination} ${index}`;
    if (isThere) this.#known.set(key, { destination, index });
    else this.#known.delete(key);
  }

  /** Learns the links' names, and forgets routes of links that are down: the kernel does not tell that they went. */
  async #lookAtLinks(ignored: ReadonlySet<string>): Promise<void> {
    const foreign = this.#without(ignored);
    const indices = new Set(foreign.flatMap(([, { index }]) => index ?? []));
    if (indices.size === 0) return;
    const names = await this.#kernel.changes.run('namesOfLinksUp', [...indices]);
    for (const [key, route] of foreign) {
      if (route.index === undefined || this.#known.get(key) !== route) continue;
      const device = names.get(route.index);
      if (device === undefined) this.#known.delete(key);
      else this.#known.set(key, { ...route, device });
    }
  }

  close(): void {
    this.#inbox[Symbol.dispose]();
  }
}
