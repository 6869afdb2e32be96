/** What everything takes of the disk, as Docker's clients see it. */
import { type ContainerRecord, type Engine, invalid, layersSizeBytes, sharedSizes } from '@seaway/engine';
import type { ApiVersion } from '../http/version.ts';
import { toDockerSummary } from './container.ts';
import { toDockerImageSummary } from './image.ts';
import { toDockerVolumeUsage } from './volume.ts';

const types = ['container', 'image', 'volume', 'build-cache'] as const;
export type UsageType = (typeof types)[number];

/** From this version on the size of what builds keep is told by its parts alone. */
const NO_BUILDER_SIZE: ApiVersion = 142;

/** @throws invalid for another type */
export function usageTypes(wanted: readonly string[]): ReadonlySet<UsageType> {
  const unknown = wanted.find((type) => !(types as readonly string[]).includes(type));
  if (unknown !== undefined) throw invalid('invalid-query', `unknown object type: ${unknown}`);
  return new Set(wanted.length > 0 ? (wanted as UsageType[]) : types);
}

/** `SizeRw` and `SizeRootFs`, which are left out where they are 0. */
export async function toDockerSizes(engine: Engine, container: ContainerRecord) {
  const { writtenBytes, totalBytes } = await engine.files.size(container);
  return {
    ...(writtenBytes > 0 ? { SizeRw: writtenBytes } : {}),
    ...(totalBytes > 0 ? { SizeRootFs: totalBytes } : {}),
  };
}

/** What was not asked for is `null`. */
export async function toDockerDiskUsage(engine: Engine, wanted: ReadonlySet<UsageType>, version: ApiVersion) {
  const withImages = wanted.has('image');
  return {
    LayersSize: withImages ? layersSizeBytes(engine.images.list()) : 0,
    Images: withImages ? images(engine, version) : null,
    Containers: wanted.has('container') ? await containers(engine, version) : null,
    Volumes: wanted.has('volume') ? await toDockerVolumeUsage(engine) : null,
    // There is no builder.
    BuildCache: wanted.has('build-cache') ? [] : null,
    ...(version < NO_BUILDER_SIZE ? { BuilderSize: 0 } : {}),
  };
}

function images(engine: Engine, version: ApiVersion) {
  const all = engine.images.list();
  const shared = sharedSizes(all);
  return all.map((image, index) => ({
    ...toDockerImageSummary(image, image, version, shared[index]!),
    Containers: engine.containers.usersOf(image.id).length,
  }));
}

async function containers(engine: Engine, version: ApiVersion) {
  const linkNames = engine.containers.linkNames();
  const summaries = [];
  // One after the other: each reads a whole tree.
  for (const container of engine.containers.list()) {
    const names = linkNames.get(container.id) ?? [];
    summaries.push({
      ...toDockerSummary(engine, container, names, version),
      ...(await toDockerSizes(engine, container)),
    });
  }
  return summaries;
}
