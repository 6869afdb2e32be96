/** The parts of the Docker Engine API's answers that the command line reads, and the requests it sends. */

export interface CreateRequest {
  Hostname: string;
  Domainname: string;
  User: string;
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  Tty: boolean;
  OpenStdin: boolean;
  StdinOnce: boolean;
  Env: string[];
  Cmd: string[] | null;
  Image: string;
  WorkingDir: string;
  Entrypoint: string[] | null;
  Labels: Record<string, string>;
  ExposedPorts: Record<string, object>;
  Volumes: Record<string, object>;
  StopSignal?: string;
  /** Seconds. */
  StopTimeout?: number;
  HostConfig: {
    NetworkMode: string;
    AutoRemove: boolean;
    CapAdd: string[];
    CapDrop: string[];
    Dns: string[];
    DnsOptions: string[];
    DnsSearch: string[];
    ExtraHosts: string[];
    Links: string[];
    ReadonlyRootfs: boolean;
    PortBindings: Record<string, PortBinding[]>;
    PublishAllPorts: boolean;
    Binds: string[];
    Mounts: MountRequest[];
    Tmpfs: Record<string, string>;
    VolumesFrom: string[];
    VolumeDriver: string;
  };
  NetworkingConfig: { EndpointsConfig: Record<string, object> };
}

/** What `--mount` asks for. */
export interface MountRequest {
  readonly Type: string;
  readonly Source?: string;
  readonly Target?: string;
  readonly ReadOnly?: boolean;
  readonly Consistency?: string;
  readonly BindOptions?: {
    readonly Propagation?: string;
    readonly NonRecursive?: boolean;
    readonly CreateMountpoint?: boolean;
    readonly ReadOnlyNonRecursive?: boolean;
    readonly ReadOnlyForceRecursive?: boolean;
  };
  readonly VolumeOptions?: {
    readonly NoCopy?: boolean;
    readonly Labels?: Readonly<Record<string, string>>;
    readonly Subpath?: string;
    readonly DriverConfig?: {
      readonly Name?: string;
      readonly Options?: Readonly<Record<string, string>>;
    };
  };
  readonly TmpfsOptions?: { readonly SizeBytes?: number; readonly Mode?: number };
}

export interface VolumeSummary {
  Name: string;
  Driver: string;
  Mountpoint: string;
  Labels: Record<string, string> | null;
  Scope: string;
}

export interface VolumeListAnswer {
  Volumes: VolumeSummary[] | null;
}

export interface VolumePruneAnswer {
  VolumesDeleted: string[] | null;
  SpaceReclaimed: number;
}

/** Where the host answers, or shall answer, for a port of a container. */
export interface PortBinding {
  HostIp: string;
  HostPort: string;
}

export interface CreateAnswer {
  Id: string;
  Warnings: string[] | null;
}

export interface ExecRequest {
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  Tty: boolean;
  Cmd: string[];
  Env: string[];
  Privileged: boolean;
  User: string;
  WorkingDir: string;
  /** Rows and columns. */
  ConsoleSize?: [number, number];
}

export interface ExecStart {
  Detach: boolean;
  Tty: boolean;
  ConsoleSize?: [number, number];
}

export interface ExecDetails {
  /** Null while it runs. */
  ExitCode: number | null;
}

export interface WaitAnswer {
  StatusCode: number;
  Error?: { Message: string } | null;
}

export interface PortSummary {
  IP?: string;
  PrivatePort: number;
  PublicPort?: number;
  Type: string;
}

export interface ContainerSummary {
  Id: string;
  Names: string[];
  Image: string;
  ImageID: string;
  Command: string;
  /** Unix time in seconds. */
  Created: number;
  Ports: PortSummary[] | null;
  Labels: Record<string, string> | null;
  State: string;
  Status: string;
  NetworkSettings?: { Networks: Record<string, unknown> | null };
  Mounts?: { Name?: string; Source: string }[] | null;
}

export interface ContainerDetails {
  Id: string;
  Name: string;
  Config: { Tty: boolean; OpenStdin: boolean };
  State: { Running: boolean; ExitCode: number };
  HostConfig: { AutoRemove: boolean };
  NetworkSettings?: { Ports?: Record<string, PortBinding[] | null> | null };
}

