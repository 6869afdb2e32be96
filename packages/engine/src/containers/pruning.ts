/** Removes all containers that stand still. */
import { conflict, messageOf } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Events } from '../events.ts';
import { type ContainerRecord, isActive } from '../model/container.ts';
import { diskUsageBytes } from './disk-usage.ts';
import type { Launcher } from './launcher.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { ContainerRegistry } from './registry.ts';

export interface PruningParts {
  readonly registry: ContainerRegistry;
  readonly lifecycle: Lifecycle;
  readonly launcher: Launcher;
  readonly events: Events;
  readonly log: Log;
}

export interface Pruned {
  readonly removed: readonly ContainerId[];
  /** What they had written, in bytes. */
  readonly reclaimedBytes: number;
}

export class Pruning {
  readonly #parts: PruningParts;
  #isUnderWay = false;

  constructor(parts: PruningParts) {
    this.#parts = parts;
  }

  /**
   * Removes the containers that do not run and are wanted; one that cannot be removed stays.
   * @throws conflict while another call is under way
   */
  async prune(isWanted: (container: ContainerRecord) => boolean): Promise<Pruned> {
    if (this.#isUnderWay) throw conflict('prune-under-way', 'a prune operation is already running');
    this.#isUnderWay = true;
    try {
      const removed: ContainerId[] = [];
      let reclaimedBytes = 0;
      for (const container of this.#parts.registry.list()) {
        if (isActive(container) || !isWanted(container)) continue;
        const sizeBytes = await this.#remove(container);
        if (sizeBytes === undefined) continue;
        removed.push(container.id);
        reclaimedBytes += sizeBytes;
      }
      this.#parts.events.emit('container', 'prune', '', { reclaimed: String(reclaimedBytes) });
      return { removed, reclaimedBytes };
    } finally {
      this.#isUnderWay = false;
    }
  }

  /** @returns what it had written, undefined when it stays or somebody else has removed it */
  async #remove({ id }: ContainerRecord): Promise<number | undefined> {
    const { registry, launcher, lifecycle, log } = this.#parts;
    try {
      const sizeBytes = await diskUsageBytes(launcher.rootfs.upper(id));
      const isThere = registry.find(id) !== undefined;
      return isThere && (await lifecycle.remove(id)) ? sizeBytes : undefined;
    } catch (error) {
      log.warn({ container: id, error: messageOf(error) }, 'container not pruned');
      return undefined;
    }
  }
}
