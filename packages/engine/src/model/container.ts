/** Containers as the engine knows them: what was asked for, what was resolved, and the state they are in. Pure. */
import type { ContainerId, ImageId, NetworkId, SandboxId } from '../base/ids.ts';
import type { Health, HealthCheck } from './health.ts';
import type { IsolationOptions } from './isolation.ts';
import type { BindText, GivenMount, MountPoint, VolumesFrom } from './mounts.ts';
import type { PortRequest, PublishedPort } from './ports.ts';
import type { RestartPolicy } from './restart-policy.ts';

/** Where a container's network comes from. */
export type NetworkMode =
  | { readonly kind: 'network'; readonly network: string }
  | { readonly kind: 'container'; readonly container: string }
  | { readonly kind: 'host' }
  | { readonly kind: 'none' };

/** What runs inside, after the image's configuration was merged in. */
export interface ContainerConfig {
  readonly hostname: string;
  readonly domainname: string;
  readonly user: string;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  readonly env: readonly string[];
  readonly cmd: readonly string[] | null;
  readonly entrypoint: readonly string[] | null;
  /** As the client wrote it. */
  readonly image: string;
  readonly workingDir: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly exposedPorts: readonly string[];
  /** Destinations of volumes of the container's own. @default none */
  readonly volumes?: readonly string[];
  readonly stopSignal: string;
  /** Seconds between the stop signal and SIGKILL; absent: the daemon's default of 10. */
  readonly stopTimeoutSeconds?: number;
  /** Whether the request asked for no network; its mode is `none` then. */
  readonly networkDisabled?: boolean;
  /** @default none */
  readonly healthCheck?: HealthCheck;
}

/** How the container sits on its host. */
export interface HostConfig extends IsolationOptions {
  readonly networkMode: NetworkMode;
  /** As `inspect` shows it. */
  readonly networkModeText: string;
  readonly autoRemove: boolean;
  /** Absent in records of versions that knew none. @default never started again */
  readonly restartPolicy?: RestartPolicy;
  readonly binds: readonly BindText[];
  /** @default none */
  readonly mounts?: readonly GivenMount[];
  /** @default none */
  readonly volumesFrom?: readonly VolumesFrom[];
  /** Of volumes that come without a driver of their own. @default 'local' */
  readonly volumeDriver?: string;
  readonly tmpfs: Readonly<Record<string, string>>;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly readonlyRootfs: boolean;
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly extraHosts: readonly string[];
  readonly groupAdd: readonly string[];
  readonly utsMode: 'private' | 'host';
  readonly shmSizeBytes: number;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly securityOpt: readonly string[];
  readonly rlimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly oomScoreAdj: number;
  readonly resources: ResourceLimits;
  readonly cgroupParent: string;
  /** Absent, as the next field, in records of versions that could not publish. */
  readonly portBindings: readonly PortRequest[];
  /** Whether exposed ports without a binding are published too, to random ports. */
  readonly publishAllPorts: boolean;
}

/** Zero or absent means no limit. */
export interface ResourceLimits {
  readonly memoryBytes?: number;
  /** Memory and swap together; -1 is unlimited. */
  readonly memorySwapBytes?: number;
  readonly memoryReservationBytes?: number;
  /** Billionths of a CPU. */
  readonly nanoCpus?: number;
  readonly cpuShares?: number;
  readonly cpuPeriodUs?: number;
  readonly cpuQuotaUs?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly pidsLimit?: number;
  /** 0 to 100; control groups of version 1 alone. */
  readonly memorySwappiness?: number;
  /** Control groups of version 1 alone. */
  readonly oomKillDisable?: boolean;
  readonly cpuRealtimePeriodUs?: number;
  readonly cpuRealtimeRuntimeUs?: number;
  /** 10 to 1000. */
  readonly blkioWeight?: number;
  readonly blkioWeightDevices?: readonly DeviceWeight[];
  /** Bytes per second. */
  readonly blkioReadBps?: readonly DeviceRate[];
  readonly blkioWriteBps?: readonly DeviceRate[];
  /** Operations per second. */
  readonly blkioReadIops?: readonly DeviceRate[];
  readonly blkioWriteIops?: readonly DeviceRate[];
}

