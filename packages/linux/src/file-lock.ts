/** A lock that belongs to a process and that the kernel takes back when the process ends, however it ends. */
import { fstatSync, statSync } from 'node:fs';
import { isErrno } from './errno.ts';
import * as libc from './libc.ts';

/**
 * Makes the file (mode 0600) if there is none, and locks it. The lock is held until the returned descriptor is closed;
 * undefined when another process holds it. Who holds the lock may delete the file. Throws LinuxError. Source: flock(2).
 */
export function lockFile(path: string): number | undefined {
  for (;;) {
    const fd = libc.open(path, libc.O_RDONLY | libc.O_CREAT, 0o600);
    try {
      libc.flock(fd, libc.LOCK_EX | libc.LOCK_NB);
      if (isSameFile(fd, path)) return fd;
      // It was deleted between our opening and locking it: who comes now makes another one.
      libc.close(fd);
    } catch (error) {
      libc.close(fd);
      if (isErrno(error, 'EAGAIN')) return undefined;
      throw error;
    }
  }
}

function isSameFile(fd: number, path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  const own = fstatSync(fd);
  return found?.ino === own.ino && found.dev === own.dev;
}
