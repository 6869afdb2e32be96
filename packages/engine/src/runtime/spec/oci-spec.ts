/** Builds the OCI runtime configuration of a container with Docker's defaults. Pure: the caller writes config.json. */

import type {
  OciBlockIo,
  OciCapabilities,
  OciDevice,
  OciDeviceRule,
  OciMount,
  OciNamespace,
  OciResources,
  OciRlimit,
  OciSeccomp,
  OciSpec,
} from './oci-types.ts';
import { buildSeccomp, type SeccompArchitecture } from './seccomp.ts';

export type { OciDevice, OciDeviceRule, OciMount, OciResources, OciRlimit, OciSpec } from './oci-types.ts';

/** Limits on what a container may use. Absent fields set no limit. */
export interface ResourceLimits {
  readonly memoryBytes?: number;
  /** Memory and swap together, in bytes; -1: unlimited swap. */
  readonly memorySwapBytes?: number;
  readonly memoryReservationBytes?: number;
  /** 0 to 100; cgroup v1 only. */
  readonly memorySwappiness?: number;
  readonly oomKillDisable?: boolean;
  /** Relative weight, 2 to 262144 (Docker's `--cpu-shares`). */
  readonly cpuShares?: number;
  /** Microseconds of CPU time per period. */
  readonly cpuQuotaUs?: number;
  /** Microseconds. */
  readonly cpuPeriodUs?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  /** Not positive: no limit. */
  readonly pidsLimit?: number;
  readonly realtimePeriodUs?: number;
  readonly realtimeRuntimeUs?: number;
  readonly blockIo?: OciBlockIo;
}

/** Where a namespace of the container comes from. */
export type NamespaceSource = 'private' | 'host' | { readonly path: string };

/** What lies at /dev/shm: a file system of the container's own, a folder of the host's, or nothing. */
export type SharedMemory =
  | { readonly kind: 'own'; readonly sizeBytes: number }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'none' };

/** Everything that makes one container's configuration differ from another's. */
export interface OciSpecInput {
  /** Absolute path of the mounted root filesystem. */
  readonly rootfs: string;
  /** Covers the root file system alone: a mount is read-only when its own options say `ro`. */
  readonly readonlyRootfs: boolean;
  readonly args: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly terminal: boolean;
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly additionalGids: readonly number[];
    readonly umask?: number;
  };
  /** Ignored when `uts` is `host`. */
  readonly hostname: string;
  /** NIS domain name, through the `kernel.domainname` sysctl; ignored when `uts` is `host`. */
  readonly domainname?: string;
  /** The finished network namespace to join, or the host's own. */
  readonly network: { readonly kind: 'path'; readonly path: string } | { readonly kind: 'host' };
  /** True when the network namespace belongs to this container alone and so may be configured by sysctls. */
  readonly ownsNetwork: boolean;
  readonly uts: 'private' | 'host';
  readonly pid: NamespaceSource;
  readonly ipc: NamespaceSource;
  readonly cgroupns: 'private' | 'host';
  /** Path below each cgroup hierarchy's root, `/seaway/<id>`. */
  readonly cgroupsPath: string;
  /** `CAP_...` names. A user other than root gets them as bounding set only. */
  readonly capabilities: readonly string[];
  readonly privileged: boolean;
  readonly noNewPrivileges: boolean;
  readonly seccomp: 'default' | 'unconfined' | OciSeccomp;
  /** @default none */
  readonly apparmorProfile?: string;
  /** Mounts beside the default ones (volumes, /etc/hosts); they replace a default with the same destination. */
  readonly mounts: readonly OciMount[];
  /** Propagation of the container's root mount; absent: the runtime's own choice. */
  readonly rootPropagation?: 'shared' | 'rslave';
  readonly sharedMemory: SharedMemory;
  /** Device nodes beside those that every container has. */
  readonly devices: readonly OciDevice[];
  /** What the container may do with devices, beside the usual; a privileged one may do everything. */
  readonly deviceRules: readonly OciDeviceRule[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly rlimits: readonly OciRlimit[];
  readonly resources: ResourceLimits;
  readonly annotations: Readonly<Record<string, string>>;
  readonly architecture: SeccompArchitecture;
  /** Running kernel, `[6, 18]`; decides which syscalls are safe to allow. */
  readonly kernel: readonly [major: number, minor: number];
  /** -1000 to 1000. @default 0 */
  readonly oomScoreAdj?: number;
  /** @default Docker's; none when privileged */
  readonly maskedPaths?: readonly string[];
  /** @default Docker's; none when privileged */
  readonly readonlyPaths?: readonly string[];
}

