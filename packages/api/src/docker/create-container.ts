/** How Docker's request to create a container becomes the engine's. */
import {
  type ContainerConfig,
  type CreateRequest,
  cleanPath,
  defaultShmSizeBytes,
  type EndpointSettings,
  findConflict,
  formatContainerPort,
  fullLimitSupport,
  type HostConfig,
  invalid,
  type LimitSupport,
  type NetworkMode,
  noEndpointSettings,
  parseContainerPorts,
  parseExtraHost,
  parseNetworkMode,
  parseRestartPolicy,
  parseVolumePath,
  type RestartPolicy,
} from '@seaway/engine';
import type { ApiVersion } from '../http/version.ts';
import type { CreateContainerBody, DockerHostConfig } from './create-container-body.ts';
import { parseMounts } from './create-mounts.ts';
import { fromDockerEndpoint } from './endpoint-settings.ts';
import { parseHealthCheck } from './health.ts';
import { moveInterfaceSysctls } from './interface-sysctls.ts';
import { parseIsolation } from './isolation-options.ts';
import { emptyPortBindingsWarning, fromDockerPortBindings } from './port-bindings.ts';
import { refuseUnsupported } from './refused-options.ts';
import { parseResources } from './resources.ts';
import { parseUlimit } from './ulimits.ts';

/** From this version on a create request may name several networks, each with a MAC address of its own. */
const SEVERAL_NETWORKS: ApiVersion = 144;
/** Before this version the client removed the container that should not outlive its end. */
const AUTO_REMOVE: ApiVersion = 125;
/** Before this version others could join a container's IPC namespace without its asking for that. */
const PRIVATE_IPC: ApiVersion = 140;

export interface ParsedCreate {
  readonly request: CreateRequest;
  readonly warnings: readonly string[];
}

/**
 * Turns the request into the engine's, once.
 * @param support what the machine can hold a container to; what it cannot is left out, with a warning
 * @throws invalid for options that exclude each other or have bad values, notImplemented for those that this
 *   version cannot honour: nothing is ignored silently
 */
