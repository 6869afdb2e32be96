/** TCP connections as plain descriptors on a thread that waits for many of them at once (see Epoll). Nothing here waits. */
import { LinuxError } from './errno.ts';
import * as libc from './libc.ts';

/** Connection states. Source: include/net/tcp_states.h. */
const TCP_SYN_SENT = 2;
const TCP_CLOSE = 7;

/** Takes a connection that waits at a listening socket: its descriptor, undefined for none. Throws LinuxError (EMFILE, ENFILE). */
export function acceptNow(fd: number): number | undefined {
  const accepted = libc.acceptNow(fd);
  return accepted < 0 ? undefined : accepted;
}

/** Receives into `buffer`: the number of bytes, 0 at the end, -1 for none yet. Throws LinuxError. */
export function receiveNow(fd: number, buffer: Uint8Array): number {
  return libc.recvNow(fd, buffer);
}

/** Sends what fits: the number of bytes taken, 0 for none at the moment. Throws LinuxError. */
export function sendNow(fd: number, data: Uint8Array): number {
  return libc.sendNow(fd, data);
}

/** Whether a connection has come about, once `startConnecting` was called. Throws LinuxError when it will not. */
export function isConnected(fd: number): boolean {
  // struct tcp_info begins with a byte that is the state. Source: linux/tcp.h.
  const state = libc.getsockopt(fd, libc.IPPROTO_TCP, libc.TCP_INFO) & 0xff;
  if (state !== TCP_CLOSE) return state !== TCP_SYN_SENT;
  throw new LinuxError(libc.getsockopt(fd, libc.SOL_SOCKET, libc.SO_ERROR), 'connect');
}

/**
 * Small pieces are sent at once, and a peer that is gone without a word is noticed after some hours. Connections that are
 * accepted have it from the listening socket. Throws LinuxError.
 */
export function tuneForPassingOn(fd: number): void {
  libc.setsockopt(fd, libc.IPPROTO_TCP, libc.TCP_NODELAY, 1);
  libc.setsockopt(fd, libc.SOL_SOCKET, libc.SO_KEEPALIVE, 1);
}

/** Closes a connection so that the peer learns of a failure (it is reset), whatever was not sent yet. Throws LinuxError. */
export function resetConnection(fd: number): void {
  // struct linger: on, for no time.
  libc.setsockoptBytes(fd, libc.SOL_SOCKET, libc.SO_LINGER, new Uint8Array(Int32Array.of(1, 0).buffer));
  libc.close(fd);
}
