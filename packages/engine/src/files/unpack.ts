/**
 * Unpacks an archive into a folder of the root that this process has entered, by Docker's rules: what is there is
 * replaced, but folders are merged. The archive and the container may be hostile: all they can do is to change the
 * container's own files, because nothing else can be reached from here.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { isErrno, makeNode, type NodeKind, writeAttribute } from '@seaway/linux/files';
import { extract, type Header } from 'tar-stream';
import { invalid } from '../base/errors.ts';
import { resolveUser } from '../runtime/spec/user.ts';
import { absolutePath, cleanName, joinBytes, parentOf } from './paths.ts';
import type { UnpackOptions } from './protocol.ts';

type Attributes = Readonly<Record<string, string>>;
type Entry = Header & { readonly pax?: Attributes | null };

/** Folders get their times last, because what is put into them changes those. */
interface LateTime {
  readonly path: Buffer;
  readonly mtime: Date;
}

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
      await place({ folder, ...options, owner, late }, entry.header as Entry, entry as AsyncIterable<Buffer>);
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
  for (;;) {
    const buffer = Buffer.allocUnsafe(64 * 1024);
    const length = readSync(fd, buffer);
    if (length === 0 || tar.destroyed) break;
    const isTaken = tar.write(buffer.subarray(0, length));
    if (!isTaken) await Promise.race([happening(tar, 'drain'), closed]);
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

interface Destination extends UnpackOptions {
  readonly folder: Buffer;
  readonly owner: Owner | undefined;
  readonly late: LateTime[];
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
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

async function place(to: Destination, header: Entry, content: AsyncIterable<Buffer>): Promise<void> {
  const { folder } = to;
  const name = nameBytes(header.name, header.pax?.path);
  const inside = cleanName(name);
  if (inside === undefined) {
    throw invalid('archive-breakout', `"${String(name)}" is outside of "${String(folder)}"`);
  }
  // GNU tar's own way with holes: what is stored under the name is not what the file holds.
  if (Object.keys(header.pax ?? {}).some((key) => key.startsWith('GNU.sparse.'))) {
    throw invalid('invalid-archive', `sparse file "${String(name)}": make the archive without --sparse`);
  }
  const path = joinBytes(folder, inside);
  const isFolder = header.type === 'directory';
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found) {
    checkOverwrite(found.isDirectory(), isFolder, path, to);
    if (found.isDirectory() && inside.length === 0) return;
    if (!(found.isDirectory() && isFolder)) rmSync(path, { recursive: true, force: true });
  } else {
    makeParents(parentOf(path));
  }
  const owner = to.owner ?? ownerOf(header);
  const mode = header.mode & 0o7777;
  switch (header.type) {
    case 'file':
    case 'contiguous-file':
      await placeFile(path, mode, owner, content);
      break;
    case 'directory':
      if (!found?.isDirectory()) mkdirSync(path, { mode: 0o700 });
      lchownSync(path, owner.uid, owner.gid);
      chmodSync(path, mode);
      break;
    case 'link': {
      const target = cleanName(nameBytes(header.linkname ?? '', header.pax?.linkpath));
      if (target === undefined) {
        throw invalid('archive-breakout', `invalid hardlink "${path}" -> "${header.linkname}"`);
      }
      linkSync(joinBytes(folder, target), path);
      return;
    }
    case 'symlink':
      symlinkSync(nameBytes(header.linkname ?? '', header.pax?.linkpath), path);
      lchownSync(path, owner.uid, owner.gid);
      break;
    case 'character-device':
    case 'block-device':
    case 'fifo':
      makeNode(path, header.type satisfies NodeKind, { major: header.devmajor, minor: header.devminor });
      lchownSync(path, owner.uid, owner.gid);
      chmodSync(path, mode);
      break;
    default:
      throw invalid('invalid-archive', `unhandled tar header type of "${String(name)}"`);
  }
  setAttributes(path, header.pax ?? {});
  const mtime = timeOf(header);
  if (isFolder) to.late.push({ path, mtime });
  else setTime(path, mtime);
}

function nameBytes(plain: string, extended: string | undefined): Buffer {
  return extended === undefined ? Buffer.from(plain, 'latin1') : Buffer.from(extended);
}

/** Texts are Docker's. */
function checkOverwrite(
  wasFolder: boolean,
  isFolder: boolean,
  path: Buffer,
  { folder, noOverwriteDirNonDir }: Destination,
): void {
  if (!noOverwriteDirNonDir || wasFolder === isFolder) return;
  const [was, is] = wasFolder ? ['directory', 'non-directory'] : ['non-directory', 'directory'];
  throw invalid('archive-overwrites', `cannot overwrite ${was} "${path}" with ${is} "${folder}"`);
}

/** Folders that the archive does not mention are root's. */
function makeParents(path: Buffer): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) mkdirSync(path, { recursive: true, mode: 0o755 });
}

function ownerOf({ uid, gid, pax }: Entry): Owner {
  return { uid: numberIn(pax?.uid) ?? uid, gid: numberIn(pax?.gid) ?? gid };
}

function timeOf({ mtime, pax }: Entry): Date {
  const seconds = numberIn(pax?.mtime);
  return seconds === undefined ? mtime : new Date(seconds * 1000);
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

async function placeFile(
  path: Buffer,
  mode: number,
  owner: Owner,
  content: AsyncIterable<Buffer>,
): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const fd = openSync(path, flags, 0o600);
  try {
    let size = 0;
    for await (const chunk of content) {
      // What is all zeros stays a hole, as it may have been before.
      if (!isZeros(chunk)) writeAll(fd, chunk, size);
      size += chunk.length;
    }
    ftruncateSync(fd, size);
    fchownSync(fd, owner.uid, owner.gid);
    fchmodSync(fd, mode);
  } finally {
    closeSync(fd);
  }
}

const zeros = Buffer.alloc(64 * 1024);

function isZeros(chunk: Buffer): boolean {
  return chunk.length <= zeros.length && zeros.subarray(0, chunk.length).equals(chunk);
}

function writeAll(fd: number, chunk: Buffer, position: number): void {
  for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at, chunk.length - at, position + at);
}

const attributePrefix = 'SCHILY.xattr.';

/** What the file system does not take is left out, as Docker leaves it. */
function setAttributes(path: Buffer, pax: Attributes): void {
  for (const [key, value] of Object.entries(pax)) {
    // A value that was no UTF-8 has been spoilt on the way here, and none is better than a wrong one.
    if (!key.startsWith(attributePrefix) || value.includes('\ufffd')) continue;
    try {
      writeAttribute(path, key.slice(attributePrefix.length), Buffer.from(value));
    } catch (error) {
      if (!isErrno(error, 'EOPNOTSUPP', 'EPERM', 'EINVAL')) throw error;
    }
  }
}

function setTime(path: Buffer, mtime: Date): void {
  lutimesSync(path, mtime, mtime);
}
