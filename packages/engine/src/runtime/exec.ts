/**
 * Runs one further process in a running container: conmon starts `runc exec`, holds the process's streams or terminal,
 * and tells how it ended. Of the two ways to do it this one has pipes that programs can open again (`/dev/stdout`),
 * terminals that can be resized, and lets the process outlive the daemon; `runc exec` without conmon saves 4 of 28 ms.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { internal } from '../base/errors.ts';
import type { ContainerId, ExecId } from '../base/ids.ts';
import { parseSyncReport } from './reports.ts';
import type { OciProcess } from './spec/oci-types.ts';

/** What conmon needs to know of its surroundings. */
export interface ExecPrograms {
  readonly runc: string;
  readonly conmon: string;
  /** Folder where runc keeps its containers. */
  readonly stateFolder: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface ExecOptions {
  readonly id: ExecId;
  readonly container: ContainerId;
  /** The process's own folder, which must not exist: conmon puts its attach socket and control pipes there. */
  readonly folder: string;
  readonly process: OciProcess;
  /** Whether the process has an input; without one it reads the end of file at once. */
  readonly stdin: boolean;
  /**
   * Called when the process can be attached to and has not begun, so that no output is lost. Without it nobody can
   * attach, and the output goes nowhere.
   */
  readonly attach?: (folder: string) => void;
}

/** A process that has begun. */
export interface RunningExec {
  /** In the daemon's PID namespace. */
  readonly pid: number;
  /** The exit code, once all output was handed over; undefined when conmon was killed and cannot tell. */
  readonly ended: Promise<number | undefined>;
  /** Stops listening to conmon, so that nothing keeps this program alive; the process goes on. */
  abandon(): void;
}

/**
 * @throws invalid when the program is missing or may not be executed, internal for everything else, and whatever
 *   `attach` throws. The folder is gone then.
 */
export async function startExec(programs: ExecPrograms, options: ExecOptions): Promise<RunningExec> {
  const { folder } = options;
  await mkdir(folder, { mode: 0o700 });
  const monitor = new Monitor(programs, options);
  try {
    const pid = await monitor.start(options);
    const ended = monitor.exitCode().finally(() => removeFolder(folder));
    return { pid, ended, abandon: () => monitor.abandon() };
  } catch (error) {
    monitor.kill();
    await removeFolder(folder);
    throw error;
  }
}

/** What is left of a folder is removed when the daemon starts again. */
async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true }).catch(() => undefined);
}

/** One conmon. */
class Monitor {
  readonly #conmon: ChildProcess;
  readonly #program: string;
  readonly #go: Socket;
  /** First the process's pid, or why it did not begin; then its exit code. */
  readonly #reports: AsyncIterator<string>;
  readonly #ready: AsyncIterator<string> | undefined;
  readonly #complaint: Promise<string>;
  readonly #failed: Promise<never>;

  constructor(programs: ExecPrograms, options: ExecOptions) {
    const isAttached = options.attach !== undefined;
    this.#program = programs.conmon;
    this.#conmon = spawn(programs.conmon, conmonArguments(programs, options), {
      cwd: options.folder,
      // conmon(8): it reports through the first descriptor, waits for a byte on the second, and says on the third when
      // it can be attached to.
      env: {
        ...programs.env,
        _OCI_SYNCPIPE: '3',
        _OCI_STARTPIPE: '4',
        ...(isAttached ? { _OCI_ATTACHPIPE: '5' } : {}),
      },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', ...(isAttached ? (['pipe'] as const) : [])],
    });
    // It lives as long as the process, and is not what keeps this program alive: the pipe of its reports is.
    this.#conmon.unref();
    const [, , stderr, reports, go, ready] = this.#conmon.stdio as readonly unknown[];
    this.#reports = lines(reports as Readable);
    this.#ready = isAttached ? lines(ready as Readable) : undefined;
    this.#complaint = text(stderr as Readable);
    this.#go = go as Socket;
    // A conmon that died has closed its end; the report tells what happened.
    this.#go.on('error', () => {});
    this.#failed = new Promise<never>((_, reject) => this.#conmon.once('error', reject)).catch((error) => {
      throw internal('conmon-failed', `cannot run ${this.#program}: ${error.message}`, {}, error);
    });
    this.#failed.catch(() => {});
  }

  /** @returns the pid of the process */
  async start({ folder, process, attach }: ExecOptions): Promise<number> {
    const isWritten = writeFile(join(folder, 'process.json'), JSON.stringify(process));
    if (attach && this.#ready) {
      // The first byte lets conmon set itself up, the second one lets it run the process.
      this.#go.write('\n');
      const [ready] = await Promise.race([Promise.all([this.#ready.next(), isWritten]), this.#failed]);
      if (!ready.done) attach(folder);
    } else {
      await isWritten;
    }
    this.#go.end('\n');
    const report = await Promise.race([this.#reports.next(), this.#failed]);
    return parseSyncReport(report.value ?? '', report.value ? '' : await this.#complaint, 'exec');
  }

  async exitCode(): Promise<number | undefined> {
    const { value } = await this.#reports.next();
    const code = /"data": *(\d+)/.exec(value ?? '')?.[1];
    return code === undefined ? undefined : Number(code);
  }

  abandon(): void {
    for (const stream of this.#conmon.stdio) stream?.destroy();
  }

  kill(): void {
    this.#conmon.kill('SIGKILL');
    this.abandon();
  }
}

function conmonArguments(programs: ExecPrograms, options: ExecOptions): string[] {
  const { id, container, folder } = options;
  return [
    // As a child of ours it is waited for by us, wherever we run; being in a session of its own, it outlives us.
    ['--api-version', '1', '--sync', '--exec', '--cid', container, '--cuuid', id, '--name', id],
    ['--runtime', programs.runc, '--runtime-arg', `--root=${programs.stateFolder}`],
    ['--bundle', folder, '--full-attach', '--container-pidfile', join(folder, 'pid')],
    ['--exec-process-spec', join(folder, 'process.json')],
    ['--log-path', 'off:', '--log-level', 'error'],
    options.process.terminal ? ['--terminal'] : [],
    options.stdin ? ['--stdin'] : [],
    options.attach ? ['--exec-attach'] : [],
  ].flat();
}

/** The lines of a stream that ends when its writer likes; a broken one has ended. */
async function* lines(stream: Readable): AsyncGenerator<string, undefined> {
  let rest = '';
  try {
    for await (const chunk of stream) {
      rest += String(chunk);
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        yield rest.slice(0, end);
        rest = rest.slice(end + 1);
      }
    }
  } catch {
    // Abandoned.
  }
  return undefined;
}
