/** Starts a program quickly, with pipes between it and us. */
import { closeSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { type ExitStatus, openPipe, spawnChild } from '@seaway/linux';
import { internal, messageOf } from '../base/errors.ts';

/** What a descriptor of the program is. */
export type Channel = 'nothing' | 'from us' | 'to us';

export interface ProgramOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** The program's descriptors from 0 on. */
  readonly channels: readonly Channel[];
}

export interface Program {
  /** Our ends of its descriptors; undefined where it has nothing. */
  readonly ends: readonly (Socket | undefined)[];
  /** Undefined when that cannot be told. */
  readonly ended: Promise<ExitStatus | undefined>;
  kill(): void;
}

/**
 * @param path absolute
 * @param code of the error
 * @throws internal when the program cannot be run
 */
export function startProgram(
  path: string,
  args: readonly string[],
  { channels, ...options }: ProgramOptions,
  code: 'conmon-failed' | 'runc-failed',
): Program {
  const opened = channels.map(openChannel);
  try {
    const descriptors = opened.map(({ inside }) => inside);
    const { pid, ended } = spawnChild({ path, args: [path, ...args], descriptors, ...options });
    let hasEnded = false;
    void ended.then(() => {
      hasEnded = true;
    });
    return {
      ends: opened.map(({ ours, isWritten }) => (ours === undefined ? undefined : ourEnd(ours, isWritten))),
      ended,
      kill: () => {
        if (!hasEnded) process.kill(pid, 'SIGKILL');
      },
    };
  } catch (error) {
    for (const { ours } of opened) if (ours !== undefined) closeSync(ours);
    throw internal(code, `cannot run ${path}: ${messageOf(error)}`, {}, error);
  } finally {
    for (const { inside } of opened) closeSync(inside);
  }
}

function ourEnd(fd: number, isWritten: boolean): Socket {
  const socket = new Socket({ fd, readable: !isWritten, writable: isWritten });
  // A program that has closed its end says why elsewhere.
  return socket.on('error', () => {});
}

interface OpenChannel {
  readonly inside: number;
  readonly ours: number | undefined;
  readonly isWritten: boolean;
}

function openChannel(channel: Channel): OpenChannel {
  if (channel === 'nothing') {
    return { inside: openSync('/dev/null', 'r+'), ours: undefined, isWritten: false };
  }
  const { reading, writing } = openPipe();
  return channel === 'from us'
    ? { inside: reading, ours: writing, isWritten: true }
    : { inside: writing, ours: reading, isWritten: false };
}
