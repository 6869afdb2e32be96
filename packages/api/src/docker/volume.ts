/** Volumes in Docker's shapes: the requests about them, the object that shows one, and the filters. */
import {
  type Engine,
  invalid,
  isAnonymous,
  localDriver,
  unavailable,
  type VolumeRecord,
  type VolumeRequest,
  type VolumeUsage,
} from '@seaway/engine';
import type { FromSchema } from 'json-schema-to-ts';
import { type Filters, matches, matchesLabels, matchesPattern } from '../http/query.ts';
import type { ApiVersion } from '../http/version.ts';

/** Clients send `null` for whatever they leave open. */
const text = { type: ['string', 'null'] } as const;
const textMap = { type: ['object', 'null'], additionalProperties: { type: 'string' } } as const;

/** Body of POST /volumes/create. Fields that are not listed are accepted and ignored, as Docker does. */
export const createVolumeBody = {
  type: 'object',
  properties: {
    Name: text,
    Driver: text,
    DriverOpts: textMap,
    Labels: textMap,
    ClusterVolumeSpec: { type: ['object', 'null'], additionalProperties: true },
  },
} as const;

export type CreateVolumeBody = FromSchema<typeof createVolumeBody>;

/** @throws unavailable for a volume of a cluster */
export function fromDockerVolume(body: CreateVolumeBody): VolumeRequest {
  if (body.ClusterVolumeSpec) {
    throw unavailable(
      'no-cluster-volumes',
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
  }
  return {
    name: body.Name ?? '',
    driver: body.Driver ?? '',
    options: body.DriverOpts ?? {},
    labels: body.Labels ?? {},
  };
}

/** @param usage shown by `system df` alone */
export function toDockerVolume(engine: Engine, volume: VolumeRecord, usage?: VolumeUsage) {
  const { id, createdAt, labels, options } = volume;
  return {
    CreatedAt: createdAt,
    Driver: localDriver,
    Labels: orNull(labels),
    Mountpoint: engine.volumes.mountpoint(id),
    Name: id,
    Options: orNull(options),
    Scope: 'local',
    ...(usage ? { UsageData: { RefCount: usage.users, Size: usage.sizeBytes } } : {}),
  };
}

/** The volumes of `system df`, measured. */
export async function toDockerVolumeUsage(engine: Engine) {
  const usage = await engine.volumes.usage();
  return engine.volumes
    .list()
    .map((volume) => toDockerVolume(engine, volume, usage.get(volume.id) ?? { users: 0, sizeBytes: -1 }));
}

function orNull(values: Readonly<Record<string, string>>) {
  return Object.keys(values).length > 0 ? values : null;
}

export const volumeListFilterKeys = ['name', 'label', 'dangling', 'driver'] as const;
export const volumePruneFilterKeys = ['label', 'label!', 'all'] as const;

/** Before this version prune took every volume that no container has. */
const PRUNE_ANONYMOUS_ALONE: ApiVersion = 142;

/** @throws invalid for more or other than one boolean */
function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const values = filters.get(key) ?? [];
  const [value] = values;
  if (value === undefined) return undefined;
  if (values.length > 1 || !['1', 'true', '0', 'false'].includes(value)) {
    throw invalid('invalid-filter', `invalid filter '${key}=[${values.join(' ')}]'`);
  }
  return ['1', 'true'].includes(value);
}

/** Which volumes are listed. @throws invalid for values that a filter cannot have */
export function volumeListCondition(
  filters: Filters,
  isUsed: (name: string) => boolean,
): (volume: VolumeRecord) => boolean {
  const dangling = booleanFilter(filters, 'dangling');
  return ({ id, labels }) =>
    matches(filters, 'name', (pattern) => matchesPattern(pattern, id)) &&
    matches(filters, 'driver', (driver) => driver === localDriver) &&
    matchesLabels(filters, labels) &&
    (dangling === undefined || dangling === !isUsed(id));
}

/** Which of the unused volumes prune takes. @throws invalid for values that a filter cannot have */
export function volumePruneCondition(
  filters: Filters,
  version: ApiVersion,
): (volume: VolumeRecord) => boolean {
  const all = version < PRUNE_ANONYMOUS_ALONE || (booleanFilter(filters, 'all') ?? false);
  const hasUnwanted = (filters.get('label!') ?? []).length > 0;
  return (volume) =>
    (all || isAnonymous(volume)) &&
    matchesLabels(filters, volume.labels) &&
    !(hasUnwanted && matchesLabels(filters, volume.labels, 'label!'));
}
