/** The name servers that the host itself uses, as its resolv.conf has them at the moment. */
import { readFileSync, statSync } from 'node:fs';
import { parseResolvConf } from '../model/network-files.ts';

/** The file is looked at no more often than this. */
const LOOK_EVERY_MS = 1000;

export class HostServers {
  readonly #path: string;
  #servers: readonly string[] = [];
  #looked = Number.NEGATIVE_INFINITY;
  #stamp = '';

  /** @param path @default /etc/resolv.conf */
  constructor(path = '/etc/resolv.conf') {
    this.#path = path;
  }

  /** In the file's order; none while it cannot be read. */
  list(now = performance.now()): readonly string[] {
    if (now - this.#looked >= LOOK_EVERY_MS) {
      this.#looked = now;
      this.#look();
    }
    return this.#servers;
  }

  #look(): void {
    try {
      const { dev, ino, size, mtimeNs } = statSync(this.#path, { bigint: true });
      const stamp = `${dev}:${ino}:${size}:${mtimeNs}`;
      if (stamp === this.#stamp) return;
      this.#servers = parseResolvConf(readFileSync(this.#path, 'utf8')).nameservers;
      this.#stamp = stamp;
    } catch {
      this.#servers = [];
      this.#stamp = '';
    }
  }
}
