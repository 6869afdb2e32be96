/** The image store as the rest of the engine knows it. Rarely needed work is loaded when it is asked for. */
import { internal, messageOf } from '../base/errors.ts';
import type { Bytes } from './archive.ts';
import { ImageCore, type ImageStoreOptions } from './image-core.ts';
import type { LoadOptions } from './load.ts';

export type { ImageConfig, ImageHistoryEntry, ImageRecord } from '../model/image.ts';
export type { ImageStoreOptions, ImageUsers } from './image-core.ts';
export type { ImageUser } from './removal.ts';

export class ImageStore extends ImageCore {
  /** Opens the store and clears away what a crash left. Throws `internal` when the folder cannot be used. */
  static async open(options: ImageStoreOptions): Promise<ImageStore> {
    const store = new ImageStore(options);
    try {
      await store.files.makeFolders();
      await store.sweep();
    } catch (error) {
      throw internal(
        'image-store-unusable',
        `cannot use the image store: ${messageOf(error)}`,
        { root: options.root },
        error,
      );
    }
    return store;
  }

  /** `docker load`, see load.ts. */
  async load(body: Bytes, options: LoadOptions = {}): Promise<{ loaded: string[] }> {
    const { loadImages } = await import('./load.ts');
    return loadImages(this, body, options);
  }
}
