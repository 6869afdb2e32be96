/**
 * `@seaway/engine`: container networks, containers and images, without any HTTP. Open an {@link Engine} and call
 * its parts; all failures are {@link EngineError}s.
 */
export { isHungUp } from '@seaway/linux';
export { formatSubnet, mustParseSubnet, parseAddress, parseCidr } from './base/address.ts';
export {
  conflict,
  EngineError,
  type ErrorKind,
  forbidden,
  internal,
  invalid,
  messageOf,
  notFound,
  notImplemented,
  unavailable,
} from './base/errors.ts';
export { type ContainerId, type ExecId, type ImageId, type NetworkId, shortId } from './base/ids.ts';
export { type Log, silentLog } from './base/log.ts';
export type { AttachSession } from './containers/attach-streams.ts';
export type { CommitRequest, Commits } from './containers/commits.ts';
export type {
  ContainerFiles,
  ContainerSize,
  FileChange,
  OutgoingArchive,
  PathStat,
} from './containers/container-files.ts';
export { type ContainerOptions, containerRequest } from './containers/container-request.ts';
export { checkCanAttach } from './containers/container-state.ts';
export type { Containers, WaitCondition } from './containers/containers.ts';
export { diskUsageBytes } from './containers/disk-usage.ts';
export type { ExecRecord, ExecRequest, TerminalSize } from './containers/exec-record.ts';
export type { Execs, StartedExec } from './containers/execs.ts';
export type { CreateRequest } from './containers/plan-container.ts';
export { effectiveHostname, type SandboxFiles } from './containers/sandbox-files.ts';
export { parseSecurityOptions } from './containers/security-options.ts';
export type { StopOptions } from './containers/stopping.ts';
export type { ProcessList } from './containers/top.ts';
export type { ContainerChange } from './containers/updating.ts';
export type { WaitResult } from './containers/waiters.ts';
export { Engine, type EngineOptions, type EngineSettings } from './engine.ts';
export type { EngineEvent } from './events.ts';
export type { Outbound, PortService, ReportedNetwork, ReportedPort } from './firewall/report.ts';
export type { ImportOptions } from './images/image-options.ts';
export { ImageStore } from './images/image-store.ts';
export type { Platform } from './images/manifest.ts';
export type { TransferProgress } from './images/progress.ts';
export type { RegistryAuth } from './images/registry/session.ts';
export { layersSizeBytes, sharedSizes } from './images/shared-size.ts';
export { defaultSubnetPools, parseSubnetPool, type SubnetPool } from './ipam/subnet-pools.ts';
export {
  type ContainerConfig,
  type ContainerRecord,
  defaultShmSizeBytes,
  type EndpointSettings,
  type HostConfig,
  isActive,
  isRunning,
  type NetworkMode,
  noEndpointSettings,
  type ResourceLimits,
  zeroTime,
} from './model/container.ts';
export { checkContainerName, findConflict, parseExtraHost } from './model/create-rules.ts';
export { interfaceSysctlsOption } from './model/endpoint-options.ts';
export { gatewayOf, interfaceAddresses } from './model/gateways.ts';
export { formatHealthCheck, type Health, type HealthCheck, healthCheckFrom } from './model/health.ts';
export type { ImageConfig, ImageHistoryEntry, ImageRecord } from './model/image.ts';
export type { DeviceMapping, DeviceRequest, IsolationOptions, LogSettings } from './model/isolation.ts';
export {
  badMount,
  checkAbsolute,
  checkDestination,
  parseBindText,
  parseVolumePath,
  parseVolumesFrom,
} from './model/mount-text.ts';
export {
  type BindRequest,
  cleanPath,
  type GivenMount,
  type MountPoint,
  type MountRequest,
  mountPointsOf,
  type Propagation,
  propagations,
  type TmpfsRequest,
  type VolumeMountRequest,
  volumesOf,
} from './model/mounts.ts';
export { dnsNames } from './model/names.ts';
export {
  type EndpointRecord,
  isPredefinedNetwork,
  isUserDefined,
  type NetworkRecord,
  type SubnetConfig,
  subnetOfFamily,
} from './model/network.ts';
export { formatNetworkMode, parseNetworkMode } from './model/network-mode.ts';
export type { LookupPurpose } from './model/network-reference.ts';
export type { NetworkRequest, SubnetRequest } from './model/network-request.ts';
export {
  type ContainerPort,
  formatContainerPort,
  formatHostPorts,
  type PortProtocol,
  type PortRequest,
  type PublishedPort,
  parseContainerPort,
  parseContainerPorts,
  parseHostAddress,
  parseHostPorts,
} from './model/ports.ts';
export { noRestart, parseRestartPolicy, type RestartPolicy } from './model/restart-policy.ts';
export {
  anonymousLabel,
  isAnonymous,
  localDriver,
  type VolumeRecord,
  type VolumeRequest,
} from './model/volume.ts';
export type { FirewallReport } from './networks/firewall-report.ts';
export type { NetworkOptions, Networks } from './networks/networks.ts';
export { findProgram } from './runtime/find-program.ts';
export { fullLimitSupport, type LimitSupport, parseCpuList } from './runtime/limit-support.ts';
export { type LogEntry, parseTimestampNs, type ReadLogsOptions } from './runtime/logs.ts';
export { defaultMaskedPaths, defaultReadonlyPaths } from './runtime/spec/oci-spec.ts';
export type { BlockIoEntry, ContainerSample, CpuSample, InterfaceSample } from './stats/sample.ts';
export type { Look, Stats } from './stats/stats.ts';
export type { Volumes, VolumeUsage } from './volumes/volumes.ts';
