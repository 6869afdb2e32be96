/** What the image store is given and asked for. */
import type { ImageId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { ImageConfig, ImageRecord } from '../model/image.ts';
import type { DocumentTable } from '../store/document-table.ts';
import type { StoredLayer } from './layers.ts';
import type { Platform } from './manifest.ts';
import type { ImageUser } from './removal.ts';

export interface ImageStoreOptions {
  /** The store's own folder; made when it does not exist. */
  readonly root: string;
  readonly table: DocumentTable<ImageRecord>;
  readonly log: Log;
  /** The program that applies layers. @default `umoci` on the search path */
  readonly umoci?: string;
  /** Told what happened to images, in Docker's words. @default nobody */
  readonly events?: ImageEvents;
}

export type ImageAction = 'import' | 'load' | 'save' | 'pull' | 'push' | 'tag' | 'untag' | 'delete' | 'prune';

/** Where image events go; the engine's own `Events` fit. */
export interface ImageEvents {
  emit(type: 'image', action: ImageAction, id: string, attributes: Record<string, string>): void;
}

export interface ImportOptions {
  /** Name with or without tag. @default none: the image is found by id only */
  readonly reference?: string;
  /** Dockerfile instructions, see config-change.ts. */
  readonly changes?: readonly string[];
  /** @default `Imported from -` */
  readonly message?: string;
  /** @default this machine's */
  readonly platform?: Platform;
}

/** An image of another one's layers with one more on top. */
export interface CommitOptions {
  /** @default none: the new layer is the only one */
  readonly parent?: ImageId;
  readonly config: ImageConfig;
  readonly author: string;
  readonly comment: string;
  /** For the history: the command that made the layer. */
  readonly createdBy: string;
  /** Name with or without tag. @default none: the image is found by id only */
  readonly reference?: string;
}

/** Which containers are made from an image; asked when one is to be removed. */
export type ImageUsers = (id: ImageId) => readonly ImageUser[];

/** An image whose layers are in the store, under a lease. */
export interface Candidate {
  readonly configBytes: Buffer;
  /** Lowest first. */
  readonly layers: readonly StoredLayer[];
  /** As it came from a registry. @default one of our own */
  readonly manifest?: { readonly bytes: Uint8Array; readonly mediaType: string };
}

export interface Naming {
  /** Normalised names that it gets. */
  readonly names?: readonly string[];
  /** `name@sha256:<hex>` that it gets. */
  readonly repoDigests?: readonly string[];
}
