/** How much room a folder takes, found without holding up the event loop: a few folders at a time, one name after another. */
import { constants, type Stats } from 'node:fs';
import { lstat, open, opendir, readlink, realpath } from 'node:fs/promises';
import { isErrno } from '@seaway/linux';

/** Folders that are read side by side; more would only keep Node's few file system threads from others. */
const MAX_FOLDERS = 4;

/**
 * Adds up the apparent sizes of the regular files below a folder (st_size of inode(7), so holes count), a file of
 * several hard links once. Symbolic links are not followed, not even those that come while it is read, and files that vanish meanwhile count for nothing.
 * @returns bytes; 0 for a folder that does not exist
 * @throws the system's error where a folder cannot be read
 */
export async function diskUsageBytes(path: string): Promise<number> {
  const root = await realpath(path).catch(ignoreGone);
  if (root === undefined) return 0;
  const folders: Buffer[] = [Buffer.from(root)];
  const counted = new Set<string>();
  let bytes = 0;
  while (folders.length > 0) {
    const found = await Promise.all(folders.splice(-MAX_FOLDERS).map((folder) => readFolder(root, folder)));
    for (const { files, subfolders } of found) {
      // Not by spreading: a folder may have more names than a call can have arguments.
      for (const subfolder of subfolders) folders.push(subfolder);
      for (const { size, nlink, dev, ino } of files) {
        const inode = `${dev}:${ino}`;
        if (nlink > 1 && counted.has(inode)) continue;
        if (nlink > 1) counted.add(inode);
        bytes += size;
      }
    }
  }
  return bytes;
}

/**
 * Reads through the folder's descriptor. A running container may put a link in the place of a folder that is above or at
 * this one: where the descriptor is not below the root after all, nothing is read.
 */
async function readFolder(root: string, folder: Buffer): Promise<{ files: Stats[]; subfolders: Buffer[] }> {
  const files: Stats[] = [];
  const subfolders: Buffer[] = [];
  try {
    await using handle = await open(
      folder,
      constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
    );
    const self = `/proc/self/fd/${handle.fd}`;
    const place = await readlink(self);
    if (place !== root && !place.startsWith(`${root}/`)) return { files, subfolders };
    // Names are bytes, which this encoding keeps.
    for await (const entry of await opendir(self, { encoding: 'latin1' })) {
      const name = Buffer.from(`/${entry.name}`, 'latin1');
      if (entry.isDirectory()) subfolders.push(Buffer.concat([folder, name]));
      if (!entry.isFile()) continue;
      const stats = await lstat(Buffer.concat([Buffer.from(self), name])).catch(ignoreGone);
      if (stats) files.push(stats);
    }
  } catch (error) {
    ignoreGone(error);
  }
  return { files, subfolders };
}

function ignoreGone(error: unknown): undefined {
  if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
}
