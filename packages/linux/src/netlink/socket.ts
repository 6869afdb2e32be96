/**
 * A netlink socket: request, answer, dump. It works on the calling thread and waits there: the kernel
 * answers requests before send(2) returns, so waiting is short unless the work itself sleeps.
 * Source: netlink(7), linux/netlink.h.
 */
import { LinuxError } from '../errno.ts';
import * as libc from '../libc.ts';
import { type NamespaceHandle, runInNamespace } from '../netns.ts';
import { MalformedMessageError, Writer } from './codec.ts';
import {
  type Frame,
  frames,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  NLMSG_OVERRUN,
  readAcknowledgement,
  writeMessage,
} from './message.ts';

/** Socket options. Source: linux/netlink.h. */
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

/** Answers that were never read may take this much kernel memory before they are lost (ENOBUFS). */
const RECEIVE_BUFFER_BYTES = 1 << 20;

/** A request per send(2): as many as surely fit, whatever they hold. Beyond it a batch is sent in parts. */
const MAX_BATCH_BYTES = 64 * 1024;
const MAX_BATCH_REQUESTS = 512;

/** How often a dump is taken anew when the tables change while it is read. */
const DUMP_ATTEMPTS = 20;

/** The kernel makes dump parts of at most 32 KiB (linux/netlink.h, NLMSG_GOODSIZE and netlink_dump). */
const receiveBuffer = new Uint8Array(64 * 1024);
const receiveView = new DataView(receiveBuffer.buffer);
/** All calls are synchronous and decode before they return, so one buffer each way serves the whole thread. */
const writer = new Writer();

/** The kernel refused a netlink request. */
export class NetlinkError extends LinuxError {
  override name = 'NetlinkError';
  /** What was attempted: `create bridge docker0`. */
  readonly request: string;
  /** The kernel's own words, where it had any. */
  readonly extendedAck: string | undefined;
  /** Where in the request's bytes the offending attribute starts, where the kernel said so. */
  readonly attributeOffset: number | undefined;
  /** Which request of the batch failed, from 0. */
  readonly index: number;

  constructor(errno: number, request: string, extendedAck?: string, attributeOffset?: number, index = 0) {
    super(errno, 'netlink', request);
    if (extendedAck !== undefined) this.message += `: ${extendedAck}`;
    this.request = request;
    this.extendedAck = extendedAck;
    this.attributeOffset = attributeOffset;
    this.index = index;
  }
}

/** One message to send. */
export interface NetlinkRequest {
  readonly type: number;
  /** Beside NLM_F_REQUEST, NLM_F_ACK and NLM_F_DUMP, which the socket adds. */
  readonly flags: number;
  /** For errors. */
  readonly description: string;
  /** Writes what follows the message header. */
  readonly body: (writer: Writer) => void;
}

export interface NetlinkSocketOptions {
  /** The namespace that the socket is opened in and speaks about ever after. @default that of the calling thread */
  readonly namespace?: string | NamespaceHandle;
}

