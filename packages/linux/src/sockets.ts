/**
 * `@seaway/linux/sockets`: the part of the package that a small process on sockets and namespaces needs. It loads in half
 * the time of the whole.
 */
export { DatagramBatch, sendDatagram } from './datagrams.ts';
export { Epoll } from './epoll.ts';
export { isErrno, LinuxError } from './errno.ts';
export { EventFlag } from './event-flag.ts';
export { lockFile } from './file-lock.ts';
export {
  type InetSocket,
  openInetSocket,
  portOf,
  setReceiveBuffer,
  startConnecting,
} from './inet-socket.ts';
export { type PortRewrite, PortRewriter } from './netlink/port-rewriter.ts';
export { isNamespace, NamespaceHandle, namespaceIdentity, openNamespace, runInNamespace } from './netns.ts';
export { copyDescriptor } from './process.ts';
export { closeFd } from './seqpacket.ts';
export { startWorker } from './worker.ts';
