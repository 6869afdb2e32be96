/** One HTTP request to a registry and its answer. What goes wrong below HTTP is told in the words that Docker has for it. */
import { readFile } from 'node:fs/promises';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { getCACertificates } from 'node:tls';
import { EngineError, internal, messageOf } from '../../base/errors.ts';

export interface ExchangeRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream needs a `content-length` among the headers. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
}

export interface Exchange {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: IncomingMessage;
  /** Where the answer came from, after redirections. */
  readonly url: URL;
}

/** Nothing said for so long means that the other side is gone. */
const IDLE_MS = 120_000;
const MAX_REDIRECTS = 10;

/** Connections that are kept between the requests of one piece of work. */
export class Connections implements Disposable {
  readonly #http: HttpAgent;
  readonly #direct: HttpAgent;
  readonly #isVerified: boolean;
  #https: HttpsAgent | undefined;

  /** @param options.isVerified whether the certificates of servers have to be good */
  constructor(options: { readonly isVerified: boolean }) {
    // The usual variables name a proxy; what is on this host is never reached through one.
    this.#http = new HttpAgent({ keepAlive: true, proxyEnv: process.env });
    this.#direct = new HttpAgent({ keepAlive: true });
    this.#isVerified = options.isVerified;
  }

  [Symbol.dispose](): void {
    this.#http.destroy();
    this.#direct.destroy();
    this.#https?.destroy();
  }

  /**
   * Sends a request and waits for the head of the answer; GET and HEAD follow redirections.
   * @throws internal when the server cannot be reached or breaks off
   */
  async exchange(request: ExchangeRequest): Promise<Exchange> {
    let { url } = request;
    for (let redirects = 0; ; redirects += 1) {
      const headers = { ...request.headers };
      // What proves who we are is for the registry alone, not for where it keeps its blobs.
      if (!mayKnowUs(url, request.url)) delete headers.authorization;
      const answer = await this.#once({ ...request, url, headers });
      const { location } = answer.headers;
      const isRedirected = [301, 302, 303, 307, 308].includes(answer.status) && location !== undefined;
      if (!isRedirected || !['GET', 'HEAD'].includes(request.method)) return { ...answer, url };
      answer.body.resume();
      const next = new URL(location, url);
      if (redirects >= MAX_REDIRECTS || !/^https?:$/.test(next.protocol)) {
        throw internal(
          'registry-unreachable',
          `${titled(request.method)} "${redacted(request.url)}": stopped after ${redirects} redirects`,
        );
      }
      url = next;
    }
  }

  async #once(request: ExchangeRequest): Promise<Omit<Exchange, 'url'>> {
    const { url, method, signal } = request;
    signal?.throwIfAborted();
    const agent = await this.#agentFor(url);
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const outgoing = send(url, { method, headers: request.headers ?? {}, agent, timeout: IDLE_MS, signal });
    outgoing.on('timeout', () => outgoing.destroy(new Error('context deadline exceeded')));
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve);
      outgoing.once('error', reject);
    });
    // A server may answer, with a refusal, before it has read all; then the rest is of no interest.
    const sending = sendBody(outgoing, request.body);
    sending.catch(() => {});
    try {
      const body = await Promise.race([answer, sending.then(() => answer)]);
      body.on('error', () => {});
      return { status: body.statusCode ?? 0, headers: body.headers, body };
    } catch (error) {
      outgoing.destroy();
      answer.catch(() => {});
      signal?.throwIfAborted();
      throw unreachable(request, error);
    }
  }

  async #agentFor(url: URL): Promise<HttpAgent> {
    if (url.protocol === 'http:') return isOnThisHost(url.hostname) ? this.#direct : this.#http;
    this.#https ??= new HttpsAgent({
      keepAlive: true,
      proxyEnv: isOnThisHost(url.hostname) ? {} : process.env,
      rejectUnauthorized: this.#isVerified,
      ca: await authoritiesFor(url.host),
    });
    return this.#https;
  }
}

/** Whether what proves who we are may go from the address that was asked for to another: not in the open, either. */
export function mayKnowUs(url: URL, asked: URL): boolean {
  return url.host === asked.host && (url.protocol === asked.protocol || url.protocol === 'https:');
}

