/** What can be asked of a container in its state, and the refusals of what cannot. Pure. */
import { conflict } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import { type ContainerRecord, isRunning } from '../model/container.ts';

/** @throws conflict when it does not run, or waits for its restart policy to start it again */
export function checkRunning(container: ContainerRecord): void {
  const { id, state } = container;
  if (state.status === 'restarting') throw isRestarting(id);
  if (!isRunning(container)) throw notRunning(id);
}

export function notRunning(id: ContainerId) {
  return conflict('not-running', `Container ${id} is not running`, { id });
}

/** As {@link checkRunning}, where its processes have to do something. @throws conflict when they are paused as well */
export function checkCanExec(container: ContainerRecord): void {
  checkRunning(container);
  const { id, state } = container;
  if (state.status === 'paused') {
    throw conflict('container-paused', `Container ${id} is paused, unpause the container before exec`, {
      id,
    });
  }
}

/** @throws conflict when it is paused, or waits for its restart policy to start it again; any other can be waited for */
export function checkCanAttach({ id, state }: ContainerRecord): void {
  if (state.status === 'paused') {
    const message = `Container ${id} is paused, unpause the container before attach`;
    throw conflict('container-paused', message, { id });
  }
  if (state.status === 'restarting') throw isRestarting(id);
}

/** @throws conflict when there is something to remove that has to be stopped or unpaused first */
export function refuseRemoval(reference: string, { id, state }: ContainerRecord): never {
  const why =
    state.status === 'paused'
      ? 'container is paused and must be unpaused first'
      : `container is ${state.status}: stop the container before removing or force remove`;
  throw conflict('container-running', `cannot remove container "${reference}": ${why}`, { id });
}

function isRestarting(id: ContainerId) {
  const message = `Container ${id} is restarting, wait until the container is running`;
  return conflict('container-restarting', message, { id });
}
