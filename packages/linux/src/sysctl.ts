/** Kernel parameters under /proc/sys. Network ones are those of the calling thread's namespace (enter it first). */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/** `'net.ipv4.ip_forward'`, `'net/ipv4/ip_forward'`, or its parts (needed where an interface name contains a dot). */
export type SysctlPath = string | readonly string[];

/**
 * The file of a parameter. A string splits at slashes if it has any, else at dots, as sysctl(8) does.
 * Throws RangeError for parts that would lead out of /proc/sys.
 */
export function sysctlFile(path: SysctlPath): string {
  const parts = typeof path === 'string' ? path.split(path.includes('/') ? '/' : '.') : path;
  if (parts.length === 0 || parts.some((part) => !isSafePart(part))) {
    throw new RangeError(`not a kernel parameter: ${JSON.stringify(path)}`);
  }
  return `/proc/sys/${parts.join('/')}`;
}

function isSafePart(part: string): boolean {
  return part !== '' && part !== '.' && part !== '..' && !part.includes('/') && !part.includes('\0');
}

/** The value, without the line end. Throws the system error (ENOENT: no such parameter). */
export function readSysctl(path: SysctlPath): string {
  return readFileSync(sysctlFile(path), 'latin1').replace(/\n$/, '');
}

/** Sets the value. Throws the system error (ENOENT: no such parameter, EINVAL: not a value for it). */
export function writeSysctl(path: SysctlPath, value: string | number): void {
  // No O_CREAT or O_TRUNC, so a missing parameter is ENOENT and not the EACCES of trying to create it.
  const fd = openSync(sysctlFile(path), 'r+');
  try {
    writeSync(fd, String(value));
  } finally {
    closeSync(fd);
  }
}
