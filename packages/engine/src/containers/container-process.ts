/** A container's first process: whether it still is the one that its record means, and signals to it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isProcessAlive, isProcessEnding, processName, processStartTime } from '@seaway/linux';
import type { ContainerRecord } from '../model/container.ts';
import { SIGKILL } from './signals.ts';

export function isStillAlive({ state }: ContainerRecord): boolean {
  return isProcessAlive(state.pid) && processStartTime(state.pid) === state.processStartTime;
}

/** Whether the process has ended, or has begun to: it may have to wait until others of its namespace were waited for. */
export function isEnding({ state }: ContainerRecord): boolean {
  return !isProcessAlive(state.pid) || isProcessEnding(state.pid);
}

/** How long a signal waits for a container's program to begin, and how often that is looked at. */
const PROGRAM_PATIENCE_MS = 1000;
const PROGRAM_LOOK_MS = 1;

/**
 * Sends a signal to the process, if it still is there; a pid that is another process's by now is left alone. Right
 * after a start, for a millisecond, the process still is runc's, which would end of SIGTERM in its own way, with code 2:
 * what can wait for the program waits for it.
 */
export async function signalContainer(container: ContainerRecord, signal: number): Promise<void> {
  const { state } = container;
  const deadline = performance.now() + PROGRAM_PATIENCE_MS;
  while (signal !== SIGKILL && isRuncs(state.pid) && performance.now() < deadline) {
    await sleep(PROGRAM_LOOK_MS);
  }
  if (processStartTime(state.pid) !== state.processStartTime) return;
  try {
    process.kill(state.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function isRuncs(pid: number): boolean {
  return processName(pid)?.startsWith('runc:[') ?? false;
}
