/**
 * The image store's folder: an OCI image layout (`oci-layout`, `index.json`, `blobs/sha256`), one unpacked read-only
 * root file system per image (`rootfs/<id>`), `staging`, where everything is made before it is renamed into place, and
 * `unsynced`, which names the trees that a power cut could damage. It knows nothing of records.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { ImageId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { archiveError } from './archive.ts';
import { Blobs, hexOf, syncFolder } from './blobs.ts';
import type { StoredLayer } from './layers.ts';
import { removeLeftover } from './leftovers.ts';
import { runProgram } from './programs.ts';
import { unpackImage } from './unpack.ts';

const LAYOUT_VERSION = '1.0.0';

export class ImageFiles {
  readonly blobs: Blobs;
  readonly #root: string;
  readonly #umoci: string;
  readonly #log: Log;
  #syncing: Promise<void> | undefined;

  constructor(root: string, options: { readonly umoci: string; readonly log: Log }) {
    this.blobs = new Blobs(root);
    this.#root = root;
    this.#umoci = options.umoci;
    this.#log = options.log;
  }

  async makeFolders(): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o710 });
    for (const folder of ['blobs/sha256', 'rootfs', 'staging', 'unsynced']) {
      await mkdir(join(this.#root, folder), { recursive: true, mode: 0o710 });
    }
    await writeFile(join(this.#root, 'oci-layout'), JSON.stringify({ imageLayoutVersion: LAYOUT_VERSION }));
  }

  /** Absolute path of an unpacked image. */
  rootfs(id: ImageId): string {
    return join(this.#root, 'rootfs', hexOf(id));
  }

  /** A folder for half-done things that goes with the scope that opened it. */
  async openStaging(): Promise<Staging> {
    try {
      return new Staging(await mkdtemp(join(this.#root, 'staging', 'work-')), this.#log);
    } catch (error) {
      throw archiveError(error);
    }
  }

  /**
   * Unpacks an image whose blobs are there, and puts the tree in place.
   * @throws ProgramError when a layer cannot be unpacked
   */
  async unpack(
    image: { readonly id: ImageId; readonly layers: readonly StoredLayer[] },
    folder: string,
    signal?: AbortSignal,
  ): Promise<void> {
    const { size } = await stat(this.blobs.path(image.id));
    const tree = await unpackImage({
      umoci: this.#umoci,
      blobs: this.blobs,
      ...image,
      configSize: size,
      folder,
      ...(signal ? { signal } : {}),
    });
    await rm(this.rootfs(image.id), { recursive: true, force: true });
    // On the disk before the tree's name can be: whoever finds the tree after a power cut finds this as well.
    await writeFile(this.#mark(image.id), await bootId(), { flush: true });
    await syncFolder(join(this.#root, 'unsynced'));
    await rename(tree, this.rootfs(image.id));
  }

  /** Deletes an unpacked image. Renamed first, so that a crash in the middle cannot leave half of it in place. */
  async deleteTree(id: ImageId): Promise<void> {
    await using staging = await this.openStaging();
    await rename(this.rootfs(id), join(staging.folder, 'rootfs')).catch(ignoreMissing);
    await rm(this.#mark(id), { force: true });
  }

  /** Deletes what an earlier process left half done, and trees that are not to be kept or that a power cut may have damaged. */
  async sweep(keep: ReadonlySet<ImageId>): Promise<void> {
    // No reason not to start: the next sweep takes it.
    await emptyFolder(join(this.#root, 'staging'), new Set()).catch((error) =>
      this.#log.warn({ error: messageOf(error) }, 'staging folder remains'),
    );
    const doubtful = await this.#doubtfulTrees();
    const kept = [...keep].map(hexOf).filter((name) => !doubtful.has(name));
    await emptyFolder(join(this.#root, 'rootfs'), new Set(kept));
    await emptyFolder(join(this.#root, 'unsynced'), new Set(kept));
    this.syncLater();
  }

  async hasTree(id: ImageId): Promise<boolean> {
    return (await stat(this.rootfs(id)).catch(() => undefined)) !== undefined;
  }

  /**
   * Lets the kernel write new trees to the disk while everything else goes on. Until that is done a power cut makes the
   * next start unpack them again, from blobs that are on the disk already.
   */
  syncLater(): void {
    this.#syncing ??= this.#sync()
      .catch((error) => this.#log.warn({ error: messageOf(error) }, 'images are not known to be on the disk'))
      .finally(() => {
        this.#syncing = undefined;
      });
  }

  async #sync(): Promise<void> {
    for (;;) {
      const names = await readdir(join(this.#root, 'unsynced'));
      if (names.length === 0) return;
      await runProgram('sync', ['--file-system', this.#root], { cwd: '/' });
      for (const name of names) await rm(join(this.#root, 'unsynced', name), { force: true });
    }
  }

  /** Unpacked in an earlier boot and never known to have reached the disk. */
  async #doubtfulTrees(): Promise<Set<string>> {
    const folder = join(this.#root, 'unsynced');
    const current = await bootId();
    const doubtful = new Set<string>();
    for (const name of await readdir(folder)) {
      // Gone since the folder was read: it is on the disk now.
      const boot = await readFile(join(folder, name), 'utf8').catch(() => current);
      if (boot !== current) doubtful.add(name);
    }
    return doubtful;
  }

  /** Lists the manifests, so that other tools can read the layout. */
  async writeIndex(manifests: readonly { mediaType: string; digest: string }[]): Promise<void> {
    const entries = await Promise.all(
      manifests.map(async (manifest) => ({
        ...manifest,
        size: (await stat(this.blobs.path(manifest.digest)).catch(() => undefined))?.size ?? 0,
      })),
    );
    const path = join(this.#root, 'staging', `index-${randomBytes(4).toString('hex')}.json`);
    await writeFile(path, JSON.stringify({ schemaVersion: 2, manifests: entries }));
    await rename(path, join(this.#root, 'index.json'));
  }

  #mark(id: ImageId): string {
    return join(this.#root, 'unsynced', hexOf(id));
  }
}

export class Staging implements AsyncDisposable {
  readonly folder: string;
  readonly #log: Log;

  constructor(folder: string, log: Log) {
    this.folder = folder;
    this.#log = log;
  }

  /** The path of a file or folder that is not there yet. */
  fresh(): string {
    return join(this.folder, randomBytes(8).toString('hex'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await rm(this.folder, { recursive: true, force: true });
    } catch (error) {
      // The next sweep takes it; throwing here would hide what went wrong before.
      this.#log.warn({ folder: this.folder, error: messageOf(error) }, 'staging folder remains');
    }
  }
}

/** Names the time since the kernel started; random(4). */
async function bootId(): Promise<string> {
  return readFile('/proc/sys/kernel/random/boot_id', 'utf8');
}

/** Deletes everything in a folder but the names to keep. */
async function emptyFolder(folder: string, keep: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!keep.has(name)) await removeLeftover(join(folder, name));
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
