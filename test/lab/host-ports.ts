/** Other programs of a host, for stories about its ports: they try to take a port, connect to it, send datagrams. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, isIPv4, type Socket } from 'node:net';
import { closeFd, openInetSocket } from '@seaway/linux';

export type Protocol = 'tcp' | 'udp';

/**
 * Whether a program of the calling thread's network could serve a port: `yes`, or the kernel's word why not. It tries to
 * share the port with whoever shares it too (SO_REUSEADDR), and with IPv4 also to have it alone.
 */
export async function canTake(protocol: Protocol, address: string, port: number): Promise<string> {
  const outcomes = [
    ...(isIPv4(address) ? [tryAlone(protocol, address, port)] : []),
    await (protocol === 'tcp' ? tryTcp(address, port) : tryUdp(address, port)),
  ];
  const [outcome, ...others] = new Set(outcomes);
  return others.length === 0 ? outcome! : outcomes.join(' alone, shared ');
}

function tryAlone(protocol: Protocol, address: string, port: number): string {
  try {
    closeFd(openInetSocket(protocol, 'ipv4', address, port).fd);
    return 'yes';
  } catch (error) {
    return codeOf(error);
  }
}

async function tryTcp(host: string, port: number): Promise<string> {
  const server = createServer();
  try {
    server.listen({ host, port, ipv6Only: true });
    await once(server, 'listening');
    return 'yes';
  } catch (error) {
    return codeOf(error);
  } finally {
    if (server.listening) await new Promise((closed) => server.close(closed));
  }
}

async function tryUdp(address: string, port: number): Promise<string> {
  const socket = createSocket({
    type: isIPv4(address) ? 'udp4' : 'udp6',
    reuseAddr: true,
    ipv6Only: !isIPv4(address),
  });
  try {
    socket.bind(port, address);
    await once(socket, 'listening');
    return 'yes';
  } catch (error) {
    return codeOf(error);
  } finally {
    socket.close();
  }
}

/** `connected`, or the kernel's word why not. */
export async function tryConnecting(host: string, port: number): Promise<string> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
    return 'connected';
  } catch (error) {
    return codeOf(error);
  } finally {
    socket.destroy();
  }
}

/** Leaves a connection behind whose server has ended: it keeps the port in the kernel's books for a minute. */
export async function leaveOldConnection(host: string, port: number): Promise<void> {
  const server = createServer((socket) => socket.end()).listen({ host, port });
  await once(server, 'listening');
  const client = connect({ host, port }).resume();
  await once(client, 'close');
  await new Promise((closed) => server.close(closed));
}

/** A program that asks by UDP. */
export interface UdpClient {
  readonly socket: UdpSocket;
  /** Sends and waits for the next datagram. Rejects when none comes in two seconds. */
  ask(address: string, port: number, text: string): Promise<string>;
  close(): void;
}

export async function newUdpClient(type: 'udp4' | 'udp6' = 'udp6'): Promise<UdpClient> {
  const socket = createSocket({ type, recvBufferSize: 1 << 20 });
  socket.bind(0);
  await once(socket, 'listening');
  return {
    socket,
    async ask(address, port, text) {
      const answer = once(socket, 'message', { signal: AbortSignal.timeout(2000) });
      socket.send(text, port, address);
      return String((await answer)[0]);
    },
    close: () => socket.close(),
  };
}

/** Sends that many datagrams, one after the other. */
export async function sendDatagrams(address: string, port: number, count: number): Promise<void> {
  const socket = createSocket(isIPv4(address) ? 'udp4' : 'udp6');
  for (let index = 0; index < count; index++) {
    await new Promise((sent) => socket.send(Buffer.alloc(1000), port, address, sent));
  }
  socket.close();
}

/** For each UDP socket of a port, of either family: the bytes that wait in it. */
export function waitingDatagrams(port: number): number[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = ['udp', 'udp6'].flatMap((file) =>
    readFileSync(`/proc/thread-self/net/${file}`, 'utf8').trim().split('\n').slice(1),
  );
  return lines.flatMap((line) => {
    const [, local = '', , , queues = ''] = line.trim().split(/\s+/);
    return local.endsWith(`:${hex}`) ? Number.parseInt(queues.split(':')[1]!, 16) : [];
  });
}

/** All that arrives until the peer ends its side; ours stays open. Rejects when the connection fails. */
export function readAll(socket: Socket): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.once('end', () => resolve(Buffer.concat(pieces)));
  socket.once('error', reject);
  return promise;
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code);
  throw error;
}
