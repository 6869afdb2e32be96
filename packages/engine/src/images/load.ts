/** `docker load`: the images of an archive, one after the other. */
import { createReadStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { invalid } from '../base/errors.ts';
import { type Bytes, unpackUpload } from './archive.ts';
import type { BlobLease } from './blobs.ts';
import { parseImageConfig } from './image-config.ts';
import { hostPlatform, type ImageCore } from './image-core.ts';
import type { Staging } from './image-files.ts';
import type { Candidate } from './image-options.ts';
import type { StoredLayer } from './layers.ts';
import { type ArchivedImage, readDocumentBytes, readLoadArchive } from './load-archive.ts';
import { digestOf, type Platform } from './manifest.ts';
import { type OnProgress, shortDigest, throttled } from './progress.ts';

export interface LoadOptions {
  /** Gets the lines of the result, and what happened to names that moved. @default nobody */
  readonly onProgress?: (text: string) => void;
  /** Gets how far each layer is that the store lacks. @default nobody */
  readonly onLayer?: OnProgress;
  /** Which image of several for different platforms. @default this machine's */
  readonly platform?: Platform;
}

/**
 * Adds the images of a `docker save` or OCI archive. Each is complete before the next begins; a failure leaves the
 * ones before it, and nothing else.
 * @throws invalid for a bad or interrupted archive, internal when it cannot be stored
 */
export async function loadImages(
  store: ImageCore,
  body: Bytes,
  options: LoadOptions = {},
): Promise<{ loaded: string[] }> {
  const onProgress = options.onProgress ?? (() => {});
  await using staging = await store.files.openStaging();
  const upload = staging.fresh();
  await mkdir(upload, { mode: 0o700 });
  await unpackUpload(body, upload);
  const loaded: string[] = [];
  const report = (line: string): void => {
    loaded.push(line);
    onProgress(`${line}\n`);
  };
  using lease = store.files.blobs.lease();
  await store.cleaningUp(async () => {
    const received = new Map<string, StoredLayer>();
    for (const archived of await readLoadArchive(upload, options.platform ?? hostPlatform())) {
      const candidate = await receiveImage(store, archived, {
        staging,
        lease,
        received,
        onLayer: options.onLayer ?? (() => {}),
      });
      const moved = archived.names.flatMap((name) => describeMove(store, name, candidate));
      const image = await store.add(candidate, { names: archived.names });
      for (const line of moved) onProgress(line);
      for (const name of archived.names) report(`Loaded image: ${name}`);
      if (archived.names.length === 0) report(`Loaded image ID: ${image.id}`);
      store.announce('load', image, archived.names[0] ?? image.id);
    }
  }, lease);
  return { loaded };
}

interface Place {
  readonly staging: Staging;
  readonly lease: BlobLease;
  /** Layers of this archive that are in the store, by diff id. */
  readonly received: Map<string, StoredLayer>;
  readonly onLayer: OnProgress;
}

/** Copies the configuration and those layers that the store lacks out of an archive, and checks them. */
async function receiveImage(store: ImageCore, archived: ArchivedImage, place: Place): Promise<Candidate> {
  const configBytes = await readDocumentBytes(archived.configPath);
  const { diffIds, os } = parseImageConfig(configBytes);
  if (os !== 'linux') throw invalid('image-platform-missing', `cannot load ${os} image on linux`, { os });
  if (diffIds.length !== archived.layerPaths.length) {
    throw invalid(
      'invalid-load-archive',
      `invalid manifest, layers length mismatch: expected ${diffIds.length}, got ${archived.layerPaths.length}`,
    );
  }
  const layers: StoredLayer[] = [];
  for (const [index, diffId] of diffIds.entries()) {
    const known = place.received.get(diffId) ?? store.findLayer({ diffId }, place.lease);
    if (known) {
      layers.push(known);
      continue;
    }
    const source = await openLayer(archived.layerPaths[index]!, diffId, place.onLayer);
    const layer = await store.receiveLayer(source, place.staging.fresh(), place.lease);
    if (layer.diffId !== diffId) {
      throw invalid(
        'invalid-load-archive',
        `invalid diffID for layer ${index}: expected "${diffId}", got "${layer.diffId}"`,
      );
    }
    place.received.set(diffId, layer);
    layers.push(layer);
  }
  return { configBytes, layers };
}

/** A layer of the archive, which tells how much of it has been read. */
async function openLayer(path: string, diffId: string, onLayer: OnProgress): Promise<Bytes> {
  const { size: total } = await stat(path);
  const tell = throttled(
    (current) => onLayer({ kind: 'layer', id: shortDigest(diffId), status: 'Loading layer', current, total }),
    total,
  );
  return (async function* () {
    let read = 0;
    for await (const chunk of createReadStream(path)) {
      yield chunk;
      read += chunk.length;
      tell(read);
    }
  })();
}

function describeMove(store: ImageCore, name: string, { configBytes }: Candidate): string[] {
  const owner = store.ownerOf(name);
  if (!owner || owner.id === digestOf(configBytes)) return [];
  return [`The image ${name} already exists, renaming the old one with ID ${owner.id} to empty string\n`];
}
