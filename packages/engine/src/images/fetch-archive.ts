/** Archives that are imported from a URL. */
import { internal, invalid } from '../base/errors.ts';
import { Connections, readBody, redacted } from './registry/exchange.ts';

export interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told the address when the server has begun to send. */
  readonly onOpen?: ((url: string) => void) | undefined;
}

/**
 * The body behind a URL.
 * @throws internal when it cannot be had
 */
export async function* fetchArchive(url: URL, options: FetchOptions): AsyncGenerator<Uint8Array> {
  using connections = new Connections({ isVerified: true });
  const answer = await connections.exchange({ method: 'GET', url, signal: options.signal });
  if (answer.status >= 400) {
    await readBody(answer, 64 * 1024).catch(() => {});
    throw internal('archive-not-fetched', `failed to GET ${redacted(url)} with status ${answer.status}`);
  }
  options.onOpen?.(redacted(url));
  yield* answer.body;
}

/** Without a scheme it is taken for http. @throws invalid for what is no URL */
export function archiveUrl(source: string): URL {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(source) ? source : `http://${source}`);
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw invalid(
    'invalid-archive-url',
    `invalid source "${source}": it should be - or a URL with http or https`,
  );
}
