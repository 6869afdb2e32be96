/** Docker's request to create a container: its shape, and how it becomes the engine's. */
import {
  type BindMount,
  type ContainerConfig,
  type CreateRequest,
  type EndpointSettings,
  findConflict,
  type HostConfig,
  invalid,
  notImplemented,
  parseExtraHost,
  parseNetworkMode,
  type ResourceLimits,
} from '@seaway/engine';
import type { FromSchema } from 'json-schema-to-ts';
import type { ApiVersion } from '../http/version.ts';

/** Clients send `null` for whatever they leave open. */
const text = { type: ['string', 'null'] } as const;
const flag = { type: ['boolean', 'null'] } as const;
const integer = { type: ['integer', 'null'] } as const;
const texts = { type: ['array', 'null'], items: { type: 'string' } } as const;
const values = { type: ['array', 'null'] } as const;
const textMap = { type: ['object', 'null'], additionalProperties: { type: 'string' } } as const;
const valueMap = { type: ['object', 'null'], additionalProperties: true } as const;
/** A list of words, or one word, as in `Cmd` and `Entrypoint`. */
const words = { type: ['array', 'string', 'null'], items: { type: 'string' } } as const;

const endpointSettings = {
  type: ['object', 'null'],
  properties: {
    IPAMConfig: {
      type: ['object', 'null'],
      properties: { IPv4Address: text, IPv6Address: text, LinkLocalIPs: texts },
    },
    Links: texts,
    Aliases: texts,
    DriverOpts: textMap,
    GwPriority: integer,
    MacAddress: text,
  },
} as const;

const ulimits = {
  type: ['array', 'null'],
  items: {
    type: 'object',
    required: ['Name', 'Soft', 'Hard'],
    properties: { Name: { type: 'string' }, Soft: { type: 'integer' }, Hard: { type: 'integer' } },
  },
} as const;

const hostConfig = {
  type: ['object', 'null'],
  properties: {
    NetworkMode: text,
    AutoRemove: flag,
    Binds: texts,
    Tmpfs: textMap,
    CapAdd: texts,
    CapDrop: texts,
    ReadonlyRootfs: flag,
    Dns: texts,
    DnsSearch: texts,
    DnsOptions: texts,
    ExtraHosts: texts,
    GroupAdd: texts,
    Links: texts,
    UTSMode: text,
    PidMode: text,
    IpcMode: text,
    UsernsMode: text,
    CgroupnsMode: text,
    ShmSize: integer,
    Sysctls: textMap,
    SecurityOpt: texts,
    Ulimits: ulimits,
    OomScoreAdj: integer,
    Memory: integer,
    MemorySwap: integer,
    MemoryReservation: integer,
    NanoCpus: integer,
    CpuShares: integer,
    CpuPeriod: integer,
    CpuQuota: integer,
    CpusetCpus: text,
    CpusetMems: text,
    PidsLimit: integer,
    CgroupParent: text,
    RestartPolicy: { type: ['object', 'null'], properties: { Name: text, MaximumRetryCount: integer } },
    PortBindings: valueMap,
    PublishAllPorts: flag,
    Privileged: flag,
    Init: flag,
    Mounts: values,
    VolumesFrom: texts,
    Devices: values,
    DeviceRequests: values,
    Runtime: text,
    StorageOpt: textMap,
    LogConfig: { type: ['object', 'null'], properties: { Type: text, Config: textMap } },
  },
} as const;

/** Body of POST /containers/create. Fields that are not listed are accepted and ignored, as Docker does. */
export const createContainerBody = {
  type: 'object',
  properties: {
    Hostname: text,
    Domainname: text,
    User: text,
    AttachStdin: flag,
    AttachStdout: flag,
    AttachStderr: flag,
    Tty: flag,
    OpenStdin: flag,
    StdinOnce: flag,
    Env: texts,
    Cmd: words,
    Entrypoint: words,
    Image: text,
    WorkingDir: text,
    Labels: textMap,
    ExposedPorts: valueMap,
    Volumes: valueMap,
    MacAddress: text,
    StopSignal: text,
    StopTimeout: integer,
    Healthcheck: { type: ['object', 'null'], properties: { Test: texts } },
    HostConfig: hostConfig,
    NetworkingConfig: {
      type: ['object', 'null'],
      properties: { EndpointsConfig: { type: ['object', 'null'], additionalProperties: endpointSettings } },
    },
  },
} as const;

export type CreateContainerBody = FromSchema<typeof createContainerBody>;
type DockerHostConfig = NonNullable<CreateContainerBody['HostConfig']>;
type DockerEndpointSettings = NonNullable<FromSchema<typeof endpointSettings>>;

const MIN_MEMORY_BYTES = 6 * 1024 * 1024;
const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;

/** From this version on a create request may name several networks, each with a MAC address of its own. */
const SEVERAL_NETWORKS: ApiVersion = 144;

export interface ParsedCreate {
  readonly request: CreateRequest;
  readonly warnings: readonly string[];
}

