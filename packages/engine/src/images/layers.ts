/** Layers on their way into the store: kept as they came where they are compressed with gzip, compressed where not. */
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { LayerBlob } from '../model/image.ts';
import { archiveError, type Bytes, decompress, type Measure, meter, recognise } from './archive.ts';
import { mediaTypes } from './media-types.ts';

/** A layer whose blob is in a file. */
export interface StoredLayer extends LayerBlob {
  /** `sha256:` of the uncompressed bytes. */
  readonly diffId: string;
  readonly unpackedBytes: number;
}

/** Fast, and about as good as the slow ones on programs. */
const GZIP_LEVEL = 1;

/**
 * Writes a layer to `path`, and to the disk. Registries and every other engine take gzip, so whatever is compressed
 * otherwise is compressed anew.
 * @throws invalid when it cannot be read or ends early, internal when it cannot be written
 */
export async function receiveLayer(source: Bytes, path: string): Promise<StoredLayer> {
  const stored = meter();
  const unpacked = meter();
  try {
    const { compression, all } = await recognise(source);
    if (compression?.name === 'gzip') {
      await pipeline(all, stored.step, createFile(path));
      return toLayer(stored.result(), await measureUnpacked(path), mediaTypes.ociLayerGzip);
    }
    const plain = compression ? compression.open(all) : all;
    await pipeline(
      plain,
      unpacked.step,
      createGzip({ level: GZIP_LEVEL }),
      stored.step as (chunks: AsyncIterable<unknown>) => AsyncGenerator<Uint8Array>,
      createFile(path),
    );
    return toLayer(stored.result(), unpacked.result(), mediaTypes.ociLayerGzip);
  } catch (error) {
    throw archiveError(error);
  }
}

/** Reads a stored layer through once. @throws invalid when it is damaged */
export async function measureUnpacked(path: string): Promise<Measure> {
  const measure = meter();
  try {
    for await (const _ of measure.step(decompress(createReadStream(path)))) {
      // Only its size and digest are of interest.
    }
  } catch (error) {
    throw archiveError(error);
  }
  return measure.result();
}

/** A new file that is on the disk when the stream has closed. */
export function createFile(path: string) {
  return createWriteStream(path, { mode: 0o600, flush: true });
}

function toLayer(stored: Measure, unpacked: Measure, mediaType: string): StoredLayer {
  return { ...stored, mediaType, diffId: unpacked.digest, unpackedBytes: unpacked.sizeBytes };
}
