/** Mounts: mount(2), umount2(2) and the mount table of proc_pid_mountinfo(5). */
import { readFileSync } from 'node:fs';
import { isErrno } from './errno.ts';
import * as libc from './libc.ts';

/** mount(2) flags by name. Source: linux/mount.h, MS_*. */
const mountFlags = {
  readonly: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  synchronous: 16,
  remount: 32,
  noatime: 1024,
  nodiratime: 2048,
  bind: 4096,
  move: 8192,
  recursive: 16384,
  silent: 32768,
  unbindable: 1 << 17,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
  relatime: 1 << 21,
  strictatime: 1 << 24,
} as const;

/** A mount flag: the kernel's MS_* word in lower case, `recursive` for MS_REC. */
export type MountFlag = keyof typeof mountFlags;

export interface MountRequest {
  /** What to mount: a device, a directory for `bind`, or any word for file systems without a source. */
  readonly source: string;
  /** Absolute path of an existing directory (or file, for a bind mount of a file). */
  readonly target: string;
  /** File system type (`overlay`, `tmpfs`, `proc`), empty for a bind mount or a change of flags. @default '' */
  readonly type?: string;
  /** @default [] */
  readonly flags?: readonly MountFlag[];
  /** The file system's own options, comma separated; at most 4095 bytes. @default '' */
  readonly data?: string;
}

/** Mounts a file system, makes a bind mount, or changes a mount's flags. Throws LinuxError. */
export function mount({ source, target, type = '', flags = [], data = '' }: MountRequest): void {
  if (Buffer.byteLength(data) > 4095) {
    // The kernel copies one page and cuts the rest off without a word.
    throw new RangeError(`mount ${type} on ${target}: options longer than 4095 bytes`);
  }
  const bits = flags.reduce((sum, flag) => sum | mountFlags[flag], 0);
  libc.mount(source, target, type, bits, data);
}

/**
 * Unmounts what is mounted on `target`; nothing mounted there, or nothing there at all, is fine.
 * `detach` takes it out of sight at once and lets users of it finish (MNT_DETACH). Throws LinuxError (EBUSY without it).
 */
export function unmount(target: string, { detach = false }: { readonly detach?: boolean } = {}): void {
  const MNT_DETACH = 2;
  const UMOUNT_NOFOLLOW = 8;
  try {
    libc.umount2(target, UMOUNT_NOFOLLOW | (detach ? MNT_DETACH : 0));
  } catch (error) {
    if (!isErrno(error, 'EINVAL', 'ENOENT')) throw error;
  }
}

/** One line of the mount table. Fields as in proc_pid_mountinfo(5). */
export interface MountEntry {
  readonly id: number;
  readonly parentId: number;
  /** `major:minor` of the file system's device. */
  readonly device: string;
  /** The directory inside the file system that is this mount's root. */
  readonly root: string;
  /** Where it is mounted, as this process sees it. */
  readonly target: string;
  /** Options of this mount. */
  readonly options: readonly string[];
  /** Propagation: `shared:N`, `master:N`, `propagate_from:N`, `unbindable`. */
  readonly tags: readonly string[];
  readonly type: string;
  readonly source: string;
  /** Options of the file system. */
  readonly superOptions: readonly string[];
}

/** Parses the text of a mountinfo file. Throws SyntaxError on a line it cannot read. */
export function parseMountInfo(text: string): MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine);
}

/** `ID PARENT MAJ:MIN ROOT TARGET OPTIONS TAG* - TYPE SOURCE SUPEROPTIONS` */
function parseLine(line: string): MountEntry {
  const fields = line.split(' ');
  const separator = fields.indexOf('-', 6);
  const [id, parentId, device, root, target, options] = fields;
  const [type, source, superOptions] = fields.slice(separator + 1);
  if (separator === -1 || type === undefined || source === undefined || superOptions === undefined) {
    throw new SyntaxError(`not a line of mountinfo: ${line}`);
  }
  return {
    id: Number(id),
    parentId: Number(parentId),
    device: device!,
    root: unescapeOctal(root!),
    target: unescapeOctal(target!),
    options: options!.split(','),
    tags: fields.slice(6, separator),
    type,
    source: unescapeOctal(source),
    superOptions: superOptions.split(','),
  };
}

/** The kernel writes space, tab, newline and backslash as `\040` and the like. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** The mounts that this process sees, in the order they were made. */
export function mounts(): MountEntry[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'));
}

/** Whether something is mounted exactly on this absolute path (symbolic links are not followed). */
export function isMountPoint(path: string): boolean {
  return mounts().some((entry) => entry.target === path);
}