/**
 * Turns the request into the engine's, once.
 * @throws invalid for options that exclude each other or have bad values, notImplemented for those that this
 *   version cannot honour: nothing is ignored silently
 */
export function fromDockerCreate(
  body: CreateContainerBody,
  name: string | undefined,
  version: ApiVersion,
): ParsedCreate {
  if (Object.keys(body).length === 0) {
    throw invalid('empty-config', 'Config cannot be empty in order to create a container');
  }
  const docker = body.HostConfig ?? {};
  const host = parseHostConfig(docker);
  const exposedPorts = Object.keys(body.ExposedPorts ?? {}).map(parseExposedPort);
  const publishesPorts = Object.keys(docker.PortBindings ?? {}).length > 0 || docker.PublishAllPorts === true;
  const conflicting = findConflict({
    networkMode: host.networkMode,
    hostname: body.Hostname ?? '',
    utsMode: host.utsMode,
    links: docker.Links ?? [],
    dns: host.dns,
    extraHosts: host.extraHosts,
    publishesPorts,
    exposedPorts,
    macAddress: version < SEVERAL_NETWORKS ? (body.MacAddress ?? '') : '',
  });
  if (conflicting) throw conflicting;
  refuseUnsupported(body, docker);
  const warnings: string[] = [];
  if (publishesPorts && host.networkMode.kind === 'host') {
    warnings.push('Published ports are discarded when using host network mode');
  } else if (publishesPorts) {
    throw unsupported('HostConfig.PortBindings', 'publishing ports');
  }
  const request: CreateRequest = {
    ...(name ? { name: name.replace(/^\//, '') } : {}),
    config: parseConfig(body, exposedPorts),
    host,
    networks: parseNetworks(body, host, version),
  };
  return { request, warnings };
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
    ...(body.StopTimeout == null ? {} : { stopTimeoutSeconds: body.StopTimeout }),
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

/** `80`, `80/udp`, `8000-8010/tcp`; the protocol defaults to tcp. */
function parseExposedPort(port: string): string {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(port);
  const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (!match || first < 1 || last > 65535 || last < first) {
    throw invalid('invalid-port', `invalid port specification: "${port}"`);
  }
  return `${port.split('/', 1)[0]}/${(match[3] ?? 'tcp').toLowerCase()}`;
}

function parseHostConfig(docker: DockerHostConfig): HostConfig {
  const networkMode = parseNetworkMode(docker.NetworkMode ?? '');
  const extraHosts = docker.ExtraHosts ?? [];
  extraHosts.forEach(parseExtraHost);
  return {
    networkMode,
    networkModeText: ['', 'default'].includes(docker.NetworkMode ?? '') ? 'bridge' : docker.NetworkMode!,
    autoRemove: docker.AutoRemove ?? false,
    binds: (docker.Binds ?? []).map(parseBind),
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
    shmSizeBytes: docker.ShmSize || DEFAULT_SHM_BYTES,
    sysctls: docker.Sysctls ?? {},
    securityOpt: docker.SecurityOpt ?? [],
    rlimits: (docker.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
    oomScoreAdj: docker.OomScoreAdj ?? 0,
    resources: parseResources(docker),
    cgroupParent: docker.CgroupParent ?? '',
  };
}

function parseUtsMode(mode: string): 'private' | 'host' {
  if (mode === '' || mode === 'host') return mode === 'host' ? 'host' : 'private';
  throw invalid('invalid-uts-mode', `invalid UTS mode: ${mode}`);
}

function parseBind(bind: string): BindMount {
  const [source = '', destination = '', options = ''] = bind.split(':');
  if (bind.split(':').length > 3 || !destination.startsWith('/') || destination === '/') {
    throw invalid('invalid-bind', `invalid volume specification: '${bind}'`);
  }
  if (!source.startsWith('/')) throw unsupported(`HostConfig.Binds '${bind}'`, 'named volumes');
  const unknown = options
    .split(',')
    .find((option) => !['', 'rw', 'ro', 'z', 'Z', 'rprivate', 'private'].includes(option));
  if (unknown !== undefined) throw invalid('invalid-bind', `invalid mode: ${unknown}`);
  return { source, destination, readonly: options.split(',').includes('ro'), text: bind };
}

function parseTmpfs(tmpfs: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const target of Object.keys(tmpfs)) {
    if (!target.startsWith('/')) {
      throw invalid('invalid-tmpfs', `invalid mount path: '${target}' mount path must be absolute`);
    }
  }
  return tmpfs;
}

function parseResources(docker: DockerHostConfig): ResourceLimits {
  const { Memory: memory, NanoCpus: nanoCpus } = docker;
  if (memory && memory < MIN_MEMORY_BYTES) {
    throw invalid('memory-too-small', 'Minimum memory limit allowed is 6MB');
  }
  if (nanoCpus && nanoCpus < 0) {
    throw invalid('invalid-cpus', `range of CPUs is from 0.01 upwards: ${nanoCpus / 1e9} is not available`);
  }
  const given = {
    memoryBytes: memory,
    memorySwapBytes: docker.MemorySwap,
    memoryReservationBytes: docker.MemoryReservation,
    nanoCpus,
    cpuShares: docker.CpuShares,
    cpuPeriodUs: docker.CpuPeriod,
    cpuQuotaUs: docker.CpuQuota,
    cpusetCpus: docker.CpusetCpus,
    cpusetMems: docker.CpusetMems,
    pidsLimit: docker.PidsLimit,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value)) as ResourceLimits;
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
  const networks: Record<string, EndpointSettings> = {};
  for (const [name, settings] of entries) {
    networks[name === 'default' ? 'bridge' : name] = parseEndpointSettings(settings);
  }
  // An entry for another network than the default bridge replaces that, when no network was named otherwise.
  const isReplaced = mode.network === 'bridge' && entries.length > 0;
  if (!(mode.network in networks) && !isReplaced)
    return { [mode.network]: parseEndpointSettings(null), ...networks };
  return networks;
}

function parseEndpointSettings(settings: DockerEndpointSettings | null): EndpointSettings {
  const { IPAMConfig: ipam } = settings ?? {};
  return {
    aliases: settings?.Aliases ?? [],
    links: settings?.Links ?? [],
    driverOptions: settings?.DriverOpts ?? {},
    gatewayPriority: settings?.GwPriority ?? 0,
    ...(ipam?.IPv4Address ? { ipv4Address: ipam.IPv4Address } : {}),
    ...(ipam?.IPv6Address ? { ipv6Address: ipam.IPv6Address } : {}),
    ...(settings?.MacAddress ? { macAddress: settings.MacAddress } : {}),
  };
}

function unsupported(field: string, what: string) {
  return notImplemented(
    'unsupported-option',
    `${field}: ${what} is not supported by this version of Seaway`,
    { field },
  );
}

/** Options that this version cannot honour are refused rather than ignored. */
function refuseUnsupported(body: CreateContainerBody, docker: DockerHostConfig): void {
  const isSet = (value: unknown) =>
    Array.isArray(value)
      ? value.length > 0
      : typeof value === 'object' && value !== null
        ? Object.keys(value).length > 0
        : Boolean(value);
  const restart = docker.RestartPolicy?.Name || 'no';
  if (!['no', 'always', 'on-failure', 'unless-stopped'].includes(restart)) {
    throw invalid('invalid-restart-policy', `invalid restart policy '${restart}'`);
  }
  if (restart !== 'no' && docker.AutoRemove) {
    throw invalid('invalid-restart-policy', "can't create 'AutoRemove' container with restart policy");
  }
  const refused: readonly (readonly [isRefused: boolean, field: string, what: string])[] = [
    [restart !== 'no', 'HostConfig.RestartPolicy', `the restart policy '${restart}'`],
    [isSet(docker.Links), 'HostConfig.Links', 'linking containers'],
    [isSet(docker.Privileged), 'HostConfig.Privileged', 'a privileged container'],
    [isSet(docker.Init), 'HostConfig.Init', 'an init process'],
    [isSet(docker.Mounts), 'HostConfig.Mounts', '--mount (use -v with a folder of the host)'],
    [isSet(docker.VolumesFrom), 'HostConfig.VolumesFrom', 'taking volumes from another container'],
    [isSet(docker.Devices), 'HostConfig.Devices', 'passing devices'],
    [isSet(docker.DeviceRequests), 'HostConfig.DeviceRequests', 'passing devices'],
    [isSet(docker.StorageOpt), 'HostConfig.StorageOpt', 'a storage option'],
    [!['', 'runc'].includes(docker.Runtime ?? ''), 'HostConfig.Runtime', `the runtime '${docker.Runtime}'`],
    [
      !['', 'private'].includes(docker.PidMode ?? ''),
      'HostConfig.PidMode',
      `the PID mode '${docker.PidMode}'`,
    ],
    [
      !['', 'private', 'shareable'].includes(docker.IpcMode ?? ''),
      'HostConfig.IpcMode',
      `the IPC mode '${docker.IpcMode}'`,
    ],
    [
      !['', 'host'].includes(docker.UsernsMode ?? ''),
      'HostConfig.UsernsMode',
      `the user namespace mode '${docker.UsernsMode}'`,
    ],
    [
      !['', 'host', 'private'].includes(docker.CgroupnsMode ?? ''),
      'HostConfig.CgroupnsMode',
      `the cgroup namespace mode '${docker.CgroupnsMode}'`,
    ],
    [
      !['', 'json-file', 'k8s-file'].includes(docker.LogConfig?.Type ?? ''),
      'HostConfig.LogConfig',
      `the log driver '${docker.LogConfig?.Type}'`,
    ],
    [isSet(body.Volumes), 'Volumes', 'an anonymous volume'],
    [
      isSet(body.Healthcheck?.Test) && body.Healthcheck?.Test?.[0] !== 'NONE',
      'Healthcheck',
      'a health check',
    ],
    [isSet(body.MacAddress), 'MacAddress', 'a MAC address of your own'],
  ];
  const first = refused.find(([isRefused]) => isRefused);
  if (first) throw unsupported(first[1], first[2]);
}
