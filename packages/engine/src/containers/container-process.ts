/** A container's first process: whether it still is the one that its record means, and signals to it. */
import { isProcessAlive, isProcessEnding, processStartTime } from '@seaway/linux';
import type { ContainerRecord } from '../model/container.ts';

export function isStillAlive({ state }: ContainerRecord): boolean {
  return isProcessAlive(state.pid) && processStartTime(state.pid) === state.processStartTime;
}

/** Whether the process has ended, or has begun to: it may have to wait until others of its namespace were waited for. */
export function isEnding({ state }: ContainerRecord): boolean {
  return !isProcessAlive(state.pid) || isProcessEnding(state.pid);
}

/** Sends a signal to the process, if it still is there; a pid that is another process's by now is left alone. */
export function signalContainer({ state }: ContainerRecord, signal: number): void {
  if (processStartTime(state.pid) !== state.processStartTime) return;
  try {
    process.kill(state.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
