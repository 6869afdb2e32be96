/** Published and exposed ports in Docker's shapes. */
import {
  type ContainerRecord,
  formatContainerPort,
  formatHostPorts,
  type PortRequest,
  type PublishedPort,
  parseContainerPort,
  parseHostAddress,
  parseHostPorts,
} from '@seaway/engine';
import type { ApiVersion } from '../http/version.ts';
import type { DockerHostConfig } from './create-container-body.ts';

type DockerBindings = DockerHostConfig['PortBindings'];

/** From this version on clients are told that an empty list of bindings will not always be one. */
const EMPTY_BINDINGS_WARNING: ApiVersion = 152;

/**
 * Reads `{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}`. An empty list, or null, is one binding to any free port.
 * @throws invalid for bad ports, protocols and addresses
 */
export function fromDockerPortBindings(given: DockerBindings): readonly PortRequest[] {
  return Object.entries(given ?? {}).flatMap(([port, bindings]) => {
    const containerPort = parseContainerPort(port);
    return (isEmpty(bindings) ? [{}] : bindings!).map(({ HostIp, HostPort }) => ({
      ...containerPort,
      hostAddress: parseHostAddress(HostIp ?? ''),
      ...parseHostPorts(HostPort ?? ''),
    }));
  });
}

function isEmpty(bindings: NonNullable<DockerBindings>[string]): boolean {
  return !bindings || bindings.length === 0;
}

/** @returns one warning or none */
export function emptyPortBindingsWarning(given: DockerBindings, version: ApiVersion): readonly string[] {
  const ports = Object.entries(given ?? {}).filter(([, bindings]) => isEmpty(bindings));
  if (ports.length === 0 || version < EMPTY_BINDINGS_WARNING) return [];
  const names = ports.map(([port]) => port).join(', ');
  return [
    `Following container port(s) have an empty list of port-bindings: ${names}. Such bindings will be discarded in a future version.`,
  ];
}

interface DockerBinding {
  readonly HostIp: string;
  readonly HostPort: string;
}

/** `HostConfig.PortBindings`: what was asked for. */
export function toDockerPortBindings(requests: readonly PortRequest[]) {
  return bindingsByPort(requests, (request) => ({
    HostIp: request.hostAddress,
    HostPort: formatHostPorts(request),
  }));
}

/**
 * `NetworkSettings.Ports`: what is, with null for a port that is only exposed.
 * @param published a host port of 0 is none: the container's own port is reached by routing
 */
export function toDockerPorts(
  { config }: ContainerRecord,
  published: readonly PublishedPort[],
): Record<string, DockerBinding[] | null> {
  return {
    ...Object.fromEntries(config.exposedPorts.map((port) => [port, null])),
    ...bindingsByPort(published, ({ hostAddress, hostPort }) => ({
      HostIp: hostAddress,
      HostPort: hostPort === 0 ? '' : String(hostPort),
    })),
  };
}

function bindingsByPort<T extends PortRequest | PublishedPort>(
  ports: readonly T[],
  toBinding: (port: T) => DockerBinding,
): Record<string, DockerBinding[]> {
  const byPort: Record<string, DockerBinding[]> = {};
  for (const port of ports) {
    const name = formatContainerPort(port);
    byPort[name] = [...(byPort[name] ?? []), toBinding(port)];
  }
  return byPort;
}

export interface DockerPort {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}

/** `Ports` of an entry of the list. @param published as in {@link toDockerPorts} */
export function toDockerPortList(
  { config }: ContainerRecord,
  published: readonly PublishedPort[],
): DockerPort[] {
  const isPublished = new Set(published.map(formatContainerPort));
  const exposed = config.exposedPorts.filter((port) => !isPublished.has(port));
  return [
    ...exposed.map((port) => {
      const [number, protocol] = port.split('/');
      return { PrivatePort: Number.parseInt(number ?? '', 10), Type: protocol ?? 'tcp' };
    }),
    ...published.map(({ hostAddress, port, hostPort, protocol }) => ({
      IP: hostAddress,
      PrivatePort: port,
      ...(hostPort === 0 ? {} : { PublicPort: hostPort }),
      Type: protocol,
    })),
  ];
}