/** An address for messages, which end in logs: without its password, as Go has it. */
export function redacted(url: URL): string {
  if (url.password === '') return url.href;
  const shown = new URL(url);
  shown.password = 'xxxxx';
  return shown.href;
}

async function sendBody(
  outgoing: ReturnType<typeof httpRequest>,
  body: ExchangeRequest['body'],
): Promise<void> {
  if (body === undefined) outgoing.end();
  else if (body instanceof Uint8Array) outgoing.end(body);
  else {
    await pipeline(Readable.from(body, { objectMode: false }), outgoing).catch((error) => {
      // The answer, or the failure of the connection, says more.
      if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE' && error.code !== 'EPIPE') throw error;
    });
  }
}

/** The system's, and those of Docker's folder for this registry; dockerd(8), "certs.d". */
async function authoritiesFor(host: string): Promise<string[]> {
  const own = await readFile(`/etc/docker/certs.d/${host}/ca.crt`, 'utf8').catch(() => undefined);
  const known = [...getCACertificates('system'), ...getCACertificates('extra')];
  return [...(known.length > 0 ? known : getCACertificates('bundled')), ...(own ? [own] : [])];
}

function isOnThisHost(hostname: string): boolean {
  return (
    hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'))
  );
}

/**
 * All of an answer's body.
 * @throws internal when it breaks off or is longer than `limit` bytes
 */
export async function readBody({ body, url }: Exchange, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > limit)
        throw internal('registry-failed', `the answer of ${redacted(url)} is longer than ${limit} bytes`);
    }
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw internal('registry-failed', `Get "${redacted(url)}": unexpected EOF`, {}, error);
  }
  return Buffer.concat(chunks);
}

function unreachable({ method, url }: ExchangeRequest, error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const shown = redacted(url);
  const message = `${titled(method)} "${shown}": ${reasonOf(url, error as NodeJS.ErrnoException)}`;
  return internal('registry-unreachable', message, { url: shown }, error);
}

const portOf = (url: URL): string => url.port || (url.protocol === 'https:' ? '443' : '80');

/** Node's reasons in the words of Go's standard library, which clients and their users look for. */
function reasonOf(url: URL, error: NodeJS.ErrnoException & { errors?: NodeJS.ErrnoException[] }): string {
  const first = error.errors?.[0] ?? error;
  const { code = '' } = first;
  const address = (first as { address?: string }).address ?? url.hostname.replace(/^\[|\]$/g, '');
  const dialled = `dial tcp ${address.includes(':') ? `[${address}]` : address}:${portOf(url)}`;
  if (code === 'ENOTFOUND') return `dial tcp: lookup ${url.hostname}: no such host`;
  if (code === 'EAI_AGAIN') return `dial tcp: lookup ${url.hostname}: Temporary failure in name resolution`;
  if (code === 'ECONNREFUSED') return `${dialled}: connect: connection refused`;
  if (code === 'EHOSTUNREACH') return `${dialled}: connect: no route to host`;
  if (code === 'ENETUNREACH') return `${dialled}: connect: network is unreachable`;
  if (code === 'ETIMEDOUT') return `${dialled}: i/o timeout`;
  if (code === 'ECONNRESET') return /hang up/.test(first.message) ? 'EOF' : 'read: connection reset by peer';
  if (/wrong version number|packet length too long|http request/i.test(first.message)) {
    return 'http: server gave HTTP response to HTTPS client';
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO/.test(code)) {
    return `tls: failed to verify certificate: x509: ${certificateReason(code, first.message)}`;
  }
  return messageOf(first);
}

function certificateReason(code: string, message: string): string {
  if (code === 'CERT_HAS_EXPIRED') return 'certificate has expired or is not yet valid';
  if (/SELF_SIGNED|UNABLE_TO/.test(code)) return 'certificate signed by unknown authority';
  return message;
}

/** As Go prints the method of a request that failed. */
function titled(method: string): string {
  return method[0] + method.slice(1).toLowerCase();
}
