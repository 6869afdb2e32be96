/** How a container is kept apart from its host, beyond its network, and what of the host it is let in on. Pure. */

/** One of the host's devices, or a folder of them. */
export interface DeviceMapping {
  readonly pathOnHost: string;
  readonly pathInContainer: string;
  /** Some of `r`, `w` and `m` (make nodes). */
  readonly permissions: string;
}

/** A wish for devices that a driver chooses, such as GPUs. */
export interface DeviceRequest {
  readonly driver: string;
  /** -1: all of them. */
  readonly count: number;
  readonly deviceIds: readonly string[] | null;
  readonly capabilities: readonly (readonly string[])[] | null;
  readonly options: Readonly<Record<string, string>> | null;
}

/** Where a container's output goes. */
export interface LogSettings {
  readonly driver: 'json-file' | 'local' | 'none';
  readonly options: Readonly<Record<string, string>>;
}

/** All may be absent, which is Docker's default. */
export interface IsolationOptions {
  readonly privileged?: boolean;
  /** Whether a small init process is PID 1 and reaps what others leave. */
  readonly init?: boolean;
  readonly devices?: readonly DeviceMapping[];
  /** `c 1:3 rwm`; see {@link parseDeviceRule}. */
  readonly deviceCgroupRules?: readonly string[];
  readonly deviceRequests?: readonly DeviceRequest[];
  /** `host` or `container:ID`. @default a namespace of its own */
  readonly pidMode?: string;
  /** `private`, `shareable`, `none`, `host` or `container:ID`. @default 'private' */
  readonly ipcMode?: string;
  readonly usernsMode?: string;
  /** @default what suits the control groups' version */
  readonly cgroupnsMode?: 'private' | 'host';
  /** @default Docker's; none where privileged */
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  /** As the client wrote it. @default 'runc' */
  readonly runtime?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** @default json-file without options */
  readonly logging?: LogSettings;
}

const joined = 'container:';

/** The container whose namespace a PID or IPC mode joins, by name or id. */
export function joinedContainer(mode: string | undefined): string | undefined {
  return mode?.startsWith(joined) ? mode.slice(joined.length) : undefined;
}

/** The same mode with the joined container's id. */
export function joinMode(container: string): string {
  return `${joined}${container}`;
}

/** What decides about a container's devices. */
export type HostDevices = Pick<IsolationOptions, 'privileged' | 'devices' | 'deviceCgroupRules'>;

export interface DeviceRule {
  readonly type: 'a' | 'b' | 'c';
  /** Absent: every one. */
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

/** Reads `c 1:3 rwm`, where a number may be `*`; undefined for anything else. Source: cgroup-v1/devices.rst. */
export function parseDeviceRule(text: string): DeviceRule | undefined {
  const match = /^([abc]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text);
  if (!match) return undefined;
  const [, type, major, minor, access] = match;
  return {
    type: type as DeviceRule['type'],
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access: access!,
  };
}
