/** @seaway/linux: the Linux kernel's networking for Node. Each module's first comment says what it owns. */
export {
  AddressedDatagrams,
  type DatagramRoute,
  keepRoute,
  tellLocalAddress,
} from './addressed-datagrams.ts';
export {
  abandonChild,
  adoptOrphans,
  awaitChild,
  type ExitStatus,
  openPipe,
  type SpawnedChild,
  type SpawnOptions,
  spawnChild,
} from './children.ts';
export {
  type ConntrackEntry,
  type ConntrackFamily,
  type ConntrackProtocol,
  type ConntrackSelection,
  type ConntrackTuple,
  deleteConntrack,
  listConntrack,
} from './conntrack.ts';
export { DatagramBatch, sendDatagram } from './datagrams.ts';
export { Epoll } from './epoll.ts';
export { errnoName, errnoNumber, isErrno, LinuxError } from './errno.ts';
export { EventFlag } from './event-flag.ts';
export { lockFile } from './file-lock.ts';
export { isHungUp } from './hang-up.ts';
export { type HeldProtocol, holdPort, setDeaf, startListening, stopListening } from './held-port.ts';
export { type InetSocket, openInetSocket, portOf, setReceiveBuffer, startConnecting } from './inet-socket.ts';
export { KernelThread, type KernelThreadOptions } from './kernel-thread.ts';
export {
  isMountPoint,
  type MountEntry,
  type MountFlag,
  type MountRequest,
  mount,
  mounts,
  parseMountInfo,
  unmount,
} from './mount.ts';
export { MalformedMessageError } from './netlink/codec.ts';
export {
  type RouteEvent,
  type RouteGroup,
  RouteInbox,
  RouteMonitor,
  type RouteMonitorOptions,
} from './netlink/monitor.ts';
export { type PortRewrite, PortRewriter } from './netlink/port-rewriter.ts';
export {
  type Address,
  type AddressFilter,
  deleteAddress,
  type NewAddress,
  newAddress,
} from './netlink/route/address.ts';
export {
  type BridgeOptions,
  type BridgePortOptions,
  deleteLink,
  deleteLinkGroup,
  type Link,
  type LinkChanges,
  type LinkFilter,
  type LinkReference,
  type LinkStatistics,
  type MacvlanOptions,
  type NewLink,
  newLink,
  setLink,
  setLinkGroup,
  type VethPeer,
  type VxlanOptions,
} from './netlink/route/link.ts';
export {
  deleteNeighbour,
  type FdbKey,
  type Neighbour,
  type NeighbourFilter,
  type NeighbourKey,
  type NeighbourState,
  type NewNeighbour,
  newNeighbour,
} from './netlink/route/neighbour.ts';
export {
  deleteRoute,
  type NewRoute,
  newRoute,
  type Route,
  type RouteFilter,
  type RouteKey,
  type RouteTypeName,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTPROT_BOOT,
  RTPROT_KERNEL,
  RTPROT_STATIC,
} from './netlink/route/route.ts';
export type { ScopeName } from './netlink/route/scope.ts';
export { type RouteRequest, RouteSocket } from './netlink/route-socket.ts';
export { NetlinkError } from './netlink/socket.ts';
export {
  createNamespace,
  isNamespace,
  NamespaceHandle,
  type NamespacePlace,
  namespaceIdentity,
  openNamespace,
  removeNamespace,
  runInNamespace,
} from './netns.ts';
export { Nftables, type NftListing } from './nftables.ts';
export { NftablesError } from './nftables-error.ts';
export { RulesetGeneration } from './nftables-generation.ts';
export type * from './nftables-json.ts';
export { PollThread, type Watch, type WatchHandlers, type WatchOptions } from './poll-thread.ts';
export {
  copyDescriptor,
  isProcessAlive,
  isProcessEnding,
  openProcess,
  processName,
  processStartTime,
} from './process.ts';
export {
  acceptSeqpacket,
  closeFd,
  connectSeqpacket,
  listenSeqpacket,
  sendMessage,
  shutdownWrite,
} from './seqpacket.ts';
export {
  acceptNow,
  isConnected,
  receiveNow,
  resetConnection,
  sendNow,
  tuneForPassingOn,
} from './stream-socket.ts';
export { readSysctl, type SysctlPath, writeSysctl } from './sysctl.ts';
export { startWorker, type WorkerSettings } from './worker.ts';
