/**
 * Datagrams in batches: received with one system call, answered with another. For servers on a thread of their own,
 * where a few foreign calls for many datagrams cost far less than an event for each.
 * Source: recvmmsg(2), sendmmsg(2), linux/socket.h.
 */
import { isErrno } from './errno.ts';
import * as libc from './libc.ts';

/** struct mmsghdr on 64-bit machines: struct msghdr of 56 bytes, u32 length, padding. */
const MMSGHDR_BYTES = 64;
const NAME_OFFSET = 0;
const NAME_LENGTH_OFFSET = 8;
const IOV_OFFSET = 16;
const IOV_COUNT_OFFSET = 24;
const FLAGS_OFFSET = 48;
const LENGTH_OFFSET = 56;
/** struct iovec: pointer, size_t. */
const IOVEC_BYTES = 16;
/** struct sockaddr_in. */
const ADDRESS_BYTES = 16;

/** Messages with room for their bytes and addresses, laid out once. */
class Messages {
  readonly headers: libc.NativeMemory;
  readonly vectors: libc.NativeMemory;
  readonly addresses: readonly Uint8Array[];
  readonly slots: readonly Uint8Array[];

  constructor(count: number, slotBytes: number) {
    this.headers = libc.allocate(count * MMSGHDR_BYTES);
    this.vectors = libc.allocate(count * IOVEC_BYTES);
    const addresses = libc.allocate(count * ADDRESS_BYTES);
    const data = libc.allocate(count * slotBytes);
    const part = (memory: libc.NativeMemory, size: number) =>
      Array.from({ length: count }, (_, index) => memory.bytes.subarray(index * size, (index + 1) * size));
    this.addresses = part(addresses, ADDRESS_BYTES);
    this.slots = part(data, slotBytes);
    for (let index = 0; index < count; index++) {
      const header = index * MMSGHDR_BYTES;
      const { view } = this.headers;
      setPointer(view, header + NAME_OFFSET, addresses.address + index * ADDRESS_BYTES);
      view.setUint32(header + NAME_LENGTH_OFFSET, ADDRESS_BYTES, true);
      setPointer(view, header + IOV_OFFSET, this.vectors.address + index * IOVEC_BYTES);
      setPointer(view, header + IOV_COUNT_OFFSET, 1);
      setPointer(this.vectors.view, index * IOVEC_BYTES, data.address + index * slotBytes);
      setPointer(this.vectors.view, index * IOVEC_BYTES + 8, slotBytes);
    }
  }
}

function setPointer(view: DataView, at: number, value: number): void {
  view.setBigUint64(at, BigInt(value), true);
}

/**
 * Receives up to `capacity` IPv4 datagrams, then sends replies to them. One serves any number of sockets, one after the
 * other. Its memory is never given back.
 */
export class DatagramBatch {
  readonly capacity: number;
  readonly #received: Messages;
  readonly #replies: Messages;
  #replyCount = 0;

  /** @param receiveBytes a longer datagram is cut; @param replyBytes the largest reply */
  constructor(capacity: number, receiveBytes: number, replyBytes: number) {
    this.capacity = capacity;
    this.#received = new Messages(capacity, receiveBytes);
    this.#replies = new Messages(capacity, replyBytes);
  }

  /** Takes what has arrived, without waiting, and returns how many. Forgets earlier replies. Throws LinuxError. */
  receive(fd: number): number {
    this.#replyCount = 0;
    return libc.recvmmsg(fd, this.#received.headers.address, this.capacity, libc.MSG_DONTWAIT);
  }

  /** The bytes of one that arrived, valid until the next `receive`: `length(index)` of them count. */
  data(index: number): Uint8Array {
    return this.#received.slots[index]!;
  }

  length(index: number): number {
    return this.#received.headers.view.getUint32(index * MMSGHDR_BYTES + LENGTH_OFFSET, true);
  }

  /** Whether it was longer than there is room for. */
  isCut(index: number): boolean {
    const flags = this.#received.headers.view.getUint32(index * MMSGHDR_BYTES + FLAGS_OFFSET, true);
    return (flags & libc.MSG_TRUNC) !== 0;
  }

  /** Its sender as a sockaddr, valid until the next `receive`; see sendDatagram. */
  sender(index: number): Uint8Array {
    return this.#received.addresses[index]!;
  }

  /** Where to write the next reply. */
  replySlot(): Uint8Array {
    return this.#replies.slots[this.#replyCount]!;
  }

  /** Addresses the reply in the slot, which is `length` bytes long, to the sender of a datagram. At most one for each. */
  addReply(index: number, length: number): void {
    const reply = this.#replyCount++;
    const from = this.#received.addresses[index]!;
    const to = this.#replies.addresses[reply]!;
    for (let at = 0; at < ADDRESS_BYTES; at++) to[at] = from[at]!;
    this.#replies.vectors.view.setUint32(reply * IOVEC_BYTES + 8, length, true);
  }

  /** Sends the replies, without waiting. One that cannot be sent is left out, as the network may lose any. */
  sendReplies(fd: number): void {
    let next = 0;
    while (next < this.#replyCount) {
      const messages = this.#replies.headers.address + next * MMSGHDR_BYTES;
      try {
        next += libc.sendmmsg(fd, messages, this.#replyCount - next, libc.MSG_DONTWAIT | libc.MSG_NOSIGNAL);
      } catch (error) {
        if (isErrno(error, 'EBADF', 'ENOTSOCK')) throw error;
        next += 1;
      }
    }
    this.#replyCount = 0;
  }
}

/** Sends one datagram to a sockaddr (a copy of `DatagramBatch.sender`), without waiting. Throws LinuxError. */
export function sendDatagram(fd: number, data: Uint8Array, to: Uint8Array): void {
  libc.sendto(fd, data, libc.MSG_DONTWAIT | libc.MSG_NOSIGNAL, to);
}
