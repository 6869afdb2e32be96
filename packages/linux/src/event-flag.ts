/** A flag that one thread raises and another waits for. Source: eventfd(2). */
import * as libc from './libc.ts';

const one = new Uint8Array(BigUint64Array.of(1n).buffer);
const drain = new Uint8Array(8);

/** The descriptor can be read while the flag is up. Threads share it by its number. */
export class EventFlag {
  readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Throws LinuxError. */
  static open(): EventFlag {
    return new EventFlag(libc.eventfd());
  }

  /** The flag that another thread opened. */
  static of(fd: number): EventFlag {
    return new EventFlag(fd);
  }

  raise(): void {
    libc.write(this.fd, one);
  }

  /** Takes the flag down, which must be up. Throws LinuxError (EAGAIN: it was not). */
  lower(): void {
    libc.read(this.fd, drain);
  }

  close(): void {
    libc.close(this.fd);
  }
}
