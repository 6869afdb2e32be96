/**
 * What is compared: raw `runc run`, our daemon, and Debian's dockerd, each with one operation that runs `true` and
 * leaves nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
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
    const { Id } = JSON.parse(await this.#call('POST', '/containers/create', body)) as { Id: string };
    await this.#call('POST', `/containers/${Id}/start`);
    const { StatusCode } = JSON.parse(await this.#call('POST', `/containers/${Id}/wait`)) as {
      StatusCode: number;
    };
    if (StatusCode !== 0) throw new Error(`true ended with code ${StatusCode}`);
    await this.#call('DELETE', `/containers/${Id}`);
    return performance.now() - startedAt;
  }

  async version(): Promise<string> {
    return (JSON.parse(await this.#call('GET', '/version')) as { Version: string }).Version;
  }

  #call(method: string, path: string, body?: object): Promise<string> {
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

  static async start(): Promise<RawRunc> {
    const lab = await Lab.create();
    const bundle = join(lab.directory, 'bundle');
    mkdirSync(join(bundle, 'rootfs'), { recursive: true });
    await runCommand(['tar', '-x', '-C', join(bundle, 'rootfs')], { input: busyboxRootfs() });
    await runCommand(['runc', 'spec', '--bundle', bundle]);
    const configFile = join(bundle, 'config.json');
    const config = JSON.parse(readFileSync(configFile, 'utf8'));
    Object.assign(config.process, { args: ['true'], terminal: false });
    config.linux.cgroupsPath = `/${lab.id}/raw`;
    writeFileSync(configFile, JSON.stringify(config));
    const argv = lab.enter([process.execPath, rawRuncProgram, bundle, join(lab.directory, 'state')]);
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
