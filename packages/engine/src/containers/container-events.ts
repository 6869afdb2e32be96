import type { Events } from '../events.ts';
import type { ContainerRecord } from '../model/container.ts';
import type { NetworkRecord } from '../model/network.ts';

/** Tells what happened to a container. @param extra attributes beside its labels, image and name */
export function emitContainerEvent(
  events: Events,
  action: string,
  { id, name, config }: ContainerRecord,
  extra: Record<string, string> = {},
): void {
  events.emit('container', action, id, { ...config.labels, image: config.image, name, ...extra });
}

/** Tells that a container came to a network or left it. */
export function emitNetworkEvent(
  events: Events,
  action: 'connect' | 'disconnect',
  network: NetworkRecord,
  container: ContainerRecord,
): void {
  events.emit('network', action, network.id, {
    container: container.id,
    name: network.name,
    type: network.driver,
  });
}
