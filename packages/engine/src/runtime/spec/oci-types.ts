/**
 * The OCI runtime configuration (config.json), as far as we fill it in.
 * Source: OCI Runtime Specification 1.0.2, config.md and config-linux.md. Names are the specification's own.
 */

/** One entry of `mounts`. `options` are fstab-style words, or ones that runc knows such as `rbind`. */
export interface OciMount {
  readonly destination: string;
  readonly source: string;
  readonly type: string;
  readonly options: readonly string[];
}

export interface OciRlimit {
  /** `RLIMIT_NOFILE` and the like, see getrlimit(2). */
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
}

export interface OciNamespace {
  readonly type: 'mount' | 'network' | 'uts' | 'pid' | 'ipc' | 'user' | 'cgroup';
  /** An existing namespace to join; absent: a new one. */
  readonly path?: string;
}

export interface OciDevice {
  readonly type: 'c' | 'b';
  readonly path: string;
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface OciDeviceRule {
  readonly allow: boolean;
  readonly type?: 'a' | 'c' | 'b';
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

export interface OciSeccompArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  /** `SCMP_CMP_EQ` and the like, see seccomp_rule_add(3). */
  readonly op: string;
}

export interface OciSeccompRule {
  readonly names: readonly string[];
  /** `SCMP_ACT_ALLOW` and the like, see seccomp_init(3). */
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly OciSeccompArgument[];
}

export interface OciSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures: readonly string[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls: readonly OciSeccompRule[];
}

export interface OciCapabilities {
  readonly bounding: readonly string[];
  readonly effective: readonly string[];
  readonly permitted: readonly string[];
  readonly inheritable: readonly string[];
  readonly ambient: readonly string[];
}

export interface OciResources {
  readonly devices: readonly OciDeviceRule[];
  readonly memory?: {
    readonly limit?: number;
    readonly swap?: number;
    readonly reservation?: number;
    readonly swappiness?: number;
    readonly disableOOMKiller?: boolean;
  };
  readonly cpu?: {
    readonly shares?: number;
    readonly quota?: number;
    readonly period?: number;
    readonly cpus?: string;
    readonly mems?: string;
    readonly realtimePeriod?: number;
    readonly realtimeRuntime?: number;
  };
  readonly pids?: { readonly limit: number };
  readonly blockIO?: OciBlockIo;
}

export interface OciBlockIo {
  readonly weight?: number;
  readonly weightDevice?: readonly {
    readonly major: number;
    readonly minor: number;
    readonly weight: number;
  }[];
  readonly throttleReadBpsDevice?: readonly OciThrottle[];
  readonly throttleWriteBpsDevice?: readonly OciThrottle[];
  readonly throttleReadIOPSDevice?: readonly OciThrottle[];
  readonly throttleWriteIOPSDevice?: readonly OciThrottle[];
}

export interface OciThrottle {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

/** One process of a container: its first one, or one that is run in it later (`runc exec --process`). */
export interface OciProcess {
  readonly terminal: boolean;
  /** Size of the terminal in characters. */
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly additionalGids: readonly number[];
    readonly umask?: number;
  };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: OciCapabilities;
  readonly rlimits: readonly OciRlimit[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number;
  readonly apparmorProfile?: string;
}

export interface OciSpec {
  readonly ociVersion: string;
  readonly process: OciProcess;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname?: string;
  readonly mounts: readonly OciMount[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: {
    readonly sysctl: Readonly<Record<string, string>>;
    readonly resources: OciResources;
    readonly cgroupsPath: string;
    readonly namespaces: readonly OciNamespace[];
    readonly rootfsPropagation?: string;
    readonly devices: readonly OciDevice[];
    readonly seccomp?: OciSeccomp;
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
  };
}
