/**
 * Options of a new container that this version cannot honour. They are refused rather than ignored: a container
 * that quietly lacks what was asked for is worse than none. `docs/api.md` lists them for users.
 */
import { notImplemented } from '@seaway/engine';
import type { CreateContainerBody, DockerHostConfig } from './create-container-body.ts';

export interface RefusedOption {
  /** Path of the field in the request. */
  readonly field: string;
  /** What it asks for, as the error names it; undefined where the request does not ask for it. */
  readonly asked: (body: CreateContainerBody, host: DockerHostConfig) => string | undefined;
}

/** Refused as soon as it holds anything: clients send null, "", 0, false, [] or {} for what they leave open. */
function whenSet(
  field: string,
  value: (body: CreateContainerBody, host: DockerHostConfig) => unknown,
  what: string,
): RefusedOption {
  return { field, asked: (body, host) => (isSet(value(body, host)) ? what : undefined) };
}

/** Refused unless the value is one of those that mean what this version does anyway. */
function unlessOneOf(
  field: string,
  known: readonly string[],
  value: (host: DockerHostConfig) => string | null | undefined,
  what: string,
): RefusedOption {
  return {
    field,
    asked: (_body, host) => {
      const given = value(host) ?? '';
      return given === '' || known.includes(given) ? undefined : `${what} '${given}'`;
    },
  };
}

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** In the order in which they are looked at. */
export const refusedOptions: readonly RefusedOption[] = [
  whenSet('HostConfig.Privileged', (_, host) => host.Privileged, 'a privileged container'),
  whenSet('HostConfig.Init', (_, host) => host.Init, 'an init process'),
  whenSet('HostConfig.Devices', (_, host) => host.Devices, 'passing devices'),
  whenSet('HostConfig.DeviceRequests', (_, host) => host.DeviceRequests, 'passing devices'),
  whenSet('HostConfig.DeviceCgroupRules', (_, host) => host.DeviceCgroupRules, 'a rule for devices'),
  whenSet('HostConfig.StorageOpt', (_, host) => host.StorageOpt, 'a storage option'),
  unlessOneOf('HostConfig.Runtime', ['runc'], (host) => host.Runtime, 'the runtime'),
  unlessOneOf('HostConfig.PidMode', ['private'], (host) => host.PidMode, 'the PID mode'),
  unlessOneOf('HostConfig.IpcMode', ['private', 'shareable'], (host) => host.IpcMode, 'the IPC mode'),
  unlessOneOf('HostConfig.UsernsMode', ['host'], (host) => host.UsernsMode, 'the user namespace mode'),
  unlessOneOf(
    'HostConfig.CgroupnsMode',
    ['host', 'private'],
    (host) => host.CgroupnsMode,
    'the cgroup namespace mode',
  ),
  unlessOneOf(
    'HostConfig.LogConfig',
    ['json-file', 'k8s-file'],
    (host) => host.LogConfig?.Type,
    'the log driver',
  ),
  whenSet('HostConfig.LogConfig.Config', (_, host) => host.LogConfig?.Config, 'an option of the log driver'),
  whenSet('HostConfig.OomKillDisable', (_, host) => host.OomKillDisable, 'switching off the OOM killer'),
  {
    field: 'HostConfig.MemorySwappiness',
    // The docker client sends -1 for "not given".
    asked: (_body, { MemorySwappiness: value }) =>
      value == null || value === -1 ? undefined : `a swappiness of ${value}`,
  },
  whenSet('HostConfig.BlkioWeight', (_, host) => host.BlkioWeight, 'a weight for block I/O'),
  whenSet('HostConfig.Annotations', (_, host) => host.Annotations, 'an annotation'),
  {
    field: 'HostConfig.MaskedPaths',
    asked: (_body, host) => (host.MaskedPaths ? 'choosing the masked paths' : undefined),
  },
  {
    field: 'HostConfig.ReadonlyPaths',
    asked: (_body, host) => (host.ReadonlyPaths ? 'choosing the read-only paths' : undefined),
  },
  {
    field: 'Healthcheck',
    asked: ({ Healthcheck: check }) =>
      isSet(check?.Test) && check?.Test?.[0] !== 'NONE' ? 'a health check' : undefined,
  },
  whenSet(
    'NetworkDisabled',
    (body) => body.NetworkDisabled,
    'switching off the network (use the network none)',
  ),
  {
    field: 'NetworkingConfig.EndpointsConfig.IPAMConfig.LinkLocalIPs',
    asked: (body) =>
      Object.values(body.NetworkingConfig?.EndpointsConfig ?? {}).some((settings) =>
        isSet(settings?.IPAMConfig?.LinkLocalIPs),
      )
        ? 'a link-local address'
        : undefined,
  },
];

/** @throws notImplemented naming the first field that asks for something that this version cannot do */
export function refuseUnsupported(body: CreateContainerBody): void {
  const host = body.HostConfig ?? {};
  for (const { field, asked } of refusedOptions) {
    const what = asked(body, host);
    if (what === undefined) continue;
    throw notImplemented(
      'unsupported-option',
      `${field}: ${what} is not supported by this version of Seaway`,
      { field },
    );
  }
}
