/**
 * Containers that users have end. That it was a user is recorded before the process is told, so that no restart policy
 * brings the container back, also when the daemon is killed in between.
 */
import { conflict, EngineError, notModified } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import { KeyedLock } from '../base/keyed-lock.ts';
import type { Events } from '../events.ts';
import { type ContainerRecord, isActive, isRunning } from '../model/container.ts';
import { emitContainerEvent } from './container-events.ts';
import { signalContainer } from './container-process.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Pausing } from './pausing.ts';
import type { ContainerRegistry } from './registry.ts';
import { asksToEnd, parseSignal, SIGKILL } from './signals.ts';

export interface StoppingParts {
  readonly registry: ContainerRegistry;
  readonly lifecycle: Lifecycle;
  readonly pausing: Pausing;
  readonly events: Events;
}

export interface StopOptions {
  /** Negative waits for ever. @default the container's own, else 10 */
  readonly timeoutSeconds?: number;
  /** In place of the container's own, as clients write it. */
  readonly signal?: string;
}

const DEFAULT_STOP_TIMEOUT_SECONDS = 10;
/** How often the process of a container that was told to end is looked at. */
const KILLED_LOOK_MS = 250;

export class Stopping {
  readonly #parts: StoppingParts;
  /** Of two restarts of one container the second would take the first's new life for the old one. */
  readonly #restarts = new KeyedLock();

  constructor(parts: StoppingParts) {
    this.#parts = parts;
  }

  /**
   * Asks the container to end, and makes it end after the timeout. A paused one goes on for that.
   * @throws notModified when it does not run, invalid for an unknown signal
   */
  async stop(reference: string, options: StopOptions = {}): Promise<void> {
    const { id } = this.#parts.registry.resolve(reference);
    await this.#stop(id, options, () => void this.#parts.registry.update(id, { stoppedByUser: true }));
  }

  /** @param begin called once it is sure that there is something to stop */
  async #stop(id: ContainerId, options: StopOptions, begin: () => void): Promise<void> {
    const { registry, lifecycle, events } = this.#parts;
    const container = registry.get(id);
    const signal = parseSignal(options.signal ?? container.config.stopSignal);
    if (!isActive(container)) throw notModified('already-stopped', `container ${id} is already stopped`);
    begin();
    if (!(await lifecycle.giveUpRestart(id))) await this.#stopRunning(id, signal, options);
    emitContainerEvent(events, 'stop', registry.find(id) ?? container);
  }

  async #stopRunning(id: ContainerId, signal: number, { timeoutSeconds }: StopOptions): Promise<void> {
    const { lifecycle, registry } = this.#parts;
    const patience =
      timeoutSeconds ?? registry.get(id).config.stopTimeoutSeconds ?? DEFAULT_STOP_TIMEOUT_SECONDS;
    const exited = lifecycle.waiters.wait(id, 'exit');
    if (await this.#signal(id, signal, { thaws: true })) {
      if (patience >= 0 && !(await this.#sawEnd(id, exited, patience * 1000))) {
        await this.#signal(id, SIGKILL, { thaws: true });
      }
      await this.#sawEnd(id, exited);
    }
    await lifecycle.settled(id);
  }

  /** Stops the container where it runs, and starts it. One that removes itself stays for that. */
  async restart(reference: string, options: StopOptions = {}): Promise<void> {
    const { registry, lifecycle, events } = this.#parts;
    const { id } = registry.resolve(reference);
    await this.#restarts.run(id, () =>
      lifecycle.holding(id, async () => {
        await this.#stop(id, options, () => {}).catch(ignoreNotModified);
        // Somebody else may have been quicker.
        await lifecycle.start(id).catch(ignoreNotModified);
      }),
    );
    emitContainerEvent(events, 'restart', registry.get(id));
  }

  /** @throws conflict when it does not run, invalid for an unknown signal */
  async kill(reference: string, signalText = 'SIGKILL'): Promise<void> {
    const { registry, lifecycle } = this.#parts;
    const container = registry.resolve(reference);
    const { id, config } = container;
    const signal = parseSignal(signalText);
    if (!isActive(container)) {
      const message = `Cannot kill container: ${reference}: Container ${id} is not running`;
      throw conflict('not-running', message, { id });
    }
    const isEnd = asksToEnd(signal, parseSignal(config.stopSignal));
    if (isEnd) {
      registry.update(id, { stoppedByUser: true });
      if (await lifecycle.giveUpRestart(id)) return;
    }
    // Whoever is only told something may run for years: nobody waits for its end then.
    const exited = signal === SIGKILL ? lifecycle.waiters.wait(id, 'exit') : undefined;
    if (!(await this.#signal(id, signal, { thaws: isEnd })) || !exited) return;
    await this.#sawEnd(id, exited);
    await lifecycle.settled(id);
  }

  /** @returns whether there was somebody to take it */
  async #signal(id: ContainerId, signal: number, { thaws }: { readonly thaws: boolean }): Promise<boolean> {
    const { registry, pausing, events } = this.#parts;
    const container: ContainerRecord | undefined = registry.find(id);
    if (!container || !isRunning(container)) return false;
    await signalContainer(container, signal);
    emitContainerEvent(events, 'kill', container, { signal: String(signal) });
    // Frozen processes take no signal; cgroups of version 1 keep even SIGKILL from them.
    if (thaws) await pausing.thaw(container);
    return true;
  }

  /**
   * Waits for the end of a container that was told to end. Normally conmon tells of it; where conmon was killed, or
   * waits for a client that does not read, the process itself is looked at.
   */
  async #sawEnd(id: ContainerId, exited: Promise<unknown>, timeoutMs = Infinity): Promise<boolean> {
    for (let leftMs = timeoutMs; leftMs > 0; leftMs -= KILLED_LOOK_MS) {
      if (await settledWithin(exited, Math.min(leftMs, KILLED_LOOK_MS))) return true;
      await this.#parts.lifecycle.look(id);
    }
    return false;
  }
}

function ignoreNotModified(error: unknown): void {
  if (!(error instanceof EngineError && error.kind === 'notModified')) throw error;
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