const OCI_VERSION = '1.0.2';

/** What a container must not even see: host information and kernel interfaces that no namespace confines. */
export const defaultMaskedPaths: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

/** What a container may read and never write, because writing would change the host. */
export const defaultReadonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** A port below 1024 needs no capability in a network namespace of one's own, nor does ICMP echo. */
const ownNetworkSysctls: Readonly<Record<string, string>> = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

/** null, zero, full, random, urandom, tty, console and ptmx. The runtime makes the nodes and adds mknod and ptys. */
const allowedDevices: readonly OciDeviceRule[] = (
  [
    [1, 3],
    [1, 5],
    [1, 7],
    [1, 8],
    [1, 9],
    [5, 0],
    [5, 1],
    [5, 2],
  ] as const
).map(([major, minor]) => ({ allow: true, type: 'c', major, minor, access: 'rwm' }));

/** The whole configuration. Pure: same input, same output. Nothing is validated that the runtime validates. */
export function buildOciSpec(input: OciSpecInput): OciSpec {
  return {
    ociVersion: OCI_VERSION,
    process: {
      terminal: input.terminal,
      user: {
        uid: input.user.uid,
        gid: input.user.gid,
        additionalGids: input.user.additionalGids,
        ...(input.user.umask === undefined ? {} : { umask: input.user.umask }),
      },
      args: input.args,
      env: input.env,
      cwd: input.cwd,
      capabilities: capabilitySets(input.capabilities, input.user.uid),
      rlimits: input.rlimits,
      noNewPrivileges: input.noNewPrivileges,
      oomScoreAdj: input.oomScoreAdj ?? 0,
      ...(input.apparmorProfile ? { apparmorProfile: input.apparmorProfile } : {}),
    },
    root: { path: input.rootfs, readonly: input.readonlyRootfs },
    ...(input.uts === 'host' ? {} : { hostname: input.hostname }),
    mounts: buildMounts(input),
    annotations: input.annotations,
    linux: {
      sysctl: buildSysctls(input),
      resources: buildResources(input),
      cgroupsPath: input.cgroupsPath,
      namespaces: buildNamespaces(input),
      ...(input.rootPropagation ? { rootfsPropagation: input.rootPropagation } : {}),
      devices: input.devices,
      ...seccompOf(input),
      maskedPaths: input.maskedPaths ?? (input.privileged ? [] : defaultMaskedPaths),
      readonlyPaths: input.readonlyPaths ?? (input.privileged ? [] : defaultReadonlyPaths),
    },
  };
}

/** Another user than root starts with none and may regain them only through a set-user-ID program. */
export function capabilitySets(allowed: readonly string[], uid: number): OciCapabilities {
  const own = uid === 0 ? [...allowed] : [];
  return { bounding: [...allowed], effective: own, permitted: own, inheritable: [], ambient: [] };
}

/** A profile that was asked for holds for privileged containers too; the default one does not. */
function seccompOf(input: OciSpecInput): { readonly seccomp?: OciSeccomp } {
  if (typeof input.seccomp === 'object') return { seccomp: input.seccomp };
  return input.privileged || input.seccomp === 'unconfined' ? {} : { seccomp: buildSeccomp(input) };
}

function buildNamespaces(input: OciSpecInput): OciNamespace[] {
  return [
    { type: 'mount' },
    ...(input.network.kind === 'path' ? [{ type: 'network', path: input.network.path } as const] : []),
    ...(input.uts === 'private' ? [{ type: 'uts' } as const] : []),
    ...namespaceOf('pid', input.pid),
    ...namespaceOf('ipc', input.ipc),
    ...namespaceOf('cgroup', input.cgroupns),
  ];
}

function namespaceOf(type: 'pid' | 'ipc' | 'cgroup', source: NamespaceSource): OciNamespace[] {
  if (source === 'host') return [];
  return [source === 'private' ? { type } : { type, path: source.path }];
}

function buildSysctls(input: OciSpecInput): Record<string, string> {
  return {
    ...(input.ownsNetwork && input.network.kind === 'path' ? ownNetworkSysctls : {}),
    ...(input.domainname && input.uts === 'private' ? { 'kernel.domainname': input.domainname } : {}),
    ...input.sysctls,
  };
}

