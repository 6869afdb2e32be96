/** One sandbox as the keeper's main thread serves it: TCP, forwarding, and the replies to what was forwarded. */
import { isIP } from 'node:net';
import { sendDatagram } from '@seaway/linux/sockets';
import { answerQuery, FORWARD, IGNORE } from './answer.ts';
import { Forwarder, type Upstreams } from './forwarder.ts';
import type { HostServers } from './host-servers.ts';
import type { NameBook } from './names.ts';
import type { ResolverSandbox } from './protocol.ts';
import { closeSandboxSockets, RESOLVER_ADDRESS, type SandboxSockets } from './sandbox-sockets.ts';
import { TcpService } from './tcp-service.ts';
import type { HandedOver, UdpService } from './udp-thread-protocol.ts';

/** What the sandboxes of one keeper share. */
export interface Surroundings {
  readonly book: NameBook;
  readonly hostServers: HostServers;
  complain(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** At most one complaint about questions without an answer in this time. */
const COMPLAIN_EVERY_MS = 10_000;

/** Replies over TCP are made here, one after the other. */
const tcpReply = new Uint8Array(0xffff);

export class ServedSandbox {
  readonly sockets: SandboxSockets;
  readonly slot: number;
  /** As it was put last. */
  definition: ResolverSandbox;
  readonly #surroundings: Surroundings;
  readonly #handedOver = new Int32Array(new SharedArrayBuffer(4));
  readonly #forwarder: Forwarder;
  readonly #tcp: TcpService;
  #closed = false;
  #unanswered = 0;
  #complainedAt = Number.NEGATIVE_INFINITY;

  /** Takes over the sockets and serves TCP at once. @param slot its number for the UDP thread */
  constructor(
    definition: ResolverSandbox,
    sockets: SandboxSockets,
    slot: number,
    surroundings: Surroundings,
  ) {
    this.definition = definition;
    this.sockets = sockets;
    this.slot = slot;
    this.#surroundings = surroundings;
    this.#forwarder = new Forwarder(
      () => this.#upstreams(),
      ({ name, reasons }) => this.#complain(name, reasons),
    );
    this.#tcp = new TcpService(
      sockets.tcp.fd,
      (query) => this.#answerOverTcp(query),
      (error) =>
        surroundings.complain('a resolver cannot listen', { ...this.#facts(), reason: error.message }),
    );
  }

  /** How the UDP thread is to serve it. */
  get udpService(): UdpService {
    return {
      slot: this.slot,
      fd: this.sockets.udp.fd,
      sandbox: this.definition.id,
      handedOver: this.#handedOver,
    };
  }

  /** Questions that other servers have been asked over UDP. */
  get underWay(): number {
    return Atomics.load(this.#handedOver, 0);
  }

  /** Asks other servers in the UDP thread's place and answers the client. */
  async forward({ packet, sender }: HandedOver): Promise<void> {
    try {
      const reply = await this.#forwarder.forward(packet, false);
      // Its number may be another descriptor's by now.
      if (!this.#closed) sendDatagram(this.sockets.udp.fd, reply, sender);
    } catch (error) {
      this.#complain(undefined, [error instanceof Error ? error.message : String(error)]);
    } finally {
      Atomics.sub(this.#handedOver, 0, 1);
    }
  }

  /** Takes no more connections; what is under way goes on. */
  retire(): void {
    this.#tcp.retire();
  }

  /** Closes everything. The UDP thread must have stopped serving the socket. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#forwarder.close();
    closeSandboxSockets(this.sockets);
    await this.#tcp.close();
  }

  #answerOverTcp(query: Buffer): Uint8Array | undefined | Promise<Uint8Array> {
    const names = this.#surroundings.book.sandbox(this.definition.id);
    if (names === undefined) return undefined;
    const length = answerQuery(query, query.length, names, tcpReply, true);
    if (length === FORWARD) return this.#forwarder.forward(query, true);
    return length === IGNORE ? undefined : tcpReply.subarray(0, length);
  }

  /** Its own servers are asked from inside, where 127.0.0.1 is the container; the host's are asked from the host. */
  #upstreams(): Upstreams {
    const { servers, forwardsFromHost } = this.definition;
    if (servers !== undefined) {
      // Asking our own address would lead back to this place.
      const others = servers.filter((server) => isIP(server) !== 0 && server !== RESOLVER_ADDRESS);
      return { servers: others, namespace: this.sockets.namespace };
    }
    const { hostServers } = this.#surroundings;
    return { servers: forwardsFromHost ? hostServers.list() : [] };
  }

  #complain(name: string | undefined, reasons: readonly string[]): void {
    // An internal network has nobody to ask: that is no news.
    if (reasons.length === 0) return;
    this.#unanswered++;
    const now = performance.now();
    if (now - this.#complainedAt < COMPLAIN_EVERY_MS) return;
    this.#complainedAt = now;
    const facts = { ...this.#facts(), name, reasons, count: this.#unanswered };
    this.#surroundings.complain('no name server answered', facts);
    this.#unanswered = 0;
  }

  #facts(): Record<string, unknown> {
    return { sandbox: this.definition.id, namespace: this.definition.namespace };
  }
}
