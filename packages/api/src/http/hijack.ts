/**
 * Answers that are not one JSON value: streams whose head must leave at once, and connections that clients take
 * over ("hijack") for a container's input and output.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** What output is called that is framed or not, depending on whether there is a terminal. */
export const RAW_STREAM = 'application/vnd.docker.raw-stream';

/** Sends status and headers now and hands the rest of the response to the caller. */
export function openStream(reply: FastifyReply, status: number, contentType: string): FastifyReply['raw'] {
  reply.hijack();
  const headers = Object.fromEntries(
    Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]),
  );
  // Writing to a client that has just gone is no reason to end the daemon; whoever writes looks at `close`.
  reply.raw.on('error', () => {});
  reply.raw.writeHead(status, { ...headers, 'content-type': contentType });
  reply.raw.flushHeaders();
  return reply.raw;
}

/** Aborts when the client goes away before the answer is complete. */
export function clientSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => controller.abort());
  return controller.signal;
}

/** Connections of upgrade requests, which Node no longer reads as HTTP once their bodies are over, by their request. */
const upgraded = new WeakMap<object, { readonly stream: Duplex; readonly head: Buffer }>();

/**
 * @param stream what follows the request's body, and the way to the client
 * @param head what of that came in one packet with the request
 */
export function rememberUpgrade(request: object, stream: Duplex, head: Buffer): void {
  upgraded.set(request, { stream, head });
}

/** Takes the connection of an upgrade request away from HTTP; undefined where no upgrade was asked for. */
export function takeUpgrade(
  request: FastifyRequest,
  reply: FastifyReply,
): { readonly stream: Duplex; readonly head: Buffer } | undefined {
  const upgrade = upgraded.get(request.raw);
  if (!upgrade) return undefined;
  reply.hijack();
  reply.raw.detachSocket(upgrade.stream as never);
  return upgrade;
}

export interface HijackedConnection {
  /** Readable: what the client sends from now on. Writable: straight to the client. */
  readonly stream: Duplex;
  /** The socket below the stream. */
  readonly socket: Socket;
}

/**
 * Takes over the client's connection. Its bytes arrive from now on; those that came earlier, right behind the
 * request, arrive too where the client asked for an upgrade. Without that they were read as HTTP, so a client has to
 * wait for the answer's head before it sends any, as Docker's do.
 * @param contentType says whether the output is framed
 */
export function hijack(
  request: FastifyRequest,
  reply: FastifyReply,
  contentType: string,
): HijackedConnection {
  const upgrade = takeUpgrade(request, reply);
  reply.hijack();
  const fixed = ['Api-Version', 'Docker-Experimental', 'Ostype', 'Server'].map(
    (name) => `${name}: ${String(reply.getHeader(name))}`,
  );
  const { socket } = request.raw;
  const stream = upgrade?.stream ?? socket;
  if (!upgrade) takeFromParser(socket);
  else if (upgrade.head.length > 0) stream.unshift(upgrade.head);
  const status = upgrade ? 'HTTP/1.1 101 UPGRADED' : 'HTTP/1.1 200 OK';
  // Without an upgrade clients are told nothing about framing, in any version.
  const type = upgrade ? contentType : RAW_STREAM;
  const protocol = upgrade ? ['Connection: Upgrade', 'Upgrade: tcp'] : ['Connection: close'];
  stream.write(`${[status, `Content-Type: ${type}`, ...protocol, ...fixed].join('\r\n')}\r\n\r\n`);
  return { stream, socket };
}

/**
 * Keeps Node from reading on as HTTP. It frees its parser when the connection closes; a listener for data, which the
 * caller will add, makes it hand the bytes over in the first place.
 */
function takeFromParser(socket: Socket): void {
  for (const event of ['data', 'end', 'drain', 'timeout', 'error']) socket.removeAllListeners(event);
}
