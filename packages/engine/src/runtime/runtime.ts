/**
 * Runs containers: runc makes them, conmon stays with each one, holds its output and writes down how it ended, so
 * that containers outlive the daemon. Knows bundles and processes; knows nothing of networks or the store.
 */
import { constants, existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { isProcessAlive } from '@seaway/linux';
import { internal, unavailable } from '../base/errors.ts';
import type { ContainerId, ExecId } from '../base/ids.ts';
import { type CgroupPaths, readCgroupPaths } from './cgroup-paths.ts';
import { type ExecOptions, type RunningExec, startExec } from './exec.ts';
import { findProgram } from './find-program.ts';
import { type PipedExecOptions, startPipedExec } from './piped-exec.ts';
import { type Program, startProgram } from './program.ts';
import { lastMessage, parseSyncReport, runtimeError } from './reports.ts';
import type { OciResources } from './spec/oci-types.ts';

export interface RuntimeOptions {
  readonly runc: string;
  readonly conmon: string;
  /** Folder for what is void after a reboot: runc's state and the exit files. */
  readonly folder: string;
}

export interface CreateOptions {
  /** Bundle folder; conmon puts its attach socket and control pipes there as well. */
  readonly bundle: string;
  readonly name: string;
  /** Where its output is written down, if it is. */
  readonly logPath?: string;
  /** The log is begun anew whenever it would grow beyond. @default no limit */
  readonly logMaxBytes?: number;
  readonly terminal: boolean;
  readonly stdin: boolean;
  /** Whether the container's stdin stays open when an attached client goes away. */
  readonly keepStdinOpen: boolean;
}

const EXIT_POLL_MS = 20;
const FIFO_POLL_MS = 1;
const FIFO_EAGER_ATTEMPTS = 20;
/** How long a runtime may go on making a container that nobody waits for any more. */
const ABANDONED_CREATE_MS = 10_000;

export class Runtime {
  readonly #options: RuntimeOptions;
  /** Where conmon writes exit codes: one file for each container, named by its id. */
  readonly exitFolder: string;
  readonly #stateFolder: string;
  readonly #execsFolder: string;
  readonly #deletions = new Map<ContainerId, Promise<void>>();

  private constructor(options: RuntimeOptions) {
    this.#options = options;
    this.exitFolder = join(options.folder, 'exits');
    this.#stateFolder = join(options.folder, 'runc');
    this.#execsFolder = join(options.folder, 'execs');
  }

  /** @throws unavailable when a program is missing */
  static async open(options: RuntimeOptions): Promise<Runtime> {
    const runtime = new Runtime({
      ...options,
      // conmon takes the runtime as a path alone.
      runc: neededProgram(options.runc),
      conmon: neededProgram(options.conmon),
    });
    await mkdir(runtime.exitFolder, { recursive: true, mode: 0o700 });
    await mkdir(runtime.#stateFolder, { recursive: true, mode: 0o700 });
    // An earlier daemon's execs go on, and nobody knows them any more.
    await rm(runtime.#execsFolder, { recursive: true, force: true });
    await mkdir(runtime.#execsFolder, { mode: 0o700 });
    return runtime;
  }

  /**
   * Makes the container's processes up to the point just before its program runs.
   * @param prepared what must be done before the runtime begins: conmon starts meanwhile, and does not go on when it
   *   rejects
   * @returns pid of the container's first process
   * @throws invalid when the program is missing or may not be executed, internal for everything else, and whatever
   *   `prepared` rejects with
   */
  async create(id: ContainerId, options: CreateOptions, prepared: Promise<void>): Promise<number> {
    const conmon = await this.#startMonitor(id, options, prepared);
    const [, , complaint, report, go] = conmon.ends as readonly Socket[];
    const reported = Promise.all([readLine(report!), text(complaint!)]);
    try {
      await prepared;
      go!.end('\n');
    } catch (error) {
      // In this order: to conmon the pipe's end means the same as the byte that lets it go on.
      conmon.kill();
      go!.destroy();
      await Promise.allSettled([reported]);
      throw error;
    }
    return parseSyncReport(...(await reported));
  }

  async #startMonitor(id: ContainerId, options: CreateOptions, prepared: Promise<void>): Promise<Program> {
    try {
      return startProgram(
        this.#options.conmon,
        this.#conmonArguments(id, options),
        {
          cwd: options.bundle,
          // conmon reports through the first descriptor and waits for a byte on the second; conmon(8).
          env: { ...runtimeEnvironment(), _OCI_SYNCPIPE: '3', _OCI_STARTPIPE: '4' },
          channels: ['nothing', 'nothing', 'to us', 'to us', 'from us'],
        },
        'conmon-failed',
      );
    } catch (error) {
      // Whoever takes the preparation back must not do so while it still goes on.
      await Promise.allSettled([prepared]);
      throw error;
    }
  }

  #conmonArguments(id: ContainerId, options: CreateOptions): string[] {
    return [
      ['--api-version', '1', '--cid', id, '--cuuid', id, '--name', options.name],
      ['--runtime', this.#options.runc, '--runtime-arg', `--root=${this.#stateFolder}`],
      ['--bundle', options.bundle, '--full-attach'],
      [
        '--container-pidfile',
        join(options.bundle, 'pid'),
        '--conmon-pidfile',
        join(options.bundle, 'conmon.pid'),
      ],
      ['--exit-dir', this.exitFolder, '--log-level', 'error'],
      ['--log-path', options.logPath === undefined ? 'off:' : `k8s-file:${options.logPath}`],
      options.logMaxBytes === undefined ? [] : ['--log-size-max', String(options.logMaxBytes)],
      // Without this conmon waits for the disk at every exit.
      ['--no-sync-log'],
      options.terminal ? ['--terminal'] : [],
      options.stdin ? ['--stdin'] : [],
      options.stdin && options.keepStdinOpen ? ['--leave-stdin-open'] : [],
    ].flat();
  }

  /**
   * Lets a created container's program run. The container's first process waits in a named pipe of runc's state until
   * somebody reads from it, which is all that `runc start` does once it has started itself.
   * @param pid the first process
   * @throws internal when that process is gone
   */
  async start(id: ContainerId, pid: number): Promise<void> {
    const path = join(this.#stateFolder, id, 'exec.fifo');
    if (!existsSync(path)) return this.#runc(['start', id]);
    // Without O_NONBLOCK this would wait for ever where the other end has died.
    await using fifo = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    for (let isAlive = true, attempt = 0; !(await hasData(fifo)); attempt++) {
      // Only a process that was dead before we looked once more for its byte has not written one.
      if (!isAlive) {
        throw internal('start-failed', 'the container process died before it was started', { id });
      }
      isAlive = isProcessAlive(pid);
      // It is about to write as soon as it sees us, which takes less than a timer.
      if (isAlive && attempt > FIFO_EAGER_ATTEMPTS) await sleep(FIFO_POLL_MS);
    }
    await rm(path, { force: true });
  }

  /**
   * Removes what runc keeps of a container, killing what still runs of it; unknown is fine. Calls that come while it is
   * under way share it.
   */
  delete(id: ContainerId): Promise<void> {
    const underWay = this.#deletions.get(id);
    if (underWay) return underWay;
    const deletion = this.#runc(['delete', '--force', id]).finally(() => this.#deletions.delete(id));
    this.#deletions.set(id, deletion);
    return deletion;
  }

  /** Changes limits of a running container. @throws internal when the kernel refuses them */
  update(id: ContainerId, limits: Omit<OciResources, 'devices'>): Promise<void> {
    return this.#runc(['update', '--resources', '-', id], JSON.stringify(limits));
  }

  /** Where a running container's control groups are. @throws when runc keeps nothing of it */
  cgroupsOf(id: ContainerId): Promise<CgroupPaths> {
    return readCgroupPaths(join(this.#stateFolder, id));
  }

  /** Freezes the processes of a container. @throws internal when it does not run, or is frozen already */
  pause(id: ContainerId): Promise<void> {
    return this.#runc(['pause', id]);
  }

  /** Lets the frozen processes of a container go on. @throws internal when they are not frozen */
  resume(id: ContainerId): Promise<void> {
    return this.#runc(['resume', id]);
  }

  /** Whether the container's deletion has begun and not ended. */
  isDeleting(id: ContainerId): boolean {
    return this.#deletions.has(id);
  }

  /**
   * Runs one further process in a container that this runtime runs.
   * @throws as {@link startExec}
   */
  exec(options: Omit<ExecOptions, 'folder'>): Promise<RunningExec> {
    return startExec(
      { ...this.#options, stateFolder: this.#stateFolder, env: runtimeEnvironment() },
      { ...options, folder: this.execFolder(options.id) },
    );
  }

  /**
   * As {@link exec} for a process without a terminal whose streams are ours, which is quicker; it loses them with us.
   * @throws as {@link startPipedExec}
   */
  execPiped(options: Omit<PipedExecOptions, 'path'> & { readonly id: ExecId }): Promise<RunningExec> {
    return startPipedExec(
      { ...this.#options, stateFolder: this.#stateFolder, env: runtimeEnvironment() },
      { ...options, path: this.execFolder(options.id) },
    );
  }

  /** Where conmon has the streams and the terminal of such a process. */
  execFolder(id: ExecId): string {
    return join(this.#execsFolder, id);
  }

  /** Containers of which runc keeps something. */
  async known(): Promise<ContainerId[]> {
    return (await readdir(this.#stateFolder)) as ContainerId[];
  }

  /** Resolves when no deletion is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#deletions.values());
  }

  /** The conmon processes that belong to this runtime's folder, by their containers. */
  async monitors(): Promise<Map<ContainerId, number>> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const monitors = new Map<ContainerId, number>();
    await Promise.all(
      pids.map(async (pid) => {
        const id = await this.#monitoredBy(pid);
        if (id) monitors.set(id, pid);
      }),
    );
    return monitors;
  }

  /** The container that a process is the conmon of. */
  async #monitoredBy(pid: number): Promise<ContainerId | undefined> {
    const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    const option = (name: string) => argv[argv.indexOf(name) + 1];
    if (!argv.includes('--cid') || option('--exit-dir') !== this.exitFolder) return undefined;
    return option('--cid') as ContainerId;
  }

  /**
   * Takes a container back that was being made when the daemon was killed: its conmon goes on without us. To disturb
   * runc in the middle would leave pieces, so it is waited for, and what it made is deleted.
   * @param monitor the conmon's process id
   */
  async abandonCreate(id: ContainerId, monitor: number): Promise<void> {
    const deadline = performance.now() + ABANDONED_CREATE_MS;
    while ((await this.#monitoredBy(monitor)) === id) {
      if (existsSync(join(this.#stateFolder, id, 'state.json'))) await this.delete(id);
      else if (performance.now() > deadline) process.kill(monitor, 'SIGKILL');
      await sleep(EXIT_POLL_MS);
    }
    await this.deleteLeftover(id);
    await this.forgetExit(id);
  }

  /** As {@link delete}, for a container that should be unknown and is not: deleting it failed before. */
  async deleteLeftover(id: ContainerId): Promise<void> {
    // One that is under way may fail as well, and then it is this one's turn.
    await this.#deletions.get(id)?.catch(() => undefined);
    if (existsSync(join(this.#stateFolder, id))) await this.delete(id);
  }

  /** Forgets how a container ended, when that is on record elsewhere. */
  async forgetExit(id: ContainerId): Promise<void> {
    await rm(this.#exitPath(id), { force: true });
  }

  /** The code that the container ended with, or undefined while conmon has written none. */
  async exitCode(id: ContainerId): Promise<number | undefined> {
    const content = await readFile(this.#exitPath(id), 'utf8').catch(() => '');
    return content === '' ? undefined : Number(content);
  }

  /** As {@link exitCode}, with some patience: conmon writes a moment after the process is gone. */
  async awaitExitCode(id: ContainerId, patienceMs: number): Promise<number | undefined> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const code = await this.exitCode(id);
      if (code !== undefined || performance.now() > deadline) return code;
      await sleep(EXIT_POLL_MS);
    }
  }

  #exitPath(id: ContainerId): string {
    return join(this.exitFolder, id);
  }

  /** @param input what it reads */
  async #runc(args: readonly string[], input?: string): Promise<void> {
    const { ends, ended } = startProgram(
      this.#options.runc,
      ['--root', this.#stateFolder, ...args],
      {
        env: runtimeEnvironment(),
        channels: [input === undefined ? 'nothing' : 'from us', 'nothing', 'to us'],
      },
      'runc-failed',
    );
    const [stdin, , complaint] = ends;
    if (input !== undefined) stdin?.end(input);
    const [stderr, status] = await Promise.all([text(complaint!), ended]);
    if (status && 'code' in status && status.code === 0) return;
    throw runtimeError(`runc ${args[0]} failed: ${lastMessage(stderr)}`);
  }
}

/**
 * What conmon and runc see of our environment. runc lives for a few dozen milliseconds: collecting its garbage costs
 * a tenth of that time and frees what the process's end frees anyway. Containers see nothing of this.
 */
function runtimeEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, GOGC: 'off' };
}

function neededProgram(name: string): string {
  const path = findProgram(name);
  if (!path)
    throw unavailable('program-missing', `the program ${name} is missing or not executable`, { name });
  return path;
}

/** Whether the other end has written; fifo(7): no data yet is EAGAIN, no writer yet is the end of the file. */
async function hasData(fifo: FileHandle): Promise<boolean> {
  try {
    return (await fifo.read(Buffer.alloc(1))).bytesRead > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
    throw error;
  }
}

/** Tells a terminal's size to a container that has one; conmon reads sizes from a named pipe. */
export async function resizeTerminal(bundle: string, rows: number, columns: number): Promise<void> {
  await using pipe = await open(join(bundle, 'winsz'), constants.O_WRONLY | constants.O_NONBLOCK);
  await pipe.write(`${rows} ${columns}\n`);
}

/** conmon holds the pipe open for the container's life, so reading ends at the line's end and not at the file's. */
async function readLine(stream: Readable): Promise<string> {
  let line = '';
  for await (const chunk of stream) {
    line += String(chunk);
    if (line.includes('\n')) break;
  }
  stream.destroy();
  return line;
}
