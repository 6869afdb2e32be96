import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '@seaway/linux';

/** As many as the kernel follows; path_resolution(7). */
const MAX_LINKS = 40;

/**
 * Where a path leads in a tree that nobody changes, as seen by a process whose root it is: symbolic links stay inside.
 * @returns an absolute path below `root`; undefined when there is nothing
 */
export async function pathBelow(root: string, path: string): Promise<string | undefined> {
  const rest = path.split('/');
  let at: string[] = [];
  let links = 0;
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      at.pop();
      continue;
    }
    try {
      const target = await readlink(join(root, ...at, part));
      if (++links > MAX_LINKS) return undefined;
      if (target.startsWith('/')) at = [];
      rest.unshift(...target.split('/'));
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      // No link.
      if (!isErrno(error, 'EINVAL')) throw error;
      at.push(part);
    }
  }
  return join(root, ...at);
}
