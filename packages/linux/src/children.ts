/**
 * Children of this process that Node does not know: programs started by posix_spawn(3), which takes a fraction of the
 * time that `child_process` takes in a large process, and processes that our descendants left behind. Whoever starts
 * programs by `child_process` goes on doing so: its children are told apart and left alone.
 */
import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import * as libc from './libc.ts';

export interface SpawnOptions {
  /** Absolute path of the program. */
  readonly path: string;
  /** Its arguments, with its name first. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** @default `/` */
  readonly cwd?: string;
  /** Our descriptors that become 0, 1, 2 and so on in the child, which sees no others. They stay ours. */
  readonly descriptors: readonly number[];
}

/** How a process ended: by itself or by a signal. */
export type ExitStatus = { readonly code: number } | { readonly signal: number };

export interface SpawnedChild {
  readonly pid: number;
  /** Undefined when somebody else has waited for the process. */
  readonly ended: Promise<ExitStatus | undefined>;
}

/** A child that is waited for. */
interface Waiter {
  readonly settle: (status: ExitStatus | undefined) => void;
}

/** In case a signal was missed; it also keeps the program alive, which signals do not. */
const LOOK_MS = 1000;
/** So that many ends are one sweep. */
const SWEEP_MS = 20;
const REMEMBERED_MS = 15_000;

const waiters = new Map<number, Waiter>();
let isListening = false;
let looking: NodeJS.Timeout | undefined;
let isAdopting = false;
let isSweepDue = false;
/** Orphans that were cleared away a moment ago: whoever finds out their pids later still learns how they ended. */
const cleared = new Map<number, ExitStatus>();

/** What child_process has started since this module was loaded. */
const known = new Set<ChildProcess>();
subscribe('child_process', (message) => {
  const child = (message as { process: ChildProcess }).process;
  known.add(child);
  const forget = () => known.delete(child);
  child.once('exit', forget).once('error', () => {
    if (child.pid === undefined) forget();
  });
});

/**
 * Starts a program in a session of its own. Blocks until the program's file is loaded, about a millisecond.
 * Throws LinuxError (ENOENT, EACCES, EAGAIN).
 */
export function spawnChild({ path, args, env, cwd = '/', descriptors }: SpawnOptions): SpawnedChild {
  const variables = Object.entries(env).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  // Descriptors among the numbers that they are to get would overwrite each other.
  const moved = descriptors.map((fd) => (fd < descriptors.length ? libc.dup(fd, descriptors.length) : fd));
  try {
    const pid = libc.posixSpawn({ path, args, env: variables, cwd, descriptors: moved });
    // How an earlier process of this number ended says nothing about this one.
    cleared.delete(pid);
    return { pid, ended: awaitChild(pid) };
  } finally {
    moved.forEach((fd, index) => {
      if (fd !== descriptors[index]) libc.close(fd);
    });
  }
}

/** Resolves when a child, started or adopted, has ended; with undefined when it is not our child. */
export function awaitChild(pid: number): Promise<ExitStatus | undefined> {
  listen();
  const status = cleared.get(pid);
  cleared.delete(pid);
  if (status) return Promise.resolve(status);
  return new Promise((settle) => {
    waiters.set(pid, { settle });
    look(pid);
    keepLooking();
  });
}

/** Lets go of a child: `awaitChild` is settled with undefined. What ends unseen is cleared away where we adopt. */
export function abandonChild(pid: number): void {
  settle(pid, undefined);
}

/**
 * From now on processes whose parents end before them become ours, if they descend from us: they can be waited for by
 * `awaitChild`, also a few seconds after their ends, and those that nobody waits for are cleared away. Throws LinuxError.
 */
export function adoptOrphans(): void {
  if (isAdopting) return;
  libc.becomeSubreaper();
  isAdopting = true;
  listen();
}

function listen(): void {
  if (isListening) return;
  isListening = true;
  process.on('SIGCHLD', () => {
    for (const pid of waiters.keys()) look(pid);
    if (isAdopting) sweepSoon();
  });
}

function keepLooking(): void {
  if (waiters.size === 0) {
    clearInterval(looking);
    looking = undefined;
  } else {
    looking ??= setInterval(() => {
      for (const pid of waiters.keys()) look(pid);
    }, LOOK_MS);
  }
}

function look(pid: number): void {
  const found = libc.waitid(libc.P_PID, pid);
  if (found) settle(pid, found === 'none' ? undefined : exitStatus(found));
}

function settle(pid: number, status: ExitStatus | undefined): void {
  const waiter = waiters.get(pid);
  waiters.delete(pid);
  keepLooking();
  waiter?.settle(status);
}

function exitStatus({ reason, status }: libc.EndedChild): ExitStatus {
  return reason === libc.CLD_EXITED ? { code: status } : { signal: status };
}

function sweepSoon(): void {
  if (isSweepDue) return;
  isSweepDue = true;
  setTimeout(() => {
    isSweepDue = false;
    sweep();
  }, SWEEP_MS).unref();
}

/** Waits for children that ended and that nobody knows. */
function sweep(): void {
  for (;;) {
    const found = libc.waitid(libc.P_ALL, 0, libc.WNOWAIT);
    if (!found || found === 'none') return;
    if (isKnown(found.pid)) {
      sweepSoon();
      return;
    }
    if (waiters.has(found.pid)) look(found.pid);
    else clear(found.pid);
  }
}

function clear(pid: number): void {
  const found = libc.waitid(libc.P_PID, pid);
  if (!found || found === 'none') return;
  cleared.set(pid, exitStatus(found));
  // Not for longer, because numbers are used again.
  setTimeout(() => cleared.delete(pid), REMEMBERED_MS).unref();
}

function isKnown(pid: number): boolean {
  for (const child of known) if (child.pid === pid) return true;
  return false;
}

/** The reading and the writing end of a new pipe, both the caller's. Throws LinuxError. */
export function openPipe(): { readonly reading: number; readonly writing: number } {
  const [reading, writing] = libc.pipe();
  return { reading, writing };
}
