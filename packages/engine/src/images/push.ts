/** `docker push`: an image, or all tags of a repository, from the store to a registry. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { allOrFirstError } from '../base/all-or-first-error.ts';
import { EngineError, invalid, notFound } from '../base/errors.ts';
import type { ImageRecord } from '../model/image.ts';
import { ATTEMPTS } from './downloads.ts';
import { type ImageCore, layersOf } from './image-core.ts';
import type { StoredLayer } from './layers.ts';
import { type OnProgress, shortDigest, throttled } from './progress.ts';
import {
  formatReference,
  formatRepository,
  type ImageReference,
  parseReference,
  parseTagged,
} from './reference.ts';
import type { RegistrySettings } from './registry/endpoints.ts';
import { Repository } from './registry/repository.ts';
import { asEngineError, type RegistryAuth, RegistrySession } from './registry/session.ts';

export interface PushRequest {
  /** Name with or without tag; without one all tags of the repository are pushed. */
  readonly reference: string;
  /** Goes before the one in the name. */
  readonly tag?: string;
  readonly auth?: RegistryAuth;
  readonly signal?: AbortSignal;
}

interface Job {
  readonly core: ImageCore;
  readonly settings: RegistrySettings;
  readonly onProgress: OnProgress;
}

/** Repositories of the same registry that are asked for a layer before it is sent. */
const MAX_MOUNTS = 2;
const CONCURRENT = 5;

/** @throws notFound when there is no such image, unauthorized, forbidden or internal as the registry says */
export async function pushImages(job: Job, request: PushRequest): Promise<void> {
  const { core, onProgress, settings } = job;
  const reference = parseTagged(request.reference, request.tag);
  const { domain, path, tag } = reference;
  if (reference.digest !== undefined) {
    throw invalid('image-tag-with-digest', 'cannot push a digest reference', { ...reference });
  }
  onProgress({ kind: 'status', status: `The push refers to repository [${domain}/${path}]` });
  const repository = formatRepository(reference);
  const all = core.named(repository);
  if (all.length === 0) {
    const text = `An image does not exist locally with the tag: ${repository}`;
    throw notFound('image-not-found', text, { repository });
  }
  const wanted = tag === undefined ? all : all.filter(({ name }) => name === formatReference(reference));
  if (wanted.length === 0) {
    throw notFound('image-not-found', `tag does not exist: ${formatReference(reference)}`, { repository });
  }
  const { auth, signal } = request;
  try {
    using session = await RegistrySession.open(domain, { settings, auth, signal });
    const target = new Repository(session, path, 'pull,push');
    for (const { name, image } of wanted) {
      await pushOne(job, target, { image, reference: parseReference(name) }, signal);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw asEngineError(error);
  }
}

interface Pushed {
  readonly image: ImageRecord;
  readonly reference: ImageReference;
}

async function pushOne(
  { core, onProgress, settings }: Job,
  target: Repository,
  { image, reference }: Pushed,
  signal?: AbortSignal,
): Promise<void> {
  const { blobs } = core.files;
  using lease = blobs.lease();
  for (const blob of image.blobs) lease.hold(blob);
  const layers = layersOf(image);
  const manifest = await readFile(blobs.path(image.digest));
  // Clients list what is at the top first.
  for (const { diffId } of [...layers].reverse()) {
    onProgress({ kind: 'layer', id: shortDigest(diffId), status: 'Preparing' });
  }
  const distinct = layers.filter(
    (layer, index) => layers.findIndex(({ digest }) => digest === layer.digest) === index,
  );
  await forEachOf(distinct, settings.concurrentUploads ?? CONCURRENT, async (layer) => {
    const report = (status: string, current?: number): void =>
      onProgress({
        kind: 'layer',
        id: shortDigest(layer.diffId),
        status,
        ...(current === undefined ? {} : { current, total: layer.sizeBytes }),
      });
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted();
      try {
        await pushLayer(core, target, { layer, reference }, report);
        return;
      } catch (error) {
        signal?.throwIfAborted();
        const isFinal = !(error instanceof EngineError) || error.code !== 'registry-unreachable';
        if (isFinal || attempt >= (settings.attempts ?? ATTEMPTS)) throw error;
        report(`Retrying in ${attempt} second${attempt === 1 ? '' : 's'}`);
        await delay(attempt * 1000, undefined, signal ? { signal } : {});
      }
    }
  });
  await pushConfig(core, target, image);
  const tag = reference.tag ?? 'latest';
  await target.putManifest(tag, manifest, image.manifestType);
  onProgress({ kind: 'status', status: `${tag}: digest: ${image.digest} size: ${manifest.length}` });
  onProgress({ kind: 'pushed', tag, digest: image.digest, sizeBytes: manifest.length });
  const { domain, path } = reference;
  const current = core.get(image.id);
  if (current && !current.isRemoved) {
    core.name(current, { repoDigests: [formatReference({ domain, path, digest: image.digest })] });
  }
  core.announce('push', image, formatRepository(reference), formatReference(reference));
}

/** Works on a few things at a time. After a failure nothing new is begun, and what goes on is waited for. */
async function forEachOf<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    try {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
    } catch (error) {
      left.length = 0;
      throw error;
    }
  };
  await allOrFirstError(Array.from({ length: limit }, worker));
}

async function pushLayer(
  core: ImageCore,
  target: Repository,
  { layer, reference }: { readonly layer: StoredLayer; readonly reference: ImageReference },
  report: (status: string, current?: number) => void,
): Promise<void> {
  const { digest, sizeBytes } = layer;
  if (await target.hasBlob(digest)) {
    report('Layer already exists');
    return;
  }
  let to: URL | undefined;
  for (const from of repositoriesWith(core, digest, reference).slice(0, MAX_MOUNTS)) {
    to = await target.beginUpload({ digest, from });
    if (to) continue;
    report(`Mounted from ${from}`);
    return;
  }
  to ??= await target.beginUpload();
  if (to) {
    const tell = throttled((current) => report('Pushing', current), sizeBytes);
    await target.upload(to, layer, async function* () {
      let sent = 0;
      for await (const chunk of createReadStream(core.files.blobs.path(digest))) {
        yield chunk;
        sent += chunk.length;
        tell(sent);
      }
    });
  }
  report('Pushed');
}

/** Other repositories of the registry that an image with this layer came from or went to. */
function repositoriesWith(core: ImageCore, digest: string, to: ImageReference): string[] {
  const known = core
    .list()
    .filter((image) => image.layerBlobs.some((blob) => blob.digest === digest))
    .flatMap((image) => image.repoDigests.map(parseReference));
  const near = known.filter(({ domain, path }) => domain === to.domain && path !== to.path);
  return [...new Set(near.map(({ path }) => path))];
}

async function pushConfig(core: ImageCore, target: Repository, image: ImageRecord): Promise<void> {
  if (await target.hasBlob(image.id)) return;
  const bytes = await readFile(core.files.blobs.path(image.id));
  const to = await target.beginUpload();
  if (to) await target.upload(to, { digest: image.id, sizeBytes: bytes.length }, () => bytes);
}