export interface DeviceWeight {
  /** The device's node on the host. */
  readonly path: string;
  readonly weight: number;
}

export interface DeviceRate {
  /** The device's node on the host. */
  readonly path: string;
  readonly rate: number;
}

/** How one container wants to sit on one network; stored by the network's name as the client gave it. */
export interface EndpointSettings {
  readonly aliases: readonly string[];
  readonly links: readonly string[];
  readonly ipv4Address?: string;
  readonly ipv6Address?: string;
  readonly macAddress?: string;
  readonly driverOptions: Readonly<Record<string, string>>;
  readonly gatewayPriority: number;
  /** The network that the name stood for when the container first came to it: another of that name is not meant. */
  readonly networkId?: NetworkId;
}

/** Of a container that asks for nothing in particular. */
export const noEndpointSettings: EndpointSettings = {
  aliases: [],
  links: [],
  driverOptions: {},
  gatewayPriority: 0,
};

/** Size of /dev/shm where the container asks for none. */
export const defaultShmSizeBytes = 64 * 1024 * 1024;

/** `restarting`: it has ended, and its restart policy starts it again after a while. */
export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'dead';

export interface ContainerState {
  readonly status: ContainerStatus;
  /** In the daemon's PID namespace; 0 when not running. */
  readonly pid: number;
  /** The kernel's start time of that process, so that a reused pid is not taken for it. */
  readonly processStartTime?: string;
  readonly exitCode: number;
  readonly error: string;
  readonly oomKilled: boolean;
  /** Of one that has a health check and was started. */
  readonly health?: Health | undefined;
  /** RFC 3339 with nanoseconds; Go's zero time when it never happened. */
  readonly startedAt: string;
  readonly finishedAt: string;
}

/** `0001-01-01T00:00:00Z`: how Docker's clients expect "never". */
export const zeroTime = '0001-01-01T00:00:00Z';

/** Another container that this one finds by an alias on the default bridge; see `links.ts`. */
export interface ContainerLink {
  readonly target: ContainerId;
  readonly alias: string;
}

export interface ContainerRecord {
  readonly id: ContainerId;
  /** Without the leading slash. */
  readonly name: string;
  readonly createdAt: string;
  readonly imageId: ImageId;
  /** The program and its arguments: entrypoint and command in one. */
  readonly path: string;
  readonly args: readonly string[];
  readonly config: ContainerConfig;
  readonly host: HostConfig;
  /** By network name, in the order the client gave. */
  readonly networks: Readonly<Record<string, EndpointSettings>>;
  /** In the order the client gave; each alias once. @default none */
  readonly links?: readonly ContainerLink[];
  /** What it sees of volumes, the host and memory. Absent in records of versions that knew `host.binds` alone. */
  readonly mounts?: readonly MountPoint[];
  /** Until its empty volumes have been filled from the image. */
  readonly isUnfilled?: boolean;
  readonly state: ContainerState;
  /** While it runs: the namespace it lives in; absent in host mode. */
  readonly sandboxId?: SandboxId;
  /** Where the host answers for it, while it runs and publishes something. */
  readonly publishedPorts?: readonly PublishedPort[];
  /** How often its restart policy started it since a user did. @default 0 */
  readonly restartCount?: number;
  /** A user had it end and has not started it since; recorded before it is told to. @default false */
  readonly stoppedByUser?: boolean;
  /** While an image is made of it: it was paused for that alone, and goes on at the next start of the daemon. */
  readonly pausedForCommit?: boolean | undefined;
  /** Set as soon as removal begins, so that a crash in the middle is finished at the next start. */
  readonly removing?: boolean;
  /** With `removing`: whether the volumes of its own go too. */
  readonly removingVolumes?: boolean;
}

/** Whether it has processes, be they paused, and so a place on its networks. */
export function isRunning({ state }: ContainerRecord): boolean {
  return state.status === 'running' || state.status === 'paused';
}

/** As {@link isRunning}, or about to run again without anybody's asking: what Docker counts as running. */
export function isActive(container: ContainerRecord): boolean {
  return isRunning(container) || container.state.status === 'restarting';
}
