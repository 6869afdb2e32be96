/**
 * What can be done with containers, by their names or ids. How they come up and go down is in `lifecycle.ts`; what
 * that makes and takes back is in `launcher.ts`.
 */
import { mkdir } from 'node:fs/promises';
import { conflict, EngineError, internal, invalid, messageOf, notImplemented } from '../base/errors.ts';
import { type ContainerId, type ImageId, newId } from '../base/ids.ts';
import { isPast } from '../base/point-in-time.ts';
import type { Events } from '../events.ts';
import type { ImageStore } from '../images/image-store.ts';
import {
  type ContainerRecord,
  type EndpointSettings,
  type HostConfig,
  isActive,
  isRunning,
} from '../model/container.ts';
import type { Names } from '../networks/names.ts';
import type { Networks } from '../networks/networks.ts';
import type { Reservations } from '../networks/reservations.ts';
import { processesIn } from '../runtime/cgroup-paths.ts';
import { type LogEntry, type ReadLogsOptions, readLogs } from '../runtime/logs.ts';
import type { OutputHandlers } from '../runtime/process-streams.ts';
import { type Runtime, resizeTerminal } from '../runtime/runtime.ts';
import type { ContainerMounts } from '../volumes/container-mounts.ts';
import type { AttachSession } from './attach-streams.ts';
import { emitContainerEvent } from './container-events.ts';
import { checkRunning, refuseRemoval } from './container-state.ts';
import type { Launcher } from './launcher.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Links } from './links.ts';
import { logAttributes } from './log-attributes.ts';
import type { Membership } from './membership.ts';
import type { Networking } from './networking.ts';
import type { Pausing } from './pausing.ts';
import { type CreateRequest, hasLegacyLinks, planContainer } from './plan-container.ts';
import type { Pruned, Pruning } from './pruning.ts';
import type { ContainerRegistry } from './registry.ts';
import { withJoinedIds } from './shared-namespaces.ts';
import type { StopOptions, Stopping } from './stopping.ts';
import type { ProcessList } from './top.ts';
import type { ContainerChange, Updating } from './updating.ts';
import type { WaitResult } from './waiters.ts';

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface ContainersParts {
  readonly lifecycle: Lifecycle;
  readonly registry: ContainerRegistry;
  readonly launcher: Launcher;
  readonly networking: Networking;
  readonly membership: Membership;
  readonly mounts: ContainerMounts;
  readonly stopping: Stopping;
  readonly pausing: Pausing;
  readonly updating: Updating;
  readonly runtime: Runtime;
  readonly pruning: Pruning;
  readonly links: Links;
  readonly networks: Networks;
  readonly reservations: Reservations;
  readonly names: Names;
  readonly images: ImageStore;
  readonly events: Events;
}

export class Containers {
  readonly #parts: ContainersParts;

  constructor(parts: ContainersParts) {
    this.#parts = parts;
  }

  list(): ContainerRecord[] {
    return this.#parts.registry.list();
  }

  find(id: ContainerId): ContainerRecord | undefined {
    return this.#parts.registry.find(id);
  }

  /** @throws notFound, invalid when a prefix fits several */
  resolve(reference: string): ContainerRecord {
    return this.#parts.registry.resolve(reference);
  }

  /** The names PARENT/ALIAS that links give to containers. */
  linkNames(): ReadonlyMap<ContainerId, readonly string[]> {
    return this.#parts.registry.linkNames();
  }

  /** Drops one link, named PARENT/ALIAS; see {@link Links.unlink}. */
  unlink(name: string): Promise<void> {
    return this.#parts.links.unlink(name);
  }

  /** Paths of the files that the container sees as its own network files. */
  filesOf(container: ContainerRecord) {
    return this.#parts.launcher.filesOf(container);
  }

  /** Path of the namespace that a running container lives in; the host's own in host mode. */
  sandboxPath(container: ContainerRecord): string {
    return this.#parts.networking.namespaceOf(container);
  }

  logPath(id: ContainerId): string {
    return this.#parts.launcher.logPath(id);
  }

