/** How the mounts in Docker's request to create a container become the engine's: `-v`, `--mount`, `--volumes-from`. */
import {
  type BindRequest,
  badMount,
  checkAbsolute,
  checkDestination,
  type GivenMount,
  type HostConfig,
  invalid,
  type MountRequest,
  notImplemented,
  type Propagation,
  parseBindText,
  parseVolumesFrom,
  propagations,
  type TmpfsRequest,
  type VolumeMountRequest,
} from '@seaway/engine';
import type { ApiVersion } from '../http/version.ts';
import type { DockerHostConfig } from './create-container-body.ts';

export type DockerMount = NonNullable<DockerHostConfig['Mounts']>[number];

/** Before this version read-only did not reach what is mounted below a bind mount. */
const READONLY_BELOW: ApiVersion = 144;

/** @throws invalid in Docker's words */
export function parseMounts(
  docker: DockerHostConfig,
  version: ApiVersion,
): Pick<HostConfig, 'binds' | 'mounts' | 'volumesFrom' | 'volumeDriver'> {
  const mounts = (docker.Mounts ?? []).map((mount) => fromDockerMount(mount, version));
  const volumesFrom = (docker.VolumesFrom ?? []).map(parseVolumesFrom);
  const driver = docker.VolumeDriver ?? '';
  return {
    binds: (docker.Binds ?? []).map((text) => {
      const bind = parseBindText(text, driver);
      if (version >= READONLY_BELOW || bind.request?.type !== 'bind' || !bind.readonly) return bind;
      return { ...bind, request: { ...bind.request, readonlyDepth: 'top' } };
    }),
    ...(mounts.length > 0 ? { mounts } : {}),
    ...(volumesFrom.length > 0 ? { volumesFrom } : {}),
    ...(driver ? { volumeDriver: driver } : {}),
  };
}

function fromDockerMount(mount: DockerMount, version: ApiVersion): GivenMount {
  return { request: parseMount(mount, version), given: mount };
}

function parseMount(mount: DockerMount, version: ApiVersion): MountRequest {
  const type = mount.Type ?? '';
  if (type === 'image') {
    throw notImplemented(
      'unsupported-option',
      'HostConfig.Mounts: a mount of the type image is not supported by this version of Seaway',
    );
  }
  checkDestination(type, mount.Target ?? '');
  switch (type) {
    case 'bind':
      return parseBind(mount, version);
    case 'volume':
      return parseVolume(mount);
    case 'tmpfs':
      return parseTmpfs(mount);
    default:
      throw badMount(type, 'mount type unknown');
  }
}

function refuseFields(mount: DockerMount, ...fields: readonly (keyof DockerMount & string)[]): void {
  const extra = fields.find((field) => mount[field]);
  if (extra) throw badMount(mount.Type ?? '', `field ${extra} must not be specified`);
}

function common(mount: DockerMount) {
  return { destination: mount.Target ?? '', readonly: mount.ReadOnly ?? false };
}

function parseBind(mount: DockerMount, version: ApiVersion): BindRequest {
  const { Source: source = '', BindOptions: options } = mount;
  if (!source) throw badMount('bind', 'field Source must not be empty');
  const propagation = options?.Propagation ?? '';
  if (propagation !== '' && !(propagations as readonly string[]).includes(propagation)) {
    throw badMount('bind', `invalid propagation mode: ${propagation}`);
  }
  refuseFields(mount, 'VolumeOptions', 'TmpfsOptions', 'ImageOptions');
  checkAbsolute('bind', source);
  const depth = readonlyDepth(options, version);
  return {
    type: 'bind',
    ...common(mount),
    source,
    ...(propagation ? { propagation: propagation as Propagation } : {}),
    createSource: options?.CreateMountpoint ?? false,
    ...(options?.NonRecursive ? { nonRecursive: true } : {}),
    ...(depth ? { readonlyDepth: depth } : {}),
  };
}

function readonlyDepth(
  options: DockerMount['BindOptions'],
  version: ApiVersion,
): 'top' | 'forced' | undefined {
  const { ReadOnlyNonRecursive: top, ReadOnlyForceRecursive: forced } = options ?? {};
  if (version < READONLY_BELOW) {
    if (!forced) return 'top';
    throw invalid('invalid-mount', 'BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer');
  }
  if (top && forced) {
    throw badMount('bind', 'fields ReadOnlyNonRecursive and ReadOnlyForceRecursive exclude each other');
  }
  return forced ? 'forced' : top ? 'top' : undefined;
}

function parseVolume(mount: DockerMount): VolumeMountRequest {
  refuseFields(mount, 'BindOptions', 'TmpfsOptions', 'ImageOptions');
  const { Source: source, VolumeOptions: options } = mount;
  const subpath = options?.Subpath ?? '';
  if (subpath !== '') {
    if (!source) throw badMount('volume', 'must not set Subpath when using anonymous volumes');
    if (!isBelow(subpath)) throw badMount('volume', 'subpath must be a relative path within the volume');
  }
  if (!source && mount.ReadOnly) {
    throw badMount('volume', 'must not set ReadOnly mode when using anonymous volumes');
  }
  const { Name: driver, Options: driverOptions } = options?.DriverConfig ?? {};
  return {
    type: 'volume',
    ...common(mount),
    source: source ?? '',
    ...(options?.NoCopy ? { noCopy: true } : {}),
    ...(options?.Labels ? { labels: options.Labels } : {}),
    ...(driver ? { driver } : {}),
    ...(driverOptions ? { driverOptions } : {}),
    ...(subpath ? { subpath } : {}),
  };
}

/** Whether a path stays where it begins, by its words alone. */
function isBelow(path: string): boolean {
  let depth = 0;
  for (const part of path.split('/')) {
    if (part === '..') depth -= 1;
    else if (part !== '' && part !== '.') depth += 1;
    if (depth < 0) return false;
  }
  return !path.startsWith('/');
}

function parseTmpfs(mount: DockerMount): TmpfsRequest {
  refuseFields(mount, 'BindOptions', 'VolumeOptions', 'ImageOptions', 'Source');
  const { SizeBytes: size, Mode: mode, Options: others } = mount.TmpfsOptions ?? {};
  if (size && size < 0) throw badMount('tmpfs', `invalid size: ${size} bytes`);
  return {
    type: 'tmpfs',
    ...common(mount),
    options: [
      ...(mode ? [`mode=${mode.toString(8)}`] : []),
      ...(size ? [`size=${size}`] : []),
      ...(others ?? []).map(tmpfsOption),
    ],
  };
}

function tmpfsOption(words: readonly string[]): string {
  const [name = ''] = words;
  if (words.length < 1 || words.length > 2) throw badMount('tmpfs', 'invalid option array length');
  if (!['exec', 'noexec'].includes(name)) throw badMount('tmpfs', `invalid option: ${name}`);
  return words.join('=');
}
