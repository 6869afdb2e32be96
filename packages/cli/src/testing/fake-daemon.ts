/** For tests: an HTTP server on a private unix socket that answers as the test says, and a context that talks to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { Client } from '../client/http-client.ts';
import type { TerminalSize } from '../client/terminal.ts';
import type { Context } from '../context.ts';

/** Answers a request; the body has been read already. */
export type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

export class FakeDaemon implements AsyncDisposable {
  /** `METHOD /path?query` of every request so far. */
  readonly requests: string[] = [];
  /** The body of every request so far. */
  readonly bodies: Buffer[] = [];
  /** Takes over attach connections. */
  onUpgrade: (socket: Socket, request: IncomingMessage) => void = (socket) => socket.destroy();
  readonly path: string;
  readonly #server: Server;
  readonly #directory: string;

  private constructor(directory: string, handler: Handler) {
    this.#directory = directory;
    this.path = join(directory, 'd.sock');
    this.#server = createServer(async (request, response) => {
      this.requests.push(`${request.method} ${request.url}`);
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      this.bodies.push(body);
      handler(request, response, body);
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
      this.requests.push(`${request.method} ${request.url}`);
      this.onUpgrade(socket, request);
    });
  }

  static async open(handler: Handler): Promise<FakeDaemon> {
    const daemon = new FakeDaemon(await mkdtemp(join(tmpdir(), 'seaway-cli-')), handler);
    await new Promise<void>((resolve) => daemon.#server.listen(daemon.path, resolve));
    return daemon;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#directory, { recursive: true });
  }
}

/** Answers JSON by `METHOD /path` without its query; a handler may also be given. Anything else is 404. */
export function routes(table: Readonly<Record<string, unknown>>): Handler {
  return (request, response, body) => {
    const key = `${request.method} ${request.url!.split('?', 1)[0]}`;
    if (!Object.hasOwn(table, key)) {
      response.writeHead(404, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ message: `no route ${key}` }));
      return;
    }
    const answer = table[key];
    if (typeof answer === 'function') return (answer as Handler)(request, response, body);
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(answer));
  };
}

/** Answers with an error as the daemon does. */
export function failWith(status: number, message: string): Handler {
  return (_request, response) => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ message }));
  };
}

/** A context whose output is kept and whose terminal is played by the test. */
export class FakeContext implements Context, Disposable {
  readonly client: Client;
  readonly terminal: Context['terminal'];
  readonly env: Record<string, string> = {};
  stdout = '';
  stderr = '';
  size: TerminalSize | undefined;
  isInteractive = false;
  isRaw = false;
  /** Plays a signal to the process. */
  signal: (signal: NodeJS.Signals) => void = () => {};
  /** Plays a change of the terminal's size. */
  resize: () => void = () => {};

  constructor(daemon: FakeDaemon, stdin: Readable = new PassThrough()) {
    this.client = new Client({ kind: 'unix', path: daemon.path });
    const keep = (name: 'stdout' | 'stderr') =>
      new PassThrough().on('data', (chunk: Buffer) => {
        this[name] += chunk.toString();
      });
    const self = this;
    this.terminal = {
      stdin,
      stdout: keep('stdout'),
      stderr: keep('stderr'),
      get isInteractive() {
        return self.isInteractive;
      },
      size: () => this.size,
      onResize: (callback) => {
        this.resize = callback;
        return () => {
          this.resize = () => {};
        };
      },
      enterRawMode: () => {
        this.isRaw = true;
        return () => {
          this.isRaw = false;
        };
      },
      onSignal: (callback) => {
        this.signal = callback;
        return () => {
          this.signal = () => {};
        };
      },
    };
  }

  now(): number {
    return 1_700_000_060_000;
  }

  print(text: string): void {
    this.stdout += text;
  }

  complain(message: string): void {
    this.stderr += `seaway: ${message}\n`;
  }

  [Symbol.dispose](): void {
    this.client.close();
  }
}
