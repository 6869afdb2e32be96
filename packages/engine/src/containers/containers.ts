/**
 * The life of containers: create, start, stop, wait, remove, and finding them again after the daemon was gone.
 * What happens to one container happens one after another; different containers go on side by side.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isProcessAlive, processStartTime } from '@seaway/linux';
import { conflict, EngineError, internal, invalid, messageOf, notModified } from '../base/errors.ts';
import { type ContainerId, type ImageId, newId } from '../base/ids.ts';
import { KeyedLock } from '../base/keyed-lock.ts';
import type { Log } from '../base/log.ts';
import { nowText } from '../base/time.ts';
import type { Events } from '../events.ts';
import type { ImageStore } from '../images/image-store.ts';
import { type ContainerRecord, type HostConfig, isRunning } from '../model/container.ts';
import type { NetworkRecord } from '../model/network.ts';
import type { Networks } from '../networks/networks.ts';
import type { AttachmentHandlers } from '../runtime/attachment.ts';
import { ExitWatcher } from '../runtime/exit-watcher.ts';
import { type LogEntry, type ReadLogsOptions, readLogs } from '../runtime/logs.ts';
import { type Runtime, resizeTerminal } from '../runtime/runtime.ts';
import { type AttachSession, AttachStreams } from './attach-streams.ts';
import type { Launcher } from './launcher.ts';
import { type CreateRequest, planContainer } from './plan-container.ts';
import type { ContainerRegistry } from './registry.ts';
import { parseSignal } from './signals.ts';
import { Waiters, type WaitResult } from './waiters.ts';

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface ContainersParts {
  readonly registry: ContainerRegistry;
  readonly launcher: Launcher;
  readonly networks: Networks;
  readonly images: ImageStore;
  readonly runtime: Runtime;
  readonly events: Events;
  readonly log: Log;
}

const DEFAULT_STOP_TIMEOUT_SECONDS = 10;
/** How often running containers are looked at, in case one's conmon was killed and cannot tell of its end. */
const LIVENESS_INTERVAL_MS = 10_000;
/** How often the process of a container that was told to end is looked at. */
const KILLED_LOOK_MS = 250;
/** How long conmon may take to write down the end of a process that is gone. */
const EXIT_CODE_PATIENCE_MS = 1_000;
/** Exit code of a container whose end nobody saw. */
const UNKNOWN_EXIT_CODE = 255;

export class Containers {
  readonly #parts: ContainersParts;
  readonly #locks = new KeyedLock();
  readonly #waiters = new Waiters();
  readonly #attachStreams = new AttachStreams();
  #exits: ExitWatcher | undefined;
  #livenessTimer: NodeJS.Timeout | undefined;

  constructor(parts: ContainersParts) {
    this.#parts = parts;
  }

