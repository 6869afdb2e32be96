/** OCI image configurations: reading those that come in, making those of imported archives. Pure. */
import { invalid, messageOf } from '../base/errors.ts';
import type { ImageConfig, ImageHistoryEntry } from '../model/image.ts';
import { emptyImageConfig } from './config-change.ts';

/** What an image's configuration says. Source: OCI image specification, config.md; Docker's differs by additions. */
export interface ParsedImageConfig {
  readonly createdAt: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly os: string;
  readonly author: string;
  readonly comment: string;
  readonly config: ImageConfig;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: string[];
  readonly history: ImageHistoryEntry[];
}

/** Parses a configuration blob. Throws `invalid` when it is none. */
export function parseImageConfig(bytes: Uint8Array): ParsedImageConfig {
  const root = asObject(parseJson(bytes, 'image configuration'));
  const rootfs = asObject(root.rootfs);
  const diffIds = strings(rootfs.diff_ids) ?? [];
  if (!('rootfs' in root) || !diffIds.every((id) => /^sha256:[0-9a-f]{64}$/.test(id))) {
    throw invalid('invalid-image-config', 'invalid image configuration: it does not name its layers');
  }
  const variant = text(root.variant);
  return {
    createdAt: text(root.created),
    architecture: text(root.architecture),
    ...(variant === '' ? {} : { variant }),
    os: text(root.os) || 'linux',
    author: text(root.author),
    comment: text(root.comment),
    config: parseConfig(asObject(root.config)),
    diffIds,
    history: Array.isArray(root.history) ? root.history.map((entry) => parseHistory(asObject(entry))) : [],
  };
}

/** Parses JSON from outside. Throws `invalid` that names what it should have been. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw invalid('invalid-image-json', `invalid ${what}: ${messageOf(error)}`, {}, error);
  }
}

export interface NewImageConfig {
  readonly createdAt: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly os: string;
  readonly author?: string;
  readonly comment: string;
  readonly config: ImageConfig;
  /** Lowest first. */
  readonly diffIds: readonly string[];
  /** The steps before this one; those of the image that it was made from. */
  readonly history?: readonly ImageHistoryEntry[];
  /** What the newest step did. */
  readonly createdBy?: string;
}

/** The configuration blob of a new image, whose newest layer is its own. */
export function formatImageConfig(image: NewImageConfig): Buffer {
  const { config, createdAt, comment, author } = image;
  const step = {
    created: createdAt,
    ...(image.createdBy ? { created_by: image.createdBy } : {}),
    ...(author ? { author } : {}),
    ...(comment ? { comment } : {}),
  };
  const document = {
    architecture: image.architecture,
    ...(author ? { author } : {}),
    ...(image.variant ? { variant: image.variant } : {}),
    comment,
    config: {
      ...(config.user ? { User: config.user } : {}),
      ...(config.exposedPorts.length > 0 ? { ExposedPorts: asSet(config.exposedPorts) } : {}),
      ...(config.env.length > 0 ? { Env: config.env } : {}),
      ...(config.entrypoint ? { Entrypoint: config.entrypoint } : {}),
      ...(config.cmd ? { Cmd: config.cmd } : {}),
      ...(config.volumes.length > 0 ? { Volumes: asSet(config.volumes) } : {}),
      ...(config.workingDir ? { WorkingDir: config.workingDir } : {}),
      ...(Object.keys(config.labels).length > 0 ? { Labels: config.labels } : {}),
      ...(config.stopSignal ? { StopSignal: config.stopSignal } : {}),
      ...(config.shell ? { Shell: config.shell } : {}),
      ...(config.healthcheck ? { Healthcheck: config.healthcheck } : {}),
      ...(config.onBuild ? { OnBuild: config.onBuild } : {}),
    },
    created: createdAt,
    history: [...(image.history ?? []).map(formatHistory), step],
    os: image.os,
    rootfs: { type: 'layers', diff_ids: image.diffIds },
  };
  return Buffer.from(JSON.stringify(document));
}

function formatHistory(entry: ImageHistoryEntry) {
  return {
    ...(entry.created ? { created: entry.created } : {}),
    ...(entry.createdBy ? { created_by: entry.createdBy } : {}),
    ...(entry.author ? { author: entry.author } : {}),
    ...(entry.comment ? { comment: entry.comment } : {}),
    ...(entry.emptyLayer ? { empty_layer: true } : {}),
  };
}

function parseConfig(config: Record<string, unknown>): ImageConfig {
  return {
    ...emptyImageConfig(),
    env: strings(config.Env) ?? [],
    cmd: strings(config.Cmd) ?? null,
    entrypoint: strings(config.Entrypoint) ?? null,
    workingDir: text(config.WorkingDir),
    user: text(config.User),
    labels: Object.fromEntries(
      Object.entries(asObject(config.Labels)).map(([name, value]) => [name, text(value)]),
    ),
    exposedPorts: Object.keys(asObject(config.ExposedPorts)),
    volumes: Object.keys(asObject(config.Volumes)),
    stopSignal: text(config.StopSignal) || null,
    shell: strings(config.Shell) ?? null,
    ...(config.Healthcheck ? { healthcheck: config.Healthcheck } : {}),
    ...(strings(config.OnBuild)?.length ? { onBuild: strings(config.OnBuild)! } : {}),
  };
}

function parseHistory(entry: Record<string, unknown>): ImageHistoryEntry {
  return {
    created: text(entry.created),
    createdBy: text(entry.created_by),
    comment: text(entry.comment),
    author: text(entry.author),
    emptyLayer: entry.empty_layer === true,
  };
}

function asSet(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

/** An object, or an empty one: an image that leaves something out is not broken. */
export function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The strings of a list, or undefined when it is no list. */
export function strings(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined;
}
