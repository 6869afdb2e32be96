/**
 * Talking to one registry for one piece of work: finds out how it is reached, proves who we are when asked, and keeps
 * tokens and connections until the work is done. Source: OCI distribution specification; Docker Registry v2 token
 * authentication.
 */
import { lookup } from 'node:dns/promises';
import { type EngineError, forbidden, internal } from '../../base/errors.ts';
import { asObject, parseJson, text } from '../image-config.ts';
import { type Challenge, parseChallenge } from './challenge.ts';
import { endpointsOf, mirrorsOf, type RegistryEndpoint, type RegistrySettings } from './endpoints.ts';
import { Connections, type Exchange, type ExchangeRequest, readBody } from './exchange.ts';
import { parseRefusal, type RegistryRefusal, registryError } from './registry-errors.ts';

/** Who somebody is to a registry. Empty texts are nothing. */
export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  /** Of an earlier login; stands for name and password. */
  readonly identityToken?: string;
  /** Sent as it is. */
  readonly registryToken?: string;
}

export interface SessionOptions {
  readonly settings: RegistrySettings;
  readonly auth?: RegistryAuth | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RegistryRequest extends Omit<ExchangeRequest, 'url' | 'signal' | 'body'> {
  /** Below the registry, `/v2/...`, or a whole address that the registry gave. */
  readonly path: string | URL;
  /** What the request needs to be allowed, `repository:library/busybox:pull`. */
  readonly scope?: string;
  /** Made anew when the request has to be sent again. */
  readonly body?: () => Uint8Array | AsyncIterable<Uint8Array>;
}

/** An answer of the registry that says no. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly refusal: RegistryRefusal;

  constructor(refusal: RegistryRefusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

const CLIENT = 'docker';
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

export class RegistrySession implements Disposable {
  /** Base URL, without a slash at its end. */
  readonly url: string;
  readonly #connections: Connections;
  readonly #auth: RegistryAuth;
  readonly #signal: AbortSignal | undefined;
  #challenge: Challenge | undefined;
  readonly #tokens = new Map<string, string>();

  private constructor(endpoint: RegistryEndpoint, options: SessionOptions) {
    this.url = endpoint.url;
    this.#connections = new Connections(endpoint);
    this.#auth = options.auth ?? {};
    this.#signal = options.signal;
  }

  /**
   * Finds how a registry is reached.
   * @throws internal when it is not
   */
  static async open(domain: string, options: SessionOptions): Promise<RegistrySession> {
    return RegistrySession.#openFirst(await endpointsOf(domain, options.settings, addressesOf), options);
  }

  /** Sessions with the mirrors of a registry that answer. */
  static async *openMirrors(domain: string, options: SessionOptions): AsyncGenerator<RegistrySession> {
    for (const endpoint of await mirrorsOf(domain, options.settings, addressesOf)) {
      try {
        yield await RegistrySession.#openFirst([endpoint], { ...options, auth: undefined });
      } catch {
        // The registry itself has what its mirror does not.
        options.signal?.throwIfAborted();
      }
    }
  }

