/** `docker pull`: an image, or all of a repository, from a registry into the store. */
import { invalid, notFound } from '../base/errors.ts';
import type { ImageId } from '../base/ids.ts';
import type { BlobLease } from './blobs.ts';
import type { Downloads } from './downloads.ts';
import { parseImageConfig } from './image-config.ts';
import { hostPlatform, type ImageCore } from './image-core.ts';
import type { StoredLayer } from './layers.ts';
import { type Manifest, type Platform, parseManifest } from './manifest.ts';
import { type OnProgress, shortDigest } from './progress.ts';
import { formatReference, formatRepository, type ImageReference, parseTagged } from './reference.ts';
import type { RegistrySettings } from './registry/endpoints.ts';
import { choosePlatform } from './registry/platform.ts';
import { pullError } from './registry/registry-errors.ts';
import { type FetchedManifest, Repository } from './registry/repository.ts';
import { asEngineError, type RegistryAuth, RegistrySession } from './registry/session.ts';

export interface PullRequest {
  /** Name, with tag or digest; with neither, all tags of the repository are pulled. */
  readonly reference: string;
  /** Tag or digest, which goes before the one in the name. */
  readonly tag?: string;
  /** @default this machine's */
  readonly platform?: Platform;
  readonly auth?: RegistryAuth;
  /** Gives the work up; nothing of it is left then. */
  readonly signal?: AbortSignal;
}

interface Job extends Omit<PullRequest, 'reference' | 'tag' | 'platform'> {
  readonly core: ImageCore;
  readonly downloads: Downloads;
  readonly settings: RegistrySettings;
  readonly onProgress: OnProgress;
  readonly platform: Platform;
}

/** A configuration is never so large; a bound on what a registry can make us hold. */
const MAX_CONFIG_BYTES = 16 * 1024 * 1024;
const MAX_INDEX_DEPTH = 3;

/**
 * Pulls, and tells about it. Nothing is told before the registry has said what it has, so that a failure until then can
 * be answered as such.
 * @throws notFound, unauthorized, internal in Docker's words
 */
export async function pullImages(job: Omit<Job, 'platform'>, request: PullRequest): Promise<void> {
  const reference = parseTagged(request.reference, request.tag);
  const platform = request.platform ?? hostPlatform();
  const { auth, signal, settings } = job;
  const whole = { ...job, platform };
  for await (const session of RegistrySession.openMirrors(reference.domain, { settings, signal })) {
    using mirror = session;
    if (await pullFrom(whole, mirror, reference).then(isDone, isRefused(signal))) return;
  }
  using session = await RegistrySession.open(reference.domain, { settings, auth, signal });
  await pullFrom(whole, session, reference);
}

const isDone = (): boolean => true;

/** A mirror that does not have an image is passed over, whatever its reason. */
function isRefused(signal: AbortSignal | undefined) {
  return (): boolean => {
    signal?.throwIfAborted();
    return false;
  };
}

async function pullFrom(job: Job, session: RegistrySession, reference: ImageReference): Promise<void> {
  const repository = new Repository(session, reference.path, 'pull');
  const { tag, digest } = reference;
  try {
    if (tag !== undefined || digest !== undefined) {
      await pullOne(job, repository, reference);
      return;
    }
    const tags = await repository.tags();
    if (tags.length === 0) {
      const name = formatRepository(reference);
      throw notFound('repository-not-found', `repository ${name} not found: name unknown: it has no tags`);
    }
    for (const each of tags) await pullOne(job, repository, { ...reference, tag: each });
  } catch (error) {
    job.signal?.throwIfAborted();
    throw asEngineError(error, (refusal) =>
      pullError(refusal, formatRepository(reference), formatReference(reference)),
    );
  }
}

async function pullOne(job: Job, repository: Repository, reference: ImageReference): Promise<void> {
  const { core, onProgress, signal } = job;
  const which = reference.digest ?? reference.tag ?? '';
  const top = await repository.manifest(which);
  onProgress({ kind: 'status', status: `Pulling from ${reference.path}`, id: which });
  const chosen = await chooseImage(repository, top, job.platform);
  const { domain, path, tag } = reference;
  const repoDigest = formatReference({ domain, path, digest: top.digest });
  // A digest says it all: with one, the tag beside it is no name for the image.
  const name = reference.digest === undefined && tag !== undefined ? formatReference(reference) : undefined;
  const naming = { names: name === undefined ? [] : [name], repoDigests: [repoDigest] };
  const wasNamed = core.find(name ?? repoDigest)?.id;

  const id = chosen.manifest.config.digest as ImageId;
  let image = core.get(id);
  if (image && !image.isRemoved) image = core.name(image, naming);
  else {
    using lease = core.files.blobs.lease();
    image = await core.cleaningUp(async () => {
      const configBytes = await repository.document(chosen.manifest.config, MAX_CONFIG_BYTES);
      const fetched = new Set<string>();
      const layers = await fetchLayers({ job, repository, lease, chosen, configBytes, fetched });
      const manifest = isOf(layers, chosen) ? { manifest: chosen.fetched } : {};
      const tell = (status: string): void => {
        for (const digest of fetched) onProgress({ kind: 'layer', id: shortDigest(digest), status });
      };
      // All of them over each other, in one go.
      tell('Extracting');
      const added = await core.add({ configBytes, layers, ...manifest }, naming, signal);
      tell('Pull complete');
      return added;
    }, lease);
  }
  const familiar = formatReference(reference);
  onProgress({ kind: 'status', status: `Digest: ${top.digest}` });
  const outcome =
    wasNamed === image.id ? 'Status: Image is up to date for' : 'Status: Downloaded newer image for';
  onProgress({ kind: 'status', status: `${outcome} ${familiar}` });
  core.announce('pull', image, formatRepository(reference), familiar);
}

