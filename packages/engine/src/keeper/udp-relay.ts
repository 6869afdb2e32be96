/** Passes the datagrams of one socket on to a target, and the target's answers back to whom they belong. */
import { isIPv6 } from 'node:net';
import {
  AddressedDatagrams,
  closeFd,
  type DatagramRoute,
  keepRoute,
  LinuxError,
  openInetSocket,
  receiveNow,
  sendNow,
  setReceiveBuffer,
  startConnecting,
  tellLocalAddress,
} from '@seaway/linux';
import type { RelayTarget } from './protocol.ts';
import type { Handler, RelayLoop } from './relay-loop.ts';
import type { RelayService } from './relay-thread-protocol.ts';

/** A client that neither sends nor gets anything for so long is forgotten. */
export const IDLE_MS = 90_000;
/** Clients of one port at a time; for one more, the one that was silent longest is forgotten. */
const MAX_SESSIONS = 1024;
/** Datagrams received at a time. */
const BATCH = 16;
/** Answers of one session in a row before others get their turn. */
const ANSWERS_PER_TURN = 64;
const RECEIVE_BUFFER_BYTES = 1 << 20;

/** Datagrams are passed on before the next ones are received. */
const datagrams = new AddressedDatagrams(BATCH);
const answer = new Uint8Array(65_535);

/** One client, and the socket by which the target knows it. */
class Session implements Handler {
  readonly fd: number;
  readonly #route: DatagramRoute;
  readonly #loop: RelayLoop;
  readonly #id: number;
  readonly #onAnswer: (data: Uint8Array, route: DatagramRoute) => void;
  usedAt = performance.now();

  /** Throws LinuxError. */
  constructor(
    route: DatagramRoute,
    { address, port }: RelayTarget,
    loop: RelayLoop,
    onAnswer: (data: Uint8Array, route: DatagramRoute) => void,
  ) {
    this.#route = route;
    this.#loop = loop;
    this.#onAnswer = onAnswer;
    this.fd = openInetSocket('udp', isIPv6(address) ? 'ipv6' : 'ipv4').fd;
    this.#id = loop.register(this);
    try {
      startConnecting(this.fd, address, port);
      loop.watch(this.fd, this.#id);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  onReady(): void {
    for (let count = 0; count < ANSWERS_PER_TURN; count++) {
      const length = orNone(() => receiveNow(this.fd, answer)) ?? -1;
      if (length < 0) return;
      this.usedAt = performance.now();
      this.#onAnswer(answer.subarray(0, length), this.#route);
    }
  }

  close(): void {
    this.#loop.unregister(this.#id);
    closeFd(this.fd);
  }
}

export class UdpRelay implements Handler {
  readonly #fd: number;
  readonly #loop: RelayLoop;
  readonly #id: number;
  /** By both ends of the client's datagrams, the one that sent last being the last. */
  readonly #sessions = new Map<string, Session>();
  #target: RelayTarget;

  /** Throws LinuxError. */
  constructor({ fd, family, target }: RelayService, loop: RelayLoop) {
    this.#fd = fd;
    this.#target = target;
    this.#loop = loop;
    tellLocalAddress(fd, family);
    setReceiveBuffer(fd, RECEIVE_BUFFER_BYTES);
    this.#id = loop.register(this);
    loop.watch(fd, this.#id);
  }

  onReady(): void {
    const count = orNone(() => datagrams.receive(this.#fd)) ?? 0;
    for (let index = 0; index < count; index++) {
      orNone(() => {
        const session = this.#session(datagrams.route(index));
        session.usedAt = performance.now();
        sendNow(session.fd, datagrams.data(index));
      });
    }
  }

  /** From now on to another target. */
  move(target: RelayTarget): void {
    this.#target = target;
    this.#closeSessions();
  }

  stop(): void {
    this.#loop.unwatch(this.#fd);
    this.#loop.unregister(this.#id);
    this.#closeSessions();
  }

  /** Forgets clients that have been silent. */
  sweep(now: number): void {
    for (const [key, session] of this.#sessions) {
      if (now - session.usedAt < IDLE_MS) continue;
      this.#sessions.delete(key);
      session.close();
    }
  }

  /** Throws LinuxError. */
  #session(route: DatagramRoute): Session {
    const key = `${latin1(route.peer)} ${latin1(route.local)}`;
    const known = this.#sessions.get(key);
    this.#sessions.delete(key);
    const session = known ?? this.#open(keepRoute(route));
    this.#sessions.set(key, session);
    return session;
  }

  #open(route: DatagramRoute): Session {
    const [oldest] = this.#sessions;
    if (oldest !== undefined && this.#sessions.size >= MAX_SESSIONS) {
      this.#sessions.delete(oldest[0]);
      oldest[1].close();
    }
    return new Session(route, this.#target, this.#loop, (data, to) => datagrams.answer(this.#fd, data, to));
  }

  #closeSessions(): void {
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
  }
}

/** Undefined where the kernel refuses: the target does not listen or cannot be reached. Datagrams may be lost. */
function orNone<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    return undefined;
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
