/** One question to one server, over UDP or TCP, from the host's namespace or from a sandbox's. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, isIPv6, Socket } from 'node:net';
import { type NamespaceHandle, openInetSocket, runInNamespace, startConnecting } from '@seaway/linux/sockets';
import { HEADER_BYTES, NOERROR, u16 } from './answer.ts';

/** For a connection to come about, and for an answer to come. */
export const ANSWER_TIMEOUT_MS = 4000;

const DNS_PORT = 53;

/** A query as it is sent, and how far its question reaches in it. */
export interface Question {
  readonly packet: Uint8Array;
  readonly questionEnd: number;
}

/** From where servers are asked. */
export interface Origin {
  /** @default the host's */
  readonly namespace?: NamespaceHandle;
  /** Nobody waits for answers any more: sockets, which keep a namespace alive, are closed at once. */
  readonly closed: AbortSignal;
}

/** Asks over UDP. Rejects when nothing fitting comes in time or the server refuses packets. */
export function askOverUdp(server: string, question: Question, origin: Origin): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const socket = openUdp(server, origin);
  const giveUp = rejectOnAbort(origin.closed, reject);
  const timer = setTimeout(() => reject(new Error(`${server} did not answer`)), ANSWER_TIMEOUT_MS);
  socket.on('error', reject);
  // The socket is connected, so the kernel drops what comes from anybody else.
  socket.on('message', (reply) => {
    if (isReplyTo(question, reply)) resolve(reply);
  });
  socket.connect(DNS_PORT, server, () => socket.send(question.packet));
  return promise.finally(() => {
    clearTimeout(timer);
    giveUp.forget();
    socket.close();
  });
}

function rejectOnAbort(signal: AbortSignal, reject: (error: Error) => void): { forget(): void } {
  const onAbort = () => reject(new Error('the resolver is closed'));
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return { forget: () => signal.removeEventListener('abort', onAbort) };
}

function openUdp(server: string, { namespace }: Origin): UdpSocket {
  const isV6 = isIPv6(server);
  const type = isV6 ? 'udp6' : 'udp4';
  if (namespace === undefined) return createSocket(type);
  // Bound here already: Node lets a descriptor that it is given share its port (SO_REUSEADDR), and the kernel might then
  // choose one that another query has.
  const { fd } = runInNamespace(namespace, () =>
    isV6 ? openInetSocket('udp', 'ipv6', '::') : openInetSocket('udp', 'ipv4', '0.0.0.0'),
  );
  return createSocket(type).bind({ fd, exclusive: true });
}

/** Asks over TCP. Rejects when it cannot connect or nothing fitting comes in time. */
export function askOverTcp(server: string, question: Question, origin: Origin): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const socket = openTcp(server, origin);
  const giveUp = rejectOnAbort(origin.closed, reject);
  let timer = setTimeout(() => reject(new Error(`${server} cannot be reached`)), ANSWER_TIMEOUT_MS);
  socket.on('error', reject);
  socket.on('close', () => reject(new Error(`${server} closed the connection`)));
  const read = frameReader((reply) => {
    if (isReplyTo(question, reply)) resolve(reply);
  });
  socket.on('data', (piece: Buffer) => read(piece));
  socket.write(frame(question.packet), () => {
    if (socket.destroyed) return;
    clearTimeout(timer);
    timer = setTimeout(() => reject(new Error(`${server} did not answer`)), ANSWER_TIMEOUT_MS);
  });
  return promise.finally(() => {
    clearTimeout(timer);
    giveUp.forget();
    socket.destroy();
  });
}

function openTcp(server: string, { namespace }: Origin): Socket {
  if (namespace === undefined) return connect({ host: server, port: DNS_PORT });
  const fd = runInNamespace(namespace, () => {
    const socket = openInetSocket('tcp', isIPv6(server) ? 'ipv6' : 'ipv4');
    startConnecting(socket.fd, server, DNS_PORT);
    return socket.fd;
  });
  return new Socket({ fd, readable: true, writable: true });
}

/** A message as it is sent over TCP: its length comes first (RFC 1035 section 4.2.2). */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(2 + message.length);
  framed.writeUInt16BE(message.length, 0);
  framed.set(message, 2);
  return framed;
}

/**
 * Takes a stream in pieces and gives its messages. The reader returns false, for good, once a message of a length that
 * `accepts` refuses is announced.
 */
export function frameReader(
  take: (message: Buffer) => void,
  accepts: (length: number) => boolean = () => true,
): (piece: Buffer) => boolean {
  let rest: Buffer = Buffer.alloc(0);
  return (piece) => {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    while (rest.length >= 2) {
      const end = 2 + rest.readUInt16BE(0);
      if (!accepts(end - 2)) return false;
      if (rest.length < end) break;
      const message = rest.subarray(2, end);
      rest = rest.subarray(end);
      take(message);
    }
    return true;
  };
}

/** Whether it answers that very question: the id, and the question in any spelling. Errors may come without it. */
export function isReplyTo({ packet, questionEnd }: Question, reply: Uint8Array): boolean {
  if (reply.length < HEADER_BYTES || (reply[2]! & 0x80) === 0 || u16(reply, 0) !== u16(packet, 0))
    return false;
  if (u16(reply, 4) === 0) return (reply[3]! & 15) !== NOERROR;
  if (u16(reply, 4) !== 1 || reply.length < questionEnd) return false;
  for (let at = HEADER_BYTES; at < questionEnd; at++) {
    if (reply[at] !== packet[at] && lower(reply[at]!) !== lower(packet[at]!)) return false;
  }
  return true;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}
