/** How a container is kept apart from its host, as `HostConfig` says it. Pure. */
import {
  type DeviceMapping,
  type DeviceRequest,
  defaultMaskedPaths,
  defaultReadonlyPaths,
  type HostConfig,
  type IsolationOptions,
  internal,
  invalid,
} from '@seaway/engine';
import type { FromSchema } from 'json-schema-to-ts';
import { type DockerLogConfig, parseLogConfig } from './log-config.ts';

const text = { type: ['string', 'null'] } as const;
const flag = { type: ['boolean', 'null'] } as const;
const texts = { type: ['array', 'null'], items: { type: 'string' } } as const;
const textMap = { type: ['object', 'null'], additionalProperties: { type: 'string' } } as const;

export const isolationFields = {
  Privileged: flag,
  Init: flag,
  Devices: {
    type: ['array', 'null'],
    items: {
      type: 'object',
      properties: { PathOnHost: text, PathInContainer: text, CgroupPermissions: text },
    },
  },
  DeviceCgroupRules: texts,
  DeviceRequests: {
    type: ['array', 'null'],
    items: {
      type: 'object',
      properties: {
        Driver: text,
        Count: { type: ['integer', 'null'] },
        DeviceIDs: texts,
        Capabilities: { type: ['array', 'null'], items: { type: 'array', items: { type: 'string' } } },
        Options: textMap,
      },
    },
  },
  PidMode: text,
  IpcMode: text,
  UsernsMode: text,
  CgroupnsMode: text,
  MaskedPaths: texts,
  ReadonlyPaths: texts,
  Runtime: text,
  StorageOpt: textMap,
  Annotations: textMap,
  LogConfig: { type: ['object', 'null'], properties: { Type: text, Config: textMap } },
} as const;

const isolationBody = { type: 'object', properties: isolationFields } as const;
type DockerIsolation = FromSchema<typeof isolationBody>;

/** Names of the one runtime that there is. */
const runtimes: readonly string[] = ['runc', 'io.containerd.runc.v2'];

/** @throws invalid with Docker's texts, internal for a storage option, which overlay2 has only with quotas */
export function parseIsolation(docker: DockerIsolation): IsolationOptions {
  const { PidMode: pidMode, IpcMode: ipcMode, CgroupnsMode: cgroupnsMode, UsernsMode: usernsMode } = docker;
  checkModes(docker);
  const runtime = docker.Runtime;
  if (runtime && !runtimes.includes(runtime)) {
    throw invalid('unknown-runtime', `unknown or invalid runtime name: ${runtime}`, { runtime });
  }
  checkStorage(docker.StorageOpt);
  if (Object.hasOwn(docker.Annotations ?? {}, '')) {
    throw invalid(
      'invalid-annotation',
      'invalid Annotations: the empty string is not permitted as an annotation key',
    );
  }
  const logging = parseLogConfig(docker.LogConfig as DockerLogConfig);
  return {
    ...(docker.Privileged ? { privileged: true } : {}),
    ...(docker.Init == null ? {} : { init: docker.Init }),
    ...(docker.Devices?.length ? { devices: docker.Devices.map(deviceMapping) } : {}),
    ...(docker.DeviceCgroupRules?.length ? { deviceCgroupRules: docker.DeviceCgroupRules } : {}),
    ...(docker.DeviceRequests?.length ? { deviceRequests: docker.DeviceRequests.map(deviceRequest) } : {}),
    ...(pidMode ? { pidMode } : {}),
    ...(ipcMode ? { ipcMode } : {}),
    ...(usernsMode ? { usernsMode } : {}),
    ...(cgroupnsMode ? { cgroupnsMode: cgroupnsMode as 'private' | 'host' } : {}),
    ...(docker.MaskedPaths ? { maskedPaths: docker.MaskedPaths } : {}),
    ...(docker.ReadonlyPaths ? { readonlyPaths: docker.ReadonlyPaths } : {}),
    ...(runtime ? { runtime } : {}),
    ...(Object.keys(docker.Annotations ?? {}).length > 0 ? { annotations: docker.Annotations! } : {}),
    ...(logging ? { logging } : {}),
  };
}

