/**
 * DNS for stories: a client that asks from inside a network namespace, and a server whose answers a story decides.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, Socket } from 'node:net';
import { openInetSocket, runInNamespace, startConnecting } from '@seaway/linux';
import dns, { type Answer, type DecodedPacket, type Packet, type RecordType } from 'dns-packet';

export const resolverAddress = '127.0.0.11';

export interface AskOptions {
  readonly type?: RecordType;
  readonly overTcp?: boolean;
  /** The UDP size that EDNS offers. @default no EDNS */
  readonly edns?: number;
  /** @default 6000 */
  readonly timeoutMs?: number;
  readonly server?: string;
  /** @default 53 */
  readonly port?: number;
  /** Over TCP: says at once that no more queries will come. */
  readonly endsFirst?: boolean;
}

export type Reply = DecodedPacket & { readonly rcode: string };

/** Asks from inside a namespace. Rejects when no answer comes. */
export async function ask(namespace: string, name: string, options: AskOptions = {}): Promise<Reply> {
  const { type = 'A', edns } = options;
  const query: Packet = {
    type: 'query',
    id: 1 + Math.floor(Math.random() * 65535),
    flags: dns.RECURSION_DESIRED,
    questions: [{ name, type }],
    ...(edns === undefined ? {} : { additionals: [optRecord(edns)] }),
  };
  const [reply] = await exchange(namespace, [dns.encode(query)], options);
  const decoded = dns.decode(reply!) as Reply;
  if (decoded.id !== query.id) throw new Error(`${name}: the answer has id ${decoded.id}`);
  return decoded;
}

/** The addresses or names in an answer, in their order. */
export async function resolve(namespace: string, name: string, options: AskOptions = {}): Promise<string[]> {
  const reply = await ask(namespace, name, options);
  if (reply.rcode !== 'NOERROR') throw new Error(`${name}: ${reply.rcode}`);
  return dataOf(reply);
}

export function dataOf(reply: Packet): string[] {
  return (reply.answers ?? []).map((answer) => String('data' in answer ? answer.data : ''));
}

/** Sends messages to a server at once and gives as many answers, over TCP in the order in which they come. */
export function exchange(
  namespace: string,
  messages: readonly Uint8Array[],
  {
    overTcp = false,
    timeoutMs = 6000,
    server = resolverAddress,
    port = 53,
    endsFirst = false,
  }: AskOptions = {},
): Promise<Buffer[]> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer[]>();
  const replies: Buffer[] = [];
  const take = (reply: Buffer) => {
    if (replies.push(reply) === messages.length) resolve(replies);
  };
  const timer = setTimeout(
    () => reject(new Error(`${replies.length} of ${messages.length} answers came in ${timeoutMs} ms`)),
    timeoutMs,
  );
  const fd = runInNamespace(namespace, () => {
    // Bound at once: Node lets sockets that it is given share a port, and two clients would get each other's answers.
    const socket = overTcp ? openInetSocket('tcp', 'ipv4') : openInetSocket('udp', 'ipv4', '0.0.0.0');
    if (overTcp) startConnecting(socket.fd, server, port);
    return socket.fd;
  });
  const close = overTcp
    ? talkOverTcp(fd, messages, endsFirst, take, reject)
    : talkOverUdp(fd, { server, port }, messages, take, reject);
  return promise.finally(() => {
    clearTimeout(timer);
    close();
  });
}

function talkOverUdp(
  fd: number,
  { server, port }: { readonly server: string; readonly port: number },
  messages: readonly Uint8Array[],
  take: (reply: Buffer) => void,
  fail: (error: Error) => void,
): () => void {
  const socket = createSocket('udp4').bind({ fd });
  socket.on('error', fail);
  // Connected, so that only what comes from that port of the server is taken.
  socket.connect(port, server, () => {
    for (const message of messages) socket.send(message);
  });
  socket.on('message', take);
  return () => socket.close();
}

function talkOverTcp(
  fd: number,
  messages: readonly Uint8Array[],
  endsFirst: boolean,
  take: (reply: Buffer) => void,
  fail: (error: Error) => void,
): () => void {
  const socket = new Socket({ fd, readable: true, writable: true });
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the server closed the connection')));
  socket.on('data', framed(take));
  socket.write(Buffer.concat(messages.map((message) => frame(message))));
  if (endsFirst) socket.end();
  return () => socket.destroy();
}

/** A server that a story makes up. */
export interface DnsServer {
  /** Queries that came, `udp name` or `tcp name`. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** What a server is asked. */
export interface Asked {
  readonly name: string;
  readonly type: string;
  readonly overTcp: boolean;
  readonly query: DecodedPacket;
}

/** A part of an answer; the rest is filled in. Undefined: silence. */
export type Answering = (asked: Asked) => (Packet & { readonly rcode?: number }) | undefined;

/** Serves UDP and TCP at an address and port 53 of a namespace. */
export async function serveDns(namespace: string, address: string, answer: Answering): Promise<DnsServer> {
  const [udpFd, tcpFd] = runInNamespace(namespace, () => [
    openInetSocket('udp', 'ipv4', address, 53).fd,
    openInetSocket('tcp', 'ipv4', address, 53).fd,
  ]) as [number, number];
  const asked: string[] = [];
  const reply = (message: Buffer, overTcp: boolean): Buffer | undefined => {
    const query = dns.decode(message);
    const [{ name, type }] = query.questions as [{ name: string; type: string }];
    asked.push(`${overTcp ? 'tcp' : 'udp'} ${name}`);
    const part = answer({ name, type, overTcp, query });
    if (part === undefined) return undefined;
    const { rcode = 0, ...rest } = part;
    const flags = (rest.flags ?? dns.RECURSION_DESIRED | dns.RECURSION_AVAILABLE) | rcode;
    return dns.encode({ id: query.id!, type: 'response', questions: query.questions!, ...rest, flags });
  };
  const udp: UdpSocket = createSocket('udp4').bind({ fd: udpFd });
  udp.on('message', (message, from) => {
    const bytes = reply(message, false);
    if (bytes !== undefined) udp.send(bytes, from.port, from.address);
  });
  const connections = new Set<Socket>();
  const tcp: Server = createServer((socket) => {
    connections.add(socket);
    socket.on('error', () => {});
    socket.on(
      'data',
      framed((message) => {
        const bytes = reply(message, true);
        if (bytes !== undefined) socket.write(frame(bytes));
      }),
    );
  });
  await new Promise<void>((resolve) => tcp.listen({ fd: tcpFd }, resolve));
  return {
    asked,
    close: async () => {
      udp.close();
      for (const socket of connections) socket.destroy();
      await new Promise((resolve) => tcp.close(resolve));
    },
  };
}

/** An A record. */
export function addressRecord(name: string, data: string): Answer {
  return { type: 'A', name, data, ttl: 60 };
}

function optRecord(udpPayloadSize: number): Answer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
}

function frame(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(message.length >> 8, message.length & 0xff), message]);
}

function framed(take: (message: Buffer) => void): (piece: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (piece) => {
    rest = Buffer.concat([rest, piece]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const end = 2 + rest.readUInt16BE(0);
      take(rest.subarray(2, end));
      rest = rest.subarray(end);
    }
  };
}
