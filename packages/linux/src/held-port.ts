/**
 * Ports kept from everybody else by a bound socket, in the namespace of the calling thread. Nothing arrives at such a
 * socket: connections are refused and datagrams dropped, until it is made to listen or to hear.
 * Sources: ip(7), ipv6(7), tcp(7), socket(7).
 */
import { isIPv4 } from 'node:net';
import { isErrno } from './errno.ts';
import { encodeInetAddress } from './inet-socket.ts';
import * as libc from './libc.ts';

export type HeldProtocol = 'tcp' | 'udp' | 'sctp';

const types = {
  tcp: [libc.SOCK_STREAM, 0],
  udp: [libc.SOCK_DGRAM, 0],
  sctp: [libc.SOCK_STREAM, libc.IPPROTO_SCTP],
} as const satisfies Record<HeldProtocol, unknown>;

/** How a filter that lets nothing pass is set: the socket option and its value. */
interface DropAll {
  readonly option: number;
  readonly value: Uint8Array;
}

let dropAll: DropAll | undefined;

/** One program for all sockets where we may load it; else the kernel makes one for each, which costs it 10 us and 4 KiB. */
function makeDropAll(): DropAll {
  try {
    const fd = loadDropAll();
    return { option: libc.SO_ATTACH_BPF, value: new Uint8Array(Int32Array.of(fd).buffer) };
  } catch (error) {
    if (!isErrno(error, 'EPERM', 'EINVAL', 'ENOSYS')) throw error;
    return { option: libc.SO_ATTACH_FILTER, value: classicDropAll() };
  }
}

/** `mov r0, 0; exit`: of each packet, keep 0 bytes. Sources: bpf(2), linux/bpf.h. */
function loadDropAll(): number {
  const BPF_PROG_LOAD = 5;
  const BPF_PROG_TYPE_SOCKET_FILTER = 1;
  const instructions = libc.allocate(16);
  instructions.bytes[0] = 0xb7;
  instructions.bytes[8] = 0x95;
  const license = libc.allocate(1);
  const attributes = libc.allocate(48);
  attributes.view.setUint32(0, BPF_PROG_TYPE_SOCKET_FILTER, true);
  attributes.view.setUint32(4, 2, true);
  attributes.view.setBigUint64(8, BigInt(instructions.address), true);
  attributes.view.setBigUint64(16, BigInt(license.address), true);
  return libc.bpf(BPF_PROG_LOAD, attributes);
}

/** A struct sock_fprog that points at one instruction, `return 0`. Source: linux/filter.h. */
function classicDropAll(): Uint8Array {
  const BPF_RET = 0x06;
  const instruction = libc.allocate(8);
  instruction.view.setUint16(0, BPF_RET, true);
  const program = new DataView(new ArrayBuffer(16));
  program.setUint16(0, 1, true);
  program.setBigUint64(8, BigInt(instruction.address), true);
  return new Uint8Array(program.buffer);
}

/**
 * Binds a socket of its own to a port, for IPv4 or for IPv6 alone. Returns the descriptor (non-blocking, close-on-exec,
 * the caller's); undefined for SCTP where the kernel has none, and so nobody can take the port.
 * Throws LinuxError (EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT), RangeError for what is no address.
 */
export function holdPort(protocol: HeldProtocol, address: string, port: number): number | undefined {
  const sockaddr = encodeInetAddress(address, port);
  const fd = openSocket(protocol, isIPv4(address) ? libc.AF_INET : libc.AF_INET6);
  if (fd === undefined) return undefined;
  try {
    if (!isIPv4(address)) libc.setsockopt(fd, libc.IPPROTO_IPV6, libc.IPV6_V6ONLY, 1);
    if (protocol === 'udp') {
      libc.setsockopt(fd, libc.SOL_SOCKET, libc.SO_RCVBUF, 0);
      setDeaf(fd, true);
    }
    const what = `bind to ${address} port ${port}/${protocol}`;
    if (protocol === 'tcp') bindPastOldConnections(fd, sockaddr, what);
    else libc.bind(fd, sockaddr, what);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function openSocket(protocol: HeldProtocol, family: number): number | undefined {
  const [type, number] = types[protocol];
  try {
    return libc.socket(family, type | libc.SOCK_NONBLOCK, number);
  } catch (error) {
    if (protocol === 'sctp' && isErrno(error, 'EPROTONOSUPPORT', 'ESOCKTNOSUPPORT')) return undefined;
    throw error;
  }
}

/**
 * For a minute after a server has ended, its last connections keep others from the port unless both sides share it
 * (SO_REUSEADDR). What shares a port once does so for ever in the kernel's books, but for sockets that listen: hence for
 * a moment this one does.
 */
function bindPastOldConnections(fd: number, sockaddr: Uint8Array, what: string): void {
  libc.setsockopt(fd, libc.SOL_SOCKET, libc.SO_REUSEADDR, 1);
  libc.bind(fd, sockaddr, what);
  // Another socket may have been bound by sharing too, and only this tells.
  libc.listen(fd, 0, what);
  stopListening(fd);
}

/**
 * Takes TCP connections at a held port. Old connections will not keep a successor from it. Throws LinuxError.
 * @param backlog connections that may wait to be accepted
 */
export function startListening(fd: number, backlog: number): void {
  // Connections inherit it from here.
  libc.setsockopt(fd, libc.SOL_SOCKET, libc.SO_REUSEADDR, 1);
  libc.listen(fd, backlog);
}

/** Refuses TCP connections at a held port again; those that were accepted go on. Throws LinuxError. */
export function stopListening(fd: number): void {
  libc.setsockopt(fd, libc.SOL_SOCKET, libc.SO_REUSEADDR, 0);
  try {
    libc.shutdownRead(fd);
  } catch (error) {
    // It did not listen.
    if (!isErrno(error, 'ENOTCONN')) throw error;
  }
}

/** Whether a UDP socket drops all that arrives, before it takes memory. Throws LinuxError. */
export function setDeaf(fd: number, deaf: boolean): void {
  if (deaf) {
    dropAll ??= makeDropAll();
    libc.setsockoptBytes(fd, libc.SOL_SOCKET, dropAll.option, dropAll.value);
    return;
  }
  try {
    libc.setsockopt(fd, libc.SOL_SOCKET, libc.SO_DETACH_FILTER, 0);
  } catch (error) {
    // It heard already.
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
