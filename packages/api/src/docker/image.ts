/** Images as Docker's clients see them. */
import { type ImageConfig, type ImageRecord, zeroTime } from '@seaway/engine';
import type { ApiVersion } from '../http/version.ts';
import type { ListedNames } from './image-filters.ts';

/** From this version an image without names has an empty list of them. */
const EMPTY_NAMES_SINCE: ApiVersion = 143;
/** From this version sizes are told once. */
const NO_VIRTUAL_SIZE_SINCE: ApiVersion = 144;
/** From this version an image's configuration has no longer the fields that only containers use. */
const IMAGE_CONFIG_ALONE_SINCE: ApiVersion = 150;

/**
 * @param names the names to show, which a filter may have reduced
 * @param sharedBytes of layers that other images have too; -1 where nobody asked
 */
export function toDockerImageSummary(
  image: ImageRecord,
  names: ListedNames,
  version: ApiVersion,
  sharedBytes = -1,
) {
  const { references, repoDigests } = names;
  const isNameless = version < EMPTY_NAMES_SINCE && references.length + repoDigests.length === 0;
  return {
    Id: image.id,
    ParentId: '',
    RepoTags: isNameless ? ['<none>:<none>'] : references,
    RepoDigests: isNameless ? ['<none>@<none>'] : repoDigests,
    Created: unixSeconds(image.createdAt),
    Size: image.sizeBytes,
    SharedSize: sharedBytes,
    ...(version < NO_VIRTUAL_SIZE_SINCE ? { VirtualSize: image.sizeBytes } : {}),
    Labels: Object.keys(image.config.labels).length > 0 ? image.config.labels : null,
    Containers: -1,
  };
}

/** Until this version an image told of the container that it was made from. */
const CONTAINER_UNTIL: ApiVersion = 145;

/** @param rootfs where the unpacked image lies */
export function toDockerImageInspect(image: ImageRecord, rootfs: string, version: ApiVersion) {
  return {
    Id: image.id,
    RepoTags: image.references,
    RepoDigests: image.repoDigests,
    Parent: '',
    Comment: image.comment,
    Created: image.createdAt,
    ...(version < CONTAINER_UNTIL ? { Container: '' } : {}),
    // Docker leaves this out for newer clients, and so breaks docker-compose 1.29, which asks for the newest version
    // and looks here for the volumes of a container that it makes anew.
    ContainerConfig: toDockerImageConfig(image.config, CONTAINER_UNTIL - 1),
    DockerVersion: '',
    Author: image.author,
    Config: toDockerImageConfig(image.config, version),
    Architecture: image.architecture,
    ...(image.variant ? { Variant: image.variant } : {}),
    Os: image.os,
    Size: image.sizeBytes,
    ...(version < NO_VIRTUAL_SIZE_SINCE ? { VirtualSize: image.sizeBytes } : {}),
    GraphDriver: { Name: 'overlay2', Data: { LowerDir: rootfs } },
    RootFS: { Type: 'layers', Layers: image.layers },
    Metadata: { LastTagTime: image.lastTaggedAt ?? zeroTime },
  };
}

/** One entry for each step, the youngest first; only that one is an image. */
export function toDockerHistory(image: ImageRecord) {
  const sizes = [...image.layerSizes];
  const entries = image.history.map((step) => ({
    Id: '<missing>',
    Created: unixSeconds(step.created),
    CreatedBy: step.createdBy,
    Tags: null as readonly string[] | null,
    Size: step.emptyLayer ? 0 : (sizes.shift() ?? 0),
    Comment: step.comment,
  }));
  const youngestFirst = entries.reverse();
  const [youngest, ...others] = youngestFirst;
  if (!youngest) return [];
  return [
    { ...youngest, Id: image.id, Tags: image.references.length > 0 ? image.references : null },
    ...others,
  ];
}

function toDockerImageConfig(config: ImageConfig, version: ApiVersion) {
  const own = {
    User: config.user,
    ...(config.exposedPorts.length > 0 ? { ExposedPorts: asSet(config.exposedPorts) } : {}),
    Env: config.env.length > 0 ? config.env : null,
    Entrypoint: config.entrypoint,
    Cmd: config.cmd,
    Volumes: config.volumes.length > 0 ? asSet(config.volumes) : null,
    WorkingDir: config.workingDir,
    Labels: Object.keys(config.labels).length > 0 ? config.labels : null,
    ...(config.stopSignal ? { StopSignal: config.stopSignal } : {}),
    ...(config.shell ? { Shell: config.shell } : {}),
    ...(config.healthcheck ? { Healthcheck: config.healthcheck } : {}),
    OnBuild: config.onBuild ?? null,
  };
  if (version >= IMAGE_CONFIG_ALONE_SINCE) return own;
  return {
    Hostname: '',
    Domainname: '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Image: '',
    ...own,
  };
}

function asSet(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

/** An image may not say when it was made; clients show that as very long ago. */
function unixSeconds(text: string): number {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? 0 : Math.floor(ms / 1000);
}
