/** One repository of a registry: its manifests, blobs and tags. Source: OCI distribution specification. */
import { internal } from '../../base/errors.ts';
import { asObject, parseJson, strings } from '../image-config.ts';
import { type Descriptor, digestOf, MAX_MANIFEST_BYTES } from '../manifest.ts';
import { mediaTypes } from '../media-types.ts';
import { type Exchange, readBody } from './exchange.ts';
import type { RegistrySession } from './session.ts';

export interface FetchedManifest extends Descriptor {
  readonly bytes: Buffer;
}

const ACCEPTED = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
].join(', ');

export class Repository {
  readonly #session: RegistrySession;
  readonly #path: string;
  readonly #scope: string;

  /** @param actions `pull` or `pull,push` */
  constructor(session: RegistrySession, path: string, actions: 'pull' | 'pull,push') {
    this.#session = session;
    this.#path = path;
    this.#scope = `repository:${path}:${actions}`;
  }

  /**
   * @param reference tag or digest
   * @throws RefusedError, internal when it is not what its digest says
   */
  async manifest(reference: string): Promise<FetchedManifest> {
    const answer = await this.#session.request({
      method: 'GET',
      path: `/v2/${this.#path}/manifests/${reference}`,
      headers: { accept: ACCEPTED },
      scope: this.#scope,
    });
    const bytes = await readBody(answer, MAX_MANIFEST_BYTES);
    const digest = digestOf(bytes);
    if (reference.startsWith('sha256:') && digest !== reference) {
      throw internal(
        'registry-content-damaged',
        `manifest verification failed for digest ${reference}: the registry sent ${digest}`,
      );
    }
    const [type = ''] = (answer.headers['content-type'] ?? '').split(';');
    const own = asObject(parseJson(bytes, 'manifest')).mediaType;
    return {
      bytes,
      digest,
      sizeBytes: bytes.length,
      mediaType: typeof own === 'string' ? own : type.trim(),
    };
  }

  /** The bytes of a small blob. @throws as {@link manifest} */
  async document({ digest }: Descriptor, limit: number): Promise<Buffer> {
    const answer = await this.openBlob(digest, 0);
    const bytes = await readBody(answer, limit);
    if (digestOf(bytes) === digest) return bytes;
    throw internal(
      'registry-content-damaged',
      `image configuration verification failed for digest ${digest}`,
    );
  }

  /** @param from how many bytes are there already; a registry may send all of them again, with status 200 */
  openBlob(digest: string, from: number): Promise<Exchange> {
    return this.#session.request({
      method: 'GET',
      path: `/v2/${this.#path}/blobs/${digest}`,
      ...(from > 0 ? { headers: { range: `bytes=${from}-` } } : {}),
      scope: this.#scope,
    });
  }

  /** All tags, over as many pages as the registry makes of them. */
  async tags(): Promise<string[]> {
    const tags: string[] = [];
    let path: string | URL | undefined = `/v2/${this.#path}/tags/list`;
    for (let pages = 0; path !== undefined && pages < 1000; pages += 1) {
      const answer = await this.#session.request({ method: 'GET', path, scope: this.#scope });
      const page = asObject(parseJson(await readBody(answer, MAX_MANIFEST_BYTES), 'list of tags'));
      tags.push(...(strings(page.tags) ?? []));
      const [, next] = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(answer.headers.link ?? '')) ?? [];
      path = next === undefined ? undefined : new URL(next, answer.url);
    }
    return tags;
  }

  async hasBlob(digest: string): Promise<boolean> {
    const answer = await this.#session.ask({
      method: 'HEAD',
      path: `/v2/${this.#path}/blobs/${digest}`,
      scope: this.#scope,
    });
    answer?.body.resume();
    return answer !== undefined;
  }

  /**
   * Begins an upload, or takes the blob over from another repository of the registry.
   * @returns where to upload it; undefined when it is there now
   */
  async beginUpload(mount?: { readonly digest: string; readonly from: string }): Promise<URL | undefined> {
    const query = mount ? `?${new URLSearchParams({ mount: mount.digest, from: mount.from })}` : '';
    const answer = await this.#session.request({
      method: 'POST',
      path: `/v2/${this.#path}/blobs/uploads/${query}`,
      headers: { 'content-length': '0' },
      scope: this.#scope,
    });
    answer.body.resume();
    return answer.status === 201 ? undefined : locationOf(answer);
  }

  /** Sends a blob to where {@link beginUpload} said. @param open opens its bytes, anew when they have to be sent again */
  async upload(
    to: URL,
    { digest, sizeBytes }: Pick<Descriptor, 'digest' | 'sizeBytes'>,
    open: () => AsyncIterable<Uint8Array> | Uint8Array,
  ): Promise<void> {
    const sent = await this.#session.request({
      method: 'PATCH',
      path: to,
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(sizeBytes) },
      scope: this.#scope,
      body: open,
    });
    sent.body.resume();
    const end = locationOf(sent);
    end.searchParams.set('digest', digest);
    const done = await this.#session.request({
      method: 'PUT',
      path: end,
      headers: { 'content-length': '0' },
      scope: this.#scope,
    });
    done.body.resume();
  }

  async putManifest(tag: string, bytes: Uint8Array, mediaType: string): Promise<void> {
    const answer = await this.#session.request({
      method: 'PUT',
      path: `/v2/${this.#path}/manifests/${tag}`,
      headers: { 'content-type': mediaType, 'content-length': String(bytes.length) },
      scope: this.#scope,
      body: () => bytes,
    });
    answer.body.resume();
  }
}

function locationOf({ headers, url }: Exchange): URL {
  if (headers.location) return new URL(headers.location, url);
  throw internal('registry-failed', 'the registry does not say where to upload to');
}