/** Opens a netlink socket in a namespace, bound to multicast groups given as bits. The descriptor is the caller's. */
export function openNetlink(protocol: number, groups: number, { namespace }: NetlinkSocketOptions): number {
  const open = () => libc.socket(libc.AF_NETLINK, libc.SOCK_RAW, protocol);
  const fd = namespace === undefined ? open() : runInNamespace(namespace, open);
  try {
    libc.bind(fd, encodeAddress(groups));
    libc.setsockopt(fd, libc.SOL_SOCKET, libc.SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** struct sockaddr_nl: u16 family, u16 padding, u32 port (0: the kernel chooses, or the kernel's own), u32 groups. */
function encodeAddress(groups: number): Uint8Array {
  const address = new DataView(new ArrayBuffer(12));
  address.setUint16(0, libc.AF_NETLINK, true);
  address.setUint32(8, groups, true);
  return new Uint8Array(address.buffer);
}

/** A socket that sends requests and reads their answers. Not for multicast groups: see RouteMonitor. */
export class NetlinkSocket implements Disposable {
  #fd: number;
  readonly #port: number;
  #sequence = 0;

  private constructor(fd: number, port: number) {
    this.#fd = fd;
    this.#port = port;
  }

  /** Throws LinuxError when the namespace cannot be entered or the protocol is unknown. */
  static open(protocol: number, options: NetlinkSocketOptions = {}): NetlinkSocket {
    const fd = openNetlink(protocol, 0, options);
    try {
      libc.setsockopt(fd, libc.SOL_NETLINK, NETLINK_EXT_ACK, 1);
      libc.setsockopt(fd, libc.SOL_NETLINK, NETLINK_CAP_ACK, 1);
      libc.setsockopt(fd, libc.SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
      // Connected to the kernel (port 0), the socket takes no message from any other process.
      libc.connect(fd, encodeAddress(0), 'connect to netlink');
      const port = new DataView(libc.getsockname(fd).slice().buffer).getUint32(4, true);
      return new NetlinkSocket(fd, port);
    } catch (error) {
      libc.close(fd);
      throw error;
    }
  }

  /**
   * Sends all requests in one send(2) (in parts, when they exceed 64 KiB or 512) and waits for the outcome.
   * The kernel works through all of them even when one fails; then the error of the first failure is thrown.
   * Throws NetlinkError with the failing request's `index`.
   */
  execute(requests: readonly NetlinkRequest[]): void {
    let failure: NetlinkError | undefined;
    for (let next = 0; next < requests.length; ) {
      const count = this.#sendBatch(requests, next);
      const batchFailure = this.#readOutcome(requests, next, count);
      failure ??= batchFailure;
      next += count;
    }
    if (failure !== undefined) throw failure;
  }

  /**
   * Sends requests between two frames and waits for the outcome: a transaction, of which nothing is done when one fails.
   * Throws NetlinkError with the failing request's `index` (0 for the transaction as a whole), RangeError for none.
   * @param begin, end messages that are neither requests nor answered by themselves. Source: linux/netfilter/nfnetlink.h
   */
  transact(begin: NetlinkRequest, requests: readonly NetlinkRequest[], end: NetlinkRequest): void {
    const last = requests.length - 1;
    if (last < 0) throw new RangeError('a transaction needs a request');
    const first = (this.#sequence + 1) >>> 0;
    writer.reset();
    for (const [index, { type, flags, body }] of [begin, ...requests, end].entries()) {
      this.#sequence = (this.#sequence + 1) >>> 0;
      // The end itself is answered by newer kernels only (Linux 6.10).
      const acknowledged = index === last + 1 ? NLM_F_ACK : 0;
      writeMessage(writer, type, flags | NLM_F_REQUEST | acknowledged, this.#sequence, body);
    }
    libc.send(this.#fd, writer.bytes());
    this.#readTransaction(first, requests);
  }

  /** Reads until the last request is answered, or the transaction as a whole; throws the first failure. */
  #readTransaction(first: number, requests: readonly NetlinkRequest[]): void {
    let failure: NetlinkError | undefined;
    for (let isOpen = true; isOpen; ) {
      for (const frame of this.#receive()) {
        // 0 is the beginning, to which a failure belongs that no request is to blame for.
        const position = (frame.sequence - first) >>> 0;
        if (frame.type !== NLMSG_ERROR || position > requests.length) continue;
        const index = Math.max(0, position - 1);
        const { errno } = readAcknowledgement(receiveView, frame);
        if (errno !== 0) failure ??= this.#toError(frame, requests[index]!, index);
        if (position === 0 || position === requests.length) isOpen = false;
      }
    }
    if (failure !== undefined) throw failure;
  }

  /** Sends one request and returns what `read` makes of its single answer. Throws NetlinkError. */
  get<T>(request: NetlinkRequest, read: (view: DataView, frame: Frame) => T): T {
    this.#send(request, 0);
    for (;;) {
      for (const frame of this.#receive()) {
        if (frame.sequence !== this.#sequence) continue;
        if (frame.type === NLMSG_ERROR) throw this.#toError(frame, request, 0);
        return read(receiveView, frame);
      }
    }
  }

  /**
   * Sends one dump request and returns what `read` makes of each message (undefined leaves it out).
   * A dump that the kernel says was disturbed is thrown away and taken again. Throws NetlinkError.
   */
  dump<T>(request: NetlinkRequest, read: (view: DataView, frame: Frame) => T | undefined): T[] {
    for (let attempt = 1; attempt <= DUMP_ATTEMPTS; attempt += 1) {
      this.#send(request, NLM_F_DUMP);
      const { items, interrupted } = this.#readDump(request, read);
      if (!interrupted) return items;
    }
    throw new NetlinkError(
      4,
      request.description,
      `it changed during each of ${DUMP_ATTEMPTS} attempts to read it`,
    );
  }

  /** Closes the socket. Closing again does nothing. */
  close(): void {
    if (this.#fd === -1) return;
    const fd = this.#fd;
    this.#fd = -1;
    libc.close(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #send(request: NetlinkRequest, flags: number): void {
    this.#sequence = (this.#sequence + 1) >>> 0;
    writer.reset();
    writeMessage(writer, request.type, request.flags | NLM_F_REQUEST | flags, this.#sequence, request.body);
    libc.send(this.#fd, writer.bytes());
  }

  /** Sends requests from `next` on, as many as make one batch, and returns how many. */
  #sendBatch(requests: readonly NetlinkRequest[], next: number): number {
    writer.reset();
    let count = 0;
    let last = 0;
    while (
      next + count < requests.length &&
      count < MAX_BATCH_REQUESTS &&
      writer.position < MAX_BATCH_BYTES
    ) {
      const { type, flags, body } = requests[next + count]!;
      this.#sequence = (this.#sequence + 1) >>> 0;
      last = writer.position;
      writeMessage(writer, type, flags | NLM_F_REQUEST, this.#sequence, body);
      count += 1;
    }
    // Failures are always reported. Asking for success once, at the end, saves reading one answer for each.
    addFlags(writer.view, last, NLM_F_ACK);
    libc.send(this.#fd, writer.bytes());
    return count;
  }

  /** Reads until the batch's last request is answered; returns the first failure. */
  #readOutcome(requests: readonly NetlinkRequest[], next: number, count: number): NetlinkError | undefined {
    const first = (this.#sequence - count + 1) >>> 0;
    let failure: NetlinkError | undefined;
    for (;;) {
      for (const frame of this.#receive()) {
        const position = (frame.sequence - first) >>> 0;
        if (frame.type !== NLMSG_ERROR || position >= count) continue;
        const { errno } = readAcknowledgement(receiveView, frame);
        if (errno !== 0) failure ??= this.#toError(frame, requests[next + position]!, next + position);
        if (position === count - 1) return failure;
      }
    }
  }

  #readDump<T>(
    request: NetlinkRequest,
    read: (view: DataView, frame: Frame) => T | undefined,
  ): { items: T[]; interrupted: boolean } {
    const items: T[] = [];
    let interrupted = false;
    for (;;) {
      for (const frame of this.#receive()) {
        if (frame.sequence !== this.#sequence) continue;
        if (frame.flags & NLM_F_DUMP_INTR) interrupted = true;
        if (frame.type === NLMSG_ERROR) throw this.#toError(frame, request, 0);
        if (frame.type === NLMSG_DONE) {
          if (readAcknowledgement(receiveView, frame).errno !== 0) throw this.#toError(frame, request, 0);
          return { items, interrupted };
        }
        const item = read(receiveView, frame);
        if (item !== undefined) items.push(item);
      }
    }
  }

  /** The next datagram's messages that are for this socket. Throws when one was lost or did not fit. */
  *#receive(): Generator<Frame> {
    const length = libc.recv(this.#fd, receiveBuffer, libc.MSG_TRUNC);
    if (length > receiveBuffer.length) {
      throw new MalformedMessageError(`an answer of ${length} bytes is larger than the receive buffer`);
    }
    for (const frame of frames(receiveView, length)) {
      if (frame.type === NLMSG_OVERRUN)
        throw new MalformedMessageError('the kernel says that answers were lost');
      if (frame.port === this.#port && frame.type !== NLMSG_NOOP) yield frame;
    }
  }

  #toError(frame: Frame, request: NetlinkRequest, index: number): NetlinkError {
    const { errno, extended } = readAcknowledgement(receiveView, frame);
    return new NetlinkError(errno, request.description, extended.message, extended.offset, index);
  }
}

function addFlags(view: DataView, messageStart: number, flags: number): void {
  view.setUint16(messageStart + 6, view.getUint16(messageStart + 6, true) | flags, true);
}
