/** Links and routes of the host's namespace, whatever they belong to. */
import { randomInt } from 'node:crypto';
import { deleteLink, deleteLinkGroup, isErrno, type Route, RouteInbox, setLink } from '@seaway/linux';
import { route } from './sockets.ts';

/** Deletes a link of the host's namespace by name. Sleeps for tens of milliseconds in the kernel. */
export function removeLink(name: string): void {
  try {
    route().execute([deleteLink({ name })]);
  } catch (error) {
    if (!isErrno(error, 'ENODEV')) throw error;
  }
}

/** By chance nobody else's; links are in it only while they are being deleted. */
const doomedGroup = randomInt(2 ** 30, 2 ** 31);

export interface LinkRemoval {
  readonly names: readonly string[];
  /** Only links whose mark begins with this are deleted: by now somebody else's may have one of the names. */
  readonly markPrefix: string;
}

/**
 * Deletes those of the links that still exist, all at once: for veth pairs that costs hardly more than deleting one.
 * Others who change links wait meanwhile, so there should not be too many bridges among them.
 */
export function removeLinks({ names, markPrefix }: LinkRemoval): void {
  const present = names.flatMap((name) => {
    const link = route().link({ name });
    return link?.alias?.startsWith(markPrefix) ? link.index : [];
  });
  if (present.length === 0) return;
  try {
    route().execute(present.map((index) => setLink({ index }, { group: doomedGroup })));
  } catch (error) {
    // One of them went by itself in between.
    if (!isErrno(error, 'ENODEV')) throw error;
  }
  try {
    route().execute([deleteLinkGroup(doomedGroup)]);
  } catch (error) {
    if (!isErrno(error, 'ENODEV')) throw error;
  }
}

/** Names and marks of the host's links that bear a mark beginning with `prefix`. */
export function markedLinks(prefix: string): { readonly name: string; readonly mark: string }[] {
  return route()
    .links()
    .flatMap(({ name, alias }) => (alias?.startsWith(prefix) ? [{ name, mark: alias }] : []));
}

/** A block of addresses that is reached without a gateway. */
export interface OnLinkRoute {
  /** In CIDR form. */
  readonly destination: string;
  readonly device?: string;
}

/**
 * On-link destinations of the host's main table; routes through a gateway are left out.
 * @param ignored destinations that are not wanted, in canonical CIDR form
 */
export function onLinkRoutes(ignored: readonly string[]): OnLinkRoute[] {
  hostRoutes ??= new HostRoutes();
  const unwanted = new Set(ignored);
  return hostRoutes
    .list()
    .filter(({ destination }) => !unwanted.has(destination))
    .flatMap(({ destination, index }) => {
      if (index === undefined) return { destination };
      // The kernel does not tell that IPv4 routes have gone with their link.
      const link = route().link({ index });
      return link?.up ? { destination, device: link.name } : [];
    });
}

/** linux/rtnetlink.h: RT_TABLE_MAIN. */
const MAIN_TABLE = 254;

interface KnownRoute {
  readonly destination: string;
  readonly index: number | undefined;
}

/**
 * A copy of the host's on-link routes, kept up to date by what the kernel reports: each of our networks has some, and
 * to read hundreds of them anew for every new network would cost more than the network.
 */
class HostRoutes {
  readonly #inbox = RouteInbox.open({ groups: ['ipv4-route', 'ipv6-route'] });
  readonly #known = new Map<string, KnownRoute>();
  #isComplete = false;

  list(): KnownRoute[] {
    const isComplete = this.#inbox.read((event) => {
      if (event.kind === 'route') this.#note(event.route, event.change === 'new');
    });
    if (!isComplete || !this.#isComplete) this.#readAll();
    return [...this.#known.values()];
  }

  #readAll(): void {
    this.#known.clear();
    for (const found of route().routes({ table: MAIN_TABLE })) this.#note(found, true);
    this.#isComplete = true;
  }

  #note({ table, destination, gateway, index, family }: Route, isThere: boolean): void {
    if (table !== MAIN_TABLE || !destination || gateway) return;
    // Every link has a block for link-local addresses and one for groups.
    if (family === 6 && /^f[ef]/.test(destination)) return;
    const key = `${destination} ${index}`;
    if (isThere) this.#known.set(key, { destination, index });
    else this.#known.delete(key);
  }
}

let hostRoutes: HostRoutes | undefined;
