/**
 * Runs containers' health checks: one at a time in each container, with a pause after each, as long as the container
 * runs and is not paused. What the results mean is decided in `model/health.ts`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { processStartTime } from '@seaway/linux';
import { messageOf } from '../base/errors.ts';
import type { ContainerId, ExecId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { Slots } from '../base/slots.ts';
import { nowText } from '../base/time.ts';
import type { Events } from '../events.ts';
import type { ImageStore } from '../images/image-store.ts';
import type { ContainerRecord } from '../model/container.ts';
import {
  type HealthCheck,
  healthAfter,
  MAX_OUTPUT_BYTES,
  type ProbeResult,
  probeCommand,
  probeDelayMs,
  probeTimeoutMs,
  startingHealth,
  timeoutText,
} from '../model/health.ts';
import { emitContainerEvent } from './container-events.ts';
import type { Execs } from './execs.ts';
import type { ContainerRegistry } from './registry.ts';

export interface HealthChecksParts {
  readonly registry: ContainerRegistry;
  readonly execs: Execs;
  readonly images: ImageStore;
  readonly events: Events;
  readonly log: Log;
}

/** How many checks are begun side by side, over all containers: to begin one keeps a processor busy for a moment. */
const BEGUN_AT_ONCE = 4;
/** How long a check that was killed may take to end. */
const KILLED_PATIENCE_MS = 2_000;

export class HealthChecks {
  readonly #parts: HealthChecksParts;
  readonly #watched = new Map<ContainerId, AbortController>();
  readonly #slots = new Slots(BEGUN_AT_ONCE);
  readonly #unsubscribe: () => void;

  constructor(parts: HealthChecksParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.events.subscribe(({ type, action, actorId }) => {
      if (type !== 'container') return;
      const id = actorId as ContainerId;
      if (action === 'start' || action === 'unpause') this.#begin(id, 1);
      if (action === 'die' || action === 'pause' || action === 'destroy') this.#end(id);
    });
  }

  /** Goes on with all containers that run, each at another moment: they may all have been started together. */
  restore(): void {
    for (const { id } of this.#parts.registry.list()) this.#begin(id, Math.random());
  }

  close(): void {
    this.#unsubscribe();
    for (const id of [...this.#watched.keys()]) this.#end(id);
  }

  #end(id: ContainerId): void {
    this.#watched.get(id)?.abort();
    this.#watched.delete(id);
  }

  /** @param firstPart how much of the usual delay is waited before the first check, 0 to 1 */
  #begin(id: ContainerId, firstPart: number): void {
    const container = this.#parts.registry.find(id);
    if (container?.state.status !== 'running' || !this.#commandOf(container)) return;
    this.#end(id);
    const watch = new AbortController();
    this.#watched.set(id, watch);
    this.#watch(id, watch.signal, firstPart).catch((error) => {
      if (watch.signal.aborted) return;
      this.#parts.log.error({ container: id, error: messageOf(error) }, 'health checks have ended');
    });
  }

  #commandOf({ config, imageId }: ContainerRecord): readonly string[] | undefined {
    return probeCommand(config.healthCheck, this.#parts.images.get(imageId)?.config.shell ?? undefined);
  }

  async #watch(id: ContainerId, signal: AbortSignal, firstPart: number): Promise<void> {
    for (let part = firstPart; ; part = 1) {
      const container = this.#parts.registry.find(id);
      const check = container?.config.healthCheck;
      const command = container && this.#commandOf(container);
      if (!container || !check || !command) return;
      const { state } = container;
      const delayMs = probeDelayMs(
        check,
        state.health ?? startingHealth(undefined),
        ranMs(container, Date.now()),
      );
      await sleep(delayMs * part, undefined, { signal, ref: false });
      const result = await this.#probe(container, command, check, signal);
      if (signal.aborted) return;
      this.#record(id, check, result);
    }
  }

  #record(id: ContainerId, check: HealthCheck, result: ProbeResult): void {
    const { registry, events } = this.#parts;
    const container = registry.find(id);
    if (container?.state.status !== 'running') return;
    const before = container.state.health ?? startingHealth(undefined);
    const health = healthAfter(before, check, result, ranMs(container, Date.parse(result.start)));
    const changed = registry.updateState(id, { health });
    if (health.status !== before.status) {
      emitContainerEvent(events, `health_status: ${health.status}`, changed);
    }
  }

  async #probe(
    { id }: ContainerRecord,
    command: readonly string[],
    check: HealthCheck,
    signal: AbortSignal,
  ): Promise<ProbeResult> {
    const { execs } = this.#parts;
    const output = new ProbeOutput();
    const ended = Promise.withResolvers<'ended'>();
    let start = nowText();
    let execId: ExecId | undefined;
    let overtime: Promise<'timeout'> | undefined;
    try {
      await this.#slots.run(async () => {
        signal.throwIfAborted();
        start = nowText();
        execId = execs.create(id, probeRequest(command)).id;
        const { begun } = execs.start(execId, {
          onData: (_stream, data) => output.add(data),
          onEnd: () => ended.resolve('ended'),
        });
        overtime = timeout(probeTimeoutMs(check), signal);
        await begun;
      });
      if ((await Promise.race([ended.promise, overtime])) === 'ended') {
        return { start, end: nowText(), exitCode: execs.get(execId!).exitCode ?? -1, output: output.text() };
      }
      this.#kill(execId!);
      await Promise.race([ended.promise, timeout(KILLED_PATIENCE_MS)]);
      const text = timeoutText(probeTimeoutMs(check), output.text());
      return { start, end: nowText(), exitCode: -1, output: text };
    } catch (error) {
      return { start, end: nowText(), exitCode: -1, output: messageOf(error) };
    } finally {
      if (execId) execs.forget(execId);
    }
  }

  /** With everything that it has started and that has not left its process group: an exec leads one of its own. */
  #kill(id: ExecId): void {
    const { pid } = this.#parts.execs.get(id);
    if (pid <= 1 || processStartTime(pid) === undefined) return;
    for (const target of [-pid, pid]) {
      try {
        process.kill(target, 'SIGKILL');
      } catch {
        // It has ended, or leads no group.
      }
    }
  }
}

function ranMs({ state }: ContainerRecord, nowMs: number): number {
  return nowMs - Date.parse(state.startedAt);
}

function probeRequest(command: readonly string[]) {
  return {
    ...{ command, env: [], user: '', workingDir: '', tty: false, privileged: false, detachKeys: '' },
    ...{ attachStdin: false, attachStdout: true, attachStderr: true },
  };
}

/** Resolves after a while, at once when the signal says so. */
function timeout(ms: number, signal?: AbortSignal): Promise<'timeout'> {
  const options = { ref: false, ...(signal ? { signal } : {}) };
  return sleep(ms, 'timeout' as const, options).catch(() => 'timeout' as const);
}

/** The beginning of what a check wrote. */
class ProbeOutput {
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #isCut = false;

  add(data: Uint8Array): void {
    const taken = data.subarray(0, MAX_OUTPUT_BYTES - this.#bytes);
    // A copy: the buffer is the reader's.
    if (taken.length > 0) this.#pieces.push(Uint8Array.from(taken));
    this.#bytes += taken.length;
    this.#isCut ||= taken.length < data.length;
  }

  text(): string {
    return Buffer.concat(this.#pieces).toString() + (this.#isCut ? '...' : '');
  }
}
