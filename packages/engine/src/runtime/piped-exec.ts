/**
 * Runs one further process in a running container whose streams are pipes that this program holds: `runc exec` starts
 * it and is gone, and the process, having lost its parent, becomes our child. There is no other program, which makes
 * this the quick way; a terminal, or a process that is to outlive us, needs conmon.
 */
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { abandonChild, adoptOrphans, awaitChild, type ExitStatus, openPipe, spawnChild } from '@seaway/linux';
import { internal, messageOf } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { ExecPrograms, RunningExec } from './exec.ts';
import { PipeStreams } from './pipe-streams.ts';
import type { OutputHandlers, ProcessStreams } from './process-streams.ts';
import { lastMessage, runtimeError } from './reports.ts';
import type { OciProcess } from './spec/oci-types.ts';

export interface PipedExecOptions {
  readonly container: ContainerId;
  /** What the names of the process's own files begin with. */
  readonly path: string;
  readonly process: OciProcess;
  /** Whether the process has an input; without one it reads the end of file at once. */
  readonly stdin: boolean;
  /** Called once the process has begun, with its streams. */
  readonly attach: (open: (handlers: OutputHandlers) => ProcessStreams) => void;
}

/** Both ends of the process's pipes. */
interface Pipes {
  /** Its own: 0, 1 and 2. */
  readonly inside: readonly [number, number, number];
  readonly stdin: number | undefined;
  readonly stdout: number;
  readonly stderr: number;
}

/** @throws invalid when the program is missing or may not be executed, internal for everything else */
export async function startPipedExec(
  programs: ExecPrograms,
  options: PipedExecOptions,
): Promise<RunningExec> {
  // These files are a page in memory each. Done at once they take less time than one handing over to another thread,
  // of which there would be a dozen.
  const [specPath, pidPath] = [`${options.path}.json`, `${options.path}.pid`];
  try {
    writeFileSync(specPath, JSON.stringify(options.process), { mode: 0o600 });
    return await begin(programs, options, specPath, pidPath);
  } finally {
    rmSync(specPath, { force: true });
    rmSync(pidPath, { force: true });
  }
}

async function begin(
  programs: ExecPrograms,
  { container, stdin, attach }: PipedExecOptions,
  specPath: string,
  pidPath: string,
): Promise<RunningExec> {
  adoptOrphans();
  const pipes = openPipes(stdin);
  const runc = ['--root', programs.stateFolder, 'exec', '--detach', '--pid-file', pidPath];
  const status = await spawn(programs, [...runc, '--process', specPath, container], pipes);
  if (!status || !('code' in status) || status.code !== 0) {
    // What runc has to say is in the pipe of the process that never was.
    const complaint = await complaintIn(pipes);
    throw runtimeError(lastMessage(complaint) || describe(status), 'exec');
  }
  let pid: number;
  try {
    pid = Number(readFileSync(pidPath, 'utf8'));
  } catch (error) {
    for (const fd of outsideOf(pipes)) closeSync(fd);
    throw internal('runc-failed', `runc has not said what it started: ${messageOf(error)}`, {}, error);
  }
  let streams: PipeStreams | undefined;
  const open = (handlers: OutputHandlers) => {
    streams = new PipeStreams(pipes, handlers);
    return streams;
  };
  attach(open);
  // A client that has gone already did not open them, and the process must be able to write.
  const held = streams ?? (open({ onData: () => {}, onEnd: () => {} }) as PipeStreams);
  const ended = awaitChild(pid).then((exit) => {
    held.exited();
    return exit && exitCode(exit);
  });
  return {
    pid,
    ended,
    abandon: () => {
      abandonChild(pid);
      held.destroy();
    },
  };
}

/** Runs runc with the inner ends of the pipes, which are closed here. */
async function spawn(
  { runc, env }: ExecPrograms,
  args: readonly string[],
  pipes: Pipes,
): Promise<ExitStatus | undefined> {
  let ended: Promise<ExitStatus | undefined>;
  try {
    ended = spawnChild({ path: runc, args: ['runc', ...args], env, descriptors: pipes.inside }).ended;
  } catch (error) {
    for (const fd of outsideOf(pipes)) closeSync(fd);
    throw internal('runc-failed', `cannot run ${runc}: ${messageOf(error)}`, {}, error);
  } finally {
    for (const fd of pipes.inside) closeSync(fd);
  }
  return await ended;
}

function openPipes(withStdin: boolean): Pipes {
  const opened: number[] = [];
  const pipe = () => {
    const ends = openPipe();
    opened.push(ends.reading, ends.writing);
    return ends;
  };
  try {
    const [stdout, stderr] = [pipe(), pipe()];
    const stdin = withStdin ? pipe() : { reading: openSync('/dev/null', 'r'), writing: undefined };
    return {
      inside: [stdin.reading, stdout.writing, stderr.writing],
      stdin: stdin.writing,
      stdout: stdout.reading,
      stderr: stderr.reading,
    };
  } catch (error) {
    // There may be no descriptors left.
    for (const fd of opened) closeSync(fd);
    throw error;
  }
}

function outsideOf({ stdin, stdout, stderr }: Pipes): number[] {
  return stdin === undefined ? [stdout, stderr] : [stdin, stdout, stderr];
}

async function complaintIn({ stdin, stdout, stderr }: Pipes): Promise<string> {
  if (stdin !== undefined) closeSync(stdin);
  closeSync(stdout);
  return await text(new Socket({ fd: stderr, readable: true, writable: false })).catch(() => '');
}

function describe(status: ExitStatus | undefined): string {
  if (!status) return 'runc ended unseen';
  return 'code' in status
    ? `runc ended with code ${status.code}`
    : `runc was ended by signal ${status.signal}`;
}

/** As shells have it: 128 and the number of the signal that ended it. */
function exitCode(status: ExitStatus): number {
  return 'code' in status ? status.code : 128 + status.signal;
}
