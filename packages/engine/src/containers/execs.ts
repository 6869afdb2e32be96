/** Further processes in running containers: made, started with a client at their streams or without, asked about. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict, messageOf, notFound } from '../base/errors.ts';
import { parseExactJson } from '../base/exact-json.ts';
import { type ContainerId, type ExecId, newId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Events } from '../events.ts';
import { type ContainerRecord, isRunning } from '../model/container.ts';
import type { RunningExec } from '../runtime/exec.ts';
import type { OutputHandlers } from '../runtime/process-streams.ts';
import { type Runtime, resizeTerminal } from '../runtime/runtime.ts';
import { execProcess } from '../runtime/spec/exec-process.ts';
import type { OciProcess, OciSpec } from '../runtime/spec/oci-types.ts';
import { AttachSession, attachTo } from './attach-streams.ts';
import { emitContainerEvent } from './container-events.ts';
import { isEnding } from './container-process.ts';
import { checkCanExec } from './container-state.ts';
import {
  checkExecRequest,
  commandText,
  type ExecRecord,
  type ExecRequest,
  exitCodeOfFailure,
  isOutdated,
  type TerminalSize,
} from './exec-record.ts';
import type { Launcher } from './launcher.ts';
import type { Links } from './links.ts';
import type { ContainerRegistry } from './registry.ts';
import { findIdentity, grantableCapabilities } from './spec-input.ts';
import { StalledClients } from './stalled-clients.ts';

export interface ExecsParts {
  readonly registry: ContainerRegistry;
  readonly launcher: Launcher;
  readonly links: Links;
  readonly runtime: Runtime;
  readonly events: Events;
  readonly log: Log;
}

/** How long conmon may take to tell of the end of a process whose container is gone. */
const END_PATIENCE_MS = 2_000;
/** Exit code of a process that was killed, and of one whose end nobody saw. */
const KILLED_EXIT_CODE = 137;
const UNKNOWN_EXIT_CODE = 255;

/** One start of a process. */
export interface StartedExec {
  /** The client's side of the streams. What it writes waits until the process has begun. */
  readonly session: AttachSession;
  /** Resolves when the process has begun; rejects with the reason when it does not, and then nothing else comes. */
  readonly begun: Promise<void>;
}

/** A process that was started and has not ended. */
interface Run {
  readonly containerId: ContainerId;
  readonly session: AttachSession;
  /** Once the process has begun. */
  running?: RunningExec;
}

export class Execs {
  readonly #parts: ExecsParts;
  readonly #records = new Map<ExecId, ExecRecord>();
  readonly #runs = new Map<ExecId, Run>();
  readonly #stalled = new StalledClients();
  /** Of containers that run and had execs. */
  readonly #firstProcesses = new Map<ContainerId, Promise<OciProcess>>();
  readonly #unsubscribe: () => void;

  constructor(parts: ExecsParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.events.subscribe(({ type, action, actorId }) => {
      if (type !== 'container') return;
      if (action === 'die' || action === 'start') this.#firstProcesses.delete(actorId as ContainerId);
      if (action === 'die') this.#containerEnded(actorId as ContainerId);
      if (action === 'destroy') this.#forget(({ containerId }) => containerId === actorId);
    });
  }

