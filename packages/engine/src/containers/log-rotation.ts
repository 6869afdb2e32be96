/**
 * Keeps older parts of logs whose size is limited. conmon alone bounds them: a log that has become too large it
 * replaces by an empty one, also while there is no daemon. A second name for the file that it writes to lets the old
 * content live on; what is replaced before the next look is lost, as are times without a daemon.
 */
import { link, rename, rm, stat } from 'node:fs/promises';
import { isErrno } from '@seaway/linux';
import { messageOf } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Events } from '../events.ts';
import { type ContainerRecord, isRunning } from '../model/container.ts';
import { type LogLimits, logLimits } from './log-limits.ts';

export interface LogRotationParts {
  readonly find: (id: ContainerId) => ContainerRecord | undefined;
  readonly logPath: (id: ContainerId) => string;
  readonly events: Events;
  readonly log: Log;
}

const LOOK_MS = 500;

export class LogRotation {
  readonly #parts: LogRotationParts;
  /** How many files the log of each such container may have. */
  readonly #rotated = new Map<ContainerId, number>();
  readonly #unsubscribe: () => void;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: LogRotationParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.events.subscribe(({ type, action, actorId }) => {
      if (type !== 'container') return;
      const container = parts.find(actorId as ContainerId);
      if (action === 'start' && container) this.begin(container);
      if (action === 'die' || action === 'destroy') this.#end(actorId as ContainerId);
    });
  }

  /** Looks after the log of a container, if it is one that runs and keeps older parts. */
  begin(container: ContainerRecord): void {
    const { maxFiles, maxSizeBytes } = logLimits(container.host.logging);
    if (maxSizeBytes === undefined || maxFiles < 2 || !isRunning(container)) return;
    this.#rotated.set(container.id, maxFiles);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
    this.#look();
  }

  #end(id: ContainerId): void {
    const maxFiles = this.#rotated.get(id);
    if (maxFiles === undefined) return;
    this.#rotated.delete(id);
    this.#queue(async () => {
      await this.#lookAt(id, maxFiles);
      await rm(heldPath(this.#parts.logPath(id)), { force: true });
    });
    if (this.#rotated.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    this.#queue(async () => {
      for (const [id, maxFiles] of this.#rotated) await this.#lookAt(id, maxFiles);
    });
  }

  /** One look after the other: two would give the same file two numbers. */
  #queue(work: () => Promise<void>): void {
    this.#looking = this.#looking.then(work).catch((error) => {
      this.#parts.log.warn({ error: messageOf(error) }, 'older parts of a log were not kept');
    });
  }

  async #lookAt(id: ContainerId, maxFiles: number): Promise<void> {
    try {
      await rotate(this.#parts.logPath(id), maxFiles);
    } catch (error) {
      // Removed meanwhile, with its log.
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }

  /** Stops looking; resolves when no look is under way. */
  async close(): Promise<void> {
    this.#unsubscribe();
    clearInterval(this.#timer);
    await this.#looking;
  }
}

/** The second name of the file that is written to. */
function heldPath(path: string): string {
  return `${path}.held`;
}

/**
 * Moves a log that was replaced since the last call to PATH.1, after what was there went on to PATH.2 and so on.
 * @param maxFiles at least 2, the newest among them
 */
export async function rotate(path: string, maxFiles: number): Promise<void> {
  const held = heldPath(path);
  const [current, before] = await Promise.all([stat(path), statIfExists(held)]);
  if (before?.ino === current.ino) return;
  if (before) await becomeOlder(held, path, maxFiles);
  await link(path, held);
}

/**
 * Prepares the log for another life of its container: conmon counts only what it writes itself. A log that is more than
 * half full makes way for a new one.
 * @returns how many bytes may be written before the log is replaced; undefined for any number
 */
export async function makeRoom(
  path: string,
  { maxSizeBytes, maxFiles }: LogLimits,
): Promise<number | undefined> {
  if (maxSizeBytes === undefined) return undefined;
  const size = (await statIfExists(path))?.size ?? 0;
  if (size <= maxSizeBytes / 2) return maxSizeBytes - size;
  await rm(heldPath(path), { force: true });
  if (maxFiles === 1) await rm(path);
  else await becomeOlder(path, path, maxFiles);
  return maxSizeBytes;
}

/** Moves a file to PATH.1, after what was there went on to PATH.2 and so on. */
async function becomeOlder(file: string, path: string, maxFiles: number): Promise<void> {
  for (let number = maxFiles - 1; number > 1; number -= 1) {
    await rename(`${path}.${number - 1}`, `${path}.${number}`).catch(ignoreMissing);
  }
  await rename(file, `${path}.1`);
}

async function statIfExists(path: string) {
  return stat(path).catch(ignoreMissing);
}

function ignoreMissing(error: unknown): undefined {
  if (!isErrno(error, 'ENOENT')) throw error;
}
