/** Settles what a new container sees at which path, and which volumes that needs. Pure. */
import { invalid } from '../base/errors.ts';
import type { HostConfig } from '../model/container.ts';
import {
  cleanPath,
  defaultPropagation,
  type MountPoint,
  type MountRequest,
  mountPointsOf,
} from '../model/mounts.ts';
import {
  anonymousLabel,
  checkVolumeDriver,
  checkVolumeName,
  checkVolumeOptions,
  type VolumeRequest,
} from '../model/volume.ts';

export interface MountFacts {
  readonly host: HostConfig;
  /** Destinations of volumes that the request and the image name. */
  readonly volumePaths: readonly string[];
  /** @throws notFound for a container that there is not */
  readonly resolveContainer: (reference: string) => Parameters<typeof mountPointsOf>[0];
  /** A name that no volume has. */
  readonly newName: () => string;
}

export interface PlannedMounts {
  readonly mounts: readonly MountPoint[];
  /** Volumes that have to be there; those that are keep what they are. */
  readonly volumes: readonly VolumeRequest[];
}

/**
 * What is asked for later in this order takes the place of what came before: other containers' mounts, `-v`,
 * `--mount`. The image's volumes and those without a name take places that are left.
 * @throws invalid for a destination that is named twice and for bad names and options, notFound for another container
 *   or a driver that there is not
 */
export function planMounts(facts: MountFacts): PlannedMounts {
  const { host } = facts;
  const mounts = new Map<string, MountPoint>();
  const volumes: VolumeRequest[] = [];
  for (const { container, readonly } of host.volumesFrom ?? []) {
    for (const mount of mountPointsOf(facts.resolveContainer(container))) {
      mounts.set(mount.destination, asShared(mount, readonly));
    }
  }
  const taken = new Set(Object.keys(host.tmpfs).map(cleanPath));
  const add = (request: MountRequest, mode: string) => {
    const destination = cleanPath(request.destination);
    if (taken.has(destination)) {
      throw invalid('duplicate-mount-point', `Duplicate mount point: ${request.destination}`, {
        destination,
      });
    }
    taken.add(destination);
    mounts.set(destination, settle({ ...request, destination }, mode, facts, volumes));
  };
  for (const { request, mode = '' } of host.binds) if (request) add(request, mode);
  for (const { request } of host.mounts ?? []) add(request, '');
  // An image may say what no request may: `VOLUME data` is /data, and nothing can be mounted on the root.
  for (const path of new Set(facts.volumePaths.map(cleanPath))) {
    if (mounts.has(path) || taken.has(path) || path === '/') continue;
    const driver = host.volumeDriver ? { driver: host.volumeDriver } : {};
    const request = { type: 'volume', source: '', destination: path, readonly: false, ...driver } as const;
    mounts.set(path, { ...settle(request, '', facts, volumes), mode: '' });
  }
  return { mounts: [...mounts.values()], volumes };
}

/** Another container's mount, as this one sees it: what is read-only there stays so. */
function asShared({ isFilled: _, ...mount }: MountPoint, readonly: boolean): MountPoint {
  return { ...mount, readonly: mount.readonly || readonly };
}

function settle(
  request: MountRequest,
  mode: string,
  { newName }: MountFacts,
  volumes: VolumeRequest[],
): MountPoint {
  const { destination, readonly } = request;
  switch (request.type) {
    case 'bind': {
      const { source, propagation = defaultPropagation, createSource, nonRecursive, readonlyDepth } = request;
      return {
        type: 'bind',
        source: cleanPath(source),
        destination,
        readonly,
        mode,
        propagation,
        createSource,
        ...(nonRecursive ? { nonRecursive } : {}),
        ...(readonlyDepth ? { readonlyDepth } : {}),
      };
    }
    case 'tmpfs':
      return { type: 'tmpfs', destination, readonly, mode, options: request.options };
    case 'volume': {
      const { source, driver = '', driverOptions = {}, labels = {}, noCopy, subpath } = request;
      const name = source || newName();
      checkVolumeName(name);
      checkVolumeDriver(name, driver);
      checkVolumeOptions(name, driverOptions);
      volumes.push({
        name,
        driver,
        options: driverOptions,
        labels: source ? labels : { ...labels, [anonymousLabel]: '' },
      });
      return {
        type: 'volume',
        volume: name,
        destination,
        readonly,
        // Docker shows the option that its local volumes have anyway.
        mode: mode || 'z',
        ...(source ? {} : { isOwn: true }),
        ...(noCopy ? {} : { isFilled: true }),
        ...(subpath ? { subpath } : {}),
      };
    }
  }
}
