/** A lock that belongs to a process and that the kernel takes back when the process ends, however it ends. */
import { isErrno } from './errno.ts';
import * as libc from './libc.ts';

/**
 * Makes the file (mode 0600) if there is none, and locks it. The lock is held until the returned descriptor is closed;
 * undefined when another process holds it. Throws LinuxError. Source: flock(2).
 */
export function lockFile(path: string): number | undefined {
  const fd = libc.open(path, libc.O_RDONLY | libc.O_CREAT, 0o600);
  try {
    libc.flock(fd, libc.LOCK_EX | libc.LOCK_NB);
    return fd;
  } catch (error) {
    libc.close(fd);
    if (isErrno(error, 'EAGAIN')) return undefined;
    throw error;
  }
}
