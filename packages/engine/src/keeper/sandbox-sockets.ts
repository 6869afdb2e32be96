/**
 * The two sockets that answer in a namespace, and the rules that bring 127.0.0.11 port 53 to them.
 *
 * They listen on ports that the kernel chose, so that programs in the container may use port 53 themselves. The rules
 * rewrite the port in each packet that the container sends over loopback, there and back. That needs no connection
 * tracking, which NAT would switch on for all of the container's traffic.
 */
import {
  closeFd,
  copyDescriptor,
  type InetSocket,
  isNamespace,
  type NamespaceHandle,
  namespaceIdentity,
  openInetSocket,
  openNamespace,
  PortRewriter,
  runInNamespace,
  setReceiveBuffer,
  startConnecting,
} from '@seaway/linux/sockets';
import type { ServedSockets } from './protocol.ts';

/** Where containers find their resolver; see resolv.conf(5). */
export const RESOLVER_ADDRESS = '127.0.0.11';
const RESOLVER_PORT = 53;

/** Of family `ip`. */
const TABLE = 'seaway_resolver';

/** How long after its last change an nfnetlink socket can be closed without waiting for what was deleted. */
const SETTLED_MS = 200;

/** Room for about a thousand queries that arrive while all processors are busy elsewhere. */
const RECEIVE_BUFFER_BYTES = 1 << 20;

/** An open resolver. */
export interface SandboxSockets {
  readonly namespace: NamespaceHandle;
  /** `device:inode` of the namespace. */
  readonly identity: string;
  readonly udp: InetSocket;
  readonly tcp: InetSocket;
}

/**
 * Opens sockets in a namespace, whose loopback device must be up, and points its rules at them in one transaction,
 * whoever's they were before. On failure nothing is left behind but, maybe, an earlier keeper's rules.
 * Throws LinuxError.
 * @param mayReplace whether rules are likely to be there already: saves waiting for the kernel to destroy them
 */
export function openSandboxSockets(path: string, mayReplace: boolean): SandboxSockets {
  const namespace = openNamespace(path);
  const opened: number[] = [];
  try {
    const open = (protocol: 'udp' | 'tcp') => {
      const socket = openInetSocket(protocol, 'ipv4', RESOLVER_ADDRESS);
      opened.push(socket.fd);
      return socket;
    };
    const [udp, tcp] = runInNamespace(namespace, () => {
      requireLoopback();
      return [open('udp'), open('tcp')] as const;
    });
    setReceiveBuffer(udp.fd, RECEIVE_BUFFER_BYTES);
    putRules(namespace, udp.port, tcp.port, mayReplace);
    return { namespace, identity: namespaceIdentity(namespace), udp, tcp };
  } catch (error) {
    for (const fd of opened) closeFd(fd);
    namespace.close();
    throw error;
  }
}

/**
 * While the namespace's loopback device has never been up, binding to the address succeeds and does nothing: replies
 * would come from another one. Connecting tells. Throws LinuxError (ENETUNREACH).
 */
function requireLoopback(): void {
  const { fd } = openInetSocket('udp', 'ipv4');
  try {
    startConnecting(fd, RESOLVER_ADDRESS, RESOLVER_PORT);
  } finally {
    closeFd(fd);
  }
}

/** Copies the sockets that another keeper serves a namespace with; its rules lead to them already. Throws LinuxError. */
export function inheritSandboxSockets(path: string, from: ServedSockets): SandboxSockets {
  const namespace = openNamespace(path);
  const copied: number[] = [];
  const copy = ({ fd, port }: InetSocket): InetSocket => {
    const own = copyDescriptor(from.pid, fd);
    copied.push(own);
    return { fd: own, port };
  };
  try {
    return { namespace, identity: namespaceIdentity(namespace), udp: copy(from.udp), tcp: copy(from.tcp) };
  } catch (error) {
    for (const fd of copied) closeFd(fd);
    namespace.close();
    throw error;
  }
}

function putRules(namespace: NamespaceHandle, udpPort: number, tcpPort: number, mayReplace: boolean): void {
  const rewriter = PortRewriter.open({ namespace });
  const toPort = { address: RESOLVER_ADDRESS, port: RESOLVER_PORT };
  try {
    rewriter.put(TABLE, [
      { ...toPort, protocol: 'udp', actualPort: udpPort },
      { ...toPort, protocol: 'tcp', actualPort: tcpPort },
    ]);
  } finally {
    if (mayReplace) setTimeout(() => rewriter.close(), SETTLED_MS);
    else rewriter.close();
  }
}

/** Closes the sockets that are not in other hands. The rules stay: see removeRules. */
export function closeSandboxSockets({ namespace, udp }: SandboxSockets): void {
  closeFd(udp.fd);
  namespace.close();
}

/** Removes the rules from a namespace that outlived its resolver; does nothing if it is gone. Throws NetlinkError. */
export function removeRules(path: string, identity: string): void {
  if (!isNamespace(path) || namespaceIdentity(path) !== identity) return;
  const rewriter = PortRewriter.open({ namespace: path });
  try {
    rewriter.remove(TABLE);
  } finally {
    setTimeout(() => rewriter.close(), SETTLED_MS);
  }
}
