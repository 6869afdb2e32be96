/** Puts one entry of an archive into a folder, by Docker's rules: what is there is replaced, but folders are merged. */
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
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { isErrno, makeNode, type NodeKind, writeAttribute } from '@seaway/linux/files';
import type { Header } from 'tar-stream';
import { invalid } from '../base/errors.ts';
import { cleanName, joinBytes, parentOf } from './paths.ts';
import type { UnpackOptions } from './protocol.ts';
import { childrenOf } from './read-tree.ts';

type Attributes = Readonly<Record<string, string>>;
export type Entry = Header & { readonly pax?: Attributes | null };

/** Folders get their times last, because what is put into them changes those. */
export interface LateTime {
  readonly path: Buffer;
  readonly mtime: Date;
}

export interface Destination extends UnpackOptions {
  readonly folder: Buffer;
  readonly owner: Owner | undefined;
  readonly late: LateTime[];
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** @throws invalid for what the archive may not have, and the system's errors */
export async function placeEntry(
  to: Destination,
  header: Entry,
  content: AsyncIterable<Buffer>,
): Promise<void> {
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
    if (!(found.isDirectory() && isFolder)) removeTree(path);
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

/** Node's own way of this loses the system's words where something in the tree is mounted. */
function removeTree(path: Buffer): void {
  try {
    if (!lstatSync(path).isDirectory()) {
      unlinkSync(path);
      return;
    }
    for (const child of childrenOf(path)) removeTree(joinBytes(path, child));
    rmdirSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
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

export function setTime(path: Buffer, mtime: Date): void {
  lutimesSync(path, mtime, mtime);
}
