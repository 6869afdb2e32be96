/**
 * The folder `blobs/sha256`: what images are made of, by digest. A blob is complete and on the disk from the moment it
 * is there. Leases keep those that no image has claimed yet from being cleared away.
 */
import { open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export class Blobs {
  readonly folder: string;
  readonly #holders = new Map<string, number>();

  /** @param root the folder of the OCI layout that the blobs belong to */
  constructor(root: string) {
    this.folder = join(root, 'blobs/sha256');
  }

  path(digest: string): string {
    return join(this.folder, hexOf(digest));
  }

  /** Moves a flushed file in. One that is there already is the same. */
  async add(file: string, digest: string): Promise<void> {
    await rename(file, this.path(digest));
    await syncFolder(this.folder);
  }

  /** @param folder where the file is made first */
  async addBytes(bytes: Uint8Array, digest: string, folder: string): Promise<void> {
    const path = join(folder, `document-${hexOf(digest)}`);
    await writeFile(path, bytes, { mode: 0o600, flush: true });
    await this.add(path, digest);
  }

  /** Keeps blobs while the lease is open, whether they are there yet or not. */
  lease(): BlobLease {
    return new BlobLease(this.#holders);
  }

  /** Deletes what is neither in `used` nor under a lease. */
  async discardExcept(used: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.folder)) {
      const digest = `sha256:${name}`;
      // Asked for each anew: a lease may have come in the meantime.
      if (used.has(digest) || this.#holders.has(digest)) continue;
      await rm(join(this.folder, name), { recursive: true, force: true });
    }
  }
}

export class BlobLease implements Disposable {
  readonly #holders: Map<string, number>;
  readonly #held: string[] = [];

  constructor(holders: Map<string, number>) {
    this.#holders = holders;
  }

  hold(digest: string): void {
    this.#held.push(digest);
    this.#holders.set(digest, (this.#holders.get(digest) ?? 0) + 1);
  }

  [Symbol.dispose](): void {
    for (const digest of this.#held.splice(0)) {
      const left = (this.#holders.get(digest) ?? 1) - 1;
      if (left > 0) this.#holders.set(digest, left);
      else this.#holders.delete(digest);
    }
  }
}

export function hexOf(digest: string): string {
  return digest.slice('sha256:'.length);
}

/** Makes names in a folder survive a power cut; fsync(2), "Calling fsync() does not necessarily ensure ...". */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
