/** The configuration of an image that is made from a container. Pure. */
import type { ContainerConfig } from '../model/container.ts';
import { formatHealthCheck } from '../model/health.ts';
import type { ImageConfig } from '../model/image.ts';
import type { HealthcheckConfig } from './healthcheck-change.ts';

/**
 * Fills what the request leaves open with the container's own configuration, by Docker's rules.
 * @param asked what the request says, its changes included
 * @param image of the container: for what containers have no say in
 */
export function mergeConfig(asked: ImageConfig, container: ContainerConfig, image: ImageConfig): ImageConfig {
  const hasEntrypoint = asked.entrypoint !== null && asked.entrypoint.length > 0;
  const hasCommand = asked.cmd !== null && asked.cmd.length > 0;
  const shell = asked.shell ?? image.shell;
  const healthcheck = mergeHealthcheck(asked.healthcheck, healthcheckOf(container, image));
  return {
    env: mergeEnv(asked.env, container.env),
    cmd: hasEntrypoint || hasCommand ? asked.cmd : copied(container.cmd),
    entrypoint: asked.entrypoint ?? copied(container.entrypoint),
    workingDir: asked.workingDir || container.workingDir,
    user: asked.user || container.user,
    labels: { ...container.labels, ...asked.labels },
    exposedPorts: union(asked.exposedPorts, container.exposedPorts),
    volumes: union(asked.volumes, union(image.volumes, container.volumes ?? [])),
    stopSignal: asked.stopSignal ?? ownStopSignal(container, image),
    shell,
    ...(healthcheck ? { healthcheck } : {}),
    ...(asked.onBuild ? { onBuild: asked.onBuild } : {}),
  };
}

/** Containers have one always: what nobody asked for stays open in the image. */
function ownStopSignal({ stopSignal }: ContainerConfig, image: ImageConfig): string | null {
  return stopSignal === 'SIGTERM' && image.stopSignal === null ? null : stopSignal;
}

function healthcheckOf(container: ContainerConfig, image: ImageConfig): unknown {
  return container.healthCheck ? formatHealthCheck(container.healthCheck) : image.healthcheck;
}

function mergeHealthcheck(asked: unknown, known: unknown): unknown {
  if (!asked || !known) return asked ?? known;
  const [own, other] = [asked, known] as [Partial<HealthcheckConfig>, Partial<HealthcheckConfig>];
  const given = Object.entries(own).filter(([, value]) => (Array.isArray(value) ? value.length > 0 : value));
  return { ...other, ...Object.fromEntries(given) };
}

function mergeEnv(asked: readonly string[], known: readonly string[]): string[] {
  const names = new Set(asked.map(nameOf));
  return [...asked, ...known.filter((variable) => !names.has(nameOf(variable)))];
}

function nameOf(variable: string): string {
  return variable.split('=', 1)[0]!;
}

function union(first: readonly string[], second: readonly string[]): string[] {
  return [...new Set([...first, ...second])];
}

function copied(words: readonly string[] | null): string[] | null {
  return words && [...words];
}
