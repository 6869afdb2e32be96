/**
 * Archives a file or a folder of the root that this process has entered. The container may go on changing it: what
 * vanishes is left out, what shrinks is filled up with zeros, and nothing but a plain file is ever opened.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { decodeDevice, isErrno, readAttribute } from '@seaway/linux/files';
import { joinBytes } from './paths.ts';
import type { EntryHeader, TarWriter } from './tar-writer.ts';

const READ_BYTES = 256 * 1024;
const buffer = Buffer.allocUnsafe(READ_BYTES);

/** Attributes that archives carry, as Docker's do; the others mean nothing on another file system. */
const keptAttributes = ['security.capability'];

/** Archives several trees; a file of several names is in it once, and under the others as a link to that. */
export class TreeReader {
  readonly #tar: TarWriter;
  /** Names in the archive by device and inode. */
  readonly #seen = new Map<string, Buffer>();

  constructor(tar: TarWriter) {
    this.#tar = tar;
  }

  /**
   * @param path absolute @param name what it is called in the archive; empty for a root that the archive does not name
   * @throws the system's error when the path itself is not there
   */
  addTree(path: Buffer, name: Buffer): void {
    const stats = lstatSync(path, { bigint: true });
    this.add(path, name, stats);
    if (!stats.isDirectory()) return;
    for (const child of childrenOf(path)) {
      ignoringGone(() => this.addTree(joinBytes(path, child), joinBytes(name, child)));
    }
  }

  /** One entry, without what is in it when it is a folder. */
  add(path: Buffer, name: Buffer, stats: BigIntStats): void {
    const type = typeOf(stats);
    if (type === undefined) return;
    if (type !== 'file') {
      const special = specialParts(path, type, stats);
      if (name.length > 0) this.#tar.add({ ...commonParts(path, name, stats), type, ...special });
      return;
    }
    const inode = `${stats.dev}:${stats.ino}`;
    const linkname = stats.nlink > 1n ? this.#seen.get(inode) : undefined;
    if (linkname) {
      this.#tar.add({ ...commonParts(path, name, stats), type: 'link', linkname });
    } else {
      this.#addFile(path, name);
      if (stats.nlink > 1n) this.#seen.set(inode, name);
    }
  }

  #addFile(path: Buffer, name: Buffer): void {
    // It may have become a pipe meanwhile: opening that must not wait for its other end.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(fd, { bigint: true });
      if (!stats.isFile()) return;
      const sizeBytes = Number(stats.size);
      this.#tar.add({ ...commonParts(path, name, stats), type: 'file', sizeBytes }, contentOf(fd, sizeBytes));
    } finally {
      closeSync(fd);
    }
  }
}

/** In the order of their bytes, so that the same tree makes the same archive. Not there any more: none. */
export function childrenOf(path: Buffer): Buffer[] {
  try {
    return readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/** Also of what has become something else since it was looked at: EINVAL is a link that is none any more. */
const goneErrors = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EINVAL'];

function ignoringGone(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isErrno(error, ...goneErrors)) throw error;
  }
}

/** Undefined for sockets, which archives cannot hold. */
function typeOf(stats: BigIntStats): EntryHeader['type'] | undefined {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isCharacterDevice()) return 'character-device';
  if (stats.isBlockDevice()) return 'block-device';
  return stats.isFIFO() ? 'fifo' : undefined;
}

function commonParts(path: Buffer, name: Buffer, stats: BigIntStats) {
  const attributes = new Map<string, Buffer>();
  for (const key of stats.isSymbolicLink() ? [] : keptAttributes) {
    const value = readAttribute(path, key);
    if (value) attributes.set(key, value);
  }
  const isNamedFolder = stats.isDirectory() && name.at(-1) !== 0x2f;
  return {
    name: isNamedFolder ? Buffer.concat([name, Buffer.from('/')]) : name,
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtimeSeconds: Number(stats.mtimeNs / 1_000_000_000n),
    attributes,
  };
}

function specialParts(path: Buffer, type: EntryHeader['type'], stats: BigIntStats) {
  if (type === 'symlink') return { linkname: readlinkSync(path, { encoding: 'buffer' }) };
  if (type.endsWith('device')) return { device: decodeDevice(stats.rdev) };
  return {};
}

/** Exactly `sizeBytes` bytes, whatever becomes of the file meanwhile. Each piece is good until the next. */
function* contentOf(fd: number, sizeBytes: number): Generator<Buffer> {
  for (let at = 0; at < sizeBytes; ) {
    const wanted = Math.min(READ_BYTES, sizeBytes - at);
    const got = readSync(fd, buffer, 0, wanted, at);
    if (got < wanted) buffer.fill(0, got, wanted);
    yield buffer.subarray(0, wanted);
    at += wanted;
  }
}
