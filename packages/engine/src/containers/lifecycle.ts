/**
 * How containers come up and go down: starts, ends and removals, one after another for each container, and what is
 * owed to those who wait or are attached; and finding out what became of them while no daemon was there.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { conflict, EngineError, messageOf, notModified } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import { KeyedLock } from '../base/keyed-lock.ts';
import type { Log } from '../base/log.ts';
import { nowText } from '../base/time.ts';
import type { Events } from '../events.ts';
import type { ImageStore } from '../images/image-store.ts';
import { type ContainerRecord, isActive, isRunning } from '../model/container.ts';
import { endedHealth } from '../model/health.ts';
import type { NetworkRecord } from '../model/network.ts';
import type { Networks } from '../networks/networks.ts';
import type { Reservations } from '../networks/reservations.ts';
import { ExitWatcher } from '../runtime/exit-watcher.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ContainerMounts } from '../volumes/container-mounts.ts';
import { AttachStreams } from './attach-streams.ts';
import { emitContainerEvent, emitNetworkEvent } from './container-events.ts';
import { isEnding, isStillAlive } from './container-process.ts';
import type { Launcher } from './launcher.ts';
import type { Links } from './links.ts';
import type { Networking } from './networking.ts';
import type { ContainerRegistry } from './registry.ts';
import { changeAtDaemonStart, statusAfterEnd } from './restart-decisions.ts';
import { Restarts } from './restarts.ts';
import { Waiters } from './waiters.ts';

export interface LifecycleParts {
  readonly registry: ContainerRegistry;
  readonly launcher: Launcher;
  readonly networking: Networking;
  readonly links: Links;
  readonly mounts: ContainerMounts;
  readonly networks: Networks;
  readonly reservations: Reservations;
  readonly images: ImageStore;
  readonly runtime: Runtime;
  readonly events: Events;
  readonly log: Log;
}

export interface RemoveOptions {
  /** Whether the volumes of the container's own go with it. @default false */
  readonly volumes?: boolean | undefined;
}

/** How often running containers are looked at, in case one's conmon was killed and cannot tell of its end. */
const LIVENESS_INTERVAL_MS = 10_000;
/** How long conmon may take to write down the end of a process that is gone. */
const EXIT_CODE_PATIENCE_MS = 1_000;
/** Exit code of a container whose end nobody saw. */
const UNKNOWN_EXIT_CODE = 255;

