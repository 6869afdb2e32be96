/** Processes: whether one lives, and how to know it again after our own restart. */
import { readFileSync } from 'node:fs';
import { isErrno } from './errno.ts';
import * as libc from './libc.ts';

/** Opens a process: the descriptor stays bound to it and polls readable at its exit. Throws LinuxError (ESRCH: gone). */
export function openProcess(pid: number): number {
  return libc.pidfdOpen(pid);
}

/**
 * A copy of another process's open descriptor, which is the caller's.
 * Throws LinuxError: ESRCH when the process is gone, EBADF when it has no such descriptor, EPERM, ENOSYS before Linux 5.6.
 */
export function copyDescriptor(pid: number, fd: number): number {
  const pidfd = libc.pidfdOpen(pid);
  try {
    return libc.pidfdGetfd(pidfd, fd);
  } finally {
    libc.close(pidfd);
  }
}

/** Whether a process with this id exists and has not ended (a zombie has). */
export function isProcessAlive(pid: number): boolean {
  const stat = readStat(pid);
  return stat !== undefined && stat.state !== 'Z' && stat.state !== 'X';
}

/**
 * Whether a process has begun to end and is not gone yet: the first one of a PID namespace stays so until all others in
 * it were waited for by their parents. Source: linux/sched.h, PF_EXITING.
 */
export function isProcessEnding(pid: number): boolean {
  return readStat(pid)?.isEnding ?? false;
}

/**
 * When the process started, in clock ticks since boot, as text; undefined when there is none.
 * A process id with the same start time is the same process: ids are reused, these pairs are not.
 */
export function processStartTime(pid: number): string | undefined {
  return readStat(pid)?.startTime;
}

/** What the process calls itself, at most 15 bytes; undefined when there is none. Source: proc_pid_comm(5). */
export function processName(pid: number): string | undefined {
  return readProcFile(pid, 'comm')?.trimEnd();
}

/** What we take from /proc/PID/stat. */
export interface ProcessStat {
  /** One letter; `Z` is a zombie, `X` is dead. */
  readonly state: string;
  readonly parentPid: number;
  /** PF_EXITING of field 9. */
  readonly isEnding: boolean;
  /** Field 22. */
  readonly startTime: string;
}

const PF_EXITING = 0x4;

/**
 * Parses the text of /proc/PID/stat (proc_pid_stat(5)). The command in field 2 may itself hold spaces and
 * parentheses, so fields are counted from the last `)`. Throws SyntaxError.
 */
export function parseProcessStat(text: string): ProcessStat {
  const fields = text
    .slice(text.lastIndexOf(')') + 1)
    .trim()
    .split(' '); // fields[0] is field 3
  const [state, parentPid] = fields;
  const startTime = fields[22 - 3];
  if (!text.includes(')') || state === undefined || startTime === undefined || !/^\d+$/.test(startTime)) {
    throw new SyntaxError('not the text of a stat file');
  }
  const isEnding = (Number(fields[9 - 3]) & PF_EXITING) !== 0;
  return { state, parentPid: Number(parentPid), isEnding, startTime };
}

function readStat(pid: number): ProcessStat | undefined {
  const text = readProcFile(pid, 'stat');
  return text === undefined ? undefined : parseProcessStat(text);
}

function readProcFile(pid: number, name: string): string | undefined {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined; // ESRCH: it ended between open and read
    throw error;
  }
}