  /** Finds out what became of each container while no daemon was there, and from then on sees their ends. */
  async restore(): Promise<void> {
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

  /** Lets go of removed images that no container needs any more. */
  async collectImages(): Promise<void> {
    await this.#parts.images.collect((id) => this.usersOf(id));
  }

  /** The containers that are made from an image. */
  usersOf(image: ImageId): { readonly id: string; readonly running: boolean }[] {
    return this.list()
      .filter((container) => container.imageId === image)
      .map((container) => ({ id: container.id, running: isRunning(container) }));
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
      if (isStillAlive(container) && (await this.#parts.runtime.exitCode(container.id)) === undefined) return;
      await this.#finish(container.id);
    } else {
      // A start that the crash cut short left pieces, and perhaps a created process.
      this.#parts.registry.update(container.id, { sandboxId: undefined, endpointIds: [] });
      const endpoints = await this.#parts.launcher.releaseNetwork(container.id);
      await this.#parts.runtime.deleteLeftover(container.id);
      await this.#parts.launcher.cleanUp(container.id, endpoints);
    }
    if (container.removing || container.host.autoRemove) await this.#remove(container.id);
  }

  async #checkLiveness(): Promise<void> {
    for (const container of this.list()) {
      if (isRunning(container) && !isStillAlive(container)) await this.#onExit(container.id);
    }
  }

  /** Stops watching; containers go on. Resolves when no operation is under way. */
  async close(): Promise<void> {
    this.#exits?.close();
    clearInterval(this.#livenessTimer);
    await this.#locks.idle();
    await this.#parts.runtime.settled();
  }

  list(): ContainerRecord[] {
    return this.#parts.registry.list();
  }

  /** @throws notFound, invalid when a prefix fits several */
  resolve(reference: string): ContainerRecord {
    return this.#parts.registry.resolve(reference);
  }

  /** Paths of the files that the container sees as its own network files. */
  filesOf(container: ContainerRecord) {
    return this.#parts.launcher.filesOf(container);
  }

  /** Path of the namespace that a running container lives in; the host's own in host mode. */
  sandboxPath(container: ContainerRecord): string {
    return this.#parts.launcher.sandboxPath(container);
  }

  logPath(id: ContainerId): string {
    return this.#parts.launcher.logPath(id);
  }

  /**
   * Makes a container that is ready to start.
   * @throws notFound for an unknown image, conflict for a taken name, invalid for what cannot be
   */
  async create(request: CreateRequest): Promise<ContainerRecord> {
    const { registry, images, launcher, events } = this.#parts;
    const planned = planContainer(request, images.resolve(request.config.image));
    const id = newId<ContainerId>();
    const name = registry.claimName(request.name, id);
    try {
      // The record comes first, and in one go with the look at the image: from then on that is in use.
      const container = registry.put({ ...planned, id, name, host: this.#resolveJoined(planned.host) });
      await mkdir(launcher.folder(id), { recursive: true, mode: 0o710 });
      events.emit('container', 'create', id, actorAttributes(container));
      return container;
    } catch (error) {
      registry.delete(id);
      registry.releaseName(name);
      await launcher.deleteFolder(id).catch(() => undefined);
      throw error instanceof EngineError
        ? error
        : internal('create-failed', `cannot create the container: ${messageOf(error)}`, { id }, error);
    }
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
    const { id } = this.resolve(reference);
    return this.#locks.run(id, () => this.#start(id));
  }

  async #start(id: ContainerId): Promise<void> {
    const { registry, launcher, events } = this.#parts;
    const container = registry.get(id);
    if (isRunning(container)) throw notModified('already-running', `container ${id} is already running`);
    if (container.removing) {
      throw conflict('being-removed', `Container ${id} is marked for removal and cannot be started`);
    }
    try {
      const running = await launcher.launch({ ...container, stoppedByUser: false }, (bundle) =>
        this.#attachStreams.connectWaiting(id, bundle),
      );
      for (const network of this.#networksOf(running)) this.#emitNetwork('connect', network, id);
      events.emit('container', 'start', id, actorAttributes(running));
    } catch (error) {
      await this.#startFailed(id, error);
      throw error;
    }
    // conmon may have written the end down before the record said that it runs.
    if ((await this.#parts.runtime.exitCode(id)) !== undefined) void this.#onExit(id);
  }

  async #startFailed(id: ContainerId, error: unknown): Promise<void> {
    const { registry, log } = this.#parts;
    const message = messageOf(error);
    const exitCode = exitCodeOfFailedStart(error);
    log.warn({ container: id, error: message }, 'container did not start');
    this.#attachStreams.endWaiting(id);
    this.#waiters.notify(id, 'exit', { exitCode, error: message });
    try {
      const container = registry.updateState(id, { exitCode, error: message });
      if (container.host.autoRemove) await this.#remove(id);
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
        if (container.host.autoRemove && this.#parts.registry.find(id)) await this.#remove(id);
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
    const { registry, launcher, runtime, events } = this.#parts;
    const before = registry.get(id);
    // conmon writes the end down after the last output, for which it waits as long as a client does not read.
    this.#attachStreams.releaseAll(id);
    const exitCode = (await runtime.awaitExitCode(id, EXIT_CODE_PATIENCE_MS)) ?? UNKNOWN_EXIT_CODE;
    const networks = this.#networksOf(before);
    const endpoints = await launcher.releaseNetwork(id);
    const container = registry.update(id, {
      sandboxId: undefined,
      endpointIds: [],
      state: {
        ...before.state,
        status: 'exited',
        pid: 0,
        processStartTime: undefined,
        exitCode,
        oomKilled: existsSync(join(launcher.folder(id), 'oom')),
        finishedAt: nowText(),
      },
    });
    events.emit('container', 'die', id, { ...actorAttributes(container), exitCode: String(exitCode) });
    for (const network of networks) this.#emitNetwork('disconnect', network, id);
    this.#waiters.notify(id, 'exit', { exitCode });
    this.#deleteProcesses(id);
    await launcher.cleanUp(id, endpoints);
  }

  /** Has runc forget an ended container; whoever starts it again waits for that. */
  #deleteProcesses(id: ContainerId): void {
    this.#parts.runtime.delete(id).catch((error) => {
      this.#parts.log.error({ container: id, error: messageOf(error) }, 'what runc keeps was not deleted');
    });
  }

  #networksOf(container: ContainerRecord): NetworkRecord[] {
    return container.endpointIds.flatMap((id) => {
      const endpoint = this.#parts.networks.endpoint(id);
      return (endpoint && this.#parts.networks.get(endpoint.networkId)) ?? [];
    });
  }

  #emitNetwork(action: 'connect' | 'disconnect', network: NetworkRecord, container: ContainerId): void {
    this.#parts.events.emit('network', action, network.id, {
      container,
      name: network.name,
      type: network.driver,
    });
  }

  /**
   * Resolves when the condition holds. `removed` also ends when the container could not be started and removes
   * itself.
   * @throws notFound for an unknown container
   */
  wait(reference: string, condition: WaitCondition, signal?: AbortSignal): Promise<WaitResult> {
    const container = this.resolve(reference);
    if (condition === 'not-running' && !isRunning(container)) {
      const { exitCode, error } = container.state;
      return Promise.resolve({ exitCode, ...(error ? { error } : {}) });
    }
    return this.#waiters.wait(container.id, condition === 'removed' ? 'removed' : 'exit', signal);
  }

  /**
   * Asks the container to end, and makes it end after the timeout.
   * @param timeoutSeconds negative waits for ever; undefined: the container's own, else 10
   * @throws notModified when it does not run
   */
  async stop(reference: string, options: { timeoutSeconds?: number; signal?: string } = {}): Promise<void> {
    const container = this.resolve(reference);
    const { id, config } = container;
    const signal = parseSignal(options.signal ?? config.stopSignal);
    if (!isRunning(container)) throw notModified('already-stopped', `container ${id} is already stopped`);
    const timeoutSeconds =
      options.timeoutSeconds ?? config.stopTimeoutSeconds ?? DEFAULT_STOP_TIMEOUT_SECONDS;
    this.#parts.registry.update(id, { stoppedByUser: true });
    const exited = this.#waiters.wait(id, 'exit');
    this.#signal(container, signal);
    if (timeoutSeconds >= 0 && !(await this.#sawEnd(id, exited, timeoutSeconds * 1000))) {
      const current = this.#parts.registry.find(id);
      if (current && isRunning(current)) this.#signal(current, 9);
    }
    await this.#sawEnd(id, exited);
    await this.#settled(id);
    const stopped = this.#parts.registry.find(id) ?? container;
    this.#parts.events.emit('container', 'stop', id, actorAttributes(stopped));
  }

  /** Stops the container where it runs, and starts it. */
  async restart(
    reference: string,
    options: { timeoutSeconds?: number; signal?: string } = {},
  ): Promise<void> {
    const { id } = this.resolve(reference);
    try {
      await this.stop(id, options);
    } catch (error) {
      if (!(error instanceof EngineError && error.kind === 'notModified')) throw error;
    }
    await this.start(id);
    this.#parts.events.emit('container', 'restart', id, actorAttributes(this.resolve(id)));
  }

  /** @throws conflict when it does not run, invalid for an unknown signal */
  async kill(reference: string, signal = 'SIGKILL'): Promise<void> {
    const container = this.resolve(reference);
    const number = parseSignal(signal);
    if (!isRunning(container)) {
      throw conflict(
        'not-running',
        `Cannot kill container: ${reference}: Container ${container.id} is not running`,
      );
    }
    const exited = this.#waiters.wait(container.id, 'exit');
    this.#signal(container, number);
    this.#parts.events.emit('container', 'kill', container.id, {
      ...actorAttributes(container),
      signal: String(number),
    });
    if (number !== 9) return;
    this.#parts.registry.update(container.id, { stoppedByUser: true });
    await this.#sawEnd(container.id, exited);
    await this.#settled(container.id);
  }

