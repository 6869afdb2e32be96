/**
 * A lab: a private "host" (network, mount, PID, UTS and IPC namespaces) with an "outside" network namespace behind its
 * `eth0`, in which an engine and its containers run without touching the machine.
 *
 *     host     eth0 198.51.100.1/24, 2001:db8::1/64, default routes through the outside
 *     outside  eth0 198.51.100.2/24, 2001:db8::2/64, no route to any container subnet
 *
 * Both address blocks are for documentation (RFC 5737, RFC 3849); nothing real is reachable. A lab is held by
 * `holder.sh`, which takes everything down when this process closes the lab or ends in any way.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandOptions, childrenOf, killTree, type Output, runCommand, toArgv } from './command.ts';
import {
  type EngineKind,
  type EngineOptions,
  type EnginePlan,
  type EngineSite,
  LabEngine,
  planEngine,
  seawayProgram,
} from './engine.ts';
import { type ApiOptions, type ApiResponse, apiRequest } from './http.ts';
import { busyboxRootfs } from './rootfs.ts';

/** Addresses of the two ends of the lab's wire. */
export const hostAddress = '198.51.100.1';
export const outsideAddress = '198.51.100.2';
export const hostAddress6 = '2001:db8::1';
export const outsideAddress6 = '2001:db8::2';
export const labHostname = 'lab-host';

const holderScript = fileURLToPath(new URL('holder.sh', import.meta.url));
const whoamiProgram = fileURLToPath(new URL('whoami-server.ts', import.meta.url));

/** A program that goes on running in a lab. */
export interface Background {
  /** What it has written to standard output and standard error so far. */
  output(): string;
  stop(): Promise<void>;
}

/** The engine that stories run against: `SEAWAY_TEST_ENGINE=dockerd` proves the stories themselves on Debian's. */
export const engineUnderTest: EngineKind =
  process.env.SEAWAY_TEST_ENGINE === 'dockerd' ? 'dockerd' : 'seaway';

export class Lab implements AsyncDisposable {
  /** Unique name; also the control group below which the lab's containers run. */
  readonly id: string;
  /** A folder that both sides see under the same path; removed with the lab. */
  readonly directory: string;
  readonly #holder: ChildProcess;
  readonly #holderPid: number;
  /** The environment that commands get. */
  readonly env: NodeJS.ProcessEnv;
  #engine: LabEngine | undefined;
  #closed: Promise<void> | undefined;

  private constructor(id: string, directory: string, holder: ChildProcess, holderPid: number) {
    this.id = id;
    this.directory = directory;
    this.#holder = holder;
    this.#holderPid = holderPid;
    this.env = labEnvironment(directory);
  }

