/** Image manifests and indices: reading what registries send, making our own. Pure. */
import { createHash } from 'node:crypto';
import { invalid } from '../base/errors.ts';
import type { LayerBlob } from '../model/image.ts';
import { asObject, parseJson, text } from './image-config.ts';
import { mediaTypes } from './media-types.ts';

/** What a manifest says of a blob. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/** Architecture in the words of the OCI specification. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export interface IndexEntry extends Descriptor {
  readonly platform?: Platform;
}

export type Manifest =
  | { readonly kind: 'image'; readonly config: Descriptor; readonly layers: readonly Descriptor[] }
  | { readonly kind: 'index'; readonly entries: readonly IndexEntry[] };

/** A manifest is never this large; registries refuse larger ones. Source: OCI distribution specification. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/**
 * @param mediaType as the registry names it; the document's own counts when that is none
 * @throws invalid for what is no manifest of an image, or none of the present formats
 */
export function parseManifest(bytes: Uint8Array, mediaType = ''): Manifest {
  const document = asObject(parseJson(bytes, 'manifest'));
  if (document.schemaVersion === 1 || /docker\.distribution\.manifest\.v1\+/.test(mediaType)) {
    throw invalid(
      'manifest-unsupported',
      'Docker Image Format v1 and Docker Image manifest version 2, schema 1 are not supported: the image has to be pushed again in a newer format',
    );
  }
  if (Array.isArray(document.manifests)) {
    const entries = document.manifests.map(asObject).map((entry) => {
      const platform = asObject(entry.platform);
      return {
        ...parseDescriptor(entry),
        ...('os' in platform ? { platform: parsePlatformOf(platform) } : {}),
      };
    });
    return { kind: 'index', entries };
  }
  if (!('config' in document) || !Array.isArray(document.layers)) {
    throw invalid('manifest-unsupported', `unsupported manifest format (${mediaType || 'no media type'})`);
  }
  return {
    kind: 'image',
    config: parseDescriptor(asObject(document.config)),
    layers: document.layers.map((layer) => parseDescriptor(asObject(layer))),
  };
}

function parseDescriptor(value: Record<string, unknown>): Descriptor {
  const digest = text(value.digest);
  const { size } = value;
  if (!/^sha256:[0-9a-f]{64}$/.test(digest) || !Number.isSafeInteger(size) || (size as number) < 0) {
    throw invalid('manifest-unsupported', `unsupported manifest: bad descriptor "${digest}" (${size})`);
  }
  return { mediaType: text(value.mediaType), digest, sizeBytes: size as number };
}

function parsePlatformOf(value: Record<string, unknown>): Platform {
  const variant = text(value.variant);
  return {
    os: text(value.os),
    architecture: text(value.architecture),
    ...(variant === '' ? {} : { variant }),
  };
}

/** The manifest of an image that came without one. */
export function formatManifest(id: string, configSize: number, layers: readonly LayerBlob[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: id, size: configSize },
      layers: layers.map(({ mediaType, digest, sizeBytes }) => ({ mediaType, digest, size: sizeBytes })),
    }),
  );
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