  /**
   * Waits for the end of a container that was told to end. Normally conmon tells of it; where conmon was killed, or
   * waits for a client that does not read, the process itself is looked at.
   */
  async #sawEnd(id: ContainerId, exited: Promise<unknown>, timeoutMs = Infinity): Promise<boolean> {
    for (let leftMs = timeoutMs; leftMs > 0; leftMs -= KILLED_LOOK_MS) {
      if (await settledWithin(exited, Math.min(leftMs, KILLED_LOOK_MS))) return true;
      const container = this.#parts.registry.find(id);
      if (container && isRunning(container) && !isStillAlive(container)) await this.#onExit(id);
    }
    return false;
  }

  /** Sends a signal to the container's first process, if that still is the one the record means. */
  #signal({ state }: ContainerRecord, signal: number): void {
    if (processStartTime(state.pid) !== state.processStartTime) return;
    try {
      process.kill(state.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Resolves when what is under way with the container is done, its clean-up included. */
  #settled(id: ContainerId): Promise<void> {
    return this.#locks.run(id, async () => {});
  }

  /**
   * Removes a container with everything that belongs to it.
   * @throws conflict when it runs and `force` is not set
   */
  async remove(reference: string, options: { force?: boolean } = {}): Promise<void> {
    const container = this.resolve(reference);
    if (isRunning(container)) {
      if (!options.force) {
        throw conflict(
          'container-running',
          `cannot remove container "${reference}": container is running: stop the container before removing or force remove`,
          { id: container.id },
        );
      }
      await this.kill(container.id).catch((error) => {
        // It ended by itself in between.
        if (!(error instanceof EngineError && error.kind === 'conflict')) throw error;
      });
    }
    const startedMeanwhile = await this.#locks.run(container.id, async () => {
      const current = this.#parts.registry.find(container.id);
      // Removing itself after its end, it may be gone by now; that is what was asked for.
      if (!current) return false;
      if (options.force && isRunning(current)) return true;
      await this.#remove(container.id);
      return false;
    });
    if (startedMeanwhile) await this.remove(container.id, options);
  }

  async #remove(id: ContainerId): Promise<void> {
    const { registry, launcher, events } = this.#parts;
    const container = registry.get(id);
    if (isRunning(container)) {
      throw conflict(
        'container-running',
        `cannot remove container "${container.name}": container is running`,
      );
    }
    if (!container.removing) registry.update(id, { removing: true });
    await launcher.deleteFolder(id);
    registry.delete(id);
    await this.collectImages();
    events.emit('container', 'destroy', id, actorAttributes(container));
    this.#attachStreams.endWaiting(id);
    this.#waiters.notify(id, 'removed', { exitCode: container.state.exitCode });
  }

  /** @throws invalid for a bad or unchanged name, conflict when it is taken */
  rename(reference: string, name: string): void {
    const container = this.resolve(reference);
    const newName = name.replace(/^\//, '');
    if (newName === '') throw invalid('empty-name', 'Neither old nor new names may be empty');
    if (newName === container.name) {
      throw invalid('same-name', 'Renaming a container with the same name as its current name');
    }
    const renamed = this.#parts.registry.rename(container.id, newName);
    this.#parts.networks.renameEndpoints(container.id, newName);
    this.#parts.events.emit('container', 'rename', container.id, {
      ...actorAttributes(renamed),
      oldName: `/${container.name}`,
    });
  }

  /** Attaches a client to the container's streams, now or as soon as it starts. */
  attach(reference: string, handlers: AttachmentHandlers): AttachSession {
    const container = this.resolve(reference);
    const bundle = isRunning(container) ? this.#parts.launcher.folder(container.id) : undefined;
    try {
      return this.#attachStreams.attach(container.id, bundle, handlers);
    } catch (error) {
      throw conflict(
        'streams-unreachable',
        `cannot attach to container ${reference}: ${messageOf(error)}`,
        {},
        error,
      );
    }
  }

  /** What the container wrote, from its log. @param follow stays until the container ends or the signal says so */
  logs(
    reference: string,
    options: Omit<ReadLogsOptions, 'follow'>,
    follow?: AbortSignal,
  ): AsyncIterable<LogEntry> {
    const container = this.resolve(reference);
    const ended =
      follow && isRunning(container) ? this.#waiters.wait(container.id, 'exit', follow) : Promise.resolve();
    return readLogs(this.logPath(container.id), {
      ...options,
      ...(follow ? { follow: { signal: follow, ended } } : {}),
    });
  }

  /** Sets the size of the container's terminal. @throws conflict when it does not run */
  async resize(reference: string, rows: number, columns: number): Promise<void> {
    const container = this.resolve(reference);
    if (!isRunning(container)) throw conflict('not-running', `Container ${container.id} is not running`);
    await resizeTerminal(this.#parts.launcher.folder(container.id), rows, columns);
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

function isStillAlive({ state }: ContainerRecord): boolean {
  return isProcessAlive(state.pid) && processStartTime(state.pid) === state.processStartTime;
}

async function settledWithin(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, false);
  });
  try {
    return await Promise.race([promise.then(() => true as const), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function actorAttributes({ name, config }: ContainerRecord): Record<string, string> {
  return { ...config.labels, image: config.image, name };
}