function checkModes(docker: DockerIsolation): void {
  const isJoin = (mode: string) => /^container:./.test(mode);
  const check = (
    mode: string | null | undefined,
    allowed: readonly string[],
    what: string,
    joins: boolean,
  ) => {
    if (!mode || allowed.includes(mode) || (joins && isJoin(mode))) return;
    throw invalid('invalid-namespace-mode', `invalid ${what}: ${mode}`, { mode });
  };
  check(docker.IpcMode, ['none', 'private', 'shareable', 'host'], 'IPC mode', true);
  check(docker.PidMode, ['host'], 'PID mode', true);
  check(docker.UsernsMode, ['host'], 'user namespace mode', false);
  check(docker.CgroupnsMode, ['host', 'private'], 'cgroup namespace mode', false);
}

function checkStorage(options: Readonly<Record<string, unknown>> | null | undefined): void {
  const [name] = Object.keys(options ?? {});
  if (name === undefined) return;
  throw name.toLowerCase() === 'size'
    ? internal(
        'storage-option',
        "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
      )
    : invalid('invalid-storage-option', `Unknown option ${name}`, { option: name });
}

function deviceMapping(device: NonNullable<DockerIsolation['Devices']>[number]): DeviceMapping {
  const pathOnHost = device.PathOnHost ?? '';
  return {
    pathOnHost,
    pathInContainer: device.PathInContainer || pathOnHost,
    permissions: device.CgroupPermissions || 'rwm',
  };
}

function deviceRequest(request: NonNullable<DockerIsolation['DeviceRequests']>[number]): DeviceRequest {
  return {
    driver: request.Driver ?? '',
    count: request.Count ?? 0,
    deviceIds: request.DeviceIDs ?? null,
    capabilities: request.Capabilities ?? null,
    options: (request.Options ?? null) as DeviceRequest['options'],
  };
}

/** The fields of `HostConfig`. @param cgroupVersion decides what is shown where the request left it open */
export function toDockerIsolation(host: HostConfig, cgroupVersion: 1 | 2) {
  const privileged = host.privileged ?? false;
  const paths = (given: readonly string[] | undefined, usual: readonly string[]) =>
    given ?? (privileged ? null : usual);
  return {
    CgroupnsMode: host.cgroupnsMode ?? (cgroupVersion === 2 ? 'private' : 'host'),
    IpcMode: host.ipcMode ?? 'private',
    PidMode: host.pidMode ?? '',
    Privileged: privileged,
    SecurityOpt: securityOptions(host),
    UsernsMode: host.usernsMode ?? '',
    Runtime: host.runtime ?? 'runc',
    Devices: (host.devices ?? []).map(({ pathOnHost, pathInContainer, permissions }) => ({
      PathOnHost: pathOnHost,
      PathInContainer: pathInContainer,
      CgroupPermissions: permissions,
    })),
    DeviceCgroupRules: host.deviceCgroupRules ?? null,
    DeviceRequests:
      host.deviceRequests?.map(({ driver, count, deviceIds, capabilities, options }) => ({
        Driver: driver,
        Count: count,
        DeviceIDs: deviceIds,
        Capabilities: capabilities,
        Options: options,
      })) ?? null,
    MaskedPaths: paths(host.maskedPaths, defaultMaskedPaths),
    ReadonlyPaths: paths(host.readonlyPaths, defaultReadonlyPaths),
    ...(host.annotations ? { Annotations: host.annotations } : {}),
    ...(host.init === undefined ? {} : { Init: host.init }),
  };
}

/** With the host's processes or IPC come the host's labels; Docker says so in the options. */
function securityOptions({
  securityOpt,
  privileged,
  pidMode,
  ipcMode,
}: HostConfig): readonly string[] | null {
  const isUnlabelled = privileged || pidMode === 'host' || ipcMode === 'host';
  const isLabelled = securityOpt.some((option) => option.split('=')[0] === 'label');
  const all = isUnlabelled && !isLabelled ? [...securityOpt, 'label=disable'] : securityOpt;
  return all.length > 0 ? all : null;
}