  static async #openFirst(
    endpoints: readonly RegistryEndpoint[],
    options: SessionOptions,
  ): Promise<RegistrySession> {
    let failure: unknown;
    for (const endpoint of endpoints) {
      const session = new RegistrySession(endpoint, options);
      try {
        await session.#ping();
        return session;
      } catch (error) {
        session[Symbol.dispose]();
        options.signal?.throwIfAborted();
        failure = error;
      }
    }
    throw failure;
  }

  [Symbol.dispose](): void {
    this.#connections[Symbol.dispose]();
  }

  /** The base address tells how it wants to be asked. */
  async #ping(): Promise<void> {
    const answer = await this.#send({ method: 'GET', url: new URL(`${this.url}/v2/`) });
    answer.body.resume();
    this.#challenge = parseChallenge(answer.headers['www-authenticate']);
  }

  /**
   * Sends a request, and again with proof when the registry asks for that.
   * @returns an answer with a status below 400
   * @throws RefusedError for any other, forbidden without the credentials that are needed, internal when the
   *   registry cannot be reached
   */
  async request(request: RegistryRequest): Promise<Exchange> {
    const answer = await this.#attempt(request);
    if (answer.status < 400) return answer;
    throw new RefusedError(await readRefusal(answer));
  }

  /** As {@link request}; an answer of 404 is undefined. */
  async ask(request: RegistryRequest): Promise<Exchange | undefined> {
    const answer = await this.#attempt(request);
    if (answer.status < 400) return answer;
    if (answer.status === 404) {
      answer.body.resume();
      return undefined;
    }
    throw new RefusedError(await readRefusal(answer));
  }

  async #attempt(request: RegistryRequest): Promise<Exchange> {
    const first = await this.#sendWithProof(request);
    if (first.status !== 401) return first;
    const challenge = parseChallenge(first.headers['www-authenticate']);
    const scope = request.scope ?? '';
    // A token may have expired, or the registry wants another proof than its base address said.
    const isNew = this.#tokens.delete(scope) || (challenge && challenge.scheme !== this.#challenge?.scheme);
    if (!challenge || !isNew) return first;
    first.body.resume();
    this.#challenge = challenge;
    return this.#sendWithProof(request);
  }

  async #sendWithProof({ path, scope = '', body, ...rest }: RegistryRequest): Promise<Exchange> {
    const url = typeof path === 'string' ? new URL(this.url + path) : path;
    // The registry may hand uploads to another host; who we are is nobody else's business.
    const isOwn = url.host === new URL(this.url).host;
    const proof = isOwn ? await this.#proof(url, rest.method, scope) : undefined;
    const headers = { 'user-agent': CLIENT, ...rest.headers, ...(proof ? { authorization: proof } : {}) };
    return this.#send({ ...rest, url, headers, ...(body ? { body: body() } : {}) });
  }

  #send(request: ExchangeRequest): Promise<Exchange> {
    return this.#connections.exchange({ ...request, signal: this.#signal });
  }

  async #proof(url: URL, method: string, scope: string): Promise<string | undefined> {
    const { username, password, registryToken } = this.#auth;
    if (registryToken) return `Bearer ${registryToken}`;
    if (!this.#challenge) return undefined;
    if (this.#challenge.scheme === 'bearer') return `Bearer ${await this.#token(this.#challenge, scope)}`;
    if (username || password) return basicProof(username, password);
    const verb = method[0] + method.slice(1).toLowerCase();
    // Not as unauthorized: clients would ask for a password where Docker's do not.
    throw forbidden('no-registry-credentials', `${verb} "${url.href}": no basic auth credentials`);
  }

  async #token(challenge: Extract<Challenge, { scheme: 'bearer' }>, scope: string): Promise<string> {
    const known = this.#tokens.get(scope);
    if (known !== undefined) return known;
    const realm = URL.parse(challenge.realm);
    if (!realm || !/^https?:$/.test(realm.protocol)) {
      throw internal('registry-failed', `the registry names no usable token server: "${challenge.realm}"`);
    }
    const answer = this.#auth.identityToken
      ? await this.#refreshToken(realm, challenge.service, scope)
      : await this.#fetchToken(realm, challenge.service, scope);
    if (answer.status >= 400) throw registryError(await readRefusal(answer));
    const document = asObject(parseJson(await readBody(answer, MAX_ANSWER_BYTES), 'token'));
    const token = text(document.token) || text(document.access_token);
    if (token === '') {
      throw internal('registry-failed', 'authorization server did not include a token in the response');
    }
    this.#tokens.set(scope, token);
    return token;
  }

  #fetchToken(realm: URL, service: string | undefined, scope: string): Promise<Exchange> {
    const { username, password } = this.#auth;
    const url = new URL(realm);
    if (service) url.searchParams.set('service', service);
    if (scope) url.searchParams.append('scope', scope);
    if (username) url.searchParams.set('account', username);
    const headers: Record<string, string> = { 'user-agent': CLIENT };
    if (username) headers.authorization = basicProof(username, password);
    return this.#send({ method: 'GET', url, headers });
  }

  #refreshToken(realm: URL, service: string | undefined, scope: string): Promise<Exchange> {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: this.#auth.identityToken ?? '',
      client_id: CLIENT,
      ...(service ? { service } : {}),
      ...(scope ? { scope } : {}),
    });
    return this.#send({
      method: 'POST',
      url: realm,
      headers: { 'user-agent': CLIENT, 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(form.toString()),
    });
  }
}

async function readRefusal(answer: Exchange): Promise<RegistryRefusal> {
  const body = await readBody(answer, MAX_ANSWER_BYTES).catch(() => Buffer.alloc(0));
  return parseRefusal(answer.status, body.toString('utf8'));
}

function basicProof(username = '', password = ''): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

async function addressesOf(host: string): Promise<readonly string[]> {
  return lookup(host, { all: true }).then(
    (found) => found.map(({ address }) => address),
    () => [],
  );
}

/** What any failure of talking to a registry is to the caller. */
export function asEngineError(
  error: unknown,
  describe: (refusal: RegistryRefusal) => EngineError = registryError,
): unknown {
  return error instanceof RefusedError ? describe(error.refusal) : error;
}