  /**
   * Makes a container that is ready to start.
   * @throws notFound for an unknown image, conflict for a taken name, invalid for what cannot be
   */
  async create(request: CreateRequest): Promise<ContainerRecord> {
    const { registry, images, lifecycle, launcher, mounts, events } = this.#parts;
    await mounts.checkSources(request.host);
    const planned = planContainer(request, images.resolve(request.config.image));
    const id = newId<ContainerId>();
    const name = registry.claimName(request.name, id);
    try {
      const links = hasLegacyLinks(planned.host) ? this.#parts.links.resolve(request.links ?? []) : [];
      // The record comes first, and in one go with the look at the image: from then on that is in use.
      const host = withJoinedIds(this.#resolveJoined(planned.host), (other) => this.resolve(other));
      const { volumes, ...seen } = mounts.plan(host, planned.config.volumes ?? []);
      const container = registry.put({
        ...planned,
        ...seen,
        id,
        name,
        host,
        ...(links.length > 0 ? { links } : {}),
        ...(volumes.length > 0 ? { isUnfilled: true } : {}),
      });
      this.#parts.reservations.update(container);
      // It can be found by now, and is not to be started or removed before it is whole.
      await lifecycle.exclusively(id, async () => {
        await mkdir(launcher.folder(id), { recursive: true, mode: 0o710 });
        await mounts.prepare(container, volumes);
        emitContainerEvent(events, 'create', container);
      });
      return container;
    } catch (error) {
      if (registry.find(id))
        await mounts.removeOwn(registry.update(id, { removing: true, removingVolumes: true }));
      registry.delete(id);
      registry.releaseName(name, id);
      await launcher.deleteFolder(id).catch(() => undefined);
      throw error instanceof EngineError
        ? error
        : internal('create-failed', `cannot create the container: ${messageOf(error)}`, { id }, error);
    }
  }

  /** The containers that are made from an image. */
  usersOf(image: ImageId): { readonly id: string; readonly running: boolean }[] {
    return this.#parts.registry.usersOf(image);
  }

  /** `container:NAME` is kept as the id that the name means now; whether that runs is asked at start. */
  #resolveJoined(host: HostConfig): HostConfig {
    if (host.networkMode.kind !== 'container') return host;
    try {
      const container = this.resolve(host.networkMode.container).id;
      return {
        ...host,
        networkMode: { kind: 'container', container },
        networkModeText: `container:${container}`,
      };
    } catch {
      return host;
    }
  }

  /** @throws notModified when it runs already */
  start(reference: string): Promise<void> {
    return this.#parts.lifecycle.start(this.resolve(reference).id);
  }

