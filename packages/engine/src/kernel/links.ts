/** Links and routes of the host's namespace, whatever they belong to. */
import { randomInt } from 'node:crypto';
import { deleteLink, deleteLinkGroup, isErrno, type Route, RT_TABLE_MAIN, setLink } from '@seaway/linux';
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
  removeGroup(doomedGroup);
}

/** Deletes all links of a group at once. That there is none is fine. */
export function removeGroup(group: number): void {
  try {
    route().execute([deleteLinkGroup(group)]);
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

/** The routes of the host's main table. */
export function mainRoutes(): Route[] {
  return route().routes({ table: RT_TABLE_MAIN });
}

/** Names of those of the links that exist and are up, by their indices. */
export function namesOfLinksUp(indices: readonly number[]): Map<number, string> {
  const links = indices.flatMap((index) => route().link({ index }) ?? []);
  return new Map(links.filter(({ up }) => up).map(({ index, name }) => [index, name]));
}
