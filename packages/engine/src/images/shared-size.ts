/** What images share: each layer lies in the store once, however many images have it. Pure. */
import type { ImageRecord } from '../model/image.ts';

type Layered = Pick<ImageRecord, 'layers' | 'layerSizes'>;

/** Bytes of all layers, each counted once. */
export function layersSizeBytes(images: readonly Layered[]): number {
  const sizes = new Map(images.flatMap(layersOf));
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/** For each image the bytes of those of its layers that another one has as well. */
export function sharedSizes(images: readonly Layered[]): number[] {
  const users = new Map<string, number>();
  for (const image of images) {
    for (const layer of new Set(image.layers)) users.set(layer, (users.get(layer) ?? 0) + 1);
  }
  return images.map((image) =>
    layersOf(image).reduce((sum, [layer, size]) => sum + (users.get(layer)! > 1 ? size : 0), 0),
  );
}

function layersOf({ layers, layerSizes }: Layered): [string, number][] {
  return layers.map((layer, index) => [layer, layerSizes[index] ?? 0]);
}
