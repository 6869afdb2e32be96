/**
 * One HTTP request over a unix socket: what tests use where the docker client would hide what goes over the wire.
 */
import { type IncomingHttpHeaders, request } from 'node:http';

export interface ApiResponse<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body as it came. */
  readonly text: string;
  /** The body parsed; `undefined` when it is not one JSON value. */
  readonly json: T;
}

export interface ApiOptions {
  readonly headers?: Record<string, string>;
  /** @default 60000 */
  readonly timeoutMs?: number;
}

/**
 * Sends one request and reads the answer to its end.
 * @param body an object is sent as JSON with its content type; a string or bytes are sent as they are, as JSON too
 *   unless `headers` say otherwise, so that malformed documents can be sent
 */
export function apiRequest<T>(
  socketPath: string,
  method: string,
  path: string,
  body?: object | string | Uint8Array,
  options: ApiOptions = {},
): Promise<ApiResponse<T>> {
  const bytes = toBytes(body);
  const headers: Record<string, string> = { Host: 'docker', ...options.headers };
  if (bytes !== undefined) {
    headers['Content-Length'] = String(bytes.byteLength);
    if (!Object.keys(headers).some((name) => name.toLowerCase() === 'content-type')) {
      headers['Content-Type'] = 'application/json';
    }
  }
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: parseJson(text) as T,
        });
      });
    });
    outgoing.setTimeout(options.timeoutMs ?? 60_000, () =>
      outgoing.destroy(new Error(`${method} ${path}: no answer in time`)),
    );
    outgoing.once('error', reject);
    outgoing.end(bytes);
  });
}

function toBytes(body: object | string | Uint8Array | undefined): Uint8Array | undefined {
  if (body === undefined) return undefined;
  if (body instanceof Uint8Array) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
