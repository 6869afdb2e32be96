/** Links of the host's namespace that bear a mark from their first moment on. */
import { randomInt } from 'node:crypto';
import { isErrno, type Link, type LinkChanges, type NewLink, newLink, setLinkGroup } from '@seaway/linux';
import { removeGroup } from './links.ts';
import { route } from './sockets.ts';

/** By chance nobody else's; a link is in it only while it is being made. */
const nascentGroup = randomInt(2 ** 29, 2 ** 30);

/**
 * Makes a link with its mark, in one step: one that a crash leaves without would never be known again. The kernel
 * carries out the second request also where the first fails; it goes by the group, which is then empty, because by the
 * name it would mark somebody else's link. The caller takes the link out of the group with {@link released}.
 * @throws NetlinkError, or Error when a link has the name; nothing is left and nobody else's link touched
 */
export function createMarked(
  link: NewLink,
  mark: string,
  changes: Pick<LinkChanges, 'ipv6AddressGeneration'> = {},
): Link {
  const { name } = link;
  try {
    route().execute([
      newLink({ ...link, group: nascentGroup }),
      setLinkGroup(nascentGroup, { alias: mark, ...changes }),
    ]);
  } catch (error) {
    removeGroup(nascentGroup);
    const obstacle = isErrno(error, 'EEXIST') ? route().link({ name }) : undefined;
    if (!obstacle) throw error;
    const { kind = 'device', alias } = obstacle;
    const owner = alias === undefined ? '' : ` (marked "${alias}")`;
    throw new Error(`${kind} ${name} exists already${owner}: it is left as it is`, { cause: error });
  }
  return route().link({ name })!;
}

/** Puts a link that {@link createMarked} made where the kernel puts new ones. */
export const released = { group: 0 } as const;
