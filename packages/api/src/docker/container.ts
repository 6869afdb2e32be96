/** Containers as Docker's clients see them: the list's entries and the object of `inspect`. */
import { hostname } from 'node:os';
import {
  type ContainerRecord,
  dnsNames,
  type EndpointRecord,
  type EndpointSettings,
  type Engine,
  effectiveHostname,
  formatHealthCheck,
  gatewayOf,
  type HostConfig,
  interfaceAddresses,
  isActive,
  isRunning,
  isUserDefined,
  type NetworkRecord,
  noRestart,
  parseSecurityOptions,
  type RestartPolicy,
  shortId,
} from '@seaway/engine';
import type { ApiVersion } from '../http/version.ts';
import { shownState, statusText } from './container-status.ts';
import { toDockerHealth } from './health.ts';
import { toDockerIsolation } from './isolation-options.ts';
import { toDockerLogConfig } from './log-config.ts';
import { toDockerMounts } from './mount-points.ts';
import { toDockerPortBindings, toDockerPortList, toDockerPorts } from './port-bindings.ts';
import { toDockerResources } from './resources.ts';

/** One entry of GET /containers/json. @param linkNames the names PARENT/ALIAS that links give to it */
export function toDockerSummary(
  engine: Engine,
  container: ContainerRecord,
  linkNames: readonly string[],
  version: ApiVersion,
) {
  const image = engine.images.find(container.imageId);
  return {
    Id: container.id,
    Names: [container.name, ...linkNames].map((name) => `/${name}`),
    // A name that means another image by now would mislead: then the id is shown.
    Image:
      engine.images.find(container.config.image)?.id === image?.id
        ? container.config.image
        : container.imageId,
    ImageID: container.imageId,
    Command: commandText(container),
    Created: Math.floor(Date.parse(container.createdAt) / 1000),
    Ports: hasPorts(engine, container) ? toDockerPortList(container, engine.portsOf(container.id)) : [],
    Labels: container.config.labels,
    State: shownState(container),
    Status: statusText(container, Date.now()),
    HostConfig: { NetworkMode: container.host.networkModeText },
    NetworkSettings: { Networks: toDockerNetworks(engine, container, version) },
    Mounts: toDockerMounts(engine, container),
  };
}

