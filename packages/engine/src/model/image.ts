/** What the engine knows about an image, in our own words. The content itself lies in the image store's folder. */
import type { ImageId } from '../base/ids.ts';

/** The part of an image that containers inherit (the `config` object of an OCI image configuration). */
export interface ImageConfig {
  /** `NAME=value`, in order. */
  env: string[];
  cmd: string[] | null;
  entrypoint: string[] | null;
  /** Absolute path, or empty for `/`. */
  workingDir: string;
  /** `user[:group]`, names or numbers; empty for root. */
  user: string;
  labels: Record<string, string>;
  /** `80/tcp`. */
  exposedPorts: string[];
  /** Paths inside the container. */
  volumes: string[];
  /** Name or number; null: SIGTERM. */
  stopSignal: string | null;
  /** What the shell form of RUN and CMD used; kept for inspect. */
  shell: string[] | null;
  /** Docker's health check object as it stands in the configuration. */
  healthcheck?: unknown;
  /** Instructions for builds from this image. @default none */
  onBuild?: string[];
}

/** One line of `docker history`. */
export interface ImageHistoryEntry {
  /** RFC 3339, or empty when unknown. */
  created: string;
  createdBy: string;
  comment: string;
  author: string;
  /** True when this step made no layer. */
  emptyLayer: boolean;
}

/** How a layer lies in the image store: as it came from a registry, else compressed. */
export interface LayerBlob {
  /** Digest of the bytes as stored, `sha256:<hex>`. */
  digest: string;
  /** Bytes as stored. */
  sizeBytes: number;
  /** Media type of the OCI image specification or of Docker's registry format. */
  mediaType: string;
}

/** One image as committed to the store. */
export interface ImageRecord {
  /** Digest of the configuration, as Docker has it. */
  id: ImageId;
  /** Familiar names with tag, `busybox:latest`; empty when the image is dangling. */
  references: string[];
  /** RFC 3339, as in the configuration; empty when the configuration has none. */
  createdAt: string;
  /** Bytes of all layers, unpacked from compression (tar size). */
  sizeBytes: number;
  architecture: string;
  variant?: string;
  os: string;
  author: string;
  comment: string;
  config: ImageConfig;
  /** Diff ids: digests of the uncompressed layers, lowest first. */
  layers: string[];
  /** Uncompressed size of each layer in bytes, in the order of `layers`. */
  layerSizes: number[];
  /** The stored form of each layer, in the order of `layers`. */
  layerBlobs: LayerBlob[];
  history: ImageHistoryEntry[];
  /** Names under which registries know it, `busybox@sha256:<hex>`; what the digest is of is for the registry to say. */
  repoDigests: string[];
  /** Digest of the manifest in the image store. */
  digest: string;
  /** Media type of that manifest. */
  manifestType: string;
  /** Digests of every blob (manifest, configuration, layers) that the image needs. */
  blobs: string[];
  /** RFC 3339: when it came into this store. */
  importedAt: string;
  /** RFC 3339: when it last got a name here. */
  lastTaggedAt?: string;
  /** Removed by force while stopped containers still need its files: hidden, and deleted with the last of them. */
  isRemoved?: boolean;
}