export interface ImageSummary {
  Id: string;
  RepoTags: string[] | null;
  RepoDigests: string[] | null;
  /** Unix time in seconds. */
  Created: number;
  /** Bytes. */
  Size: number;
}

export interface ImageDeletion {
  Untagged?: string;
  Deleted?: string;
}

export interface NetworkSummary {
  Id: string;
  Name: string;
  Driver: string;
  Scope: string;
  /** RFC 3339. */
  Created: string;
  EnableIPv4?: boolean;
  EnableIPv6: boolean;
  Internal: boolean;
  Labels: Record<string, string> | null;
}

export interface SubnetConfig {
  readonly Subnet: string;
  readonly IPRange?: string;
  readonly Gateway?: string;
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>>;
}

export interface NetworkCreateRequest {
  Name: string;
  Driver: string;
  Scope: string;
  EnableIPv4?: boolean;
  EnableIPv6?: boolean;
  IPAM: { Driver: string; Options: Record<string, string>; Config: SubnetConfig[] };
  Internal: boolean;
  Attachable: boolean;
  Ingress: boolean;
  ConfigOnly: boolean;
  ConfigFrom: { Network: string } | null;
  Options: Record<string, string>;
  Labels: Record<string, string>;
}

export interface NetworkCreateAnswer {
  Id: string;
  Warning: string;
}

export interface NetworkConnectRequest {
  Container: string;
  EndpointConfig: {
    IPAMConfig: { IPv4Address?: string; IPv6Address?: string; LinkLocalIPs?: string[] };
    Links: string[];
    Aliases: string[];
    DriverOpts: Record<string, string>;
    GwPriority: number;
  };
}

export interface NetworkPruneAnswer {
  NetworksDeleted: string[] | null;
}

export interface VersionAnswer {
  Version: string;
  ApiVersion: string;
  MinAPIVersion?: string;
  GitCommit?: string;
  Os: string;
  Arch: string;
  KernelVersion?: string;
  Components?: { Name: string; Version: string }[];
}

export interface InfoAnswer {
  Containers: number;
  ContainersRunning: number;
  ContainersPaused: number;
  ContainersStopped: number;
  Images: number;
  ServerVersion: string;
  Driver: string;
  CgroupDriver?: string;
  CgroupVersion?: string;
  Plugins?: { Network?: string[] | null };
  Runtimes?: Record<string, unknown> | null;
  DefaultRuntime?: string;
  KernelVersion: string;
  OperatingSystem: string;
  OSType: string;
  Architecture: string;
  NCPU: number;
  /** Bytes. */
  MemTotal: number;
  Name: string;
  ID: string;
  DockerRootDir: string;
  Debug?: boolean;
  Labels?: string[] | null;
  Warnings?: string[] | null;
}

/** One line of an image operation's progress. */
export interface ProgressMessage {
  status?: string;
  /** What the status is about. */
  id?: string;
  progressDetail?: { current?: number; total?: number };
  stream?: string;
  error?: string;
  errorDetail?: { message: string };
}

/** Seaway's own answer of `GET /seaway/firewall`. */
export interface FirewallAnswer {
  Networks: FirewallNetwork[];
  Ports: FirewallPort[];
  /** In the language of nft(8); empty where Seaway's tables are gone. */
  Ruleset: string;
  InSync: boolean;
  Missing: string[];
  Foreign: string[];
  Warnings: string[];
}

export interface FirewallNetwork {
  Name: string;
  Bridge: string;
  Internal: boolean;
  InterContainer: boolean;
  TrustedInterfaces: string[];
  Subnets: {
    Family: string;
    Subnet: string;
    GatewayMode: string;
    Outbound: string;
    /** Empty unless `Outbound` is `snat`. */
    SourceAddress: string;
  }[];
}

export interface FirewallPort {
  /** Empty where the container's own port is open instead of one of the host. */
  HostIp: string;
  HostPort: number;
  Protocol: string;
  ContainerName: string;
  /** Empty where nothing leads there. */
  ContainerIp: string;
  ContainerPort: number;
  /** `kernel`, `relay`. */
  ServedBy: string[];
}
