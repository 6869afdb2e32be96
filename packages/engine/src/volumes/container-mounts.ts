/**
 * The mounts of containers: settled when a container is made, real while it runs. Which volume belongs to which
 * container is in the containers' records alone.
 */
import { mkdir, readdir, realpath, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, mounts as kernelMounts } from '@seaway/linux';
import { EngineError, internal, invalid, messageOf } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { ContainerRegistry } from '../containers/registry.ts';
import type { Events } from '../events.ts';
import type { ImageStore } from '../images/image-store.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { type ContainerRecord, type HostConfig, isRunning } from '../model/container.ts';
import { badMount } from '../model/mount-text.ts';
import { type MountPoint, mountPointsOf, type Propagation, volumesOf } from '../model/mounts.ts';
import { anonymousLabel, localDriver, type VolumeRequest } from '../model/volume.ts';
import type { OciMount } from '../runtime/spec/oci-spec.ts';
import { pathBelow } from './path-below.ts';
import { type PlannedMounts, planMounts } from './plan-mounts.ts';
import { rootPropagation, runtimeMount, sourceProblem } from './runtime-mounts.ts';
import type { Volumes } from './volumes.ts';

export interface ContainerMountsParts {
  readonly registry: ContainerRegistry;
  readonly volumes: Volumes;
  readonly images: ImageStore;
  readonly kernel: Kernel;
  readonly events: Events;
  readonly log: Log;
}

export interface ContainerMountsOptions {
  /** Folder for what a reboot makes void: pieces of volumes, mounted. */
  readonly folder: string;
  /** What is bound from in or around it has mounts of other containers below it. */
  readonly dataRoot: string;
  /** Whether a mount can be read-only with all that is mounted below it. */
  readonly canBeReadonlyBelow: () => Promise<boolean>;
}

/** What the runtime is told. */
export interface RuntimeMounts {
  readonly mounts: readonly OciMount[];
  /** Propagation of the container's root, where a mount needs more than the default. */
  readonly rootPropagation?: 'shared' | 'rslave';
}

export class ContainerMounts {
  readonly #parts: ContainerMountsParts;
  readonly #options: ContainerMountsOptions;

  constructor(parts: ContainerMountsParts, options: ContainerMountsOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /**
   * Refuses bind mounts whose source is missing and is not to be made.
   * @throws invalid
   */
  async checkSources({ mounts = [] }: HostConfig): Promise<void> {
    for (const { request } of mounts) {
      if (request.type === 'bind' && !request.createSource) await checkSource(request.source);
    }
  }

  /** @throws as {@link planMounts} */
  plan(host: HostConfig, volumePaths: readonly string[]): PlannedMounts {
    const { registry, volumes } = this.#parts;
    return planMounts({
      host,
      volumePaths,
      resolveContainer: (reference) => registry.resolve(reference),
      newName: () => volumes.newName(),
    });
  }

  /** Makes the volumes of a new container whose record is committed, and fills those that are empty. */
  async prepare(container: ContainerRecord, volumes: readonly VolumeRequest[]): Promise<void> {
    for (const volume of volumes) await this.#parts.volumes.ensure(volume);
    if (container.isUnfilled) await this.#fill(container);
  }

  async #fill({ id, imageId, ...container }: ContainerRecord): Promise<void> {
    const { images, volumes, registry } = this.#parts;
    const root = images.rootfs(imageId);
    for (const { volume, destination, isFilled, isOwn, subpath } of mountPointsOf(container)) {
      if (!volume || !isFilled || subpath) continue;
      const source = await pathBelow(root, destination);
      if (source === undefined) continue;
      if ((await stat(source)).isDirectory()) await volumes.fill(volume, source);
      else if (isOwn) {
        throw invalid(
          'volume-over-file',
          `cannot mount volume over existing file, file exists ${destination}`,
          {
            destination,
          },
        );
      }
    }
    registry.update(id, { isUnfilled: undefined });
  }