  /**
   * Makes a lab in about 60 ms; needs root.
   * @throws Error with the reason when a namespace or device cannot be made
   */
  static async create(): Promise<Lab> {
    const directory = mkdtempSync(join(tmpdir(), 'seaway-lab-'));
    const id = `seaway-lab-${randomBytes(4).toString('hex')}`;
    mkdirSync(join(directory, 'home'));
    // A session of its own: an interrupt typed at the terminal must not reach the janitor before its work is done.
    const holder = spawn('sh', [holderScript, directory, id], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      cwd: '/',
    });
    await readyLine(holder);
    // sh -> unshare -> PID 1 of the lab
    const holderPid = childrenOf(childrenOf(holder.pid ?? 0)[0] ?? 0)[0];
    if (holderPid === undefined) throw new Error('the lab ended as soon as it was made');
    holder.unref();
    for (const stream of [holder.stdin, holder.stdout, holder.stderr])
      (stream as { unref?(): void }).unref?.();
    return new Lab(id, directory, holder, holderPid);
  }

  /** The lab's PID 1 as the machine numbers it. */
  get holderPid(): number {
    return this.#holderPid;
  }

  /** The engine started last. */
  get engine(): LabEngine {
    if (this.#engine === undefined) throw new Error('no engine has been started in this lab');
    return this.#engine;
  }

  /** A path of the lab's file system as this process reaches it. */
  pathInside(path: string): string {
    return `/proc/${this.#holderPid}/root${path}`;
  }

  /** Runs a command on the lab's host. @throws CommandError */
  run(command: string | readonly string[], options: CommandOptions = {}): Promise<Output> {
    return runCommand(this.enter(toArgv(command)), { env: this.env, ...options });
  }

  /** Runs a command in the outside network. @throws CommandError */
  outside(command: string | readonly string[], options: CommandOptions = {}): Promise<Output> {
    return this.run(insideOutside(toArgv(command)), options);
  }

  /** Starts a command on the lab's host and lets it run. */
  background(command: string | readonly string[]): Background {
    return startBackground(this.enter(toArgv(command)), this.env);
  }

  /**
   * Starts a server in the outside network (or on the host) that answers HTTP requests with the address the client
   * had when it arrived, and waits until it listens.
   */
  async startWhoami(where: 'outside' | 'host', port: number): Promise<Background> {
    const argv = [process.execPath, whoamiProgram, String(port)];
    const server = this.background(where === 'outside' ? insideOutside(argv) : argv);
    const deadline = performance.now() + 10_000;
    while (!server.output().includes('listening')) {
      if (performance.now() > deadline) throw new Error(`whoami server: ${server.output()}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return server;
  }

  /** Starts our daemon and waits until it answers. */
  startDaemon(options: EngineOptions = {}): Promise<LabEngine> {
    return this.#startEngine('seaway', options);
  }

  /** Starts Debian's dockerd and waits until it answers. */
  startDockerd(options: EngineOptions = {}): Promise<LabEngine> {
    return this.#startEngine('dockerd', options);
  }

  /** Starts the engine under test. */
  startEngine(options: EngineOptions = {}): Promise<LabEngine> {
    return this.#startEngine(engineUnderTest, options);
  }

  /** Folders, socket and command line of a daemon that is not started; for daemons that must not come up. */
  planDaemon(options: EngineOptions = {}): EnginePlan {
    return planEngine(this.#site(), 'seaway', options);
  }

  /** Runs the docker client against the engine. @throws CommandError */
  docker(command: string | readonly string[], options: CommandOptions = {}): Promise<Output> {
    return runCommand(['docker', ...toArgv(command)], this.#clientOptions(options));
  }

  /** What a docker command wrote to standard output, without white space at the ends. @throws CommandError */
  async dockerOutput(command: string | readonly string[], options: CommandOptions = {}): Promise<string> {
    return (await this.docker(command, options)).stdout.trim();
  }

  /** Runs our own command line against the engine. @throws CommandError */
  seaway(command: string | readonly string[], options: CommandOptions = {}): Promise<Output> {
    return runCommand([seawayProgram, ...toArgv(command)], this.#clientOptions(options));
  }

  /** Sends one request to the engine, past any client. */
  api<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: object | string | Uint8Array,
    options?: ApiOptions,
  ): Promise<ApiResponse<T>> {
    return apiRequest<T>(this.engine.socket, method, path, body, options);
  }

  /** Imports the test image into the engine. */
  async importBusybox(reference = 'busybox:latest'): Promise<void> {
    const [repo = '', tag = 'latest'] = reference.split(':');
    const answer = await this.api(
      'POST',
      `/images/create?fromSrc=-&repo=${repo}&tag=${tag}`,
      busyboxRootfs(),
      {
        headers: { 'Content-Type': 'application/x-tar' },
      },
    );
    if (answer.status !== 200 || answer.text.includes('"error"')) {
      throw new Error(`import of ${reference}: ${answer.status} ${answer.text}`);
    }
  }

  /** Takes the lab down and waits until nothing of it is left. Calling it again does no harm. */
  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#holder.ref();
      if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) resolve();
      this.#holder.once('exit', () => resolve());
      this.#holder.stdin?.end();
    });
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #startEngine(kind: EngineKind, options: EngineOptions): Promise<LabEngine> {
    const engine = await LabEngine.start(this.#site(), kind, options);
    this.#engine = engine;
    return engine;
  }

  #site(): EngineSite {
    return {
      id: this.id,
      directory: this.directory,
      env: this.env,
      enter: (argv) => this.enter(argv),
    };
  }

  /** The command that runs another one on the lab's host, for those who start processes themselves. */
  enter(argv: readonly string[]): string[] {
    // Not `ip netns exec`: it mounts a new /sys, which hides the control groups.
    const target = ['--target', String(this.#holderPid)];
    return ['nsenter', ...target, '--net', '--mount', '--pid', '--uts', '--ipc', '--', ...argv];
  }

  #clientOptions(options: CommandOptions): CommandOptions {
    const host = `unix://${this.engine.socket}`;
    const env = { ...this.env, DOCKER_HOST: host, SEAWAY_HOST: host };
    return { cwd: this.directory, ...options, env: { ...env, ...options.env } };
  }
}

function insideOutside(argv: readonly string[]): string[] {
  return ['nsenter', '--net=/run/netns/outside', '--', ...argv];
}

/** A small, fixed environment: nothing of the developer's own Docker or proxy settings gets in. */
function labEnvironment(directory: string): NodeJS.ProcessEnv {
  const home = join(directory, 'home');
  const system = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  return {
    PATH: `${dirname(process.execPath)}:${system}`,
    HOME: home,
    DOCKER_CONFIG: home,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
  };
}

function readyLine(holder: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = '';
    holder.stdout?.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (seen.includes('ready\n')) resolve();
    });
    let complaint = '';
    holder.stderr?.on('data', (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    holder.once('error', reject);
    holder.once('exit', (code) =>
      reject(new Error(`the lab did not start (code ${code}): ${complaint.trim()}`)),
    );
  });
}

function startBackground(argv: readonly string[], env: NodeJS.ProcessEnv): Background {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    (stream as { unref?(): void }).unref?.();
  }
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  child.unref();
  return {
    output: () => text,
    stop: async () => {
      child.ref();
      killTree(child.pid);
      await ended;
    },
  };
}
