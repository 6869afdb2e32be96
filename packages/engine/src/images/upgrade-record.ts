/** Records of images as earlier versions wrote them. */
import { stat } from 'node:fs/promises';
import type { ImageRecord } from '../model/image.ts';
import type { Blobs } from './blobs.ts';
import { mediaTypes } from './media-types.ts';

/** Before layers were compressed each was a plain archive under its diff id. @returns the very record if it is of today */
export async function upgradeRecord(image: ImageRecord, blobs: Blobs): Promise<ImageRecord> {
  const { layerBlobs, repoDigests, manifestType } = image as Partial<ImageRecord>;
  if (layerBlobs && repoDigests && manifestType) return image;
  const plain = await Promise.all(
    image.layers.map(async (digest, index) => ({
      digest,
      sizeBytes: (await stat(blobs.path(digest)).catch(() => undefined))?.size ?? image.layerSizes[index]!,
      mediaType: mediaTypes.ociLayer,
    })),
  );
  return { ...image, layerBlobs: plain, repoDigests: [], manifestType: mediaTypes.ociManifest };
}