  /**
   * Has everything that a container sees in place until it is released for the same holder; repeatable.
   * @param holder who needs it: the container that starts, or somebody who looks into it
   * @throws invalid for a source that cannot be mounted as asked, internal where the machine fails
   */
  async mount(container: ContainerRecord, holder: string = container.id): Promise<RuntimeMounts> {
    if (container.isUnfilled) await this.#fill(container);
    const mounts: OciMount[] = [];
    const points = mountPointsOf(container);
    for (const [index, point] of points.entries()) {
      const source = await this.#source(holder, point, index);
      const propagation = await this.#propagation(point, source);
      const isReadonlyBelow = point.readonly && (await this.#isReadonlyBelow(point));
      mounts.push(
        runtimeMount({ ...point, ...(propagation ? { propagation } : {}) }, source, isReadonlyBelow),
      );
    }
    const root = rootPropagation(mounts);
    return { mounts, ...(root ? { rootPropagation: root } : {}) };
  }

  async #isReadonlyBelow({ type, readonlyDepth, source }: MountPoint): Promise<boolean> {
    if (type === 'tmpfs' || readonlyDepth === 'top') return false;
    const can = await this.#options.canBeReadonlyBelow();
    if (can || readonlyDepth !== 'forced') return can;
    throw invalid(
      'mount-not-readonly-below',
      `rro is not supported for bind mount of ${source}: it needs Linux 5.12 and an OCI runtime that knows it`,
      { source },
    );
  }

  /** Where on the host the mount's content is; `tmpfs` for memory. */
  async #source(holder: string, point: MountPoint, index: number): Promise<string> {
    if (point.type === 'tmpfs') return 'tmpfs';
    if (point.type === 'bind') {
      const source = point.source!;
      await (point.createSource ? makeSource(source) : checkSource(source));
      return source;
    }
    const path = await this.#parts.volumes.acquire(point.volume!, holder);
    return point.subpath === undefined ? path : await this.#bindSubpath(holder, point, path, index);
  }

  async #bindSubpath(
    holder: string,
    { volume, subpath }: MountPoint,
    root: string,
    index: number,
  ): Promise<string> {
    const folder = join(this.#options.folder, holder);
    const target = join(folder, String(index));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await this.#parts.kernel.changes.run('removeSubpath', target);
    await this.#parts.kernel.changes
      .run('bindSubpath', { root, path: subpath!, target })
      .catch((error: unknown) => {
        throw invalid(
          'volume-subpath-unusable',
          `cannot access path ${subpath} of volume ${volume}: ${messageOf(error)}`,
          { volume, subpath },
          error,
        );
      });
    return target;
  }

  /**
   * Checked against the host's mounts, because a private one has nothing to hand on. Whoever sees the data root sees
   * the file systems of other containers, and would keep them from going away if the host's unmounts did not reach it.
   */
  async #propagation({ propagation }: MountPoint, source: string): Promise<Propagation | undefined> {
    if (!propagation) return undefined;
    const isPrivate = /private$/.test(propagation);
    if (isPrivate && !this.#isAroundDataRoot(source)) return propagation;
    const wanted = isPrivate ? 'rslave' : propagation;
    const problem = sourceProblem(kernelMounts(), await realpath(source), wanted);
    if (!problem) return wanted;
    if (isPrivate) return propagation;
    throw invalid('mount-not-shared', problem, { source, propagation });
  }

  #isAroundDataRoot(source: string): boolean {
    const [outer, inner] = [source, this.#options.dataRoot].map((path) => `${path}/`.replace('//', '/'));
    return inner!.startsWith(outer!) || outer!.startsWith(inner!);
  }

  /** Lets go of what {@link mount} has made; repeatable. */
  async release(container: ContainerId, holder: string = container): Promise<void> {
    const record = this.#parts.registry.find(container);
    await this.#removeSubpaths(holder);
    for (const volume of record ? volumesOf(record) : []) await this.#parts.volumes.release(volume, holder);
  }

  async #removeSubpaths(holder: string): Promise<void> {
    const folder = join(this.#options.folder, holder);
    try {
      for (const name of await readdir(folder)) {
        await this.#parts.kernel.deletions.run('removeSubpath', join(folder, name));
      }
      // Not more than the empty folder: what is still mounted below is somebody's data.
      await rmdir(folder);
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }

  /** Removes the volumes of a container's own that no other has; its record says that it is about to go with them. */
  async removeOwn(container: ContainerRecord): Promise<void> {
    const { volumes, log } = this.#parts;
    const own = mountPointsOf(container).flatMap(({ volume, isOwn }) => (volume && isOwn ? volume : []));
    for (const volume of new Set(own)) {
      await volumes.remove(volume, { force: true }).catch((error: unknown) => {
        if (error instanceof EngineError && error.code === 'volume-in-use') return;
        log.warn({ container: container.id, volume, error: messageOf(error) }, 'volume remains');
      });
    }
  }

  /** Tells that a container began or ceased to use its volumes. */
  announce(action: 'mount' | 'unmount', container: ContainerRecord): void {
    for (const { volume, destination, readonly } of mountPointsOf(container)) {
      if (!volume) continue;
      this.#parts.events.emit('volume', action, volume, {
        container: container.id,
        driver: localDriver,
        ...(action === 'mount' && { destination, propagation: '', 'read/write': String(!readonly) }),
      });
    }
  }

  /** Has the volumes back that containers have, before these are restored. */
  async restore(): Promise<void> {
    const { registry, volumes } = this.#parts;
    const containers = registry.list();
    const kept = containers.filter(({ removingVolumes }) => !removingVolumes);
    await volumes.restore(kept.flatMap(volumeRequestsOf));
    for (const container of containers.filter(isRunning)) {
      for (const volume of volumesOf(container)) await this.#hold(volume, container.id);
    }
    for (const container of containers) {
      if (container.isUnfilled && !isRunning(container)) await this.#fill(container).catch(this.#notFilled);
    }
  }

  async #hold(volume: string, container: ContainerId): Promise<void> {
    await this.#parts.volumes.acquire(volume, container).catch((error: unknown) => {
      this.#parts.log.error({ volume, container, error: messageOf(error) }, 'volume is not mounted');
    });
  }

  /** Its next start tries again, and tells. */
  readonly #notFilled = (error: unknown) => {
    this.#parts.log.error({ error: messageOf(error) }, 'volume was not filled from the image');
  };

  /** Takes back what no running container needs any more; call when containers have been restored. */
  async sweep(): Promise<void> {
    const { registry, volumes } = this.#parts;
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#options.folder)) {
      const container = registry.find(name as ContainerId);
      if (!container || !isRunning(container)) await this.#removeSubpaths(name);
    }
    await volumes.unmountUnused();
  }
}

