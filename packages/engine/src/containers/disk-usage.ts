/** How much room a folder takes, found without holding up the event loop: a few folders at a time, one name after another. */
import type { Stats } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '@seaway/linux';

/** Folders that are read side by side; more would only keep Node's few file system threads from others. */
const MAX_FOLDERS = 4;

/**
 * Adds up the apparent sizes of the regular files below a folder (st_size of inode(7), so holes count), a file of
 * several hard links once. Symbolic links are not followed, and files that vanish meanwhile count for nothing.
 * @returns bytes; 0 for a folder that does not exist
 * @throws the system's error where a folder cannot be read
 */
export async function diskUsageBytes(path: string): Promise<number> {
  const folders = [path];
  const counted = new Set<string>();
  let bytes = 0;
  while (folders.length > 0) {
    const found = await Promise.all(folders.splice(-MAX_FOLDERS).map(readFolder));
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

async function readFolder(folder: string): Promise<{ files: Stats[]; subfolders: string[] }> {
  const files: Stats[] = [];
  const subfolders: string[] = [];
  try {
    for await (const entry of await opendir(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) subfolders.push(path);
      if (!entry.isFile()) continue;
      const stats = await lstat(path).catch(ignoreGone);
      if (stats) files.push(stats);
    }
  } catch (error) {
    ignoreGone(error);
  }
  return { files, subfolders };
}

function ignoreGone(error: unknown): undefined {
  if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR')) throw error;
}
