/** Archives that are imported from a URL. */
import { internal, invalid } from '../base/errors.ts';
import type { Bytes } from './archive.ts';
import { Connections, readBody } from './registry/exchange.ts';

/**
 * The body behind a URL; without a scheme it is taken for http.
 * @throws invalid for what is no URL, internal when it cannot be had
 */
export async function* fetchArchive(
  source: string,
  signal?: AbortSignal,
): Bytes & AsyncGenerator<Uint8Array> {
  const url = archiveUrl(source);
  using connections = new Connections({ isVerified: true });
  const answer = await connections.exchange({ method: 'GET', url, signal });
  if (answer.status >= 400) {
    await readBody(answer, 64 * 1024).catch(() => {});
    throw internal('archive-not-fetched', `failed to GET ${url.href} with status ${answer.status}`);
  }
  yield* answer.body;
}

/** @throws invalid */
export function archiveUrl(source: string): URL {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(source) ? source : `http://${source}`);
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw invalid(
    'invalid-archive-url',
    `invalid source "${source}": it should be - or a URL with http or https`,
  );
}