/** The volumes that a container was made with, as it asked for them. */
function volumeRequestsOf({ host, mounts = [] }: ContainerRecord): VolumeRequest[] {
  const asked = (host.mounts ?? []).flatMap(({ request }) => (request.type === 'volume' ? request : []));
  return mounts.flatMap(({ volume, isOwn }) => {
    if (!volume) return [];
    const { labels = {}, driverOptions: options = {} } = asked.find(({ source }) => source === volume) ?? {};
    return {
      name: volume,
      driver: localDriver,
      options,
      labels: { ...labels, ...(isOwn && { [anonymousLabel]: '' }) },
    };
  });
}

async function checkSource(source: string): Promise<void> {
  try {
    await stat(source);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) {
      throw badMount('bind', `bind source path does not exist: ${source}`);
    }
    throw internal(
      'mount-source-failed',
      `error while looking at mount source path '${source}': ${messageOf(error)}`,
      { source },
      error,
    );
  }
}

/** What is missing of the path becomes a folder. */
async function makeSource(source: string): Promise<void> {
  try {
    await stat(source);
    return;
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw badSource(source, error);
  }
  await mkdir(source, { recursive: true, mode: 0o755 }).catch((error: unknown) => {
    throw badSource(source, error);
  });
}

function badSource(source: string, error: unknown): EngineError {
  return invalid(
    'mount-source-unusable',
    `error while creating mount source path '${source}': ${messageOf(error)}`,
    { source },
    error,
  );
}
