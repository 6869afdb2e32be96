/** Starts a keeper's process and talks to one over its socket; see keeper-client.ts for when. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { isErrno } from '@seaway/linux';
import { nodeEnvironment } from '../base/node-environment.ts';
import {
  encodeLine,
  type KeeperComplaint,
  type KeeperMessage,
  type KeeperRequest,
  keeperLog,
  keeperSocket,
  lineReader,
} from './protocol.ts';

/** How long a keeper may take to say hello, and to answer a request. */
const HELLO_TIMEOUT_MS = 5000;
const ANSWER_TIMEOUT_MS = 30_000;
const START_TIMEOUT_MS = 10_000;

/** The connection ended before the answer came: what was asked may or may not have been done. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/** A request without its number. */
type Ask = KeeperRequest extends infer R ? (R extends KeeperRequest ? Omit<R, 'n'> : never) : never;
type Answer<Kind extends KeeperMessage['kind']> = Extract<KeeperMessage, { readonly kind: Kind }>;

/** A connection to a keeper that has said hello. */
export class KeeperConnection {
  readonly version: number;
  readonly pid: number;
  /** Settles when the connection has ended. */
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  readonly #pending: Map<number, PromiseWithResolvers<KeeperMessage>>;
  #n = 0;

  private constructor(
    socket: Socket,
    hello: Answer<'hello'>,
    pending: Map<number, PromiseWithResolvers<KeeperMessage>>,
    ended: Promise<void>,
  ) {
    this.#socket = socket;
    this.version = hello.version;
    this.pid = hello.pid;
    this.#pending = pending;
    this.ended = ended;
  }

  /**
   * Connects to the keeper of a version; undefined when none runs.
   * @throws ConnectionLost when it does not say hello
   */
  static async open(
    folder: string,
    version: number,
    onComplaint: (complaint: KeeperComplaint) => void,
  ): Promise<KeeperConnection | undefined> {
    const pending = new Map<number, PromiseWithResolvers<KeeperMessage>>();
    const hello = Promise.withResolvers<Answer<'hello'> | undefined>();
    const ended = Promise.withResolvers<void>();
    const socket = connect(keeperSocket(folder, version));
    const timer = setTimeout(() => socket.destroy(), HELLO_TIMEOUT_MS);
    const read = lineReader<KeeperMessage>((message) => {
      if (message.kind === 'hello') hello.resolve(message);
      else if (message.kind === 'log') onComplaint(message);
      else pending.get(message.n)?.resolve(message);
    });
    socket.setEncoding('utf8');
    socket.on('data', (piece: string) => {
      try {
        read(piece);
      } catch {
        socket.destroy();
      }
    });
    socket.on('error', (error) => {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ECONNREFUSED')) hello.resolve(undefined);
    });
    socket.on('close', () => {
      const lost = new ConnectionLost('the keeper closed the connection');
      hello.reject(lost);
      for (const { reject } of pending.values()) reject(lost);
      ended.resolve();
    });
    try {
      const greeting = await hello.promise;
      return greeting && new KeeperConnection(socket, greeting, pending, ended.promise);
    } finally {
      clearTimeout(timer);
    }
  }

  /** @throws ConnectionLost when it ends before the answer comes, or no answer comes in half a minute */
  async ask<Kind extends 'done' | 'sockets' = 'done'>(request: Ask): Promise<Answer<Kind>> {
    const n = ++this.#n;
    const waiting = Promise.withResolvers<KeeperMessage>();
    this.#pending.set(n, waiting);
    const timer = setTimeout(() => this.#socket.destroy(), ANSWER_TIMEOUT_MS);
    try {
      if (this.#socket.destroyed) throw new ConnectionLost('the keeper has closed the connection');
      this.#socket.write(encodeLine({ ...request, n } as KeeperRequest));
      return (await waiting.promise) as Answer<Kind>;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(n);
    }
  }

  /** Ends the connection; resolves when it has ended. */
  async close(): Promise<void> {
    this.#socket.end();
    this.#socket.destroySoon();
    await this.ended;
  }
}

/** The keeper's program, under the extension that we ourselves have: `.ts` as written, `.js` as published. */
const program = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url),
);

/** Few objects live long in a keeper: a small heap is enough, and is given back. */
const nodeOptions = [
  '--max-semi-space-size=1',
  '--max-old-space-size=256',
  '--disable-warning=ExperimentalWarning',
];

/**
 * Starts a keeper with a session of its own. Resolves when one of that version can be connected to, this one or one
 * that was there already. What it writes when it fails goes to `keeper.log` in the run folder.
 * @throws Error when it ends or is silent instead
 */
export async function startKeeper(folder: string, version: number): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const logPath = keeperLog(folder);
  const logFile = openSync(logPath, 'w', 0o600);
  const child = spawn(
    process.execPath,
    [...nodeOptions, program, '--folder', folder, '--version', String(version)],
    { cwd: '/', detached: true, stdio: ['ignore', logFile, logFile, 'pipe'], env: nodeEnvironment() },
  );
  closeSync(logFile);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    child.kill('SIGKILL');
    reject(new Error(`the keeper was not ready after ${START_TIMEOUT_MS / 1000} s; see ${logPath}`));
  }, START_TIMEOUT_MS);
  child.once('error', reject);
  child.once('exit', (code, signal) =>
    reject(new Error(`the keeper ended at once with ${signal ?? `code ${code}`}; see ${logPath}`)),
  );
  const words = child.stdio[3] as Socket;
  words.setEncoding('utf8');
  let said = '';
  words.on('data', (piece: string) => {
    said += piece;
    if (said.endsWith('\n')) resolve();
  });
  words.on('error', () => {});
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    words.destroy();
    child.unref();
  }
}
