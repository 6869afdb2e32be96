/**
 * What Node cannot do with files: another root with mounts of its own below it, device nodes, extended attributes.
 * The first group changes the mount namespace that the process is in, so it is for processes that have one of their own.
 */
import { isErrno } from './errno.ts';
import * as libc from './libc.ts';
import * as files from './libc-files.ts';
import { mount } from './mount.ts';

/** Source: linux/mount.h. */
const MOUNT_ATTR_RDONLY = 1;
const MNT_DETACH = 2;

/** A detached copy of a folder or file with everything mounted below it, waiting to be attached somewhere. */
export interface DetachedTree {
  readonly fd: number;
}

/**
 * Takes a copy of what is at `path`, bound to no place yet.
 * @param readonly whether nothing can be written through the copy, also to what is mounted below
 * @throws LinuxError ENOENT when there is nothing, ENOSYS before Linux 5.2 (5.12 for read-only ones)
 */
export function detachTree(path: string, { readonly = false } = {}): DetachedTree {
  const fd = files.cloneTree(path);
  if (readonly) files.mountSetattr(fd, MOUNT_ATTR_RDONLY, true);
  return { fd };
}

/** Mounts a detached tree on an existing folder or file, found from this process's root, and lets go of it. */
export function attachTree({ fd }: DetachedTree, target: string): void {
  files.moveMount(fd, target);
  libc.close(fd);
}

/**
 * Makes a mount point this process's root, for all its threads, and lets go of everything outside: no path, link or
 * `..` leads there any more. @param path an absolute path of a mount point @throws LinuxError
 */
export function enterRoot(path: string): void {
  process.chdir(path);
  // The old root is stacked on the new one, which needs no folder for it; pivot_root(2), "pivot_root(".", ".")".
  files.pivotRoot('.', '.');
  libc.umount2('.', MNT_DETACH);
  process.chdir('/');
}

/** What changing files of others takes, by number. Source: linux/capability.h. */
const fileCapabilities: Readonly<Record<string, bigint>> = {
  CHOWN: 0n,
  DAC_OVERRIDE: 1n,
  DAC_READ_SEARCH: 2n,
  FOWNER: 3n,
  FSETID: 4n,
  SYS_ADMIN: 21n, // attributes of the class "trusted"
  MKNOD: 27n,
  SETFCAP: 31n,
};

/**
 * Gives up all of this thread's capabilities but those over files. Without CAP_SYS_PTRACE, links such as
 * /proc/PID/root lead nowhere, where somebody has mounted the host's /proc. Throws LinuxError.
 */
export function keepFileCapabilities(): void {
  files.capset(Object.values(fileCapabilities).reduce((mask, number) => mask | (1n << number), 0n));
}

/** Makes the mount on `path` read-only, not those below it. Needs Linux 5.12. Throws LinuxError. */
export function makeReadonly(path: string): void {
  files.mountSetattr(path, MOUNT_ATTR_RDONLY, false);
}

/** Mounts an empty file system in memory. Throws LinuxError. */
export function mountEmpty(path: string): void {
  mount({ source: 'tmpfs', target: path, type: 'tmpfs', data: 'mode=755,size=1m' });
}

export type NodeKind = 'character-device' | 'block-device' | 'fifo';

/** Type bits of st_mode. Source: linux/stat.h. */
const typeBits: Readonly<Record<NodeKind, number>> = {
  'character-device': 0o020000,
  'block-device': 0o060000,
  fifo: 0o010000,
};

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** Makes a device node or a named pipe with mode 0600; the device counts for nodes only. Throws LinuxError. */
export function makeNode(path: string | Uint8Array, kind: NodeKind, device: DeviceNumber): void {
  files.mknod(path, typeBits[kind] | 0o600, kind === 'fifo' ? 0n : encodeDevice(device));
}

/** The number that st_rdev holds. Source: glibc's makedev(3): minor 0-7, major 8-19, minor 20-31, major above. */
export function encodeDevice({ major, minor }: DeviceNumber): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (low & 0xffn) | ((high & 0xfffn) << 8n) | ((low & ~0xffn) << 12n) | ((high & ~0xfffn) << 32n);
}

/** The reverse of {@link encodeDevice}. */
export function decodeDevice(device: number | bigint): DeviceNumber {
  const bits = BigInt(device);
  return {
    major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & ~0xfffn)),
    minor: Number((bits & 0xffn) | ((bits >> 12n) & 0xffffff00n)),
  };
}

/** Source: linux/limits.h, XATTR_SIZE_MAX. */
const MAX_XATTR_BYTES = 65536;
const scratch = Buffer.alloc(MAX_XATTR_BYTES);

/** The value of an extended attribute, links not followed; undefined where there is none. Throws LinuxError. */
export function readAttribute(path: string | Uint8Array, name: string): Buffer | undefined {
  try {
    return Buffer.from(scratch.subarray(0, files.lgetxattr(path, name, scratch)));
  } catch (error) {
    if (isErrno(error, 'ENODATA', 'EOPNOTSUPP')) return undefined;
    throw error;
  }
}

/** Sets an extended attribute, links not followed. Throws LinuxError: EOPNOTSUPP, EPERM. */
export function writeAttribute(path: string | Uint8Array, name: string, value: Uint8Array): void {
  files.lsetxattr(path, name, value);
}
