/**
 * Datagrams of a server that answers later and for several of the host's addresses: each tells which of them it was sent
 * to, and answers can be sent from there. Source: ip(7) and ipv6(7) on PKTINFO, cmsg(3), recvmmsg(2).
 */
import { isErrno } from './errno.ts';
import * as libc from './libc.ts';

/** struct mmsghdr on 64-bit machines: struct msghdr of 56 bytes, u32 length, padding. Source: linux/socket.h. */
const MMSGHDR_BYTES = 64;
const NAME = 0;
const NAME_LENGTH = 8;
const VECTOR = 16;
const VECTOR_COUNT = 24;
const CONTROL = 32;
const CONTROL_LENGTH = 40;
const LENGTH = 56;
const IOVEC_BYTES = 16;
/** struct sockaddr_in6, the longer one. */
const ADDRESS_BYTES = 28;
/** One struct cmsghdr of 16 bytes with a struct in6_pktinfo of 20, the longer one, padded. */
const CONTROL_BYTES = 40;
/** Where the interface's index stands in them: first in IPv4's, behind the address in IPv6's. Source: linux/in.h, linux/ipv6.h. */
const IPV4_INDEX = 16;
const IPV6_INDEX = 32;
/** No datagram is longer. */
const DATAGRAM_BYTES = 65_535;

/** Both ends of a datagram as the kernel wrote them, to answer it. */
export interface DatagramRoute {
  /** The sender, as a sockaddr. */
  readonly peer: Uint8Array;
  /** The address that it was sent to, as a control message. */
  readonly local: Uint8Array;
}

/** Makes a UDP socket tell where datagrams were sent to. Throws LinuxError. */
export function tellLocalAddress(fd: number, family: 'ipv4' | 'ipv6'): void {
  if (family === 'ipv4') libc.setsockopt(fd, libc.IPPROTO_IP, libc.IP_PKTINFO, 1);
  else libc.setsockopt(fd, libc.IPPROTO_IPV6, libc.IPV6_RECVPKTINFO, 1);
}

/** Receives and answers for any number of sockets, one after the other. Its memory is never given back. */
export class AddressedDatagrams {
  readonly #capacity: number;
  readonly #headers: libc.NativeMemory;
  readonly #vectors: libc.NativeMemory;
  readonly #addresses: libc.NativeMemory;
  readonly #controls: libc.NativeMemory;
  readonly #data: libc.NativeMemory;
  /** The message that is sent, behind those that are received. */
  readonly #outgoing: number;

  /** @param capacity how many are received at a time */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#outgoing = capacity;
    const count = capacity + 1;
    this.#headers = libc.allocate(count * MMSGHDR_BYTES);
    this.#vectors = libc.allocate(count * IOVEC_BYTES);
    this.#addresses = libc.allocate(count * ADDRESS_BYTES);
    this.#controls = libc.allocate(count * CONTROL_BYTES);
    this.#data = libc.allocate(count * DATAGRAM_BYTES);
    for (let index = 0; index < count; index++) {
      const { view } = this.#headers;
      const header = index * MMSGHDR_BYTES;
      view.setBigUint64(header + NAME, BigInt(this.#addresses.address + index * ADDRESS_BYTES), true);
      view.setBigUint64(header + VECTOR, BigInt(this.#vectors.address + index * IOVEC_BYTES), true);
      view.setBigUint64(header + VECTOR_COUNT, 1n, true);
      view.setBigUint64(header + CONTROL, BigInt(this.#controls.address + index * CONTROL_BYTES), true);
      const data = BigInt(this.#data.address + index * DATAGRAM_BYTES);
      this.#vectors.view.setBigUint64(index * IOVEC_BYTES, data, true);
      this.#vectors.view.setBigUint64(index * IOVEC_BYTES + 8, BigInt(DATAGRAM_BYTES), true);
    }
  }

  /** Takes what has arrived, without waiting, and returns how many. Throws LinuxError. */
  receive(fd: number): number {
    const { address, view } = this.#headers;
    for (let index = 0; index < this.#capacity; index++) {
      view.setUint32(index * MMSGHDR_BYTES + NAME_LENGTH, ADDRESS_BYTES, true);
      view.setUint32(index * MMSGHDR_BYTES + CONTROL_LENGTH, CONTROL_BYTES, true);
    }
    return libc.recvmmsg(fd, address, this.#capacity, libc.MSG_DONTWAIT);
  }

  /** One that arrived; valid until the next `receive`. */
  data(index: number): Uint8Array {
    const length = this.#headers.view.getUint32(index * MMSGHDR_BYTES + LENGTH, true);
    return part(this.#data, index * DATAGRAM_BYTES, length);
  }

  /** Where it came from and went to; valid until the next `receive`. */
  route(index: number): DatagramRoute {
    const header = index * MMSGHDR_BYTES;
    const { view } = this.#headers;
    return {
      peer: part(this.#addresses, index * ADDRESS_BYTES, view.getUint32(header + NAME_LENGTH, true)),
      local: part(this.#controls, index * CONTROL_BYTES, view.getUint32(header + CONTROL_LENGTH, true)),
    };
  }

  /** Sends back to the one end from the other, without waiting; what cannot be sent is lost, as datagrams may be. */
  answer(fd: number, data: Uint8Array, { peer, local }: DatagramRoute): void {
    const index = this.#outgoing;
    const header = index * MMSGHDR_BYTES;
    const { address, view } = this.#headers;
    part(this.#addresses, index * ADDRESS_BYTES, peer.length).set(peer);
    view.setUint32(header + NAME_LENGTH, peer.length, true);
    part(this.#controls, index * CONTROL_BYTES, local.length).set(local);
    view.setUint32(header + CONTROL_LENGTH, local.length, true);
    part(this.#data, index * DATAGRAM_BYTES, data.length).set(data);
    this.#vectors.view.setUint32(index * IOVEC_BYTES + 8, data.length, true);
    try {
      libc.sendmmsg(fd, address + header, 1, libc.MSG_DONTWAIT | libc.MSG_NOSIGNAL);
    } catch (error) {
      if (isErrno(error, 'EBADF', 'ENOTSOCK')) throw error;
    }
  }
}

/**
 * A copy to keep. It leaves the way of the answer to the routing table, which need not be the interface that the
 * datagram came by; but for addresses that mean something on one link alone.
 */
export function keepRoute({ peer, local }: DatagramRoute): DatagramRoute {
  const copy = local.slice();
  const isV6 = copy.length >= IPV6_INDEX + 4;
  const isLinkLocal = isV6 && copy[16] === 0xfe && (copy[17]! & 0xc0) === 0x80;
  const index = isV6 ? IPV6_INDEX : IPV4_INDEX;
  if (!isLinkLocal) copy.fill(0, index, index + 4);
  return { peer: peer.slice(), local: copy };
}

function part({ bytes }: libc.NativeMemory, start: number, length: number): Uint8Array {
  return bytes.subarray(start, start + length);
}
