/** Whether somebody is still there at the other end of a descriptor. */
import * as libc from './libc.ts';

const POLLFD_BYTES = 8;

/**
 * Whether the peer of a unix socket or pipe has closed it altogether. A peer that closed its sending half alone has
 * not hung up, which reading cannot tell: both look like the end of file. Never waits. Source: poll(2), POLLHUP.
 */
export function isHungUp(fd: number): boolean {
  const probe = new DataView(new ArrayBuffer(POLLFD_BYTES));
  probe.setInt32(0, fd, true);
  libc.poll(new Uint8Array(probe.buffer), 1, 0);
  return (probe.getUint16(6, true) & libc.POLLHUP) !== 0;
}
