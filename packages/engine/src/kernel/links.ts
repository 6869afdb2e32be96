/** Links and routes of the host's namespace, whatever they belong to. */
import { randomInt } from 'node:crypto';
import { deleteLink, deleteLinkGroup, isErrno, setLink } from '@seaway/linux';
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

/**
 * Deletes those of the links that still exist, all at once: for veth pairs that costs hardly more than deleting one.
 * Others who change links wait meanwhile, so there should not be too many bridges among them.
 */
export function removeLinks(names: readonly string[]): void {
  const present = names.flatMap((name) => route().link({ name })?.index ?? []);
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
 * @param ignored devices whose routes are not wanted
 */
export function onLinkRoutes(ignored: readonly string[]): OnLinkRoute[] {
  const own = new Set(ignored);
  const names = new Map<number, string | undefined>();
  const nameOf = (index: number) => {
    if (!names.has(index)) names.set(index, route().link({ index })?.name);
    return names.get(index);
  };
  return route()
    .routes({ table: MAIN_TABLE })
    .flatMap(({ destination, gateway, index, family }) => {
      if (!destination || gateway || (family === 6 && /^f[ef]/.test(destination))) return [];
      const device = index === undefined ? undefined : nameOf(index);
      if (device !== undefined && own.has(device)) return [];
      return [device === undefined ? { destination } : { destination, device }];
    });
}

/** linux/rtnetlink.h: RT_TABLE_MAIN. */
const MAIN_TABLE = 254;
