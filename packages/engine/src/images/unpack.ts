/** Unpacks an image's layers over each other into one tree, which umoci does: whiteouts, owners, modes, attributes. */
import { createReadStream } from 'node:fs';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ImageId } from '../base/ids.ts';
import { decompress } from './archive.ts';
import { type Blobs, hexOf } from './blobs.ts';
import { createFile, type StoredLayer } from './layers.ts';
import { digestOf, formatManifest } from './manifest.ts';
import { mediaTypes } from './media-types.ts';
import { ProgramError, runProgram } from './programs.ts';

export interface UnpackRequest {
  readonly umoci: string;
  readonly blobs: Blobs;
  readonly id: ImageId;
  readonly configSize: number;
  /** Lowest first. */
  readonly layers: readonly StoredLayer[];
  /** A folder for what is made on the way. */
  readonly folder: string;
  readonly signal?: AbortSignal;
}

/**
 * Makes the tree `rootfs` in the request's folder; umoci checks the digest of each layer, packed and unpacked.
 * @throws ProgramError when a layer cannot be unpacked
 */
export async function unpackImage(request: UnpackRequest): Promise<string> {
  const { folder, blobs, id, configSize } = request;
  // umoci finds an image by a name in an index and knows only the OCI's types, so it gets a layout of its own.
  const layout = join(folder, 'layout');
  const target = join(folder, 'rootfs');
  await rm(layout, { recursive: true, force: true });
  await rm(target, { recursive: true, force: true });
  const own = join(layout, 'blobs/sha256');
  await mkdir(own, { recursive: true });
  const layers = [];
  const seen = new Set<string>();
  for (const layer of request.layers) {
    layers.push(readable(layer));
    if (seen.has(layer.digest)) continue;
    seen.add(layer.digest);
    if (isReadable(layer)) await symlink(blobs.path(layer.digest), join(own, hexOf(layer.digest)));
    else {
      const plain = decompress(createReadStream(blobs.path(layer.digest)));
      await pipeline(plain, createFile(join(own, hexOf(layer.diffId))));
    }
  }
  await symlink(blobs.path(id), join(own, hexOf(id)));
  const manifest = formatManifest(id, configSize, layers);
  const digest = digestOf(manifest);
  await writeFile(join(own, hexOf(digest)), manifest);
  await writeFile(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  const descriptor = {
    mediaType: mediaTypes.ociManifest,
    digest,
    size: manifest.length,
    annotations: { 'org.opencontainers.image.ref.name': 'image' },
  };
  await writeFile(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
  await runUmoci(request);
  return target;
}

const ATTEMPTS = 3;

/** Where umoci gives up in the middle of a compressed layer it may crash before it has said why; asked again it says so. */
async function runUmoci({ umoci, folder, signal }: UnpackRequest): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await runProgram(umoci, ['raw', 'unpack', '--image', 'layout:image', 'rootfs'], {
        cwd: folder,
        ...(signal ? { signal } : {}),
      });
      return;
    } catch (error) {
      const hasCrashed = error instanceof ProgramError && /\.go:\d+ \+0x/.test(error.stderr);
      if (!hasCrashed || attempt === ATTEMPTS) throw error;
      await rm(join(folder, 'rootfs'), { recursive: true, force: true });
    }
  }
}

/** Newer compressions are not umoci's. */
function isReadable({ mediaType }: StoredLayer): boolean {
  return !mediaType.endsWith('zstd');
}

/** The layer as umoci gets it. */
function readable(layer: StoredLayer): StoredLayer {
  if (!isReadable(layer)) {
    return {
      ...layer,
      digest: layer.diffId,
      sizeBytes: layer.unpackedBytes,
      mediaType: mediaTypes.ociLayer,
    };
  }
  const isPlain = /\.tar$/.test(layer.mediaType);
  return { ...layer, mediaType: isPlain ? mediaTypes.ociLayer : mediaTypes.ociLayerGzip };
}