  /** Lets go of the processes, which go on. */
  close(): void {
    this.#unsubscribe();
    for (const { running } of this.#runs.values()) running?.abandon();
  }

  /**
   * Makes an exec that is ready to start.
   * @throws notFound for an unknown container, conflict when that does not run, invalid without a command
   */
  create(container: string, request: ExecRequest): ExecRecord {
    const record = this.#parts.registry.resolve(container);
    checkCanExec(record);
    checkExecRequest(request);
    const now = performance.now();
    this.#forget((exec) => isOutdated(exec, now));
    const id = newId<ExecId>();
    const exec: ExecRecord = {
      id,
      containerId: record.id,
      request: {
        ...request,
        user: request.user || record.config.user,
        workingDir: request.workingDir || record.config.workingDir,
      },
      status: 'created',
      pid: 0,
      since: now,
    };
    this.#records.set(id, exec);
    this.#emit(record, `exec_create: ${commandText(request)}`, id);
    return exec;
  }

  /** @throws notFound for an id that is unknown or no longer known */
  get(id: string): ExecRecord {
    const exec = this.#records.get(id as ExecId);
    if (!exec) throw notFound('exec-not-found', `No such exec instance: ${id}`, { id });
    return exec;
  }

  /** Nobody will ask about an exec any more. One that still runs is only forgotten when it has ended. */
  forget(id: ExecId): void {
    if (this.#records.get(id)?.status === 'running') this.#update(id, { since: -Infinity });
    else this.#records.delete(id);
  }

  /** Those of a container that have not ended. */
  idsOf(container: ContainerId): ExecId[] {
    return [...this.#records.values()]
      .filter(({ containerId, status }) => containerId === container && status !== 'ended')
      .map(({ id }) => id);
  }

  /**
   * @throws notFound for an unknown exec, conflict when it was started before, or its container does not run or is
   *   paused
   */
  checkStart(id: string): ExecRecord {
    const { status, containerId } = this.get(id);
    if (status !== 'created') {
      throw conflict(
        'exec-already-started',
        `Error: Exec command ${id} ${status === 'running' ? 'is already running' : 'has already run'}`,
        { id },
      );
    }
    checkCanExec(this.#parts.registry.get(containerId));
    return this.get(id);
  }

  /**
   * Starts an exec with a client at its streams: `onEnd` comes when the process has ended, everything it wrote was
   * handed over and its exit code is known.
   * @param size the terminal's first size, in place of the one that came with the exec
   * @throws as {@link checkStart}
   */
  start(id: string, handlers: OutputHandlers, size?: TerminalSize): StartedExec {
    const exec = this.checkStart(id);
    const exited = Promise.withResolvers<void>();
    const questions = { isEnding: () => this.#isContainerEnding(exec.containerId), hasCompany: () => false };
    const session = new AttachSession(
      {
        onData: (stream, data) => {
          const taken = handlers.onData(stream, data);
          // The kernel wants the process waited for, by conmon, before the container's killed first one can be gone.
          if (taken) this.#stalled.watch(session, taken, questions);
          return taken;
        },
        // conmon tells the exit code before it hangs up, but the two ways here are not equally fast.
        onEnd: () => void exited.promise.then(() => handlers.onEnd()),
      },
      () => {},
    );
    return { session, begun: this.#run(exec, session, { size, isAttached: true, onExit: exited.resolve }) };
  }

  /**
   * Starts an exec that nobody is attached to; resolves when it has begun.
   * @throws as {@link checkStart}, and the reason when it does not begin: invalid for a mistake of the request's
   */
  async startDetached(id: string): Promise<void> {
    const session = new AttachSession({ onData: () => {}, onEnd: () => {} }, () => {});
    await this.#run(this.checkStart(id), session, { isAttached: false, onExit: () => {} });
  }

  /** Sees a process from its beginning to its end; resolves when it has begun. */
  async #run(exec: ExecRecord, session: AttachSession, options: RunOptions): Promise<void> {
    const { id, containerId } = exec;
    const container = this.#parts.registry.get(containerId);
    const run: Run = { containerId, session };
    this.#runs.set(id, run);
    this.#update(id, { status: 'running' });
    this.#emit(container, `exec_start: ${commandText(exec.request)}`, id);
    try {
      run.running = await this.#begin(exec, container, run, options);
    } catch (error) {
      this.#parts.log.debug({ exec: id, container: containerId, error: messageOf(error) }, 'exec failed');
      this.#ended(id, exitCodeOfFailure(error));
      await session.close();
      throw error;
    }
    this.#update(id, { pid: run.running.pid });
    void run.running.ended.then((code) => {
      const exitCode = code ?? (this.#isUp(containerId) ? UNKNOWN_EXIT_CODE : KILLED_EXIT_CODE);
      this.#ended(id, exitCode);
      const known = this.#parts.registry.find(containerId) ?? container;
      this.#emit(known, 'exec_die', id, { exitCode: String(exitCode) });
      options.onExit();
    });
  }

  async #begin(
    exec: ExecRecord,
    container: ContainerRecord,
    { session }: Run,
    { isAttached, size }: RunOptions,
  ): Promise<RunningExec> {
    const { runtime } = this.#parts;
    const common = {
      id: exec.id,
      container: container.id,
      process: await this.#process(exec.request, container, size ?? exec.request.size),
      stdin: exec.request.attachStdin && isAttached,
    };
    if (isAttached && !exec.request.tty) {
      return runtime.execPiped({ ...common, attach: (open) => session.connect(open) });
    }
    const attach = (folder: string) => session.connect(attachTo(folder));
    return runtime.exec({ ...common, ...(isAttached ? { attach } : {}) });
  }

  /** What is run, by the configuration that the container was made with and its account files as they are now. */
  async #process(
    request: ExecRequest,
    container: ContainerRecord,
    size: TerminalSize | undefined,
  ): Promise<OciProcess> {
    const { id, config, host } = container;
    const folder = this.#parts.launcher.folder(id);
    const [first, user] = await Promise.all([
      this.#firstProcess(id, folder),
      findIdentity(request.user, host.groupAdd, join(folder, 'rootfs')),
    ]);
    return execProcess({
      container: first,
      containerEnv: [...this.#parts.links.environment(container), ...config.env],
      args: request.command,
      env: request.env,
      cwd: request.workingDir,
      terminal: request.tty,
      ...(size ? { size } : {}),
      user,
      ...(request.privileged ? { capabilities: grantableCapabilities() } : {}),
    });
  }

  /** The configuration of a container's own process, which stays the same for as long as that lives. */
  #firstProcess(id: ContainerId, folder: string): Promise<OciProcess> {
    const known = this.#firstProcesses.get(id);
    if (known) return known;
    const reading = readFile(join(folder, 'config.json'), 'utf8').then(
      (text) => (parseExactJson(text) as OciSpec).process,
    );
    this.#firstProcesses.set(id, reading);
    reading.catch(() => this.#firstProcesses.delete(id));
    return reading;
  }

  #isContainerEnding(id: ContainerId): boolean {
    const container = this.#parts.registry.find(id);
    return container === undefined || isEnding(container);
  }

  #isUp(id: ContainerId): boolean {
    const container = this.#parts.registry.find(id);
    return container !== undefined && isRunning(container);
  }

  #ended(id: ExecId, exitCode: number): void {
    this.#runs.delete(id);
    if (this.#records.get(id)?.since === -Infinity) this.#records.delete(id);
    this.#update(id, { status: 'ended', pid: 0, exitCode, since: performance.now() });
  }

  /**
   * The kernel kills what ran in the container, and conmon tells of that, unless a client that does not read keeps it
   * waiting, or it was killed itself.
   */
  #containerEnded(ended: ContainerId): void {
    this.#forget(({ containerId, status }) => containerId === ended && status === 'created');
    const runs = [...this.#runs].filter(([, { containerId }]) => containerId === ended);
    for (const [, { session }] of runs) session.release();
    if (runs.length === 0) return;
    setTimeout(() => {
      for (const [id, { session, running }] of runs) {
        if (!this.#runs.has(id)) continue;
        running?.abandon();
        session.end();
        void session.close();
      }
    }, END_PATIENCE_MS).unref();
  }

  /** A client typed the keys that leave an exec running. */
  noteDetached(id: string): void {
    const exec = this.get(id);
    this.#emit(this.#parts.registry.get(exec.containerId), 'exec_detach', exec.id);
  }

  /**
   * Sets the size of an exec's terminal.
   * @throws notFound for an unknown exec, conflict when it does not run or has no terminal
   */
  async resize(id: string, size: TerminalSize): Promise<void> {
    const exec = this.get(id);
    const isUp = exec.status === 'running' && exec.request.tty && this.#runs.get(exec.id)?.running;
    if (!isUp) throw conflict('exec-not-running', `Exec command ${id} has no running terminal`, { id });
    await resizeTerminal(this.#parts.runtime.execFolder(exec.id), size.rows, size.columns);
  }

  #update(id: ExecId, change: Partial<ExecRecord>): void {
    const exec = this.#records.get(id);
    if (exec) this.#records.set(id, { ...exec, ...change });
  }

  #forget(isMeant: (exec: ExecRecord) => boolean): void {
    for (const [id, exec] of this.#records) if (isMeant(exec)) this.#records.delete(id);
  }

  #emit(container: ContainerRecord, action: string, id: ExecId, extra: Record<string, string> = {}): void {
    emitContainerEvent(this.#parts.events, action, container, { execID: id, ...extra });
  }
}

interface RunOptions {
  readonly size?: TerminalSize | undefined;
  /** Whether a client is to be at the streams. */
  readonly isAttached: boolean;
  readonly onExit: () => void;
}
