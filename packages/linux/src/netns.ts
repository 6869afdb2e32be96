/**
 * Network namespaces: made, kept by a bind mount, opened, entered for the length of a synchronous function, removed.
 *
 * A namespace belongs to a thread: setns(2) moves only the caller. So everything here enters, works and
 * leaves without an `await` in between; if the way back fails, the process aborts, because from then on
 * this thread would do its work in the wrong network. Sockets stay in the namespace they were opened in.
 * Source: network_namespaces(7), setns(2), and ip-netns(8) for the bind mount convention.
 */
import { closeSync, fstatSync, mkdirSync, openSync, statfsSync, statSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { isErrno } from './errno.ts';
import * as libc from './libc.ts';
import { mount, unmount } from './mount.ts';

/** The file that stands for the calling thread's own network namespace. */
const OWN = '/proc/thread-self/ns/net';

/** linux/magic.h: the file system type of namespace files. */
const NSFS_MAGIC = 0x6e736673;

/** An open network namespace. It exists at least as long as this handle is open. */
export class NamespaceHandle implements Disposable {
  /** What it was opened from, for messages. */
  readonly path: string;
  #fd: number;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.path = path;
  }

  /** The descriptor; -1 once closed. It stays the handle's own: duplicate it to keep it. */
  get fd(): number {
    return this.#fd;
  }

  /** Closes the descriptor. Closing again does nothing. */
  close(): void {
    if (this.#fd === -1) return;
    const fd = this.#fd;
    this.#fd = -1;
    libc.close(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Where a namespace is found: the path of its file, an open handle, or a process that lives in it. */
export type NamespacePlace = string | NamespaceHandle | { readonly pid: number };

/**
 * Makes a new network namespace and keeps it at `path` by a bind mount, as ip-netns(8) does.
 * The file is created (with its folder); it must not exist. On failure nothing is left behind.
 * Throws LinuxError: EEXIST when the path is taken, EPERM without CAP_SYS_ADMIN.
 */
export function createNamespace(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  libc.close(libc.open(path, libc.O_RDONLY | libc.O_CREAT | libc.O_EXCL, 0o444));
  try {
    returning(() => {
      libc.unshare(libc.CLONE_NEWNET);
      mount({ source: OWN, target: path, type: '', flags: ['bind'] });
    });
  } catch (error) {
    removeNamespace(path);
    throw error;
  }
}

/**
 * Takes the bind mount and its file away; the kernel destroys the namespace once nothing else uses it.
 * What is already gone is fine. Throws LinuxError.
 */
export function removeNamespace(path: string): void {
  unmount(path, { detach: true });
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** Opens a namespace by its path or by a process in it. Throws LinuxError: ENOENT, EINVAL when it is no namespace. */
export function openNamespace(where: string | { readonly pid: number }): NamespaceHandle {
  const path = typeof where === 'string' ? where : `/proc/${where.pid}/ns/net`;
  return new NamespaceHandle(libc.open(path, libc.O_RDONLY), path);
}

/**
 * Runs a synchronous function on this thread inside a network namespace and returns its result.
 * Throws TypeError when `fn` returns a promise (the rest of it would run in the wrong namespace),
 * LinuxError when the namespace cannot be entered, and whatever `fn` throws.
 */
export function runInNamespace<T>(where: NamespacePlace, fn: () => T): T {
  const handle = where instanceof NamespaceHandle ? where : openNamespace(where);
  try {
    return returning(() => {
      libc.setns(handle.fd, libc.CLONE_NEWNET);
      return synchronous(fn);
    });
  } finally {
    if (handle !== where) handle.close();
  }
}

/** Whether the path is a namespace file (and not, say, the empty file that a lost bind mount leaves). */
export function isNamespace(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

/** `device:inode` of a namespace: equal for two paths exactly when they are one namespace. Throws on a missing path. */
export function namespaceIdentity(where: NamespacePlace = OWN): string {
  const { dev, ino } =
    where instanceof NamespaceHandle
      ? fstatSync(where.fd)
      : statSync(typeof where === 'string' ? where : `/proc/${where.pid}/ns/net`);
  return `${dev}:${ino}`;
}

/** Runs a function that may move this thread to another network namespace, then brings the thread back. */
function returning<T>(fn: () => T): T {
  const home = openSync(OWN, 'r');
  try {
    return fn();
  } finally {
    goHome(home);
  }
}

function goHome(home: number): void {
  try {
    libc.setns(home, libc.CLONE_NEWNET);
  } catch (error) {
    process.stderr.write(`cannot return to the own network namespace: ${String(error)}\n`);
    process.abort();
  }
  closeSync(home);
}

function synchronous<T>(fn: () => T): T {
  const result = fn();
  if (
    result !== null &&
    typeof result === 'object' &&
    'then' in result &&
    typeof result.then === 'function'
  ) {
    throw new TypeError('runInNamespace takes a synchronous function: what follows an await runs elsewhere');
  }
  return result;
}
