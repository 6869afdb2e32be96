/**
 * The root filesystems of containers: an overlay of what they write over their image's files, mounted once on the host
 * however many look at it. Two mounts of one overlay would not see each other's changes.
 */
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '@seaway/linux';
import { internal, messageOf } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { ImageStore } from '../images/image-store.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { ContainerRecord } from '../model/container.ts';

export interface RootFilesystemsParts {
  readonly images: ImageStore;
  readonly kernel: Kernel;
}

export class RootFilesystems {
  readonly #parts: RootFilesystemsParts;
  readonly #folderOf: (id: ContainerId) => string;
  /** How many look into a container's files at the moment. */
  readonly #borrowers = new Map<ContainerId, number>();

  /** @param folderOf the container's own folder */
  constructor(parts: RootFilesystemsParts, folderOf: (id: ContainerId) => string) {
    this.#parts = parts;
    this.#folderOf = folderOf;
  }

  /** Where the root is mounted. */
  path(id: ContainerId): string {
    return join(this.#folderOf(id), 'rootfs');
  }

  /** What the container has written. */
  upper(id: ContainerId): string {
    return join(this.#folderOf(id), 'overlay', 'upper');
  }

  /** Mounts the root, or finds it mounted. @throws internal when it cannot be */
  async mount({ id, imageId }: ContainerRecord): Promise<void> {
    const lower = this.#parts.images.rootfs(imageId);
    if (!existsSync(lower)) {
      throw internal('image-incomplete', `the root filesystem of image ${imageId} is missing`, {
        id,
        imageId,
      });
    }
    const upper = this.upper(id);
    if (!existsSync(upper)) await this.#makeUpper(id, lower);
    const request = {
      lower: [lower],
      upper,
      work: join(this.#folderOf(id), 'overlay', 'work'),
      target: this.path(id),
    };
    await this.#parts.kernel.changes.run('ensureOverlay', request).catch((error) => {
      // Overlayfs takes most local file systems below its writable layer; not itself, and none of the network.
      const hint = isErrno(error, 'EINVAL')
        ? ' (the data root must lie on a file system such as ext4, xfs, btrfs or tmpfs)'
        : '';
      throw internal(
        'overlay-failed',
        `cannot mount the root filesystem: ${messageOf(error)}${hint}`,
        { id },
        error,
      );
    });
  }

  async #makeUpper(id: ContainerId, lower: string): Promise<void> {
    const upper = this.upper(id);
    // The upper folder's own mode and owner become those of the container's "/".
    const { mode, uid, gid } = await stat(lower);
    await makeFolder(join(this.#folderOf(id), 'overlay'));
    await makeFolder(upper);
    await chmod(upper, mode & 0o7777);
    await chown(upper, uid, gid);
    // By this programs know that they are in a container.
    await writeFile(join(upper, '.dockerenv'), '', { mode: 0o755, flag: 'a' });
  }

  /** Mounts the root for somebody who looks into it; {@link giveBack} follows. Nobody unmounts it meanwhile. */
  async borrow(container: ContainerRecord): Promise<void> {
    await makeFolder(this.#folderOf(container.id));
    await this.mount(container);
    this.#borrowers.set(container.id, (this.#borrowers.get(container.id) ?? 0) + 1);
  }

  /** @param isNeeded whether the container itself needs its root */
  async giveBack(id: ContainerId, isNeeded: boolean): Promise<void> {
    const left = (this.#borrowers.get(id) ?? 0) - 1;
    if (left > 0) this.#borrowers.set(id, left);
    else this.#borrowers.delete(id);
    if (!isNeeded) await this.unmount(id);
  }

  /** Unmounts the root once nobody looks into it any more, or at once. What is unmounted already is fine. */
  async unmount(id: ContainerId, { evenIfBorrowed = false } = {}): Promise<void> {
    if (this.#borrowers.has(id) && !evenIfBorrowed) return;
    await this.#parts.kernel.deletions.run('removeMount', this.path(id));
  }
}

/** Not `recursive`: with that, Node calls a read-only file system "no such file or directory". */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o710 });
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}
