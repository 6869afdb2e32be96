/** Clients and servers of a lab's host, of the outside and of containers: sockets of their networks in this process. */
import { createSocket } from 'node:dgram';
import { isIPv4, Socket } from 'node:net';
import { closeFd, holdPort, openInetSocket, runInNamespace, startConnecting } from '@seaway/linux';
import type { Lab } from './lab.ts';
import { inspect } from './story.ts';

export type Protocol = 'tcp' | 'udp';

export type Place = 'host' | 'outside';

function namespaceOf(lab: Lab, place: Place): string {
  return place === 'host' ? `/proc/${lab.holderPid}/ns/net` : lab.pathInside('/run/netns/outside');
}

/** Where a question goes. */
export interface Destination {
  readonly protocol?: Protocol;
  readonly address: string;
  readonly port: number;
  /** UDP over IPv4: the client's own port, so that all questions from there are one conversation. @default a new one */
  readonly fromPort?: number;
  /** @default 1000 */
  readonly timeoutMs?: number;
}

/**
 * Asks a server, which answers whoever connects or sends a datagram.
 * @returns what it says, without white space at the ends; the kernel's word for why not; or `silence`
 */
export function ask(lab: Lab, place: Place, destination: Destination): Promise<string> {
  const { protocol = 'tcp', timeoutMs = 1000 } = destination;
  const { promise, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(resolve, timeoutMs, 'silence');
  const namespace = namespaceOf(lab, place);
  const close =
    protocol === 'tcp' ? askTcp(namespace, destination, resolve) : askUdp(namespace, destination, resolve);
  return promise.finally(() => {
    clearTimeout(timer);
    close();
  });
}

type Tell = (text: string) => void;

function askTcp(namespace: string, { address, port }: Destination, tell: Tell): () => void {
  const fd = runInNamespace(namespace, () => {
    const opened = openInetSocket('tcp', isIPv4(address) ? 'ipv4' : 'ipv6').fd;
    try {
      startConnecting(opened, address, port);
    } catch (error) {
      closeFd(opened);
      tell(codeOf(error));
      return undefined;
    }
    return opened;
  });
  if (fd === undefined) return () => {};
  const socket = new Socket({ fd, readable: true, writable: true });
  let text = '';
  socket.on('data', (piece) => {
    text += String(piece);
  });
  socket.on('end', () => tell(text.trim()));
  socket.on('error', (error) => tell(codeOf(error)));
  return () => socket.destroy();
}

function askUdp(namespace: string, { address, port, fromPort }: Destination, tell: Tell): () => void {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  const fd = runInNamespace(namespace, () => {
    // Bound in any case: Node lets sockets that it is given share a port that the kernel chooses later.
    return openInetSocket('udp', family, family === 'ipv4' ? '0.0.0.0' : '::', fromPort).fd;
  });
  const socket = createSocket(family === 'ipv4' ? 'udp4' : 'udp6').bind({ fd });
  socket.on('error', (error) => tell(codeOf(error)));
  socket.on('message', (message) => tell(String(message).trim()));
  // Connected, so that only an answer from where the question went is taken.
  socket.connect(port, address, () => socket.send('?'));
  return () => socket.close();
}

/**
 * Whether a program of the host could have a port for itself: `yes`, or the kernel's word why not. Connections of an
 * earlier server that linger there are not in its way.
 */
export function canTake(lab: Lab, protocol: Protocol, address: string, port: number): string {
  try {
    takePort(lab, protocol, address, port)[Symbol.dispose]();
    return 'yes';
  } catch (error) {
    return codeOf(error);
  }
}

/** Takes a port as a program of the host, until it is disposed of. @throws LinuxError */
export function takePort(lab: Lab, protocol: Protocol, address: string, port: number): Disposable {
  const fd = runInNamespace(namespaceOf(lab, 'host'), () => holdPort(protocol, address, port)!);
  return { [Symbol.dispose]: () => closeFd(fd) };
}

/** Answers datagrams in a running container with the container's name. To be closed before the container stops. */
export async function serveUdp(lab: Lab, container: string, port: number): Promise<Disposable> {
  const { SandboxKey } = (await inspect(lab, container)).NetworkSettings;
  const namespace = lab.pathInside(SandboxKey);
  const fd = runInNamespace(namespace, () => openInetSocket('udp', 'ipv6', '::', port).fd);
  const socket = createSocket('udp6').bind({ fd });
  socket.on('message', (_, from) => socket.send(container, from.port, from.address));
  return { [Symbol.dispose]: () => void socket.close() };
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code);
  throw error;
}
