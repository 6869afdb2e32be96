/** The mounts of containers as Docker's clients see them. */
import { type ContainerRecord, type Engine, localDriver, mountPointsOf } from '@seaway/engine';

/** The `Mounts` of the container list and of `inspect`. */
export function toDockerMounts(engine: Engine, container: ContainerRecord) {
  return mountPointsOf(container).map((mount) => ({
    Type: mount.type,
    ...(mount.volume ? { Name: mount.volume } : {}),
    Source: mount.volume ? engine.volumes.mountpoint(mount.volume) : (mount.source ?? ''),
    Destination: mount.destination,
    ...(mount.volume ? { Driver: localDriver } : {}),
    Mode: mount.mode,
    RW: !mount.readonly,
    Propagation: mount.propagation ?? '',
  }));
}

/** Whether a container has a mount of that volume, from that path of the host or at that place; the filter `volume`. */
export function hasMount(container: ContainerRecord, value: string): boolean {
  return mountPointsOf(container).some(
    ({ volume, source, destination }) => (volume ?? source) === value || destination === value,
  );
}
