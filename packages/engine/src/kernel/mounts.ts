/** Root filesystems of containers, and pieces of volumes. */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { isErrno, isMountPoint, type MountFlag, mount, unmount } from '@seaway/linux';

export interface OverlayRequest {
  /** Read-only layer folders, topmost first. */
  readonly lower: readonly string[];
  readonly upper: string;
  readonly work: string;
  readonly target: string;
}

/** Mounts a writable view over read-only layers, or finds it mounted. */
export function ensureOverlay({ lower, upper, work, target }: OverlayRequest): void {
  for (const folder of [upper, work, target]) mkdirSync(folder, { recursive: true, mode: 0o711 });
  if (isMountPoint(target)) return;
  const quote = (path: string) => path.replace(/[\\:,]/g, '\\$&');
  mount({
    source: 'overlay',
    target,
    type: 'overlay',
    flags: [] satisfies MountFlag[],
    data: `lowerdir=${lower.map(quote).join(':')},upperdir=${quote(upper)},workdir=${quote(work)}`,
  });
}

export interface SharedMemoryRequest {
  readonly target: string;
  readonly sizeBytes: number;
}

/** Mounts memory that several containers share as their /dev/shm, or finds it mounted. */
export function ensureSharedMemory({ target, sizeBytes }: SharedMemoryRequest): void {
  mkdirSync(target, { recursive: true, mode: 0o711 });
  if (isMountPoint(target)) return;
  mount({
    source: 'shm',
    target,
    type: 'tmpfs',
    flags: ['nosuid', 'nodev', 'noexec'] satisfies MountFlag[],
    data: `mode=1777,size=${sizeBytes}`,
  });
}

/** Unmounts; what still uses it keeps it alive until it is done. */
export function removeMount(target: string): void {
  if (existsSync(target)) unmount(target, { detach: true });
}

export interface SubpathRequest {
  readonly root: string;
  /** Below `root`. */
  readonly path: string;
  /** Made as a folder or an empty file, like what is mounted. */
  readonly target: string;
}

/** open(2): a handle on a place, without access to what is there. Not among Node's constants. */
const O_PATH = 0o10000000;
const MAX_LINKS = 40;

/**
 * Mounts a file or folder below `root` on `target`. Symbolic links are followed as far as they stay below `root`,
 * also while others change them: each step is taken from a handle on the one before.
 * @throws Error naming the path that leads outside or does not exist
 */
export function bindSubpath({ root, path, target }: SubpathRequest): void {
  const handles = [openSync(root, O_PATH | constants.O_DIRECTORY)];
  const at = (name?: string) => ['/proc/self/fd', handles.at(-1), name].filter(Boolean).join('/');
  try {
    const parts = partsOf(path);
    let links = 0;
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      if (part === '..') {
        if (handles.length === 1) throw new Error(`${path} leads out of the volume`);
        closeSync(handles.pop()!);
        continue;
      }
      const link = linkTarget(at(part));
      if (link === undefined) {
        handles.push(openSync(at(part), O_PATH | constants.O_NOFOLLOW));
        continue;
      }
      if (link.startsWith('/') || ++links > MAX_LINKS) throw new Error(`${path} leads out of the volume`);
      parts.unshift(...partsOf(link));
    }
    const found = fstatSync(handles.at(-1)!);
    // A link that took the place of what was no link a moment ago.
    if (found.isSymbolicLink()) throw new Error(`${path} leads out of the volume`);
    if (found.isDirectory()) mkdirSync(target, { recursive: true });
    else writeFileSync(target, '');
    mount({ source: at(), target, flags: ['bind', 'recursive'] });
  } finally {
    handles.forEach(closeSync);
  }
}

/** Unmounts and removes what {@link bindSubpath} has made; what is mounted is never deleted. */
export function removeSubpath(target: string): void {
  if (!existsSync(target)) return;
  unmount(target, { detach: true });
  if (isMountPoint(target)) throw new Error(`${target} is still mounted`);
  // Empty, whether file or folder: never deletes more than that.
  try {
    rmdirSync(target);
  } catch (error) {
    if (!isErrno(error, 'ENOTDIR')) throw error;
    unlinkSync(target);
  }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** Where a symbolic link leads; undefined for what is none. */
function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isErrno(error, 'EINVAL')) return undefined;
    throw error;
  }
}