export class Lifecycle {
  readonly waiters = new Waiters();
  readonly attachStreams: AttachStreams;
  readonly #parts: LifecycleParts;
  readonly #locks = new KeyedLock();
  readonly #restarts = new Restarts((id) => this.#startAgain(id));
  /** Those that a user restarts: between their end and their start nothing else is done about them. */
  readonly #held = new Set<ContainerId>();
  #exits: ExitWatcher | undefined;
  #livenessTimer: NodeJS.Timeout | undefined;

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
    this.attachStreams = new AttachStreams((id) => {
      const container = parts.registry.find(id);
      return container === undefined || isEnding(container);
    });
  }

  /** Finds out what became of each container while no daemon was there, and from then on sees their ends. */
  async restore(): Promise<void> {
    for (const container of this.#parts.registry.list()) this.#parts.reservations.update(container);
    this.#exits = new ExitWatcher(this.#parts.runtime.exitFolder, (id) => void this.#onExit(id));
    const monitors = await this.#parts.runtime.monitors();
    for (const { id } of this.#parts.registry.list()) {
      const monitor = monitors.get(id);
      monitors.delete(id);
      const restored = this.#restore(id, monitor);
      // A start that goes on without us may take its time, and others need not wait for it.
      const isHalfStarted = monitor !== undefined && !isRunning(this.#parts.registry.get(id));
      if (!isHalfStarted) await restored;
    }
    // Their containers were removed.
    for (const [id, monitor] of monitors) void this.#restore(id, monitor);
    for (const id of await this.#parts.runtime.known()) {
      if (!this.#parts.registry.find(id) && !monitors.has(id)) this.#deleteProcesses(id);
    }
    for (const id of await ExitWatcher.scan(this.#parts.runtime.exitFolder)) void this.#onExit(id);
    await this.collectImages();
    this.#livenessTimer = setInterval(() => void this.#checkLiveness(), LIVENESS_INTERVAL_MS).unref();
  }

  /** @param monitor process id of the conmon that was found, perhaps on its way to make the container */
  async #restore(id: ContainerId, monitor: number | undefined): Promise<void> {
    try {
      await this.#locks.run(id, () => this.#restoreOne(id, monitor));
    } catch (error) {
      this.#parts.log.error({ container: id, error: messageOf(error) }, 'container not restored');
    }
  }

  async #restoreOne(id: ContainerId, monitor: number | undefined): Promise<void> {
    // Read now and not before: it may have ended, and been seen to, while others were restored.
    const container = this.#parts.registry.find(id);
    if (monitor !== undefined && !(container && isRunning(container))) {
      await this.#parts.runtime.abandonCreate(id, monitor);
    }
    if (!container) return;
    if (isRunning(container) && !container.removing) {
      if (isStillAlive(container) && (await this.#parts.runtime.exitCode(container.id)) === undefined) {
        await this.#restoreNetworks(container);
        return;
      }
      await this.#finish(container.id);
      this.#restoreEnded(this.#parts.registry.get(container.id));
    } else {
      this.#restoreEnded(container);
      // A start that the crash cut short left pieces, and perhaps a created process.
      if (container.sandboxId) this.#parts.registry.update(container.id, { sandboxId: undefined });
      const endpoints = await this.#parts.networking.release(container.id);
      await this.#parts.runtime.deleteLeftover(container.id);
      await this.#parts.launcher.cleanUp(container.id, endpoints);
    }
    const { removing, removingVolumes, host } = container;
    if (removing || host.autoRemove)
      await this.#remove(container.id, { volumes: host.autoRemove || removingVolumes });
  }

  /** A container that stands still may have to be started with the daemon; {@link startWaiting} does it. */
  #restoreEnded(container: ContainerRecord): void {
    const change = changeAtDaemonStart(container);
    if (!change) return;
    const { id, state } = this.#parts.registry.update(container.id, change);
    if (state.status === 'restarting') this.#restarts.schedule(id, 0);
  }

  /**
   * Starts what restart policies want started with the daemon, once all else is as it was. Resolves when all was
   * tried; failures are on the containers' records.
   */
  startWaiting(): Promise<void> {
    return this.#restarts.begin((id) => this.#parts.registry.find(id));
  }

  async #restoreNetworks(container: ContainerRecord): Promise<void> {
    const { networking, launcher } = this.#parts;
    const { left, removed, isChanged } = await networking.restore(container);
    if (!isChanged) return;
    // Its line may have been written before the crash, or not.
    await launcher.changeHosts(container, { added: left, removed: [...left, ...removed] });
    if (networking.hasResolver(container)) await launcher.updateResolver(container);
  }

  async #checkLiveness(): Promise<void> {
    for (const { id } of this.#parts.registry.list()) await this.look(id);
  }

  /** Stops watching; containers go on. Resolves when no operation is under way. */
  async close(): Promise<void> {
    this.#exits?.close();
    clearInterval(this.#livenessTimer);
    this.#restarts.close();
    await this.#locks.idle();
    await this.#parts.runtime.settled();
  }

  /** @throws notModified when it runs already, conflict when it is paused or being removed */
  start(id: ContainerId): Promise<void> {
    return this.#locks.run(id, async () => {
      const container = this.#parts.registry.get(id);
      if (container.state.status === 'paused') {
        throw conflict('container-paused', 'cannot start a paused container, try unpause instead', { id });
      }
      if (isActive(container)) throw notModified('already-running', `container ${id} is already running`);
      if (container.removing) {
        throw conflict('being-removed', `Container ${id} is marked for removal and cannot be started`);
      }
      this.#restarts.forget(id);
      const { restartCount = 0, stoppedByUser = false } = container;
      const isAsNew = restartCount === 0 && !stoppedByUser;
      await this.#start(
        isAsNew ? container : this.#parts.registry.update(id, { restartCount: 0, stoppedByUser: false }),
      );
    });
  }

  /** What a restart policy asks for. A failure is final, as at Docker, and on the container's record. */
  async #startAgain(id: ContainerId): Promise<void> {
    await this.#locks.run(id, async () => {
      const container = this.#parts.registry.find(id);
      if (container?.state.status !== 'restarting' || container.removing) return;
      await this.#start(container).catch(() => undefined);
    });
  }

  async #start(container: ContainerRecord): Promise<void> {
    const { launcher, links, mounts, events } = this.#parts;
    const { id } = container;
    try {
      const running = await launcher.launch(container, (bundle) =>
        this.attachStreams.connectWaiting(id, bundle),
      );
      await links.follow(id);
      mounts.announce('mount', running);
      for (const network of this.#networksOf(id)) emitNetworkEvent(events, 'connect', network, running);
      emitContainerEvent(events, 'start', running);
    } catch (error) {
      await this.#startFailed(id, error);
      throw error;
    }
    // conmon may have written the end down before the record said that it runs.
    if ((await this.#parts.runtime.exitCode(id)) !== undefined) void this.#onExit(id);
  }

  /**
   * Ends a container's wait for its restart policy.
   * @returns whether it waited; otherwise nothing was done
   */
  giveUpRestart(id: ContainerId): Promise<boolean> {
    return this.#locks.run(id, async () => {
      const container = this.#parts.registry.find(id);
      if (container?.state.status !== 'restarting') return false;
      this.#restarts.cancel(id);
      this.#parts.registry.updateState(id, { status: 'exited' });
      this.waiters.notify(id, 'exit', { exitCode: container.state.exitCode });
      return true;
    });
  }

  /** Does something in whose course the container ends, and neither its restart policy nor `--rm` is to step in. */
  async holding<T>(id: ContainerId, work: () => Promise<T>): Promise<T> {
    this.#held.add(id);
    try {
      return await work();
    } finally {
      this.#held.delete(id);
    }
  }

  async #startFailed(id: ContainerId, error: unknown): Promise<void> {
    const { registry, log } = this.#parts;
    const message = messageOf(error);
    const exitCode = exitCodeOfFailedStart(error);
    log.warn({ container: id, error: message }, 'container did not start');
    this.attachStreams.endWaiting(id);
    this.waiters.notify(id, 'exit', { exitCode, error: message });
    try {
      const { status } = registry.get(id).state;
      const container = registry.updateState(id, {
        exitCode,
        error: message,
        ...(status === 'restarting' ? { status: 'exited' } : {}),
      });
      if (container.host.autoRemove) await this.#remove(id, { volumes: true });
    } catch (consequence) {
      // The caller is told what came first.
      log.error({ container: id, error: messageOf(consequence) }, 'a failed start could not be recorded');
    }
  }

  /** conmon wrote down the end of a container, or its process is gone. */
  async #onExit(id: ContainerId): Promise<void> {
    try {
      await this.#locks.run(id, async () => {
        const container = this.#parts.registry.find(id);
        if (!container || !isRunning(container)) {
          // The end of a start that was taken back, or of a container that was removed before conmon wrote.
          await this.#parts.runtime.forgetExit(id);
          return;
        }
        // The news may be of an earlier life, whose exit file was just deleted.
        if ((await this.#parts.runtime.exitCode(id)) === undefined && isStillAlive(container)) return;
        await this.#finish(id);
        const isRemoved = container.host.autoRemove && !this.#held.has(id);
        if (isRemoved && this.#parts.registry.find(id)) await this.#remove(id, { volumes: true });
      });
    } catch (error) {
      this.#parts.log.error(
        { container: id, error: messageOf(error) },
        'cleaning up after a container failed',
      );
    }
  }

  /** The way down of a container whose program has ended. */
  async #finish(id: ContainerId): Promise<void> {
    const { registry, launcher, networking, runtime, events } = this.#parts;
    const before = registry.get(id);
    // conmon writes the end down after the last output, for which it waits as long as a client does not read.
    this.attachStreams.releaseAll(id);
    const exitCode = (await runtime.awaitExitCode(id, EXIT_CODE_PATIENCE_MS)) ?? UNKNOWN_EXIT_CODE;
    const networks = this.#networksOf(id);
    const endpoints = await networking.release(id);
    // Read once more: a user may have asked for the end meanwhile.
    const { status, restartCount } = this.#held.has(id)
      ? { status: 'exited' as const, restartCount: before.restartCount ?? 0 }
      : statusAfterEnd(registry.get(id), exitCode);
    const finishedAt = nowText();
    const container = registry.update(id, {
      sandboxId: undefined,
      restartCount,
      state: {
        ...before.state,
        status,
        pid: 0,
        processStartTime: undefined,
        ...(before.state.health ? { health: endedHealth(before.state.health) } : {}),
        exitCode,
        oomKilled: existsSync(join(launcher.folder(id), 'oom')),
        finishedAt,
      },
    });
    const ranMs = Date.parse(finishedAt) - Date.parse(before.state.startedAt);
    if (container.state.oomKilled) emitContainerEvent(events, 'oom', container);
    emitContainerEvent(events, 'die', container, {
      exitCode: String(exitCode),
      execDuration: String(Math.max(0, Math.floor(ranMs / 1000))),
    });
    for (const network of networks) emitNetworkEvent(events, 'disconnect', network, container);
    this.#parts.mounts.announce('unmount', container);
    this.waiters.notify(id, 'exit', { exitCode });
    this.#deleteProcesses(id);
    if (status === 'restarting') this.#restarts.schedule(id, ranMs);
    await launcher.cleanUp(id, endpoints);
  }

  /** Has runc forget an ended container; whoever starts it again waits for that. */
  #deleteProcesses(id: ContainerId): void {
    this.#parts.runtime.delete(id).catch((error) => {
      this.#parts.log.error({ container: id, error: messageOf(error) }, 'what runc keeps was not deleted');
    });
  }

  #networksOf(id: ContainerId): NetworkRecord[] {
    const { networks } = this.#parts;
    return networks.endpointsOfContainer(id).flatMap(({ networkId }) => networks.get(networkId) ?? []);
  }

  /**
   * Removes a container that does not run, with everything that belongs to it; one that is gone is fine.
   * @returns false when it runs, or waits for its restart policy
   */
  remove(id: ContainerId, options: RemoveOptions = {}): Promise<boolean> {
    return this.#locks.run(id, async () => {
      const container = this.#parts.registry.find(id);
      if (container && isActive(container)) return false;
      if (container) await this.#remove(id, options);
      return true;
    });
  }

  async #remove(id: ContainerId, { volumes = false }: RemoveOptions): Promise<void> {
    const { registry, launcher, links, mounts, events } = this.#parts;
    const container = registry.get(id);
    // A removal that failed may be repeated with more.
    if (!container.removing || (volumes && !container.removingVolumes)) {
      registry.update(id, { removing: true, ...(volumes && { removingVolumes: true }) });
    }
    await launcher.deleteFolder(id);
    this.#parts.reservations.dropAll(container);
    await links.dropTarget(id);
    if (registry.get(id).removingVolumes) await mounts.removeOwn(container);
    registry.delete(id);
    this.#restarts.forget(id);
    await this.collectImages();
    emitContainerEvent(events, 'destroy', container);
    this.attachStreams.endWaiting(id);
    const { exitCode } = container.state;
    this.waiters.notify(id, 'removed', { exitCode });
    // Whoever waited for the end of one that never ran waits for nothing now.
    this.waiters.notify(id, 'exit', { exitCode });
  }

  /** Runs work on a container while nothing else happens to it. */
  exclusively<T>(id: ContainerId, work: () => Promise<T>): Promise<T> {
    return this.#locks.run(id, work);
  }

  /** Looks whether a container that counts as running has ended unseen, and sees to its end then. */
  async look(id: ContainerId): Promise<void> {
    const container = this.#parts.registry.find(id);
    if (container && isRunning(container) && !isStillAlive(container)) await this.#onExit(id);
  }

  /** Resolves when what is under way with the container is done, its clean-up included. */
  settled(id: ContainerId): Promise<void> {
    return this.#locks.run(id, async () => {});
  }

  /** Lets go of removed images that no container needs any more. */
  async collectImages(): Promise<void> {
    await this.#parts.images.collect((id) => this.#parts.registry.usersOf(id));
  }
}

/** By Docker's convention 127 is a missing program and 126 one that cannot be executed. */
function exitCodeOfFailedStart(error: unknown): number {
  if (!(error instanceof EngineError && error.code === 'runtime-failed')) return 128;
  const { message } = error;
  if (/executable file not found|no such file or directory/.test(message)) return 127;
  if (/permission denied|is a directory/.test(message)) return 126;
  return 128;
}
