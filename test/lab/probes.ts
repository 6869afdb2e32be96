/**
 * Servers and clients in any network namespace, all of them in this process: only their sockets live there. A server
 * answers everybody with the address that it was asked from; a probe tells what became of one attempt to reach one.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, isIPv4, type Server, Socket } from 'node:net';
import { closeFd, openInetSocket, runInNamespace, startConnecting } from '@seaway/linux';

export type ProbeProtocol = 'tcp' | 'udp';

/** What became of an attempt. */
export type Outcome =
  | { readonly kind: 'answered'; readonly seenAs: string }
  /** Somebody said no: a reset, or ICMP's "port unreachable". */
  | { readonly kind: 'refused' }
  /** Nothing came back in time. */
  | { readonly kind: 'dropped' }
  /** There was no way, or somebody on the way said so. */
  | { readonly kind: 'unreachable' };

export interface Target {
  readonly protocol: ProbeProtocol;
  readonly address: string;
  readonly port: number;
  /** The address to ask from. @default the kernel's choice */
  readonly from?: string;
}

/** An IPv4 address that came through a socket for both families looks like an ordinary one. */
const plainAddress = (address: string | undefined) => (address ?? '').replace(/^::ffff:/, '');

/** Serves one port until it is closed, or this process has nothing else to do. @param namespace path of the network namespace */
export async function serve(namespace: string, { protocol, address, port }: Target): Promise<Disposable> {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  const { fd } = runInNamespace(namespace, () => openInetSocket(protocol, family, address, port));
  return protocol === 'tcp' ? serveTcp(fd) : serveUdp(fd, family);
}

async function serveTcp(fd: number): Promise<Disposable> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(plainAddress(socket.remoteAddress));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd }, resolve);
  });
  server.unref();
  return { [Symbol.dispose]: () => void server.close() };
}

async function serveUdp(fd: number, family: 'ipv4' | 'ipv6'): Promise<Disposable> {
  const socket: UdpSocket = createSocket(family === 'ipv4' ? 'udp4' : 'udp6');
  socket.on('message', (_, { address, port }) => socket.send(plainAddress(address), port, address));
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ fd }, resolve);
  });
  // A client that has gone away leaves an ICMP error behind.
  socket.on('error', () => {});
  socket.unref();
  return { [Symbol.dispose]: () => void socket.close() };
}

/** Tries to reach a server from inside a namespace. Rejects only when it cannot even try. */
export function probe(namespace: string, target: Target, timeoutMs: number): Promise<Outcome> {
  const { protocol } = target;
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  const fail = (error: unknown) => {
    const outcome = outcomeOf(error);
    if (outcome) resolve(outcome);
    else reject(error);
  };
  const timer = setTimeout(() => resolve({ kind: 'dropped' }), timeoutMs);
  const answer = (text: Buffer) => resolve({ kind: 'answered', seenAs: text.toString() });
  let close = () => {};
  try {
    const fd = runInNamespace(namespace, () => openConnecting(target));
    close = protocol === 'tcp' ? readTcp(fd, answer, fail) : askUdp(fd, target, answer, fail);
  } catch (error) {
    fail(error);
  }
  return promise.finally(() => {
    clearTimeout(timer);
    close();
  });
}

function openConnecting({ protocol, address, port, from }: Target): number {
  const { fd } = openInetSocket(protocol, isIPv4(address) ? 'ipv4' : 'ipv6', from);
  if (protocol === 'udp') return fd;
  try {
    startConnecting(fd, address, port);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function readTcp(fd: number, answer: (text: Buffer) => void, fail: (error: unknown) => void): () => void {
  const socket = new Socket({ fd, readable: true, writable: true });
  socket.on('data', answer);
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the connection was closed without a word')));
  return () => socket.destroy();
}

function askUdp(
  fd: number,
  { address, port }: Target,
  answer: (text: Buffer) => void,
  fail: (error: unknown) => void,
): () => void {
  const socket = createSocket(isIPv4(address) ? 'udp4' : 'udp6').bind({ fd });
  socket.on('message', answer);
  // Connected, so that the kernel tells of ICMP errors.
  socket.on('error', fail);
  socket.on('connect', () => socket.send('who am I?', (error) => error && fail(error)));
  socket.connect(port, address);
  return () => socket.close();
}

const outcomes: Readonly<Record<string, Outcome['kind'] & ('refused' | 'unreachable' | 'dropped')>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'refused',
  ENETUNREACH: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ETIMEDOUT: 'dropped',
};

function outcomeOf(error: unknown): Outcome | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const kind = outcomes[code];
  return kind && { kind };
}
