/**
 * Unpacks an archive into a folder of the root that this process has entered, by Docker's rules: what is there is
 * replaced, but folders are merged. The archive and the container may be hostile: all they can do is to change the
 * container's own files, because nothing else can be reached from here.
 */
import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { extract } from 'tar-stream';
import { invalid } from '../base/errors.ts';
import { resolveUser } from '../runtime/spec/user.ts';
import { absolutePath } from './paths.ts';
import { type Entry, type LateTime, type Owner, placeEntry, setTime } from './place-entry.ts';
import type { UnpackOptions } from './protocol.ts';

/**
 * @param path of the folder; links are followed
 * @param fd where the archive comes from, not compressed
 * @param prepare called with the folder's own path before anything is read; refuses it where that has to be
 * @throws invalid for what the archive or the folder may not be, and the system's errors
 */
export async function unpack(
  path: string,
  fd: number,
  options: UnpackOptions,
  prepare: (folder: string) => void,
): Promise<void> {
  const resolved = realpathSync(absolutePath(path));
  if (!lstatSync(resolved).isDirectory()) {
    throw invalid('not-a-directory', 'extraction point is not a directory');
  }
  prepare(resolved);
  const folder = Buffer.from(resolved);
  const owner = options.user ? findOwner(options.user) : undefined;
  const late: LateTime[] = [];
  // Names are bytes; what an extended header says instead was UTF-8 already.
  const tar = extract({ filenameEncoding: 'latin1', allowUnknownFormat: true } as object);
  const feeding = feed(tar, fd);
  try {
    for await (const entry of tar) {
      await placeEntry(
        { folder, ...options, owner, late },
        entry.header as Entry,
        entry as AsyncIterable<Buffer>,
      );
      entry.resume();
    }
  } catch (error) {
    throw archiveError(error);
  } finally {
    tar.destroy();
    await feeding;
  }
  for (const { path: place, mtime } of late.reverse()) setTime(place, mtime);
}

async function feed(tar: ReturnType<typeof extract>, fd: number): Promise<void> {
  const closed = happening(tar, 'close');
  while (!tar.destroyed) {
    const buffer = Buffer.allocUnsafe(64 * 1024);
    const length = readSync(fd, buffer);
    if (length === 0) break;
    const isTaken = tar.write(buffer.subarray(0, length));
    // What came is dealt with before this process waits for more, so that a bad beginning is told at once.
    await (isTaken ? nextTurn() : Promise.race([happening(tar, 'drain'), closed]));
  }
  tar.end(null);
}

function happening(tar: ReturnType<typeof extract>, event: 'close' | 'drain'): Promise<void> {
  return new Promise((resolve) => tar.once(event, () => resolve()));
}

/** The library's words about archives, in those of Go's that clients know. */
function archiveError(error: unknown): unknown {
  if (!(error instanceof Error) || 'code' in error) return error;
  if (/Unexpected end/.test(error.message)) return invalid('invalid-archive', 'unexpected EOF');
  if (/header|Writable stream closed prematurely/i.test(error.message)) {
    return invalid('invalid-archive', 'archive/tar: invalid tar header');
  }
  return error;
}

/** The container's own files say who that is. */
function findOwner(user: string): Owner {
  const [passwd, group] = ['/etc/passwd', '/etc/group'].map(readAccounts);
  return resolveUser(user, passwd, group);
}

/** More than any account file has: the file is the container's, which may put anything there. */
const MAX_ACCOUNT_FILE_BYTES = 4 * 1024 * 1024;

function readAccounts(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile() || stats.size > MAX_ACCOUNT_FILE_BYTES) return undefined;
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}
