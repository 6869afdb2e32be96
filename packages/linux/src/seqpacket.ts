/**
 * Unix sockets that keep message boundaries (AF_UNIX, SOCK_SEQPACKET), which Node cannot open or wrap.
 * Reading belongs to a PollThread; sending never waits. Source: unix(7).
 */
import { basename, dirname } from 'node:path';
import { isErrno } from './errno.ts';
import * as libc from './libc.ts';

/** sizeof(sun_path) - 1: one byte is for the NUL. Source: linux/un.h. */
const MAX_PATH_BYTES = 107;

/** Connects to a listening seqpacket socket and returns the descriptor, which is the caller's. Throws LinuxError. */
export function connectSeqpacket(path: string): number {
  const fd = libc.socket(libc.AF_UNIX, libc.SOCK_SEQPACKET);
  try {
    withShortPath(path, (short) => libc.connect(fd, encodeUnixAddress(short), `connect to ${path}`));
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** Listens at a path, which must not exist, and returns the descriptor, which is the caller's. Throws LinuxError. */
export function listenSeqpacket(path: string, backlog = 16): number {
  const fd = libc.socket(libc.AF_UNIX, libc.SOCK_SEQPACKET);
  try {
    withShortPath(path, (short) => libc.bind(fd, encodeUnixAddress(short), `listen on ${path}`));
    libc.listen(fd, backlog);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** Takes the next connection, and waits for one if there is none. Throws LinuxError. */
export function acceptSeqpacket(fd: number): number {
  return libc.accept(fd);
}

/**
 * Sends one message without waiting. True when the kernel took it; false when the peer's queue is full (EAGAIN).
 * Throws LinuxError: EPIPE or ECONNRESET when the peer has gone, EMSGSIZE when it is larger than the send buffer.
 */
export function sendMessage(fd: number, data: Uint8Array): boolean {
  try {
    libc.send(fd, data, libc.MSG_NOSIGNAL | libc.MSG_DONTWAIT);
    return true;
  } catch (error) {
    if (isErrno(error, 'EAGAIN')) return false;
    throw error;
  }
}

/** Tells the peer that no more will be sent; reading goes on. A peer that has gone is fine. Throws LinuxError. */
export function shutdownWrite(fd: number): void {
  try {
    libc.shutdownWrite(fd);
  } catch (error) {
    if (!isErrno(error, 'ENOTCONN', 'EPIPE')) throw error;
  }
}

/** Closes a descriptor that these functions returned. Throws LinuxError. */
export function closeFd(fd: number): void {
  libc.close(fd);
}

/** Calls `use` with a name for `path` that fits sun_path: its own, or one through a descriptor of its folder. */
function withShortPath(path: string, use: (short: string) => void): void {
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES) {
    use(path);
    return;
  }
  const folder = libc.open(dirname(path), libc.O_PATH);
  try {
    use(`/proc/self/fd/${folder}/${basename(path)}`);
  } finally {
    libc.close(folder);
  }
}

/** struct sockaddr_un: u16 family in host order, then the path, NUL terminated. Throws RangeError. */
function encodeUnixAddress(path: string): Uint8Array {
  const name = Buffer.from(path);
  if (name.length > MAX_PATH_BYTES || name.includes(0)) throw new RangeError(`not a socket path: ${path}`);
  const address = Buffer.alloc(2 + name.length + 1);
  address.writeUInt16LE(libc.AF_UNIX, 0);
  name.copy(address, 2);
  return address;
}
