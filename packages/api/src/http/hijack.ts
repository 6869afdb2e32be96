/**
 * Answers that are not one JSON value: streams whose head must leave at once, and connections that clients take
 * over ("hijack") for a container's input and output.
 */
import type { Duplex } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

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

/** Connections of upgrade requests, which Node no longer reads as HTTP, by their request. */
const upgraded = new WeakMap<object, { readonly socket: Duplex; readonly head: Buffer }>();

export function rememberUpgrade(request: object, socket: Duplex, head: Buffer): void {
  upgraded.set(request, { socket, head });
}

export interface HijackedConnection {
  /** Readable: what the client sends from now on. Writable: straight to the client. */
  readonly stream: Duplex;
}

/**
 * Takes over the client's connection. With an upgrade request the client's bytes arrive too; without one the
 * connection carries output alone.
 * @param contentType says whether the output is framed
 */
export function hijack(
  request: FastifyRequest,
  reply: FastifyReply,
  contentType: string,
): HijackedConnection {
  const upgrade = upgraded.get(request.raw);
  reply.hijack();
  const fixed = ['Api-Version', 'Docker-Experimental', 'Ostype', 'Server'].map(
    (name) => `${name}: ${String(reply.getHeader(name))}`,
  );
  const socket = upgrade?.socket ?? request.raw.socket;
  const status = upgrade ? 'HTTP/1.1 101 UPGRADED' : 'HTTP/1.1 200 OK';
  const protocol = upgrade ? ['Connection: Upgrade', 'Upgrade: tcp'] : ['Connection: close'];
  if (upgrade) reply.raw.detachSocket(upgrade.socket as never);
  if (upgrade && upgrade.head.length > 0) socket.unshift(upgrade.head);
  socket.write(`${[status, `Content-Type: ${contentType}`, ...protocol, ...fixed].join('\r\n')}\r\n\r\n`);
  return { stream: socket };
}