interface ChosenImage {
  readonly fetched: FetchedManifest;
  readonly manifest: Extract<Manifest, { kind: 'image' }>;
}

/** Follows indices to the manifest of one image. */
async function chooseImage(
  repository: Repository,
  top: FetchedManifest,
  platform: Platform,
): Promise<ChosenImage> {
  let fetched = top;
  for (let depth = 0; depth < MAX_INDEX_DEPTH; depth += 1) {
    const manifest = parseManifest(fetched.bytes, fetched.mediaType);
    if (manifest.kind === 'image') return { fetched, manifest };
    fetched = await repository.manifest(choosePlatform(manifest.entries, platform).digest);
  }
  throw invalid('manifest-unsupported', 'unsupported manifest: lists of images within lists');
}

interface FetchRequest {
  readonly job: Job;
  readonly repository: Repository;
  readonly lease: BlobLease;
  readonly chosen: ChosenImage;
  readonly configBytes: Buffer;
  /** Gets the digests of layers that the store did not have. */
  readonly fetched: Set<string>;
}

async function fetchLayers(request: FetchRequest): Promise<StoredLayer[]> {
  const { job, lease, chosen } = request;
  const { layers } = chosen.manifest;
  const { diffIds, os } = parseImageConfig(request.configBytes);
  if (os !== 'linux') {
    const text = `image operating system "${os}" cannot be used on this platform`;
    throw invalid('image-platform-missing', text, { os });
  }
  if (diffIds.length !== layers.length) {
    throw invalid('manifest-unsupported', "layers from manifest don't match image configuration");
  }
  for (const { mediaType, digest } of layers) {
    if (isLayerType(mediaType)) continue;
    throw invalid('manifest-unsupported', `unsupported media type ${mediaType} of layer ${digest}`);
  }
  for (const { digest } of layers) lease.hold(digest);
  // One that fails takes the others along.
  const controller = new AbortController();
  const signal = AbortSignal.any([controller.signal, ...(job.signal ? [job.signal] : [])]);
  const results = await Promise.allSettled(
    layers.map((_, index) =>
      fetchLayer(request, index, diffIds[index]!, signal).catch((error) => {
        controller.abort(error);
        throw error;
      }),
    ),
  );
  job.signal?.throwIfAborted();
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw controller.signal.reason;
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

async function fetchLayer(
  { job, repository, lease, chosen, fetched }: FetchRequest,
  index: number,
  diffId: string,
  signal: AbortSignal,
): Promise<StoredLayer> {
  const layer = chosen.manifest.layers[index]!;
  const id = shortDigest(layer.digest);
  const report = (status: string, current?: number, total?: number): void =>
    job.onProgress({
      kind: 'layer',
      id,
      status,
      ...(current === undefined ? {} : { current }),
      ...(total === undefined ? {} : { total }),
    });
  const known = job.core.findLayer({ digest: layer.digest }, lease) ?? job.core.findLayer({ diffId }, lease);
  if (known) {
    report('Already exists');
    return known;
  }
  fetched.add(layer.digest);
  report('Pulling fs layer');
  const open = (from: number) => repository.openBlob(layer.digest, from);
  const stored = await job.downloads.fetch({ layer, open }, report, signal);
  if (stored.diffId === diffId) return stored;
  throw invalid('manifest-unsupported', "layers from manifest don't match image configuration");
}

/** Whether the manifest tells of the very blobs that the store has. */
function isOf(layers: readonly StoredLayer[], { manifest }: ChosenImage): boolean {
  return layers.every((layer, index) => layer.digest === manifest.layers[index]?.digest);
}

/** Archives, compressed with gzip, zstd or not at all; also those that may not be given away. */
function isLayerType(mediaType: string): boolean {
  return /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar)(?:[+.](?:gzip|zstd))?$/.test(
    mediaType,
  );
}
