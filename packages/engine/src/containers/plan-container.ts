/** What a new container will be: the request and its image made into one record, or refused. */

import { nowText } from '../base/time.ts';
import {
  type ContainerConfig,
  type ContainerRecord,
  type EndpointSettings,
  type HostConfig,
  type NetworkMode,
  noEndpointSettings,
  zeroTime,
} from '../model/container.ts';
import { checkEndpointSettings } from '../model/create-rules.ts';
import { checkHealthCheck, healthCheckFrom, mergeHealthChecks } from '../model/health.ts';
import type { ImageRecord } from '../model/image.ts';
import { defaultBridge } from '../model/network.ts';
import { formatContainerPort } from '../model/ports.ts';
import { resolveCommand } from '../runtime/spec/command.ts';
import { parseSecurityOptions } from './security-options.ts';
import { parseSignal } from './signals.ts';
import { containerCapabilities } from './spec-input.ts';

/** What a client asks for; the image's configuration fills what is left open. */
export interface CreateRequest {
  readonly name?: string;
  readonly config: Omit<ContainerConfig, 'stopSignal'> & { readonly stopSignal?: string };
  readonly host: HostConfig;
  readonly networks: Readonly<Record<string, EndpointSettings>>;
  /** `NAME:ALIAS`; on a network of the users' they are links of that. @default none */
  readonly links?: readonly string[];
}

/** The record of a new container, but for its id and name. @throws invalid for options that cannot be */
export function planContainer(
  request: CreateRequest,
  image: ImageRecord,
): Omit<ContainerRecord, 'id' | 'name'> {
  const { config, host, networks: given } = request;
  const command = resolveCommand({
    entrypoint: config.entrypoint,
    cmd: config.cmd,
    imageEntrypoint: image.config.entrypoint,
    imageCmd: image.config.cmd,
  });
  // What cannot be is refused now and not at the first start.
  containerCapabilities(host);
  parseSecurityOptions(host.securityOpt);
  const stopSignal = config.stopSignal || image.config.stopSignal || 'SIGTERM';
  parseSignal(stopSignal);
  const networks =
    host.networkMode.kind === 'network' ? withLinks(given, request) : onlyNetwork(host.networkMode);
  for (const [network, settings] of Object.entries(networks)) {
    checkEndpointSettings(network, settings, 'create');
  }
  const healthCheck = mergeHealthChecks(config.healthCheck, healthCheckFrom(image.config.healthcheck));
  if (healthCheck) checkHealthCheck(healthCheck);
  const [path = '', ...args] = command.args;
  const volumes = union(config.volumes ?? [], image.config.volumes);
  return {
    createdAt: nowText(),
    imageId: image.id,
    path,
    args,
    config: {
      ...config,
      cmd: command.cmd,
      entrypoint: command.entrypoint,
      env: mergeEnv(image.config.env, config.env),
      user: config.user || image.config.user,
      workingDir: config.workingDir || image.config.workingDir,
      labels: { ...image.config.labels, ...config.labels },
      // What is published is exposed, whether the client says so or not.
      exposedPorts: union(
        image.config.exposedPorts,
        config.exposedPorts,
        host.portBindings.map(formatContainerPort),
      ),
      ...(volumes.length > 0 ? { volumes } : {}),
      stopSignal,
      ...(healthCheck ? { healthCheck } : {}),
    },
    host,
    networks,
    state: {
      status: 'created',
      pid: 0,
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAt: zeroTime,
      finishedAt: zeroTime,
    },
  };
}

function union(...lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat())];
}

/** Modes that are networks of their own name appear as such; a joined namespace has the networks of its owner. */
function onlyNetwork({ kind }: NetworkMode): Record<string, EndpointSettings> {
  return kind === 'host' || kind === 'none' ? { [kind]: noEndpointSettings } : {};
}

/** Whether a new container's links are those of the default bridge, and not of a network of the users'. */
export function hasLegacyLinks({ networkMode }: HostConfig): boolean {
  return networkMode.kind !== 'network' || networkMode.network === defaultBridge;
}

/** On a network of the users' links are names that only this container knows; what its own settings say wins. */
function withLinks(
  networks: Readonly<Record<string, EndpointSettings>>,
  { host, links = [] }: CreateRequest,
): Readonly<Record<string, EndpointSettings>> {
  const { networkMode } = host;
  if (links.length === 0 || networkMode.kind !== 'network' || hasLegacyLinks(host)) return networks;
  const main = networks[networkMode.network];
  if (!main || main.links.length > 0) return networks;
  return { ...networks, [networkMode.network]: { ...main, links } };
}

/** The image's variables that the request does not name, after those that it does. */
function mergeEnv(image: readonly string[], own: readonly string[]): string[] {
  const names = new Set(own.map((entry) => entry.split('=', 1)[0]));
  return [...own, ...image.filter((entry) => !names.has(entry.split('=', 1)[0]))];
}
