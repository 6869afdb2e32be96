/**
 * Containers whose processes stand still, by the kernel's freezer. The record says `paused` before they are frozen and
 * until they have thawed, so that after a crash no container is frozen without anybody's knowing.
 */
import { conflict, internal, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Events } from '../events.ts';
import type { ContainerRecord } from '../model/container.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { emitContainerEvent } from './container-events.ts';
import { isStillAlive } from './container-process.ts';
import { checkRunning, notRunning } from './container-state.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { ContainerRegistry } from './registry.ts';

export interface PausingParts {
  readonly registry: ContainerRegistry;
  readonly lifecycle: Lifecycle;
  readonly runtime: Runtime;
  readonly events: Events;
  readonly log: Log;
}

export class Pausing {
  readonly #parts: PausingParts;

  constructor(parts: PausingParts) {
    this.#parts = parts;
  }

  /** @throws conflict when it does not run, is restarting or is paused already */
  async pause(reference: string): Promise<void> {
    const { registry, lifecycle, runtime, events } = this.#parts;
    const { id } = registry.resolve(reference);
    await lifecycle.exclusively(id, async () => {
      const container = registry.get(id);
      checkRunning(container);
      if (container.state.status === 'paused') {
        throw conflict('already-paused', `Container ${id} is already paused`, { id });
      }
      const paused = registry.updateState(id, { status: 'paused' });
      try {
        await runtime.pause(id);
      } catch (error) {
        registry.updateState(id, { status: 'running' });
        // It may have ended in this moment.
        if (!isStillAlive(container)) throw notRunning(id);
        throw internal('pause-failed', `Cannot pause container ${id}: ${messageOf(error)}`, { id }, error);
      }
      emitContainerEvent(events, 'pause', paused);
    });
  }

  /** @throws internal when it is not paused, which Docker too does not call a conflict */
  async unpause(reference: string): Promise<void> {
    const { registry, lifecycle } = this.#parts;
    const { id } = registry.resolve(reference);
    await lifecycle.exclusively(id, async () => {
      const container = registry.get(id);
      if (container.state.status !== 'paused') {
        throw internal('not-paused', `Container ${id} is not paused`, { id });
      }
      await this.#thaw(container);
    });
  }

  /** Has a paused container go on, so that it can take the signal that it was sent; any other is left as it is. */
  async thaw({ id }: ContainerRecord): Promise<void> {
    const { registry, lifecycle, log } = this.#parts;
    await lifecycle.exclusively(id, async () => {
      const container = registry.find(id);
      if (container?.state.status !== 'paused') return;
      await this.#thaw(container).catch((error) =>
        log.warn({ container: id, error: messageOf(error) }, 'a container that is to end was not resumed'),
      );
    });
  }

  async #thaw({ id }: ContainerRecord): Promise<void> {
    const { registry, runtime, events } = this.#parts;
    await runtime.resume(id);
    emitContainerEvent(events, 'unpause', registry.updateState(id, { status: 'running' }));
  }

  /** The crash may have come between record and kernel. */
  async restore(): Promise<void> {
    const { registry, runtime, log } = this.#parts;
    for (const { id, state } of registry.list()) {
      if (state.status !== 'paused') continue;
      // One that is frozen already is refused.
      await runtime.pause(id).catch((error) => {
        log.debug({ container: id, error: messageOf(error) }, 'a paused container was not paused again');
      });
    }
  }
}