function buildResources(input: OciSpecInput): OciResources {
  return {
    devices: input.privileged
      ? [{ allow: true, access: 'rwm' }]
      : [{ allow: false, access: 'rwm' }, ...allowedDevices, ...input.deviceRules],
    ...buildLimits(input.resources),
  };
}

/** The limits alone, as they also are when they change while the container runs. */
export function buildLimits(limits: ResourceLimits): Omit<OciResources, 'devices'> {
  const memory = {
    ...(limits.memoryBytes === undefined ? {} : { limit: limits.memoryBytes }),
    ...(limits.memorySwapBytes === undefined ? {} : { swap: limits.memorySwapBytes }),
    ...(limits.memoryReservationBytes === undefined ? {} : { reservation: limits.memoryReservationBytes }),
    ...(limits.memorySwappiness === undefined ? {} : { swappiness: limits.memorySwappiness }),
    ...(limits.oomKillDisable ? { disableOOMKiller: true } : {}),
  };
  const cpu = {
    ...(limits.cpuShares === undefined ? {} : { shares: limits.cpuShares }),
    ...(limits.cpuQuotaUs === undefined ? {} : { quota: limits.cpuQuotaUs }),
    ...(limits.cpuPeriodUs === undefined ? {} : { period: limits.cpuPeriodUs }),
    ...(limits.cpusetCpus === undefined ? {} : { cpus: limits.cpusetCpus }),
    ...(limits.cpusetMems === undefined ? {} : { mems: limits.cpusetMems }),
    ...(limits.realtimePeriodUs === undefined ? {} : { realtimePeriod: limits.realtimePeriodUs }),
    ...(limits.realtimeRuntimeUs === undefined ? {} : { realtimeRuntime: limits.realtimeRuntimeUs }),
  };
  return {
    ...(Object.keys(memory).length > 0 ? { memory } : {}),
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(limits.pidsLimit === undefined
      ? {}
      : { pids: { limit: limits.pidsLimit > 0 ? limits.pidsLimit : -1 } }),
    ...(limits.blockIo === undefined ? {} : { blockIO: limits.blockIo }),
  };
}

/**
 * Default mounts first, then the extra ones. Sorted by depth, because a mount on /a hides an earlier one on /a/b;
 * where two name the same destination the extra one takes the default's place.
 */
function buildMounts(input: OciSpecInput): OciMount[] {
  const byDestination = new Map<string, OciMount>();
  // Who brings a /dev of their own gets it as it is, without what would be mounted in the default one.
  const isOwnDev = input.mounts.some((mount) => normalise(mount.destination) === '/dev');
  const defaults = defaultMounts(input).filter(
    ({ destination }) => !(isOwnDev && destination.startsWith('/dev/')),
  );
  for (const mount of [...defaults, ...input.mounts]) {
    byDestination.set(normalise(mount.destination), mount);
  }
  return [...byDestination]
    .map(([destination, mount]) => ({ mount, depth: depth(destination) }))
    .sort((a, b) => a.depth - b.depth)
    .map(({ mount }) => mount);
}

/** What every mount of the kernel's own file systems gets. */
const locked: readonly string[] = ['nosuid', 'noexec', 'nodev'];

function defaultMounts(input: OciSpecInput): OciMount[] {
  // A privileged container may change the kernel's settings and its own cgroups; any other only reads them.
  const access = input.privileged ? 'rw' : 'ro';
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: locked },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...locked, access] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [access, ...locked] },
    ...ipcMounts(input),
  ];
}

function ipcMounts({ sharedMemory }: OciSpecInput): OciMount[] {
  const queues: OciMount = {
    destination: '/dev/mqueue',
    type: 'mqueue',
    source: 'mqueue',
    options: locked,
  };
  switch (sharedMemory.kind) {
    case 'none':
      return [queues];
    case 'folder':
      return [
        queues,
        {
          destination: '/dev/shm',
          type: 'bind',
          source: sharedMemory.path,
          options: ['rbind', 'rprivate'],
        },
      ];
    case 'own':
      return [
        queues,
        {
          destination: '/dev/shm',
          type: 'tmpfs',
          source: 'shm',
          options: [...locked, 'mode=1777', `size=${sharedMemory.sizeBytes}`],
        },
      ];
  }
}

/** `/a//b/` and `/a/b` are the same place. */
function normalise(destination: string): string {
  const parts = destination.split('/').filter((part) => part !== '' && part !== '.');
  return `/${parts.join('/')}`;
}

function depth(normalised: string): number {
  return normalised === '/' ? 0 : normalised.split('/').length - 1;
}
