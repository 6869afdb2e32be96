/** What restart policies mean for a container's record, when it ends and when the daemon starts. Pure. */
import { type ContainerRecord, zeroTime } from '../model/container.ts';
import { type Ending, noRestart, restartsAfterEnd, restartsWithDaemon } from '../model/restart-policy.ts';

/** The fields of a container that ends with this code, its new status among them. */
export function statusAfterEnd(
  container: ContainerRecord,
  exitCode: number,
): { readonly status: 'restarting' | 'exited'; readonly restartCount: number } {
  const { host, restartCount = 0 } = container;
  const restarts = restartsAfterEnd(host.restartPolicy ?? noRestart, { ...endingOf(container), exitCode });
  return restarts
    ? { status: 'restarting', restartCount: restartCount + 1 }
    : { status: 'exited', restartCount };
}

/**
 * What changes about a container that stands still when the daemon starts; with the status `restarting` it waits to be
 * started.
 * @returns undefined when nothing does
 */
export function changeAtDaemonStart(
  container: ContainerRecord,
): Pick<ContainerRecord, 'state' | 'stoppedByUser' | 'restartCount'> | undefined {
  const { host, state, removing, restartCount = 0 } = container;
  const isWaiting = state.status === 'restarting';
  // Policies are for containers that have run.
  if (removing || (!isWaiting && (state.status !== 'exited' || state.startedAt === zeroTime)))
    return undefined;
  const ending = endingOf(container);
  // The retry that it waits for is counted already.
  const restarts = restartsWithDaemon(
    host.restartPolicy ?? noRestart,
    isWaiting ? { ...ending, exitCode: 1, restartCount: 0 } : ending,
  );
  if (!restarts && !isWaiting) return undefined;
  return {
    state: { ...state, status: restarts ? 'restarting' : 'exited' },
    stoppedByUser: restarts ? false : ending.stoppedByUser,
    restartCount: isWaiting ? restartCount : 0,
  };
}

function endingOf({ state, stoppedByUser = false, restartCount = 0 }: ContainerRecord): Ending {
  return { exitCode: state.exitCode, stoppedByUser, restartCount };
}
