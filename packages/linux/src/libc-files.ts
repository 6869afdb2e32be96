/**
 * The calls of the C library that are about files and mount trees, apart from libc.ts because few processes need them.
 * Paths are bytes, because names of files are, and not all of them are text. Failures throw LinuxError.
 */
import koffi from 'koffi';
import { check } from './libc.ts';

const library = koffi.load('libc.so.6');

const c = {
  capset: library.func('int64 syscall(int64 number, const uint8_t *header, const uint8_t *data)'),
  lgetxattr: library.func(
    'int64 lgetxattr(const uint8_t *path, const char *name, uint8_t *value, uint64 size)',
  ),
  lsetxattr: library.func(
    'int lsetxattr(const uint8_t *path, const char *name, const uint8_t *value, uint64 size, int flags)',
  ),
  mknod: library.func('int mknod(const uint8_t *path, uint mode, uint64 device)'),
  mount_setattr: library.func(
    'int64 syscall(int64 number, int64 fd, const uint8_t *path, uint64 flags, const uint8_t *attributes, uint64 size)',
  ),
  move_mount: library.func(
    'int64 syscall(int64 number, int64 fromFd, const uint8_t *fromPath, int64 toFd, const uint8_t *toPath, uint64 flags)',
  ),
  open_tree: library.func('int64 syscall(int64 number, int64 fd, const uint8_t *path, uint64 flags)'),
  pivot_root: library.func('int64 syscall(int64 number, const uint8_t *newRoot, const uint8_t *oldRoot)'),
} as const;

/** Numbers of calls that glibc has no wrappers for, or only new ones. Source: asm/unistd_64.h, asm-generic/unistd.h. */
const SYS_capset = process.arch === 'x64' ? 126 : 91;
const SYS_pivot_root = process.arch === 'x64' ? 155 : 41;
const SYS_open_tree = 428;
const SYS_move_mount = 429;
const SYS_mount_setattr = 442;

/** Source: linux/fcntl.h, linux/mount.h. */
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const MOVE_MOUNT_F_EMPTY_PATH = 4;

function zeroTerminated(path: string | Uint8Array): Buffer {
  return Buffer.concat([typeof path === 'string' ? Buffer.from(path) : path, Buffer.alloc(1)]);
}

/** mknod(2). `mode` has type and permissions. Throws LinuxError. */
export function mknod(path: string | Uint8Array, mode: number, device: bigint): void {
  check(c.mknod(zeroTerminated(path), mode, device), 'mknod', `mknod ${String(path)}`);
}

/** lgetxattr(2); returns the length. Throws LinuxError (ENODATA, ENOTSUP, ERANGE). */
export function lgetxattr(path: string | Uint8Array, name: string, value: Uint8Array): number {
  return check(Number(c.lgetxattr(zeroTerminated(path), name, value, value.length)), 'lgetxattr');
}

/** lsetxattr(2). Throws LinuxError (ENOTSUP, EPERM). */
export function lsetxattr(path: string | Uint8Array, name: string, value: Uint8Array): void {
  const what = `set attribute ${name} of ${String(path)}`;
  check(c.lsetxattr(zeroTerminated(path), name, value, value.length, 0), 'lsetxattr', what);
}

/** open_tree(2) with OPEN_TREE_CLONE: a detached copy of a mount and those below it. Since Linux 5.2. Throws LinuxError. */
export function cloneTree(path: string): number {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
  const result = c.open_tree(SYS_open_tree, AT_FDCWD, zeroTerminated(path), flags);
  return check(Number(result), 'open_tree', `open ${path}`);
}

/** move_mount(2): attaches a detached tree. Throws LinuxError. */
export function moveMount(tree: number, target: string): void {
  const result = c.move_mount(
    SYS_move_mount,
    tree,
    zeroTerminated(''),
    AT_FDCWD,
    zeroTerminated(target),
    MOVE_MOUNT_F_EMPTY_PATH,
  );
  check(Number(result), 'move_mount', `mount on ${target}`);
}

/**
 * mount_setattr(2): sets MOUNT_ATTR_* on a mount, named by a path or by a descriptor of open_tree. Since Linux 5.12.
 * @param recursive whether the mounts below it are meant as well
 */
export function mountSetattr(where: string | number, attributes: number, recursive: boolean): void {
  // struct mount_attr: set, clear, propagation, userns_fd; 64 bits each.
  const encoded = Buffer.alloc(32);
  encoded.writeBigUInt64LE(BigInt(attributes), 0);
  const [fd, path] = typeof where === 'number' ? [where, ''] : [AT_FDCWD, where];
  const flags = (recursive ? AT_RECURSIVE : 0) | (path === '' ? AT_EMPTY_PATH : 0);
  const result = c.mount_setattr(SYS_mount_setattr, fd, zeroTerminated(path), flags, encoded, encoded.length);
  check(Number(result), 'mount_setattr', `change the mount ${where}`);
}

/** pivot_root(2). Throws LinuxError. */
export function pivotRoot(newRoot: string, oldRoot: string): void {
  const result = c.pivot_root(SYS_pivot_root, zeroTerminated(newRoot), zeroTerminated(oldRoot));
  check(Number(result), 'pivot_root', `change the root to ${newRoot}`);
}

/** capset(2) for the calling thread: exactly these capabilities, by number as bits, and none to hand on. Throws LinuxError. */
export function capset(capabilities: bigint): void {
  const LINUX_CAPABILITY_VERSION_3 = 0x20080522; // linux/capability.h
  const header = Buffer.alloc(8);
  header.writeUInt32LE(LINUX_CAPABILITY_VERSION_3, 0);
  // Two of struct __user_cap_data_struct: the lower 32 capabilities and the higher ones.
  const data = Buffer.alloc(24);
  for (const [offset, bits] of [
    [0, capabilities & 0xffffffffn],
    [12, capabilities >> 32n],
  ] as const) {
    data.writeUInt32LE(Number(bits), offset);
    data.writeUInt32LE(Number(bits), offset + 4);
  }
  check(Number(c.capset(SYS_capset, header, data)), 'capset');
}
