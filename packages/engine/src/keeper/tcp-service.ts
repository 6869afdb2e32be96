/** Answers DNS over TCP on a listening socket: several queries on a connection, also before the first is answered. */
import { createServer, type Server, type Socket } from 'node:net';
import { HEADER_BYTES } from './answer.ts';
import { frame, frameReader } from './upstream.ts';

/** Clients of one sandbox at a time; later ones are turned away. */
const MAX_CONNECTIONS = 256;
/** A client that neither asks nor is owed an answer, or does not read its answers, is let go (RFC 7766 section 6.2.3). */
const IDLE_MS = 10_000;
/** No query is longer; a client that announces more is not speaking DNS. */
const MAX_QUERY_BYTES = 4096;
/** Queries of one connection that wait for an answer; more are not read until then. */
const MAX_PENDING = 64;
/** Answers that the client does not read are kept up to this size, then no more queries are read. */
const MAX_UNREAD_BYTES = 128 * 1024;

/** Gives the answer to a query; undefined for what deserves none. */
export type TcpAnswer = (query: Buffer) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

export class TcpService {
  readonly #server: Server;
  readonly #connections = new Set<Socket>();

  /** Takes over the descriptor of a bound socket. @param onError hears of failures of the listening socket */
  constructor(fd: number, answer: TcpAnswer, onError: (error: Error) => void) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket, answer));
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('error', onError);
    this.#server.listen({ fd });
  }

  /** Takes no more connections; those that are open end when they have been answered. */
  retire(): void {
    this.#server.close();
  }

  /** Closes everything at once. Resolves when nothing is open any more. */
  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const socket of this.#connections) socket.destroy();
    return promise;
  }

  #serve(socket: Socket, answer: TcpAnswer): void {
    this.#connections.add(socket);
    let pending = 0;
    const reply = (message: Uint8Array | undefined) => {
      pending--;
      if (message !== undefined && !socket.destroyed) socket.write(frame(message));
      reconsider();
    };
    const reconsider = () => {
      if (socket.destroyed) return;
      if (pending < MAX_PENDING && socket.writableLength < MAX_UNREAD_BYTES) socket.resume();
      else socket.pause();
      if (pending === 0 && socket.readableEnded) socket.end();
    };
    const read = frameReader(
      (query) => {
        pending++;
        const answered = answer(query);
        if (answered instanceof Promise) answered.then(reply, () => reply(undefined));
        else reply(answered);
      },
      (length) => length >= HEADER_BYTES && length <= MAX_QUERY_BYTES,
    );
    socket.on('data', (piece: Buffer) => {
      if (read(piece)) reconsider();
      else socket.destroy();
    });
    socket.on('drain', reconsider);
    socket.on('end', reconsider);
    socket.setTimeout(IDLE_MS, () => {
      if (pending === 0 || socket.writableLength > 0) socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
  }
}
