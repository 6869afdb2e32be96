/**
 * One engine process in a lab: our daemon, or Debian's dockerd as the peer that the same stories can be run against.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { childrenOf, exitCode, killTree } from './command.ts';
import { apiRequest } from './http.ts';

export type EngineKind = 'seaway' | 'dockerd';

export interface EngineOptions {
  /** Tells several engines of one lab apart; part of socket and folder names. @default 'engine' */
  readonly name?: string;
  /** More arguments for the daemon. */
  readonly args?: readonly string[];
  /** @default a folder in the lab's memory file system, gone with the lab */
  readonly dataRoot?: string;
  readonly execRoot?: string;
  /** Variables added to the daemon's environment. */
  readonly env?: Record<string, string>;
  /** Longest wait for the first answer, in milliseconds. @default 20000 */
  readonly readyTimeoutMs?: number;
}

/** What an engine needs to know of its lab. */
export interface EngineSite {
  readonly id: string;
  /** A folder that both sides see, for sockets and logs. */
  readonly directory: string;
  /** The command that runs another one inside the lab. */
  enter(argv: readonly string[]): string[];
  readonly env: NodeJS.ProcessEnv;
}

const repository = fileURLToPath(new URL('../../', import.meta.url));

/** The launcher of the daemon and the command line under test. */
export const seawayProgram = join(repository, 'bin/seaway');

/** Where one engine keeps what, and the command that starts it. */
export interface EnginePlan {
  readonly kind: EngineKind;
  readonly socket: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pidFile: string;
  readonly logFile: string;
  readonly argv: readonly string[];
}

export function planEngine(site: EngineSite, kind: EngineKind, options: EngineOptions = {}): EnginePlan {
  const name = options.name ?? 'engine';
  const socket = join(site.directory, `${name}.sock`);
  const dataRoot = options.dataRoot ?? `/run/lab/${name}/data`;
  const execRoot = options.execRoot ?? `/run/lab/${name}/exec`;
  const pidFile = join(site.directory, `${name}.pid`);
  const common = [
    ...['-H', `unix://${socket}`, '--data-root', dataRoot, '--exec-root', execRoot, '--pidfile', pidFile],
    ...['--cgroup-parent', `/${site.id}`],
  ];
  const argv =
    kind === 'seaway'
      ? [seawayProgram, 'daemon', ...common, ...(options.args ?? [])]
      : ['dockerd', ...common, '--storage-driver', 'overlay2', '--live-restore', ...(options.args ?? [])];
  return { kind, socket, dataRoot, execRoot, pidFile, logFile: join(site.directory, `${name}.log`), argv };
}

/** A running daemon. Ends with the lab at the latest. */
export class LabEngine {
  readonly #site: EngineSite;
  readonly #options: EngineOptions;
  readonly #plan: EnginePlan;
  #child!: ChildProcess;
  #exited!: Promise<number>;
  #readyMs = 0;

  private constructor(site: EngineSite, plan: EnginePlan, options: EngineOptions) {
    this.#site = site;
    this.#plan = plan;
    this.#options = options;
  }

  /**
   * Starts a daemon and waits until it answers.
   * @throws Error with the daemon's log when it ends first or takes too long
   */
  static async start(site: EngineSite, kind: EngineKind, options: EngineOptions = {}): Promise<LabEngine> {
    const engine = new LabEngine(site, planEngine(site, kind, options), options);
    await engine.#launch();
    return engine;
  }

  get kind(): EngineKind {
    return this.#plan.kind;
  }
  get socket(): string {
    return this.#plan.socket;
  }
  get dataRoot(): string {
    return this.#plan.dataRoot;
  }
  get execRoot(): string {
    return this.#plan.execRoot;
  }
  /** Time from the start of the process to its first answer, in milliseconds. */
  get readyMs(): number {
    return this.#readyMs;
  }
  /** The daemon's exit code, 128 + signal number when a signal ended it. */
  get exited(): Promise<number> {
    this.#child.ref(); // whoever waits for the end keeps this process alive
    return this.#exited;
  }

  /** Everything the daemon wrote, over all its lives in this lab. */
  log(): string {
    return existsSync(this.#plan.logFile) ? readFileSync(this.#plan.logFile, 'utf8') : '';
  }

  /** The daemon's process id as the test sees it; inside the lab it has another one. */
  get pid(): number {
    const pid = childrenOf(this.#child.pid ?? 0)[0];
    if (pid === undefined) throw new Error(`the daemon is not running\n${this.log()}`);
    return pid;
  }

  /** Sends a signal and waits until the daemon has ended. */
  async kill(signal: NodeJS.Signals): Promise<number> {
    process.kill(this.pid, signal);
    return await this.exited;
  }

  /** Ends the daemon in the orderly way; containers keep running. */
  stop(): Promise<number> {
    return this.kill('SIGTERM');
  }

  /** Starts the daemon again after it ended, with the same folders and arguments. */
  async start(): Promise<void> {
    await this.#launch();
  }

  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.kill(signal);
    await this.#launch();
  }

  async #launch(): Promise<void> {
    const { argv, logFile } = this.#plan;
    // A file instead of a pipe: what the daemon starts inherits it and may outlive the daemon.
    const log = openSync(logFile, 'a');
    const [file = '', ...args] = this.#site.enter(argv);
    const startedAt = performance.now();
    this.#child = spawn(file, args, {
      stdio: ['ignore', log, log],
      env: { ...this.#site.env, ...this.#options.env },
    });
    closeSync(log);
    this.#exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('exit', (code, signal) => resolve(exitCode(code, signal)));
    });
    await this.#waitUntilReady(startedAt);
    this.#child.unref();
  }

  async #waitUntilReady(startedAt: number): Promise<void> {
    const deadline = startedAt + (this.#options.readyTimeoutMs ?? 20_000);
    let ended: number | undefined;
    this.#exited.then(
      (code) => {
        ended = code;
      },
      () => {
        ended = 127;
      },
    );
    while (performance.now() < deadline) {
      if (ended !== undefined) {
        throw new Error(`${this.kind} ended with code ${ended} before it was ready\n${this.log()}`);
      }
      if (await answers(this.socket)) {
        this.#readyMs = performance.now() - startedAt;
        return;
      }
      await sleep(5);
    }
    killTree(this.#child.pid);
    throw new Error(`${this.kind} did not answer in time\n${this.log()}`);
  }
}

async function answers(socket: string): Promise<boolean> {
  try {
    return (await apiRequest(socket, 'GET', '/_ping', undefined, { timeoutMs: 2000 })).status === 200;
  } catch {
    return false;
  }
}
