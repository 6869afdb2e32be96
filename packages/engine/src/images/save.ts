/**
 * `docker save`: images as one archive, which is at once an OCI image layout and what `docker load` has always read.
 * Layers are uncompressed and each is there once. Sources: Docker image specification v1.2; OCI image layout.
 */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import { internal } from '../base/errors.ts';
import type { ImageRecord } from '../model/image.ts';
import { decompress } from './archive.ts';
import { hexOf } from './blobs.ts';
import { type ImageCore, layersOf, noSuchImage } from './image-core.ts';
import type { StoredLayer } from './layers.ts';
import { digestOf, formatManifest } from './manifest.ts';
import { mediaTypes } from './media-types.ts';
import { formatRepository, parseReference } from './reference.ts';

interface SavedImage {
  readonly image: ImageRecord;
  readonly names: readonly string[];
}

/**
 * Opens the archive of images by name or id; a name without tag means all tags of the repository.
 * @throws notFound before anything is written
 */
export function saveImages(core: ImageCore, references: readonly string[]): Readable {
  const saved = chooseImages(core, references);
  const lease = core.files.blobs.lease();
  for (const { image } of saved) for (const blob of image.blobs) lease.hold(blob);
  const archive = pack();
  const writing = writeArchive(core, archive, saved).then(
    () => {
      for (const { image, names } of saved) core.announce('save', image, names[0] ?? image.id);
      archive.finalize();
    },
    (error) => archive.destroy(error),
  );
  void writing.finally(() => lease[Symbol.dispose]());
  // Its own stream type has no asynchronous iterator that ends when the reader goes.
  return Readable.from(archive as unknown as AsyncIterable<Uint8Array>, { objectMode: false }).on(
    'close',
    () => archive.destroy(),
  );
}

function chooseImages(core: ImageCore, references: readonly string[]): SavedImage[] {
  const names = new Map<ImageRecord, Set<string>>();
  const choose = (image: ImageRecord, name?: string): void => {
    const known = names.get(image) ?? new Set<string>();
    names.set(image, name === undefined ? known : known.add(name));
  };
  for (const reference of references) {
    const found = core.lookUp(reference);
    if (found?.by === 'id') {
      choose(found.image);
      continue;
    }
    const { tag, digest, ...repository } = parseReference(reference);
    const all = tag === undefined && digest === undefined ? core.named(formatRepository(repository)) : [];
    for (const { image, name } of all) choose(image, name);
    if (all.length > 0) continue;
    if (!found) noSuchImage(reference);
    choose(found.image, found.name.includes('@') ? undefined : found.name);
  }
  return [...names].map(([image, set]) => ({ image, names: [...set] }));
}

async function writeArchive(core: ImageCore, archive: Pack, saved: readonly SavedImage[]): Promise<void> {
  const written = new Set<string>();
  const writeBlob = async (digest: string, bytes: Uint8Array): Promise<void> => {
    if (!written.has(digest)) await writeFile(archive, blobPath(digest), bytes);
    written.add(digest);
  };
  await writeFolders(archive, ['blobs', 'blobs/sha256']);
  const entries = [];
  for (const { image, names } of saved) {
    const config = await readFile(core.files.blobs.path(image.id));
    const layers = layersOf(image).map(toPlain);
    for (const [index, layer] of layersOf(image).entries()) {
      if (written.has(layer.diffId)) continue;
      written.add(layer.diffId);
      await writeLayer(core, archive, layer, layers[index]!.digest);
    }
    const manifest = formatManifest(image.id, config.length, layers);
    await writeBlob(image.id, config);
    await writeBlob(digestOf(manifest), manifest);
    entries.push({ image, names, layers, manifest });
  }
  const index = entries.flatMap(({ names, manifest }) => {
    const descriptor = {
      mediaType: mediaTypes.ociManifest,
      digest: digestOf(manifest),
      size: manifest.length,
    };
    if (names.length === 0) return [descriptor];
    return names.map((name) => ({ ...descriptor, annotations: annotationsOf(name) }));
  });
  const documents = {
    'index.json': { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: index },
    'manifest.json': entries.map(({ image, names, layers }) => ({
      Config: blobPath(image.id),
      RepoTags: names.length > 0 ? names : null,
      Layers: layers.map(({ digest }) => blobPath(digest)),
      LayerSources: Object.fromEntries(
        layers.map(({ digest, sizeBytes, mediaType }) => [digest, { mediaType, size: sizeBytes, digest }]),
      ),
    })),
    'oci-layout': { imageLayoutVersion: '1.0.0' },
    repositories: repositoriesOf(saved),
  };
  for (const [name, document] of Object.entries(documents)) {
    await writeFile(archive, name, Buffer.from(JSON.stringify(document)));
  }
}

/** The layer as the archive has it. */
function toPlain(layer: StoredLayer): StoredLayer {
  return { ...layer, digest: layer.diffId, sizeBytes: layer.unpackedBytes, mediaType: mediaTypes.ociLayer };
}

function annotationsOf(name: string): Record<string, string> {
  const { domain, path, tag = 'latest' } = parseReference(name);
  return {
    'io.containerd.image.name': `${domain}/${path}:${tag}`,
    'org.opencontainers.image.ref.name': tag,
  };
}

/** Which layer is on top, for readers from before `manifest.json`. */
function repositoriesOf(saved: readonly SavedImage[]): Record<string, Record<string, string>> {
  const repositories: Record<string, Record<string, string>> = {};
  for (const { image, names } of saved) {
    for (const name of names) {
      const reference = parseReference(name);
      const repository = formatRepository(reference);
      const top = hexOf(image.layers.at(-1) ?? image.id);
      repositories[repository] = { ...repositories[repository], [reference.tag ?? 'latest']: top };
    }
  }
  return repositories;
}

function blobPath(digest: string): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** Nothing in the archive tells when it was made: saved twice it is the same. */
const MADE_AT = new Date(0);

async function writeFolders(archive: Pack, names: readonly string[]): Promise<void> {
  for (const name of names)
    archive.entry({ name: `${name}/`, type: 'directory', mode: 0o755, mtime: MADE_AT });
}

function writeFile(archive: Pack, name: string, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    archive.entry({ name, mode: 0o644, mtime: MADE_AT }, Buffer.from(bytes), (error) =>
      error ? reject(error) : resolve(),
    );
  });
}

async function writeLayer(core: ImageCore, archive: Pack, layer: StoredLayer, digest: string): Promise<void> {
  const entry = archive.entry({
    name: blobPath(digest),
    size: layer.unpackedBytes,
    mode: 0o644,
    mtime: MADE_AT,
  });
  try {
    await pipeline(decompress(createReadStream(core.files.blobs.path(layer.digest))), entry);
  } catch (error) {
    throw internal('image-store-failed', `layer ${layer.diffId} cannot be read`, {}, error);
  }
}
