/** The image store as the rest of the engine knows it. Rarely needed work is loaded when it is asked for. */
import type { Readable } from 'node:stream';
import { internal, messageOf } from '../base/errors.ts';
import type { ImageRecord } from '../model/image.ts';
import type { Bytes } from './archive.ts';
import type { Downloads } from './downloads.ts';
import { ImageCore } from './image-core.ts';
import type { ImageStoreOptions, ImportOptions } from './image-options.ts';
import type { LoadOptions } from './load.ts';
import type { OnProgress } from './progress.ts';
import type { PullRequest } from './pull.ts';
import type { PushRequest } from './push.ts';
import type { RegistrySettings } from './registry/endpoints.ts';
import type { DistributionInfo, InquiryOptions, SearchHit } from './registry/inquiries.ts';

export type { ImageConfig, ImageHistoryEntry, ImageRecord } from '../model/image.ts';
export type { ImageStoreOptions, ImageUsers } from './image-options.ts';
export type { ImageUser } from './removal.ts';

export interface RegistryOptions {
  /** @default only registries on loopback without encryption, no mirrors */
  readonly registries?: RegistrySettings;
}

export class ImageStore extends ImageCore {
  readonly #registries: RegistrySettings;
  #downloads: Downloads | undefined;

  private constructor(options: ImageStoreOptions & RegistryOptions) {
    super(options);
    this.#registries = options.registries ?? { insecureRegistries: [], mirrors: [] };
  }

  /** Opens the store and clears away what a crash left. Throws `internal` when the folder cannot be used. */
  static async open(options: ImageStoreOptions & RegistryOptions): Promise<ImageStore> {
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

  /** `docker pull`, see pull.ts. */
  async pull(request: PullRequest, onProgress: OnProgress = () => {}): Promise<void> {
    const [{ pullImages }, { Downloads }] = await Promise.all([
      import('./pull.ts'),
      import('./downloads.ts'),
    ]);
    this.#downloads ??= new Downloads(this, this.#registries);
    const { auth, signal } = request;
    const job = { core: this, downloads: this.#downloads, settings: this.#registries, onProgress };
    await pullImages({ ...job, ...(auth ? { auth } : {}), ...(signal ? { signal } : {}) }, request);
  }

  /** `docker push`, see push.ts. */
  async push(request: PushRequest, onProgress: OnProgress = () => {}): Promise<void> {
    const { pushImages } = await import('./push.ts');
    await pushImages({ core: this, settings: this.#registries, onProgress }, request);
  }

  /** `docker save`, see save.ts. */
  async save(references: readonly string[]): Promise<Readable> {
    const { saveImages } = await import('./save.ts');
    return saveImages(this, references);
  }

  /** `docker import URL`: as import, with what is behind the URL. */
  async importFrom(
    source: string,
    options: ImportOptions & { signal?: AbortSignal; onOpen?: (url: string) => void } = {},
  ): Promise<ImageRecord> {
    const { archiveUrl, fetchArchive } = await import('./fetch-archive.ts');
    const url = archiveUrl(source);
    const { signal, onOpen, ...rest } = options;
    return this.import(fetchArchive(url, { signal, onOpen }), {
      ...rest,
      message: options.message || `Imported from ${url.href}`,
    });
  }

  /** `docker login`, see registry/inquiries.ts. */
  async logIn(server: string, options: Omit<InquiryOptions, 'settings'>): Promise<void> {
    const { logIn } = await import('./registry/inquiries.ts');
    await logIn(server, { ...options, settings: this.#registries });
  }

  /** What a registry has under a name, see registry/inquiries.ts. */
  async inspectDistribution(
    name: string,
    options: Omit<InquiryOptions, 'settings'> = {},
  ): Promise<DistributionInfo> {
    const { inspectDistribution } = await import('./registry/inquiries.ts');
    return inspectDistribution(name, { ...options, settings: this.#registries });
  }

  /** `docker search`, see registry/inquiries.ts. */
  async search(
    term: string,
    limit: number,
    options: Omit<InquiryOptions, 'settings'> = {},
  ): Promise<SearchHit[]> {
    const { searchImages } = await import('./registry/inquiries.ts');
    return searchImages(term, limit, { ...options, settings: this.#registries });
  }
}
