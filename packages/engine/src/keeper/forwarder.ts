/** Asks other servers what the names of a sandbox's networks do not answer. */
import { randomInt } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { NamespaceHandle } from '@seaway/linux/sockets';
import {
  newQuery,
  type Query,
  REFUSED,
  readQuery,
  SERVFAIL,
  setU16,
  u16,
  udpLimit,
  writeEmpty,
  writeTruncated,
} from './answer.ts';
import { MAX_IN_FLIGHT, MAX_WAITING } from './forwarder-limits.ts';
import { askOverTcp, askOverUdp, type Origin, type Question } from './upstream.ts';

/** Servers that are asked, one after the other. */
const MAX_SERVERS = 3;
const TURN_TIMEOUT_MS = 4000;

/** Where a sandbox's questions go at the moment. */
export interface Upstreams {
  /** In order of preference. */
  readonly servers: readonly string[];
  /** From where they are asked. @default the host's namespace */
  readonly namespace?: NamespaceHandle;
}

/** One sandbox's forwarding. */
export class Forwarder {
  readonly #upstreams: () => Upstreams;
  readonly #complain: (facts: {
    readonly name: string | undefined;
    readonly reasons: readonly string[];
  }) => void;
  readonly #waiting = new Set<(isMyTurn: boolean) => void>();
  readonly #closing = new AbortController();
  #inFlight = 0;

  /** @param upstreams asked anew for each question; @param complain hears of questions that nobody answered */
  constructor(
    upstreams: () => Upstreams,
    complain: (facts: { readonly name: string | undefined; readonly reasons: readonly string[] }) => void,
  ) {
    this.#upstreams = upstreams;
    this.#complain = complain;
    // Each question listens.
    setMaxListeners(MAX_IN_FLIGHT + 1, this.#closing.signal);
  }

  /** @param packet a query that `answerQuery` said to forward @returns the reply for the client, always one */
  async forward(packet: Uint8Array, overTcp: boolean): Promise<Uint8Array> {
    const query = newQuery();
    if (!readQuery(packet, packet.length, query)) throw new Error('not a query that can be forwarded');
    if (!(await this.#turn())) return failure(packet, query, REFUSED);
    try {
      return await this.#askAll(packet, query, overTcp);
    } finally {
      this.#inFlight--;
      const [next] = this.#waiting;
      next?.(true);
    }
  }

  /** Gives up what is under way, and refuses what waits for its turn. */
  close(): void {
    this.#closing.abort();
    for (const settle of [...this.#waiting]) settle(false);
  }

  /** Waits for a free place and takes it; false when none becomes free in time. */
  async #turn(): Promise<boolean> {
    if (this.#inFlight >= MAX_IN_FLIGHT) {
      if (this.#waiting.size >= MAX_WAITING) return false;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const timer = setTimeout(() => settle(false), TURN_TIMEOUT_MS);
      const settle = (isMyTurn: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        // Taken at once, so that no other question comes in between.
        if (isMyTurn) this.#inFlight++;
        resolve(isMyTurn);
      };
      this.#waiting.add(settle);
      return promise;
    }
    this.#inFlight++;
    return true;
  }

  async #askAll(packet: Uint8Array, query: Query, overTcp: boolean): Promise<Uint8Array> {
    const { servers, namespace } = this.#upstreams();
    const closed = this.#closing.signal;
    const origin: Origin = namespace === undefined ? { closed } : { namespace, closed };
    const reasons: string[] = [];
    for (const server of servers.slice(0, MAX_SERVERS)) {
      if (closed.aborted) break;
      try {
        const reply = await askOne(server, packet, query, overTcp, origin);
        const code = reply[3]! & 15;
        if (code !== SERVFAIL && code !== REFUSED) return reply;
        reasons.push(`${server} answered ${code === SERVFAIL ? 'SERVFAIL' : 'REFUSED'}`);
      } catch (error) {
        reasons.push(error instanceof Error ? error.message : String(error));
      }
    }
    if (!closed.aborted) this.#complain({ name: query.name, reasons });
    return failure(packet, query, SERVFAIL);
  }
}

/** Asks one server over the client's own protocol; over TCP too, when only that brings all that the client takes. */
async function askOne(
  server: string,
  packet: Uint8Array,
  query: Query,
  overTcp: boolean,
  origin: Origin,
): Promise<Buffer> {
  const question = disguised(packet, query);
  let reply = overTcp
    ? await askOverTcp(server, question, origin)
    : await askOverUdp(server, question, origin);
  if (!overTcp) {
    const limit = udpLimit(query);
    const isTruncated = (reply[2]! & 0x02) !== 0;
    if (isTruncated && limit > 512) {
      const whole = await askOverTcp(server, disguised(packet, query), origin).catch(() => undefined);
      if (whole !== undefined && whole.length <= limit) reply = whole;
    }
    if (reply.length > limit) reply = truncated(packet, query);
  }
  setU16(reply, 0, u16(packet, 0));
  return reply;
}

/** The query under an id of our own: who guesses the client's id cannot answer in the server's place. */
function disguised(packet: Uint8Array, query: Query): Question {
  const copy = Uint8Array.from(packet);
  setU16(copy, 0, randomInt(0x10000));
  return { packet: copy, questionEnd: query.questionEnd };
}

/** A reply that holds nothing but a code. */
export function failure(packet: Uint8Array, query: Query, code: number): Uint8Array {
  const out = new Uint8Array(512);
  return out.subarray(0, writeEmpty(packet, query, code, out));
}

function truncated(packet: Uint8Array, query: Query): Buffer {
  const out = Buffer.alloc(512);
  return out.subarray(0, writeTruncated(packet, query, out));
}