function commandText({ path, args }: ContainerRecord): string {
  return [path, ...args.map((word) => (/[\s'"]/.test(word) ? `'${word}'` : word))].join(' ');
}

/** Ports are those of a namespace of its own, while it is on a network from which there is a way out. */
function hasPorts(engine: Engine, container: ContainerRecord): boolean {
  return (
    isRunning(container) &&
    container.host.networkMode.kind === 'network' &&
    engine.networks
      .endpointsOfContainer(container.id)
      .some(({ networkId }) => engine.networks.find(networkId)?.internal === false)
  );
}

/** GET /containers/ID/json. */
export function toDockerInspect(engine: Engine, container: ContainerRecord, version: ApiVersion) {
  const { config, host, state } = container;
  const files = engine.containers.filesOf(container);
  const hasStarted = Date.parse(state.startedAt) > 0 || state.status !== 'created';
  return {
    Id: container.id,
    Created: container.createdAt,
    Path: container.path,
    Args: container.args,
    State: {
      Status: shownState(container),
      Running: isActive(container),
      Paused: state.status === 'paused',
      Restarting: state.status === 'restarting',
      OOMKilled: state.oomKilled,
      Dead: state.status === 'dead',
      Pid: state.pid,
      ExitCode: state.exitCode,
      Error: state.error,
      StartedAt: state.startedAt,
      FinishedAt: state.finishedAt,
      ...(state.health ? { Health: toDockerHealth(state.health) } : {}),
    },
    Image: container.imageId,
    ResolvConfPath: hasStarted ? files.resolvConfPath : '',
    HostnamePath: hasStarted ? files.hostnamePath : '',
    HostsPath: hasStarted ? files.hostsPath : '',
    LogPath: host.logging?.driver === 'none' ? '' : engine.containers.logPath(container.id),
    Name: `/${container.name}`,
    RestartCount: container.restartCount ?? 0,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: parseSecurityOptions(host.securityOpt).apparmor,
    ExecIDs: execIds(engine, container),
    HostConfig: {
      ...toDockerHostConfig(host, engine.limits.cgroupVersion),
      Links: toDockerLinks(engine, container),
    },
    GraphDriver: { Name: 'overlay2', Data: null },
    Mounts: toDockerMounts(engine, container),
    Config: {
      Hostname: hostnameOf(engine, container),
      Domainname: config.domainname,
      User: config.user,
      AttachStdin: config.attachStdin,
      AttachStdout: config.attachStdout,
      AttachStderr: config.attachStderr,
      ...(config.exposedPorts.length > 0
        ? { ExposedPorts: Object.fromEntries(config.exposedPorts.map((port) => [port, {}])) }
        : {}),
      Tty: config.tty,
      OpenStdin: config.openStdin,
      StdinOnce: config.stdinOnce,
      Env: config.env,
      Cmd: config.cmd,
      Image: config.image,
      Volumes: config.volumes?.length ? Object.fromEntries(config.volumes.map((path) => [path, {}])) : null,
      WorkingDir: config.workingDir,
      Entrypoint: config.entrypoint,
      OnBuild: null,
      ...(config.networkDisabled ? { NetworkDisabled: true } : {}),
      ...(version < FLAT_FIELDS_UNTIL ? toDockerMacAddress(container) : {}),
      Labels: config.labels,
      StopSignal: config.stopSignal,
      ...(config.healthCheck ? { Healthcheck: formatHealthCheck(config.healthCheck) } : {}),
      ...(config.stopTimeoutSeconds === undefined ? {} : { StopTimeout: config.stopTimeoutSeconds }),
    },
    NetworkSettings: toDockerNetworkSettings(engine, container, version),
  };
}

/** Docker writes `null` for none. */
function execIds(engine: Engine, { id }: ContainerRecord): readonly string[] | null {
  const ids = engine.execs.idsOf(id);
  return ids.length > 0 ? ids : null;
}

/** With a joined network comes the name of the container that it belongs to, over any number of joins. */
function hostnameOf(engine: Engine, container: ContainerRecord): string {
  let owner: ContainerRecord | undefined = container;
  const seen = new Set<ContainerRecord>();
  while (owner && owner.host.networkMode.kind === 'container' && !seen.has(owner)) {
    seen.add(owner);
    const joined: string = owner.host.networkMode.container;
    owner = engine.containers.list().find(({ id, name }) => id === joined || name === joined);
  }
  return owner && !seen.has(owner) ? effectiveHostname(owner) : '';
}

function toDockerHostConfig(host: HostConfig, cgroupVersion: 1 | 2) {
  return {
    Binds: host.binds.length > 0 ? host.binds.map((bind) => bind.text) : null,
    ContainerIDFile: '',
    LogConfig: toDockerLogConfig(host.logging),
    NetworkMode: host.networkModeText,
    PortBindings: toDockerPortBindings(host.portBindings ?? []),
    RestartPolicy: toDockerRestartPolicy(host.restartPolicy ?? noRestart),
    AutoRemove: host.autoRemove,
    VolumeDriver: host.volumeDriver ?? '',
    VolumesFrom: host.volumesFrom?.map(({ text }) => text) ?? null,
    ...(host.mounts ? { Mounts: host.mounts.map(({ given }) => given) } : {}),
    ConsoleSize: [0, 0],
    CapAdd: host.capAdd.length > 0 ? host.capAdd : null,
    CapDrop: host.capDrop.length > 0 ? host.capDrop : null,
    Dns: host.dns,
    DnsOptions: host.dnsOptions,
    DnsSearch: host.dnsSearch,
    ExtraHosts: host.extraHosts.length > 0 ? host.extraHosts : null,
    GroupAdd: host.groupAdd.length > 0 ? host.groupAdd : null,
    Cgroup: '',
    OomScoreAdj: host.oomScoreAdj,
    PublishAllPorts: host.publishAllPorts ?? false,
    ReadonlyRootfs: host.readonlyRootfs,
    ...(Object.keys(host.tmpfs).length > 0 ? { Tmpfs: host.tmpfs } : {}),
    ...(Object.keys(host.sysctls).length > 0 ? { Sysctls: host.sysctls } : {}),
    UTSMode: host.utsMode === 'host' ? 'host' : '',
    ShmSize: host.shmSizeBytes,
    Isolation: '',
    CgroupParent: host.cgroupParent,
    ...toDockerResources(host.resources),
    ...toDockerIsolation(host, cgroupVersion),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
    Ulimits: host.rlimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
  };
}

function toDockerRestartPolicy({ name, maximumRetryCount }: RestartPolicy) {
  return { Name: name, MaximumRetryCount: maximumRetryCount };
}

/** The MAC address that was asked for on the main network, as older versions show it for the whole container. */
function toDockerMacAddress({ host, networks }: ContainerRecord): { readonly MacAddress?: string } {
  const { networkMode } = host;
  const main = networkMode.kind === 'network' ? networks[networkMode.network] : undefined;
  return main?.macAddress ? { MacAddress: main.macAddress } : {};
}

/** `/db:/web/database`: the other's name, and the one that the link gives to it. */
function toDockerLinks(engine: Engine, { name, links = [] }: ContainerRecord): readonly string[] | null {
  const texts = links.flatMap(({ target, alias }) => {
    const other = engine.containers.find(target);
    return other ? `/${other.name}:/${name}/${alias}` : [];
  });
  return texts.length > 0 ? texts : null;
}

/** Fields that older versions repeat for the endpoint on the default bridge. */
const FLAT_FIELDS_UNTIL: ApiVersion = 152;
const NO_SHORT_ID_IN_ALIASES: ApiVersion = 145;
const DNS_NAMES: ApiVersion = 144;

function toDockerNetworkSettings(engine: Engine, container: ContainerRecord, version: ApiVersion) {
  const networks = toDockerNetworks(engine, container, version);
  const isJoined = container.host.networkMode.kind === 'container';
  const { sandboxId } = container;
  const isPlaced = isRunning(container) && !isJoined;
  const bridge = networks.bridge;
  return {
    SandboxID: (isPlaced && sandboxId) || '',
    SandboxKey: isPlaced ? engine.containers.sandboxPath(container) : '',
    Ports: hasPorts(engine, container) ? toDockerPorts(container, engine.portsOf(container.id)) : {},
    Networks: networks,
    ...(version < FLAT_FIELDS_UNTIL
      ? {
          Bridge: '',
          HairpinMode: false,
          LinkLocalIPv6Address: '',
          LinkLocalIPv6PrefixLen: 0,
          SecondaryIPAddresses: null,
          SecondaryIPv6Addresses: null,
          EndpointID: bridge?.EndpointID ?? '',
          Gateway: bridge?.Gateway ?? '',
          GlobalIPv6Address: bridge?.GlobalIPv6Address ?? '',
          GlobalIPv6PrefixLen: bridge?.GlobalIPv6PrefixLen ?? 0,
          IPAddress: bridge?.IPAddress ?? '',
          IPPrefixLen: bridge?.IPPrefixLen ?? 0,
          IPv6Gateway: bridge?.IPv6Gateway ?? '',
          MacAddress: bridge?.MacAddress ?? '',
        }
      : {}),
  };
}

function toDockerNetworks(engine: Engine, container: ContainerRecord, version: ApiVersion) {
  const endpoints = engine.networks.endpointsOfContainer(container.id);
  return Object.fromEntries(
    Object.entries(container.networks).map(([name, settings]) => {
      const network = engine.networks.find(settings.networkId ?? name);
      const endpoint = endpoints.find((candidate) => candidate.networkId === network?.id);
      return [name, toDockerEndpoint(container, settings, network, endpoint, version)];
    }),
  );
}

function toDockerEndpoint(
  container: ContainerRecord,
  settings: EndpointSettings,
  network: NetworkRecord | undefined,
  endpoint: EndpointRecord | undefined,
  version: ApiVersion,
) {
  const placed = network && endpoint ? interfaceAddresses(network, endpoint) : [];
  const ipv4 = placed.find(({ family }) => family === 'ipv4');
  const ipv6 = placed.find(({ family }) => family === 'ipv6');
  const gateway = (family: 'ipv4' | 'ipv6') => (network && endpoint && gatewayOf(network, family)) || '';
  return {
    IPAMConfig: toDockerIpamConfig(settings),
    Links: settings.links.length > 0 ? settings.links : null,
    Aliases: toDockerAliases(container, settings, network, version),
    MacAddress: endpoint?.macAddress ?? settings.macAddress ?? '',
    DriverOpts: Object.keys(settings.driverOptions).length > 0 ? settings.driverOptions : null,
    GwPriority: settings.gatewayPriority,
    NetworkID:
      endpoint?.networkId ??
      settings.networkId ??
      (container.state.status === 'created' ? '' : (network?.id ?? '')),
    EndpointID: endpoint?.id ?? '',
    Gateway: gateway('ipv4'),
    IPAddress: ipv4?.address ?? '',
    IPPrefixLen: ipv4?.prefixLength ?? 0,
    IPv6Gateway: gateway('ipv6'),
    GlobalIPv6Address: ipv6?.address ?? '',
    GlobalIPv6PrefixLen: ipv6?.prefixLength ?? 0,
    ...(version >= DNS_NAMES ? { DNSNames: toDockerNames(container, settings, network) } : {}),
  };
}

function toDockerIpamConfig({ ipv4Address, ipv6Address }: EndpointSettings) {
  if (!ipv4Address && !ipv6Address) return null;
  return {
    ...(ipv4Address ? { IPv4Address: ipv4Address } : {}),
    ...(ipv6Address ? { IPv6Address: ipv6Address } : {}),
  };
}

function toDockerAliases(
  container: ContainerRecord,
  { aliases }: EndpointSettings,
  network: NetworkRecord | undefined,
  version: ApiVersion,
): readonly string[] | null {
  const automatic =
    version < NO_SHORT_ID_IN_ALIASES && network && isUserDefined(network)
      ? [shortId(container.id), effectiveHostname(container)]
      : [];
  const all = new Set([...aliases, ...automatic]);
  return all.size > 0 ? [...all] : null;
}

/** The names that others on the network find the container by. */
function toDockerNames(
  container: ContainerRecord,
  settings: EndpointSettings,
  network: NetworkRecord | undefined,
): readonly string[] | null {
  return network && isUserDefined(network) ? dnsNames(container, settings, hostname()) : null;
}