  /**
   * Resolves when the condition holds. `removed` also ends when the container could not be started and removes
   * itself.
   * @throws notFound for an unknown container
   */
  wait(reference: string, condition: WaitCondition, signal?: AbortSignal): Promise<WaitResult> {
    const container = this.resolve(reference);
    if (condition === 'not-running' && !isActive(container)) {
      const { exitCode, error } = container.state;
      return Promise.resolve({ exitCode, ...(error ? { error } : {}) });
    }
    return this.#parts.lifecycle.waiters.wait(
      container.id,
      condition === 'removed' ? 'removed' : 'exit',
      signal,
    );
  }

  /** See {@link Stopping.stop}. */
  stop(reference: string, options: StopOptions = {}): Promise<void> {
    return this.#parts.stopping.stop(reference, options);
  }

  /** See {@link Stopping.restart}. */
  restart(reference: string, options: StopOptions = {}): Promise<void> {
    return this.#parts.stopping.restart(reference, options);
  }

  /** See {@link Stopping.kill}. */
  kill(reference: string, signal?: string): Promise<void> {
    return this.#parts.stopping.kill(reference, signal);
  }

  /** Freezes the container's processes; see {@link Pausing.pause}. */
  pause(reference: string): Promise<void> {
    return this.#parts.pausing.pause(reference);
  }

  /** Lets the container's processes go on; see {@link Pausing.unpause}. */
  unpause(reference: string): Promise<void> {
    return this.#parts.pausing.unpause(reference);
  }

  /**
   * Removes a container with everything that belongs to it; `volumes` says whether the volumes of its own go too.
   * @throws conflict when it runs and `force` is not set
   */
  async remove(reference: string, options: { force?: boolean; volumes?: boolean } = {}): Promise<void> {
    const container = this.resolve(reference);
    if (isActive(container)) {
      if (!options.force) refuseRemoval(reference, container);
      await this.kill(container.id).catch((error) => {
        // It ended by itself in between.
        if (!(error instanceof EngineError && error.kind === 'conflict')) throw error;
      });
    }
    // Started in between, it is removed by force again, or refused.
    if (!(await this.#parts.lifecycle.remove(container.id, options)))
      await this.remove(container.id, options);
  }

  /** Removes all that do not run and are wanted; see {@link Pruning.prune}. */
  prune(isWanted: (container: ContainerRecord) => boolean): Promise<Pruned> {
    return this.#parts.pruning.prune(isWanted);
  }

  /** @throws invalid for a bad or unchanged name, conflict when it is taken */
  async rename(reference: string, name: string): Promise<void> {
    const container = this.resolve(reference);
    const newName = name.replace(/^\//, '');
    if (newName === '') throw invalid('empty-name', 'Neither old nor new names may be empty');
    if (newName === container.name) {
      throw invalid('same-name', 'Renaming a container with the same name as its current name');
    }
    const renamed = this.#parts.registry.rename(container.id, newName);
    this.#parts.networks.endpoints.rename(container.id, newName);
    await this.#parts.names.withdraw(this.#parts.names.changeOf(container.id));
    emitContainerEvent(this.#parts.events, 'rename', renamed, { oldName: `/${container.name}` });
  }

  /** Changes limits and the restart policy; see {@link Updating.update}. */
  update(reference: string, change: ContainerChange): Promise<void> {
    return this.#parts.updating.update(reference, change);
  }

  /**
   * The container's processes, as ps(1) of the host shows them.
   * @param psArguments such as `aux`; empty: `-ef`
   * @throws conflict when it does not run, invalid and internal as {@link processList}
   */
  async top(reference: string, psArguments = ''): Promise<ProcessList> {
    const { checkPsArguments, processList } = await import('./top.ts');
    checkPsArguments(psArguments);
    const container = this.resolve(reference);
    checkRunning(container);
    const pids = await processesIn(await this.#parts.runtime.cgroupsOf(container.id));
    const list = await processList(pids, psArguments);
    emitContainerEvent(this.#parts.events, 'top', container);
    return list;
  }

  /** Brings a container to a network, running or not; see {@link Membership.connect}. */
  connect(network: string, container: string, settings: EndpointSettings): Promise<void> {
    return this.#parts.membership.connect(network, container, settings);
  }

  /** Takes a container off a network; see {@link Membership.disconnect}. */
  disconnect(network: string, container: string, options: { readonly force: boolean }): Promise<void> {
    return this.#parts.membership.disconnect(network, container, options);
  }

  /** Attaches a client to the container's streams, now or as soon as it starts. */
  attach(reference: string, handlers: OutputHandlers): AttachSession {
    const container = this.resolve(reference);
    const bundle = isRunning(container) ? this.#parts.launcher.folder(container.id) : undefined;
    try {
      const session = this.#parts.lifecycle.attachStreams.attach(container.id, bundle, handlers);
      emitContainerEvent(this.#parts.events, 'attach', container);
      return session;
    } catch (error) {
      throw conflict(
        'streams-unreachable',
        `cannot attach to container ${reference}: ${messageOf(error)}`,
        {},
        error,
      );
    }
  }

  /** A client typed the keys that leave a container running. */
  noteDetached(reference: string): void {
    emitContainerEvent(this.#parts.events, 'detach', this.resolve(reference));
  }

  /**
   * What the container wrote, from its log.
   * @param follow stays until the container ends, `untilNs` has come or the signal says so
   * @throws notImplemented where the container keeps no log, conflict when it is being removed
   */
  logs(
    reference: string,
    options: Omit<ReadLogsOptions, 'follow'>,
    follow?: AbortSignal,
  ): AsyncIterable<LogEntry> {
    const container = this.resolve(reference);
    if (container.host.logging?.driver === 'none') {
      throw notImplemented('no-log', 'configured logging driver does not support reading');
    }
    if (container.removing) {
      throw conflict('being-removed', 'can not get logs from container which is dead or marked for removal');
    }
    const ended =
      follow && isRunning(container)
        ? Promise.race([
            this.#parts.lifecycle.waiters.wait(container.id, 'exit', follow),
            ...(options.untilNs === undefined ? [] : [isPast(options.untilNs, follow)]),
          ])
        : Promise.resolve();
    return readLogs(this.logPath(container.id), {
      ...options,
      ...(follow ? { follow: { signal: follow, ended } } : {}),
    });
  }

  /** What `docker logs --details` shows of each entry of a container's log. */
  logAttributes(reference: string): ReadonlyMap<string, string> {
    const { id, name, imageId, config, host } = this.resolve(reference);
    return logAttributes({ id, name, imageId, config, options: host.logging?.options ?? {} });
  }

  /** Sets the size of the container's terminal. @throws conflict when it does not run */
  async resize(reference: string, rows: number, columns: number): Promise<void> {
    const container = this.resolve(reference);
    checkRunning(container);
    await resizeTerminal(this.#parts.launcher.folder(container.id), rows, columns);
    emitContainerEvent(this.#parts.events, 'resize', container, {
      height: String(rows),
      width: String(columns),
    });
  }
}