export function fromDockerCreate(
  given: CreateContainerBody,
  name: string | undefined,
  version: ApiVersion,
  support: LimitSupport = fullLimitSupport,
): ParsedCreate {
  if (Object.keys(given).length === 0) {
    throw invalid('empty-config', 'Config cannot be empty in order to create a container');
  }
  const body = version < SEVERAL_NETWORKS ? withoutEndpointMacAddresses(given) : given;
  const docker = withOlderDefaults(body.HostConfig ?? {}, version);
  const resources = parseResources(docker, support);
  const host = parseHostConfig(docker, version, resources.limits, body.NetworkDisabled ?? false);
  const exposedPorts = Object.keys(body.ExposedPorts ?? {}).flatMap((ports) =>
    parseContainerPorts(ports).map(formatContainerPort),
  );
  const publishesPorts = host.portBindings.length > 0 || host.publishAllPorts;
  const conflicting = findConflict({
    networkMode: host.networkMode,
    hostname: body.Hostname ?? '',
    utsMode: host.utsMode,
    links: docker.Links ?? [],
    dns: host.dns,
    extraHosts: host.extraHosts,
    publishesPorts,
    exposedPorts,
    macAddress: body.MacAddress || endpointMacAddress(body, host),
  });
  if (conflicting) throw conflicting;
  refuseUnsupported(body);
  const warnings: string[] = [...resources.warnings];
  if (publishesPorts && host.networkMode.kind === 'host') {
    warnings.push('Published ports are discarded when using host network mode');
  }
  warnings.push(...emptyPortBindingsWarning(docker.PortBindings, version));
  if (body.MacAddress && version >= SEVERAL_NETWORKS) {
    warnings.push(
      'The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.',
    );
  }
  const networks = withMacAddress(parseNetworks(body, host, version), host, body.MacAddress ?? '');
  const moved = withoutInterfaceSysctls(host, networks, version);
  warnings.push(...moved.warnings);
  const request: CreateRequest = {
    ...(name ? { name: name.replace(/^\//, '') } : {}),
    config: { ...parseConfig(body, exposedPorts), ...parseHealthCheck(body, version) },
    host: moved.host,
    links: docker.Links ?? [],
    networks: moved.networks,
  };
  return { request, warnings };
}

function withOlderDefaults(docker: DockerHostConfig, version: ApiVersion): DockerHostConfig {
  return {
    ...docker,
    ...(version < AUTO_REMOVE ? { AutoRemove: false } : {}),
    ...(version < PRIVATE_IPC && !docker.IpcMode ? { IpcMode: 'shareable' } : {}),
  };
}

function parseConfig(body: CreateContainerBody, exposedPorts: readonly string[]): CreateRequest['config'] {
  const config: Omit<ContainerConfig, 'stopSignal'> = {
    hostname: body.Hostname ?? '',
    domainname: body.Domainname ?? '',
    user: body.User ?? '',
    attachStdin: body.AttachStdin ?? false,
    attachStdout: body.AttachStdout ?? false,
    attachStderr: body.AttachStderr ?? false,
    tty: body.Tty ?? false,
    openStdin: body.OpenStdin ?? false,
    stdinOnce: body.StdinOnce ?? false,
    env: body.Env ?? [],
    cmd: wordList(body.Cmd),
    entrypoint: wordList(body.Entrypoint),
    image: body.Image ?? '',
    workingDir: parseWorkingDir(body.WorkingDir ?? ''),
    labels: body.Labels ?? {},
    exposedPorts,
    ...(Object.keys(body.Volumes ?? {}).length > 0
      ? { volumes: Object.keys(body.Volumes ?? {}).map(parseVolumePath) }
      : {}),
    ...(body.StopTimeout == null ? {} : { stopTimeoutSeconds: body.StopTimeout }),
    ...(body.NetworkDisabled ? { networkDisabled: true } : {}),
  };
  const hostname = config.hostname;
  if (
    hostname.length > 63 ||
    (hostname !== '' && !/^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$/.test(hostname))
  ) {
    throw invalid(
      'invalid-hostname',
      `invalid hostname '${hostname}': letters, digits, '-' and '.' are allowed, at most 63`,
    );
  }
  for (const variable of config.env) {
    if (variable === '' || variable.startsWith('=')) {
      throw invalid('invalid-env', `invalid environment variable: ${variable}`);
    }
  }
  return { ...config, ...(body.StopSignal ? { stopSignal: body.StopSignal } : {}) };
}

function wordList(value: readonly string[] | string | null | undefined): readonly string[] | null {
  if (value == null) return null;
  return typeof value === 'string' ? [value] : value;
}

function parseWorkingDir(folder: string): string {
  if (folder !== '' && !folder.startsWith('/')) {
    throw invalid(
      'invalid-working-dir',
      `the working directory '${folder}' is invalid, it needs to be an absolute path`,
    );
  }
  return folder;
}

function parseHostConfig(
  docker: DockerHostConfig,
  version: ApiVersion,
  resources: HostConfig['resources'],
  networkDisabled: boolean,
): HostConfig {
  const networkMode: NetworkMode = networkDisabled
    ? { kind: 'none' }
    : parseNetworkMode(docker.NetworkMode ?? '');
  checkRanges(docker);
  const extraHosts = docker.ExtraHosts ?? [];
  extraHosts.forEach(parseExtraHost);
  return {
    networkMode,
    networkModeText: ['', 'default'].includes(docker.NetworkMode ?? '') ? 'bridge' : docker.NetworkMode!,
    autoRemove: docker.AutoRemove ?? false,
    restartPolicy: parseRestart(docker),
    ...parseMounts(docker, version),
    tmpfs: parseTmpfs(docker.Tmpfs ?? {}),
    capAdd: docker.CapAdd ?? [],
    capDrop: docker.CapDrop ?? [],
    readonlyRootfs: docker.ReadonlyRootfs ?? false,
    dns: docker.Dns ?? [],
    dnsSearch: docker.DnsSearch ?? [],
    dnsOptions: docker.DnsOptions ?? [],
    extraHosts,
    groupAdd: docker.GroupAdd ?? [],
    utsMode: parseUtsMode(docker.UTSMode ?? ''),
    shmSizeBytes: docker.ShmSize || defaultShmSizeBytes,
    sysctls: docker.Sysctls ?? {},
    securityOpt: docker.SecurityOpt ?? [],
    rlimits: (docker.Ulimits ?? []).map(parseUlimit),
    oomScoreAdj: docker.OomScoreAdj ?? 0,
    resources,
    cgroupParent: docker.CgroupParent ?? '',
    portBindings: fromDockerPortBindings(docker.PortBindings),
    publishAllPorts: docker.PublishAllPorts ?? false,
    ...parseIsolation(docker),
  };
}

function checkRanges({ ShmSize: shm, OomScoreAdj: score }: DockerHostConfig): void {
  if (shm && shm < 0) throw invalid('invalid-shm-size', 'SHM size can not be less than 0');
  if (score && (score < -1000 || score > 1000)) {
    throw invalid('invalid-oom-score', `Invalid value ${score}, range for oom score adj is [-1000, 1000]`);
  }
}

/**
 * Before several networks could be named, a MAC address there was what `inspect` had shown: a client that copies
 * that into a new request does not ask for it.
 */
function withoutEndpointMacAddresses(body: CreateContainerBody): CreateContainerBody {
  const entries = Object.entries(body.NetworkingConfig?.EndpointsConfig ?? {});
  const endpoints = entries.map(([name, settings]) => [name, settings && { ...settings, MacAddress: '' }]);
  return { ...body, NetworkingConfig: { EndpointsConfig: Object.fromEntries(endpoints) } };
}

/** The MAC address in settings that are not those of a network of the container's own. */
function endpointMacAddress(body: CreateContainerBody, { networkMode }: HostConfig): string {
  if (networkMode.kind === 'network') return '';
  const endpoints = Object.values(body.NetworkingConfig?.EndpointsConfig ?? {});
  return endpoints.map((settings) => settings?.MacAddress ?? '').find((address) => address !== '') ?? '';
}

function parseRestart({ RestartPolicy: policy, AutoRemove: autoRemove }: DockerHostConfig): RestartPolicy {
  const parsed = parseRestartPolicy(policy?.Name ?? '', policy?.MaximumRetryCount ?? 0);
  if (parsed.name !== 'no' && autoRemove) {
    throw invalid('invalid-restart-policy', "can't create 'AutoRemove' container with restart policy");
  }
  return parsed;
}

function parseUtsMode(mode: string): 'private' | 'host' {
  if (mode === '' || mode === 'host') return mode === 'host' ? 'host' : 'private';
  throw invalid('invalid-uts-mode', `invalid UTS mode: ${mode}`);
}

function parseTmpfs(tmpfs: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const target of Object.keys(tmpfs)) {
    if (!target.startsWith('/')) {
      throw invalid('invalid-tmpfs', `invalid mount path: '${target}' mount path must be absolute`);
    }
    if (cleanPath(target) === '/') {
      throw invalid('invalid-tmpfs', "invalid specification: destination can't be '/'");
    }
  }
  return tmpfs;
}

/**
 * The networks by name. The entry `default` is the default bridge; entries beside the main network join it as
 * further networks.
 */
function parseNetworks(
  body: CreateContainerBody,
  host: HostConfig,
  version: ApiVersion,
): Record<string, EndpointSettings> {
  const mode = host.networkMode;
  const entries = Object.entries(body.NetworkingConfig?.EndpointsConfig ?? {});
  if (version < SEVERAL_NETWORKS && entries.length > 1) {
    const names = entries.map(([name]) => name).join(', ');
    throw invalid(
      'several-networks',
      `Container cannot be created with multiple network endpoints: ${names}`,
    );
  }
  if (mode.kind !== 'network') return {};
  const networks: Record<string, EndpointSettings> = Object.fromEntries(
    entries.map(([name, settings]) => [
      name === 'default' ? 'bridge' : name,
      fromDockerEndpoint(settings, version),
    ]),
  );
  // An entry for another network than the default bridge replaces that, when no network was named otherwise.
  const isReplaced = mode.network === 'bridge' && entries.length > 0;
  if (!Object.hasOwn(networks, mode.network) && !isReplaced)
    return { [mode.network]: noEndpointSettings, ...networks };
  return networks;
}

/**
 * The container-wide MAC address is that of the main network's interface.
 * @throws invalid where the network's own settings say another
 */
function withMacAddress(
  networks: Record<string, EndpointSettings>,
  { networkMode }: HostConfig,
  macAddress: string,
): Record<string, EndpointSettings> {
  if (macAddress === '' || networkMode.kind !== 'network') return networks;
  const name = mainNetwork(networks, networkMode.network);
  const main = networks[name]!;
  if (main.macAddress && main.macAddress !== macAddress) {
    throw invalid(
      'mac-addresses-differ',
      'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
      { containerWide: macAddress, network: main.macAddress },
    );
  }
  return { ...networks, [name]: { ...main, macAddress } };
}

/** The network of the mode; an entry for another one stands for it where the mode names none. */
function mainNetwork(networks: Record<string, EndpointSettings>, mode: string): string {
  return Object.hasOwn(networks, mode) ? mode : Object.keys(networks)[0]!;
}

/** Moves kernel parameters of one interface to the network that they are meant for; see `interface-sysctls.ts`. */
function withoutInterfaceSysctls(
  host: HostConfig,
  networks: Record<string, EndpointSettings>,
  version: ApiVersion,
) {
  if (host.networkMode.kind !== 'network') return { host, networks, warnings: [] };
  const name = mainNetwork(networks, host.networkMode.network);
  const { sysctls, settings, warnings } = moveInterfaceSysctls(host.sysctls, networks[name]!, version);
  return { host: { ...host, sysctls }, networks: { ...networks, [name]: settings }, warnings };
}
