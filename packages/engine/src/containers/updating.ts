/** Changes limits and the restart policy of containers, while they run or before their next start. */
import { conflict, internal, messageOf } from '../base/errors.ts';
import type { Events } from '../events.ts';
import { type ContainerRecord, isRunning, type ResourceLimits } from '../model/container.ts';
import type { RestartPolicy } from '../model/restart-policy.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { buildLimits } from '../runtime/spec/oci-spec.ts';
import { emitContainerEvent } from './container-events.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { ContainerRegistry } from './registry.ts';
import { specLimits } from './spec-input.ts';

export interface UpdatingParts {
  readonly registry: ContainerRegistry;
  readonly lifecycle: Lifecycle;
  readonly runtime: Runtime;
  readonly events: Events;
}

export interface ContainerChange {
  /** Those that change. */
  readonly limits: ResourceLimits;
  /** Absent: stays. */
  readonly restartPolicy?: RestartPolicy;
}

export class Updating {
  readonly #parts: UpdatingParts;

  constructor(parts: UpdatingParts) {
    this.#parts = parts;
  }

  /**
   * @throws notFound, conflict for what does not go with what the container has, internal when the kernel refuses;
   *   then everything stays as it was
   */
  async update(reference: string, change: ContainerChange): Promise<void> {
    const { registry, lifecycle, runtime, events } = this.#parts;
    const { id } = registry.resolve(reference);
    await lifecycle.exclusively(id, async () => {
      const before = registry.get(id);
      const resources = changedLimits(before, change);
      const { restartPolicy = before.host.restartPolicy } = change;
      const host = { ...before.host, resources, ...(restartPolicy ? { restartPolicy } : {}) };
      const updated = registry.update(id, { host });
      if (isRunning(updated) && Object.keys(change.limits).length > 0) {
        try {
          await runtime.update(id, buildLimits(await specLimits(resources)));
        } catch (error) {
          registry.update(id, { host: before.host });
          throw internal('update-failed', refusal(before, messageOf(error)), { id }, error);
        }
      }
      emitContainerEvent(events, 'update', updated);
    });
  }
}

/** The limits after a change. Pure. @throws conflict, internal in Docker's words */
export function changedLimits(
  container: ContainerRecord,
  { limits, restartPolicy }: ContainerChange,
): ResourceLimits {
  const { host } = container;
  const has = host.resources;
  if (container.removing) {
    throw conflict(
      'update-refused',
      refusal(container, 'container is marked for removal and cannot be "update".'),
    );
  }
  for (const [given, kept, message] of [
    [limits.nanoCpus, has.cpuPeriodUs, 'Nano CPUs cannot be updated as CPU Period has already been set'],
    [limits.nanoCpus, has.cpuQuotaUs, 'Nano CPUs cannot be updated as CPU Quota has already been set'],
    [limits.cpuPeriodUs, has.nanoCpus, 'CPU Period cannot be updated as NanoCPUs has already been set'],
    [limits.cpuQuotaUs, has.nanoCpus, 'CPU Quota cannot be updated as NanoCPUs has already been set'],
  ] as const) {
    if ((given ?? 0) > 0 && (kept ?? 0) > 0) {
      throw conflict('update-refused', refusal(container, `Conflicting options: ${message}`));
    }
  }
  const swap = has.memorySwapBytes ?? 0;
  if (limits.memoryBytes && !limits.memorySwapBytes && swap !== -1 && limits.memoryBytes > swap) {
    throw internal(
      'update-failed',
      refusal(
        container,
        'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
      ),
    );
  }
  if (host.autoRemove && restartPolicy && restartPolicy.name !== 'no') {
    throw conflict(
      'update-refused',
      refusal(container, 'Restart policy cannot be updated because AutoRemove is enabled for the container'),
    );
  }
  return { ...has, ...limits };
}

function refusal({ id }: ContainerRecord, why: string): string {
  return `Cannot update container ${id}: ${why}`;
}
