/**
 * What is compared: raw `runc`, our daemon, and Debian's dockerd, each with operations that run `true` and leave
 * nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { release } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { resolveCapabilities } from '../packages/engine/src/runtime/spec/capabilities.ts';
import { buildOciSpec } from '../packages/engine/src/runtime/spec/oci-spec.ts';
import { runCommand } from '../test/lab/command.ts';
import type { EngineKind, LabEngine } from '../test/lab/engine.ts';
import { Lab } from '../test/lab/lab.ts';
import { busyboxRootfs } from '../test/lab/rootfs.ts';

const rawRuncProgram = fileURLToPath(new URL('raw-runc.ts', import.meta.url));

/** An engine in a lab of its own, with its data on disk as in real life. */
export class EnginePeer implements AsyncDisposable {
  readonly lab: Lab;
  readonly engine: LabEngine;
  readonly #agent = new Agent({ keepAlive: true });

  private constructor(lab: Lab, engine: LabEngine) {
    this.lab = lab;
    this.engine = engine;
  }

  static async start(kind: EngineKind): Promise<EnginePeer> {
    const lab = await Lab.create();
    const options = { dataRoot: join(lab.directory, 'data') };
    const engine = await (kind === 'seaway' ? lab.startDaemon(options) : lab.startDockerd(options));
    await lab.importBusybox();
    return new EnginePeer(lab, engine);
  }

  /** Create, start, wait and remove over the API, on one connection. @returns milliseconds */
  async runTrue(networkMode: 'none' | 'bridge'): Promise<number> {
    const startedAt = performance.now();
    const body = { Image: 'busybox', Cmd: ['true'], HostConfig: { NetworkMode: networkMode } };
    const { Id } = JSON.parse(await this.call('POST', '/containers/create', body)) as { Id: string };
    await this.call('POST', `/containers/${Id}/start`);
    const { StatusCode } = JSON.parse(await this.call('POST', `/containers/${Id}/wait`)) as {
      StatusCode: number;
    };
    if (StatusCode !== 0) throw new Error(`true ended with code ${StatusCode}`);
    await this.call('DELETE', `/containers/${Id}`);
    return performance.now() - startedAt;
  }

  /** Starts a container that sleeps. @returns its id */
  async startSleeper(): Promise<string> {
    const body = { Image: 'busybox', Cmd: ['sleep', '3600'], HostConfig: { NetworkMode: 'none' } };
    const { Id } = JSON.parse(await this.call('POST', '/containers/create', body)) as { Id: string };
    await this.call('POST', `/containers/${Id}/start`);
    return Id;
  }

  /** Create, start with its output attached, and inspect an exec over the API, as `docker exec`. @returns milliseconds */
  async execTrue(container: string): Promise<number> {
    const startedAt = performance.now();
    const body = { AttachStdout: true, AttachStderr: true, Cmd: ['true'] };
    const { Id } = JSON.parse(await this.call('POST', `/containers/${container}/exec`, body)) as {
      Id: string;
    };
    await this.call('POST', `/exec/${Id}/start`, { Detach: false, Tty: false });
    const { ExitCode } = JSON.parse(await this.call('GET', `/exec/${Id}/json`)) as { ExitCode: number };
    if (ExitCode !== 0) throw new Error(`true ended with code ${ExitCode}`);
    return performance.now() - startedAt;
  }

  async version(): Promise<string> {
    return (JSON.parse(await this.call('GET', '/version')) as { Version: string }).Version;
  }

  /** One request on the one connection; returns the body. */
  call(method: string, path: string, body?: object): Promise<string> {
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers =
      bytes === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': bytes.length };
    const options = {
      socketPath: this.engine.socket,
      agent: this.#agent,
      method,
      path: `/v1.41${path}`,
      headers,
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.once('end', () => {
          if ((response.statusCode ?? 500) < 400) resolve(text);
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
        });
        response.once('error', reject);
      });
      outgoing.once('error', reject);
      outgoing.end(bytes);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    await this.lab.close();
  }
}

/** Which configuration raw runc is given. */
export type RuncConfiguration = 'its own default' | 'that of the engine';

/** Raw runc in a lab of its own. */
export class RawRunc implements AsyncDisposable {
  readonly #lab: Lab;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(lab: Lab, child: ChildProcess, lines: Interface) {
    this.#lab = lab;
    this.#child = child;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /**
   * @param configuration what `runc spec` writes, or what our engine writes for the same command: Docker's seccomp
   *   profile, capabilities, mounts and device rules. Either way the network namespace is new and empty.
   */
  static async start(configuration: RuncConfiguration, mode: 'run' | 'exec' = 'run'): Promise<RawRunc> {
    const lab = await Lab.create();
    const bundle = join(lab.directory, 'bundle');
    const rootfs = join(bundle, 'rootfs');
    mkdirSync(rootfs, { recursive: true });
    await runCommand(['tar', '-x', '-C', rootfs], { input: busyboxRootfs() });
    const cgroup = `/${lab.id}/raw`;
    const args = mode === 'run' ? ['true'] : ['sleep', '3600'];
    const spec =
      configuration === 'its own default'
        ? await runcSpec(bundle, cgroup, args)
        : engineSpec(rootfs, cgroup, args);
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));
    const argv = lab.enter([process.execPath, rawRuncProgram, bundle, join(lab.directory, 'state'), mode]);
    const child = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['pipe', 'pipe', 'inherit'], env: lab.env });
    return new RawRunc(lab, child, createInterface({ input: child.stdout }));
  }

  /** @returns milliseconds */
  async runTrue(): Promise<number> {
    this.#child.stdin?.write('run\n');
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('raw runc ended');
    return Number(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    await this.#lab.close();
  }
}

async function runcSpec(bundle: string, cgroupsPath: string, args: readonly string[]): Promise<object> {
  await runCommand(['runc', 'spec', '--bundle', bundle]);
  const spec = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
  Object.assign(spec.process, { args, terminal: false });
  spec.linux.cgroupsPath = cgroupsPath;
  return spec;
}

function engineSpec(rootfs: string, cgroupsPath: string, args: readonly string[]): object {
  const [major = 0, minor = 0] = release()
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  const spec = buildOciSpec({
    rootfs,
    readonlyRootfs: false,
    args,
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOSTNAME=raw'],
    cwd: '/',
    terminal: false,
    user: { uid: 0, gid: 0, additionalGids: [] },
    hostname: 'raw',
    network: { kind: 'path', path: '' },
    ownsNetwork: false,
    uts: 'private',
    pid: 'private',
    ipc: 'private',
    cgroupsPath,
    cgroupns: 'host',
    capabilities: resolveCapabilities(),
    privileged: false,
    noNewPrivileges: false,
    seccomp: 'default',
    mounts: [],
    sharedMemory: { kind: 'own', sizeBytes: 64 * 2 ** 20 },
    devices: [],
    deviceRules: [],
    sysctls: {},
    rlimits: [],
    resources: {},
    annotations: {},
    architecture: process.arch === 'arm64' ? 'arm64' : 'x64',
    kernel: [major, minor],
  });
  // Without a path the runtime makes the namespace itself.
  return JSON.parse(JSON.stringify(spec), (key, value) =>
    key === 'path' && value === '' ? undefined : value,
  );
}
