/**
 * A small HTTP client for the Docker Engine API: JSON in and out, streamed answers, and upgraded connections.
 * It sends no version prefix, so the daemon answers in its newest version: client and daemon ship together.
 */
import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type DaemonAddress, formatAddress } from './address.ts';
import { ConnectionError, DaemonError, describeConnectionFailure, parseErrorBody } from './daemon-error.ts';

export type Method = 'GET' | 'POST' | 'DELETE';

/** Query parameters; `undefined` leaves one out, `true` is sent as `1` as Docker's clients do. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface RequestInit {
  readonly query?: Query;
  /** Query parameters that are repeated for each value. */
  readonly lists?: Readonly<Record<string, readonly string[]>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, chunked; used for tar archives. */
  readonly upload?: Readable;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a request for a connection of one's own may carry. */
export type UpgradeInit = Pick<RequestInit, 'query' | 'body'>;

/** A connection taken over after `101 Switching Protocols`. */
export interface UpgradedConnection {
  readonly socket: Socket;
  /** True when the answer's content type promises framed output, undefined when it does not say. */
  readonly multiplexed: boolean | undefined;
}

/** Escapes one path segment, such as a container name or an image reference with slashes. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}

/** An image reference in a path: its slashes and colons are part of the path in Docker's API. */
export function imagePath(reference: string): string {
  return reference.split('/').map(encodeURIComponent).join('/').replaceAll('%3A', ':').replaceAll('%40', '@');
}

/** Renders a query string with its leading `?`, or nothing when no parameter is set. */
export function formatQuery(query: Query = {}, lists: RequestInit['lists'] = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    parameters.set(name, typeof value === 'boolean' ? (value ? '1' : '0') : String(value));
  }
  for (const [name, values] of Object.entries(lists)) {
    for (const value of values) parameters.append(name, value);
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

/** Speaks to one daemon. Idle connections are kept for reuse and do not hold the process. */
export class Client {
  readonly #address: DaemonAddress;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });

  constructor(address: DaemonAddress) {
    this.#address = address;
  }

  /**
   * Sends a request and reads the whole answer as JSON; an empty body gives undefined.
   * @throws DaemonError for an error status, ConnectionError when no answer came.
   */
  async json<T>(method: Method, path: string, init: RequestInit = {}): Promise<T> {
    const text = await this.text(method, path, init);
    return (text.trim() === '' ? undefined : JSON.parse(text)) as T;
  }

  /** Like `json`, for an answer that is not JSON or does not matter. */
  async text(method: Method, path: string, init: RequestInit = {}): Promise<string> {
    const answer = await this.open(method, path, init);
    return this.#readBody(answer);
  }

  /**
   * Sends a request and resolves as soon as the answer's headers are here; the caller reads the body.
   * @throws DaemonError for an error status, ConnectionError when no answer came.
   */
  async open(method: Method, path: string, init: RequestInit = {}): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers: Record<string, string> = { ...init.headers };
    const payload = init.body === undefined ? undefined : JSON.stringify(init.body);
    if (payload !== undefined) headers['Content-Type'] = 'application/json';
    if (init.upload !== undefined) headers['Content-Type'] = 'application/x-tar';
    const call = this.#request(method, `${path}${formatQuery(init.query, init.lists)}`, {
      headers,
      agent: this.#agent,
    });
    call.on('response', resolve);
    call.on('error', (error: NodeJS.ErrnoException) => reject(this.#failure(error)));
    if (init.upload === undefined) call.end(payload);
    else this.#upload(init.upload, call, reject);
    const answer = await promise;
    if (answer.statusCode === undefined || answer.statusCode >= 400) throw await this.#daemonError(answer);
    return answer;
  }

  /**
   * Asks the daemon to hand over the connection (`Upgrade: tcp`), as attach and exec need. Every call opens a
   * connection of its own.
   * @throws DaemonError for any answer but 101, ConnectionError when none came.
   */
  async upgrade(path: string, init: UpgradeInit = {}): Promise<UpgradedConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<UpgradedConnection>();
    const payload = init.body === undefined ? '' : JSON.stringify(init.body);
    const call = this.#request('POST', `${path}${formatQuery(init.query)}`, {
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'tcp',
        'Content-Length': Buffer.byteLength(payload),
        ...(payload === '' ? {} : { 'Content-Type': 'application/json' }),
      },
      agent: false,
    });
    call.on('upgrade', (answer: IncomingMessage, socket: Socket, head: Buffer) => {
      // Bytes that came in the same packet as the headers are the first output, not something to lose.
      if (head.length > 0) socket.unshift(head);
      resolve({ socket, multiplexed: readMultiplexed(answer.headers['content-type']) });
    });
    call.on('response', (answer) => {
      this.#daemonError(answer).then((error) => {
        answer.destroy();
        reject(error);
      }, reject);
    });
    call.on('error', (error: NodeJS.ErrnoException) => reject(this.#failure(error)));
    call.end(payload);
    return promise;
  }

  /** Drops all connections that this client keeps. */
  close(): void {
    this.#agent.destroy();
  }

  #request(method: Method, path: string, options: RequestOptions): ClientRequest {
    const address = this.#address;
    const target =
      address.kind === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
    return request({ ...target, ...options, method, path });
  }

  #upload(source: Readable, call: ClientRequest, reject: (error: Error) => void): void {
    // The daemon may answer with an error before it has read the whole archive; that answer is what counts,
    // so a broken upload is only reported when no answer comes.
    let answered = false;
    call.on('response', () => {
      answered = true;
    });
    pipeline(source, call).catch((error: NodeJS.ErrnoException) => {
      if (!answered) reject(source.errored === error ? error : this.#failure(error));
    });
  }

  async #readBody(answer: IncomingMessage): Promise<string> {
    try {
      let text = '';
      answer.setEncoding('utf8');
      for await (const chunk of answer) text += chunk;
      return text;
    } catch (error) {
      throw this.#failure(error as NodeJS.ErrnoException);
    }
  }

  async #daemonError(answer: IncomingMessage): Promise<DaemonError> {
    const status = answer.statusCode ?? 0;
    if (status < 400)
      return new DaemonError(status, `the daemon answered with the unexpected status ${status}`);
    return new DaemonError(status, parseErrorBody(status, await this.#readBody(answer)));
  }

  #failure(error: NodeJS.ErrnoException): Error {
    const address = formatAddress(this.#address);
    return new ConnectionError(describeConnectionFailure(address, error.code, error.message), error);
  }
}

function readMultiplexed(contentType: string | undefined): boolean | undefined {
  return contentType === 'application/vnd.docker.multiplexed-stream' ? true : undefined;
}
