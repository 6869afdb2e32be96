/**
 * Internet sockets as plain descriptors: opened in the namespace that the calling thread is in (see runInNamespace),
 * to be handed to `node:net` and `node:dgram` by their number or used on a thread of their own. Source: ip(7), ipv6(7).
 */
import { isIPv4, isIPv6 } from 'node:net';
import { isErrno } from './errno.ts';
import * as libc from './libc.ts';

export interface InetSocket {
  /** Non-blocking, close-on-exec; it is the caller's. */
  readonly fd: number;
  /** The local port; 0 before it has one. */
  readonly port: number;
}

const protocols = { udp: libc.SOCK_DGRAM, tcp: libc.SOCK_STREAM } as const;

/**
 * Opens a socket, bound to `address` if one is given.
 * Throws LinuxError (EADDRNOTAVAIL: the namespace has no such address), RangeError for what is no address.
 * @param port @default one that is free
 */
export function openInetSocket(
  protocol: keyof typeof protocols,
  family: 'ipv4' | 'ipv6',
  address?: string,
  port = 0,
): InetSocket {
  const fd = libc.socket(
    family === 'ipv4' ? libc.AF_INET : libc.AF_INET6,
    protocols[protocol] | libc.SOCK_NONBLOCK,
  );
  try {
    if (address === undefined) return { fd, port: 0 };
    libc.bind(fd, encodeInetAddress(address, port), `bind to ${address}`);
    return { fd, port: portOf(fd) };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** Starts a connection without waiting for it; whether it came about shows when the socket is used. Throws LinuxError. */
export function startConnecting(fd: number, address: string, port: number): void {
  try {
    libc.connect(fd, encodeInetAddress(address, port), `connect to ${address} port ${port}`);
  } catch (error) {
    if (!isErrno(error, 'EINPROGRESS')) throw error;
  }
}

/** How much may wait to be received, in bytes of kernel memory, whatever the machine's limit is. Throws LinuxError. */
export function setReceiveBuffer(fd: number, bytes: number): void {
  libc.setsockopt(fd, libc.SOL_SOCKET, libc.SO_RCVBUFFORCE, bytes);
}

/** The port that a socket is bound to. Throws LinuxError. */
export function portOf(fd: number): number {
  const address = libc.getsockname(fd);
  return (address[2]! << 8) | address[3]!;
}

/** struct sockaddr_in: u16 family in host order, u16 port and u32 address in network order, 8 bytes of padding. */
function encodeIpv4(address: string, port: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint16(0, libc.AF_INET, true);
  view.setUint16(2, port);
  for (const [index, part] of address.split('.').entries()) view.setUint8(4 + index, Number(part));
  return new Uint8Array(view.buffer);
}

/** struct sockaddr_in6: family, port, u32 flow label, 16 bytes of address, u32 scope (which is not supported here). */
function encodeIpv6(address: string, port: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(28));
  view.setUint16(0, libc.AF_INET6, true);
  view.setUint16(2, port);
  // The URL parser writes any form as eight groups' worth of hexadecimal, with one `::` at most.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const first = groups(head);
  const last = groups(tail ?? '');
  for (const [index, group] of first.entries()) view.setUint16(8 + 2 * index, Number.parseInt(group, 16));
  for (const [index, group] of last.entries()) {
    view.setUint16(8 + 2 * (8 - last.length + index), Number.parseInt(group, 16));
  }
  return new Uint8Array(view.buffer);
}

/** The sockaddr of an address and a port. Throws RangeError for what is no address, or has a zone. */
export function encodeInetAddress(address: string, port: number): Uint8Array {
  if (isIPv4(address)) return encodeIpv4(address, port);
  if (isIPv6(address) && !address.includes('%')) return encodeIpv6(address, port);
  throw new RangeError(`not an IP address: ${address}`);
}
