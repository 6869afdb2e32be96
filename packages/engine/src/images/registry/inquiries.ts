/** Questions to registries that have nothing to do with images here: logging in, looking at manifests, searching. */
import { internal, invalid, notFound, unauthorized } from '../../base/errors.ts';
import { asObject, parseImageConfig, parseJson, text } from '../image-config.ts';
import { type Descriptor, type Manifest, type Platform, parseManifest } from '../manifest.ts';
import { formatReference, formatRepository, parseReference, withDefaultTag } from '../reference.ts';
import type { RegistrySettings } from './endpoints.ts';
import { readBody } from './exchange.ts';
import { pullError } from './registry-errors.ts';
import { Repository } from './repository.ts';
import { asEngineError, RefusedError, type RegistryAuth, RegistrySession } from './session.ts';

export interface InquiryOptions {
  readonly settings: RegistrySettings;
  readonly auth?: RegistryAuth | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Docker Hub as clients write it where they log in. */
const HUB_SERVER = 'https://index.docker.io/v1/';
const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;

/**
 * Checks credentials.
 * @param server `HOST[:PORT]` or a URL. @default Docker Hub
 * @throws unauthorized when the registry does not take them
 */
export async function logIn(server: string, options: InquiryOptions): Promise<void> {
  const { username, password, identityToken } = options.auth ?? {};
  if (!identityToken && (!username || !password)) {
    throw invalid('login-incomplete', 'a login needs a user name and a password, or an identity token');
  }
  const address = (server || HUB_SERVER).replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  const domain = address === 'index.docker.io' ? 'docker.io' : address;
  if (!/^(?:[\w.-]+|\[[\da-f:]+\])(?::\d+)?$/i.test(domain)) {
    throw invalid(
      'invalid-registry-address',
      `invalid registry address "${server}": it should be HOST[:PORT]`,
    );
  }
  using session = await RegistrySession.open(domain, options);
  try {
    const answer = await session.request({ method: 'GET', path: '/v2/' });
    answer.body.resume();
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const { status } = error.refusal;
    const message = `login attempt to ${session.url}/v2/ failed with status: ${status} ${status === 401 ? 'Unauthorized' : error.message}`;
    throw status === 401 || status === 403
      ? unauthorized('login-failed', message)
      : internal('registry-failed', message);
  }
}

export interface DistributionInfo {
  readonly descriptor: Descriptor;
  readonly platforms: readonly Platform[];
}

/** What a registry has under a name. @throws notFound, unauthorized, internal */
export async function inspectDistribution(name: string, options: InquiryOptions): Promise<DistributionInfo> {
  const reference = withDefaultTag(parseReference(name));
  using session = await RegistrySession.open(reference.domain, options);
  try {
    const repository = new Repository(session, reference.path, 'pull');
    const { bytes: _, ...descriptor } = await repository
      .manifest(reference.digest ?? reference.tag ?? '')
      .then((fetched) => ({ ...fetched, manifest: parseManifest(fetched.bytes, fetched.mediaType) }));
    const { manifest, ...plain } = descriptor;
    return { descriptor: plain, platforms: await platformsOf(repository, manifest) };
  } catch (error) {
    options.signal?.throwIfAborted();
    throw asEngineError(error, (refusal) =>
      pullError(refusal, formatRepository(reference), formatReference(reference)),
    );
  }
}

async function platformsOf(repository: Repository, manifest: Manifest): Promise<Platform[]> {
  if (manifest.kind === 'index') return manifest.entries.flatMap(({ platform }) => platform ?? []);
  const { os, architecture, variant } = parseImageConfig(
    await repository.document(manifest.config, MAX_DOCUMENT_BYTES),
  );
  return [{ os, architecture, ...(variant ? { variant } : {}) }];
}

export interface SearchHit {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly isOfficial: boolean;
  readonly isAutomated: boolean;
}

/**
 * Asks a registry's index, Docker Hub's where the term names no other.
 * @param limit from 1 to 100
 * @throws notFound when the registry has no index, invalid for a bad term or limit
 */
export async function searchImages(
  term: string,
  limit: number,
  options: InquiryOptions,
): Promise<SearchHit[]> {
  if (limit < 1 || limit > 100) {
    throw invalid('invalid-search', `limit ${limit} is outside the range of [1, 100]`);
  }
  if (term.includes('://')) {
    throw invalid(
      'invalid-search',
      `invalid repository name: repository name (${term}) should not have a scheme`,
    );
  }
  if (term.trim() === '') throw invalid('invalid-search', 'a search needs a term');
  const slash = term.indexOf('/');
  const first = slash < 0 ? '' : term.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === 'localhost';
  const host = isHost ? first : 'index.docker.io';
  using session = await RegistrySession.open(host, options);
  const query = new URLSearchParams({ q: isHost ? term.slice(slash + 1) : term, n: String(limit) });
  try {
    const answer = await session.ask({ method: 'GET', path: `/v1/search?${query}` });
    if (!answer) {
      throw notFound('search-unsupported', `the registry ${host} cannot be searched: it has no index`);
    }
    const { results } = asObject(parseJson(await readBody(answer, MAX_DOCUMENT_BYTES), 'search result'));
    return (Array.isArray(results) ? results : []).map(asObject).map((hit) => ({
      name: text(hit.name),
      description: text(hit.description),
      stars: Number(hit.star_count) || 0,
      isOfficial: hit.is_official === true,
      isAutomated: hit.is_automated === true,
    }));
  } catch (error) {
    throw asEngineError(error);
  }
}
