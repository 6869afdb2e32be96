/**
 * Makes image archives of the kind `docker save` writes: a manifest, a configuration and one tar per layer.
 * Source: Docker Image Specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
 */
import { createHash } from 'node:crypto';
import { encodeTar } from './tar.ts';

/** The run-time defaults of an image, as in its configuration. */
export interface ImageDefaults {
  readonly Env?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly Labels?: Readonly<Record<string, string>>;
}

/** Encodes an image of the given layers (uncompressed tar archives, lowest first). */
export function encodeDockerArchive(
  reference: string,
  layers: readonly Uint8Array[],
  defaults: ImageDefaults = {},
): Buffer {
  const config = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    created: '2024-01-02T03:04:05Z',
    config: defaults,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
    history: layers.map((_, index) => ({ created: '2024-01-02T03:04:05Z', created_by: `layer ${index}` })),
  });
  const configName = `${sha256(config)}.json`;
  const layerNames = layers.map((layer) => `${sha256(layer)}/layer.tar`);
  const manifest = [{ Config: configName, RepoTags: [reference], Layers: layerNames }];
  return encodeTar([
    { kind: 'file', path: configName, data: Buffer.from(config) },
    ...layers.flatMap((data, index) => [
      { kind: 'directory', path: sha256(data) } as const,
      { kind: 'file', path: layerNames[index] ?? '', data } as const,
    ]),
    { kind: 'file', path: 'manifest.json', data: Buffer.from(JSON.stringify(manifest)) },
  ]);
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
