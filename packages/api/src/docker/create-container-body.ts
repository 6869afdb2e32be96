/** The shape of Docker's request to create a container. */
import type { FromSchema } from 'json-schema-to-ts';
import { endpointSettingsSchema } from './endpoint-settings.ts';
import { isolationFields } from './isolation-options.ts';
import { resourceFields } from './resources.ts';

/** Clients send `null` for whatever they leave open. */
const text = { type: ['string', 'null'] } as const;
const flag = { type: ['boolean', 'null'] } as const;
const integer = { type: ['integer', 'null'] } as const;
const texts = { type: ['array', 'null'], items: { type: 'string' } } as const;
const textMap = { type: ['object', 'null'], additionalProperties: { type: 'string' } } as const;
const valueMap = { type: ['object', 'null'], additionalProperties: true } as const;
/** A list of words, or one word, as in `Cmd` and `Entrypoint`. */
const words = { type: ['array', 'string', 'null'], items: { type: 'string' } } as const;

const ulimits = {
  type: ['array', 'null'],
  items: {
    type: 'object',
    required: ['Name', 'Soft', 'Hard'],
    properties: { Name: { type: 'string' }, Soft: { type: 'integer' }, Hard: { type: 'integer' } },
  },
} as const;

const portBindings = {
  type: ['object', 'null'],
  additionalProperties: {
    type: ['array', 'null'],
    items: { type: 'object', properties: { HostIp: text, HostPort: text } },
  },
} as const;

/** An entry of `Mounts`. */
const mount = {
  type: 'object',
  properties: {
    Type: text,
    Source: text,
    Target: text,
    ReadOnly: flag,
    Consistency: text,
    BindOptions: {
      type: ['object', 'null'],
      properties: {
        Propagation: text,
        NonRecursive: flag,
        CreateMountpoint: flag,
        ReadOnlyNonRecursive: flag,
        ReadOnlyForceRecursive: flag,
      },
    },
    VolumeOptions: {
      type: ['object', 'null'],
      properties: {
        NoCopy: flag,
        Labels: textMap,
        Subpath: text,
        DriverConfig: { type: ['object', 'null'], properties: { Name: text, Options: textMap } },
      },
    },
    TmpfsOptions: {
      type: ['object', 'null'],
      properties: {
        SizeBytes: integer,
        Mode: integer,
        Options: { type: ['array', 'null'], items: { type: 'array', items: { type: 'string' } } },
      },
    },
    ImageOptions: valueMap,
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
    ShmSize: integer,
    Sysctls: textMap,
    SecurityOpt: texts,
    Ulimits: ulimits,
    OomScoreAdj: integer,
    CgroupParent: text,
    RestartPolicy: { type: ['object', 'null'], properties: { Name: text, MaximumRetryCount: integer } },
    PortBindings: portBindings,
    PublishAllPorts: flag,
    Mounts: { type: ['array', 'null'], items: mount },
    VolumesFrom: texts,
    VolumeDriver: text,
    ...resourceFields,
    ...isolationFields,
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
    NetworkDisabled: flag,
    StopSignal: text,
    StopTimeout: integer,
    Healthcheck: {
      type: ['object', 'null'],
      properties: {
        Test: texts,
        Interval: integer,
        Timeout: integer,
        StartPeriod: integer,
        StartInterval: integer,
        Retries: integer,
      },
    },
    HostConfig: hostConfig,
    NetworkingConfig: {
      type: ['object', 'null'],
      properties: {
        EndpointsConfig: { type: ['object', 'null'], additionalProperties: endpointSettingsSchema },
      },
    },
  },
} as const;

export type CreateContainerBody = FromSchema<typeof createContainerBody>;
export type DockerHostConfig = NonNullable<CreateContainerBody['HostConfig']>;
