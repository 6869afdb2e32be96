/**
 * Volumes: a record and a folder each, `<root>/<name>/_data`. What happens to one happens one after the other. The
 * record is committed before the folder is made; a record without a folder gets an empty one at the next start, and
 * a folder without a record becomes a volume again, because what is in it is somebody's.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, opendir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, isMountPoint } from '@seaway/linux';
import { conflict, internal, messageOf, notFound } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import { KeyedLock } from '../base/keyed-lock.ts';
import type { Log } from '../base/log.ts';
import { diskUsageBytes } from '../containers/disk-usage.ts';
import type { Events } from '../events.ts';
import { removeLeftover } from '../images/leftovers.ts';
import { runProgram } from '../images/programs.ts';
import type { Kernel } from '../kernel/kernel.ts';
import {
  anonymousLabel,
  checkVolumeDriver,
  checkVolumeName,
  checkVolumeOptions,
  isVolumeName,
  localDriver,
  needsMount,
  type VolumeRecord,
  type VolumeRequest,
} from '../model/volume.ts';
import type { DocumentTable } from '../store/document-table.ts';
import { mountVolume } from './mount-volume.ts';

export interface VolumesParts {
  readonly table: DocumentTable<VolumeRecord>;
  /** Parent of the volumes' folders. */
  readonly folder: string;
  /** The containers that have a volume, running or not. */
  readonly usersOf: (volume: string) => readonly ContainerId[];
  readonly kernel: Kernel;
  readonly events: Events;
  readonly log: Log;
}

/** How much room a volume takes and how many containers have it. */
export interface VolumeUsage {
  /** -1 where it cannot be told. */
  readonly sizeBytes: number;
  readonly users: number;
}

const MAX_UNMOUNTS = 16;

export class Volumes {
  readonly #parts: VolumesParts;
  readonly #locks = new KeyedLock();
  /** Who needs a volume's mount just now. */
  readonly #holders = new Map<string, Set<string>>();
  #isPruning = false;

  constructor(parts: VolumesParts) {
    this.#parts = parts;
  }

  list(): VolumeRecord[] {
    return [...this.#parts.table.all()].filter(({ removing }) => !removing);
  }

  find(name: string): VolumeRecord | undefined {
    const volume = this.#parts.table.get(name);
    return volume?.removing ? undefined : volume;
  }

  /** @throws notFound */
  resolve(name: string): VolumeRecord {
    const volume = this.find(name);
    if (!volume) throw notFound('volume-not-found', `get ${name}: no such volume`, { name });
    return volume;
  }

  /** Absolute path of the volume's content. */
  mountpoint(name: string): string {
    return join(this.#folder(name), '_data');
  }

  isUsed(name: string): boolean {
    return this.#parts.usersOf(name).length > 0;
  }

  /** A name that no volume has. */
  newName(): string {
    return randomBytes(32).toString('hex');
  }

  /**
   * Makes a volume, or finds the one of that name as it is.
   * @throws invalid for a bad name or option, notFound for an unknown driver, internal when the folder cannot be made
   */
  async create(request: VolumeRequest): Promise<VolumeRecord> {
    const { driver, options } = request;
    const name = request.name || this.newName();
    const labels = request.name ? request.labels : { ...request.labels, [anonymousLabel]: '' };
    checkVolumeDriver(name, driver);
    checkVolumeName(name);
    checkVolumeOptions(name, options);
    return await this.ensure({ name, driver, options, labels });
  }

  /** As {@link create}, for a request that was checked. */
  ensure({ name, options, labels }: VolumeRequest): Promise<VolumeRecord> {
    return this.#locks.run(name, async () => {
      const known = this.find(name);
      const volume = known ?? this.#parts.table.put({ id: name, createdAt: nowSeconds(), labels, options });
      try {
        await this.#makeFolder(name);
      } catch (error) {
        if (!known) this.#parts.table.delete(name);
        throw internal(
          'volume-folder-failed',
          `create ${name}: cannot make the volume's folder: ${messageOf(error)}`,
          { name },
          error,
        );
      }
      if (!known) this.#emit('create', name);
      return volume;
    });
  }

  async #makeFolder(name: string): Promise<void> {
    await mkdir(this.#folder(name), { recursive: true, mode: 0o701 });
    await mkdir(this.mountpoint(name), { recursive: true, mode: 0o755 });
  }

  /**
   * Removes a volume with its content.
   * @param force whether one that there is not is fine
   * @throws notFound, conflict when containers have it, internal when its folder cannot be deleted
   */
  async remove(name: string, { force = false } = {}): Promise<void> {
    await this.#locks.run(name, async () => {
      if (force && !this.find(name)) return;
      const volume = this.resolve(name);
      const users = this.#parts.usersOf(name);
      if (users.length > 0) {
        throw conflict('volume-in-use', `remove ${name}: volume is in use - [${users.join(' ')}]`, {
          name,
          users,
        });
      }
      await this.#delete(this.#parts.table.put({ ...volume, removing: true }));
      this.#emit('destroy', name);
    });
  }

  /** Deletes the folder, then the record; repeatable. */
  async #delete(volume: VolumeRecord): Promise<void> {
    const name = volume.id;
    try {
      if (needsMount(volume)) await this.#unmount(name);
      await rm(this.#folder(name), { recursive: true, force: true });
    } catch (error) {
      throw internal(
        'volume-not-deleted',
        `remove ${name}: cannot delete the volume's folder: ${messageOf(error)}`,
        { name },
        error,
      );
    }
    this.#parts.table.delete(name);
  }

  /**
   * Removes the volumes that no container has and that are wanted.
   * @returns their names and what they held in bytes
   * @throws conflict while another call is under way
   */
  async prune(
    isWanted: (volume: VolumeRecord) => boolean,
  ): Promise<{ readonly removed: readonly string[]; readonly reclaimedBytes: number }> {
    if (this.#isPruning) throw conflict('prune-under-way', 'a prune operation is already running');
    this.#isPruning = true;
    try {
      const removed: string[] = [];
      let reclaimedBytes = 0;
      for (const { id } of this.list().filter(isWanted)) {
        if (this.isUsed(id)) continue;
        const sizeBytes = await this.#sizeBytes(id);
        try {
          await this.remove(id);
        } catch (error) {
          // A container took it, or somebody else removed it, in between.
          this.#parts.log.warn({ volume: id, error: messageOf(error) }, 'volume not pruned');
          continue;
        }
        removed.push(id);
        reclaimedBytes += Math.max(sizeBytes, 0);
      }
      this.#parts.events.emit('volume', 'prune', '', { reclaimed: String(reclaimedBytes) });
      return { removed, reclaimedBytes };
    } finally {
      this.#isPruning = false;
    }
  }

  /** Measures every volume, by name. */
  async usage(): Promise<ReadonlyMap<string, VolumeUsage>> {
    const usage = new Map<string, VolumeUsage>();
    for (const { id } of this.list()) {
      usage.set(id, { sizeBytes: await this.#sizeBytes(id), users: this.#parts.usersOf(id).length });
    }
    return usage;
  }

  async #sizeBytes(name: string): Promise<number> {
    return await diskUsageBytes(this.mountpoint(name)).catch((error) => {
      this.#parts.log.warn({ volume: name, error: messageOf(error) }, 'size of a volume is unknown');
      return -1;
    });
  }

  /**
   * Has the volume ready for use until it is released by the same holder; repeatable.
   * @returns the path of its content
   * @throws internal when what its options name cannot be mounted
   */
  acquire(name: string, holder: string): Promise<string> {
    return this.#locks.run(name, () => this.#acquire(name, holder));
  }

  async #acquire(name: string, holder: string): Promise<string> {
    const volume = this.resolve(name);
    const path = this.mountpoint(name);
    // Somebody may have deleted it by hand.
    await this.#makeFolder(name);
    if (needsMount(volume) && !isMountPoint(path)) await mountVolume(volume, path);
    const holders = this.#holders.get(name) ?? new Set();
    this.#holders.set(name, holders.add(holder));
    return path;
  }

  /** With the last holder goes what is mounted on the volume's folder. A volume that nobody holds is fine. */
  release(name: string, holder: string): Promise<void> {
    return this.#locks.run(name, () => this.#release(name, holder));
  }

  async #release(name: string, holder: string): Promise<void> {
    const holders = this.#holders.get(name);
    holders?.delete(holder);
    if (holders && holders.size > 0) return;
    this.#holders.delete(name);
    const volume = this.#parts.table.get(name);
    if (volume && needsMount(volume)) await this.#unmount(name);
  }

  /** Afterwards nothing that is not the volume's own lies below its folder. */
  async #unmount(name: string): Promise<void> {
    const path = this.mountpoint(name);
    // What was mounted several times by hand has to be unmounted as often.
    for (let attempt = 0; isMountPoint(path); attempt++) {
      if (attempt === MAX_UNMOUNTS) throw new Error(`${path} cannot be unmounted`);
      await this.#parts.kernel.deletions.run('removeMount', path);
    }
  }

  /**
   * Fills the volume with a copy of a folder, owners, modes and extended attributes included, unless it holds
   * something already. An empty folder only hands its own owner and mode on.
   * @throws internal when it cannot be copied; the volume is left as it was
   */
  fill(name: string, source: string): Promise<void> {
    const holder = `fill ${source}`;
    return this.#locks.run(name, async () => {
      const path = await this.#acquire(name, holder);
      try {
        if (await isEmpty(path)) await this.#copy(name, source, path);
      } catch (error) {
        throw internal(
          'volume-fill-failed',
          `cannot fill volume ${name} from the image: ${messageOf(error)}`,
          { name },
          error,
        );
      } finally {
        await this.#release(name, holder);
      }
    });
  }

  async #copy(name: string, source: string, path: string): Promise<void> {
    const copy = (target: string) =>
      runProgram('cp', ['--archive', '--', `${source}/.`, target], { cwd: this.#folder(name) });
    // Where others look at the folder already it has to stay the same one.
    if (needsMount(this.resolve(name)) || this.#holders.get(name)!.size > 1) return await copy(path);
    const staging = join(this.#folder(name), 'filling');
    try {
      await removeLeftover(staging);
      await mkdir(staging);
      await copy(staging);
      // In one step, so that no crash leaves half a copy; rename(2) replaces an empty folder and no other.
      await rename(staging, path);
    } catch (error) {
      await rm(staging, { recursive: true, force: true });
      if (!isErrno(error, 'ENOTEMPTY')) throw error;
    }
  }

  /**
   * Brings records and folders together again after a crash.
   * @param needed volumes that containers have
   */
  async restore(needed: readonly VolumeRequest[]): Promise<void> {
    const { table, folder, log } = this.#parts;
    await mkdir(folder, { recursive: true, mode: 0o701 });
    for (const volume of [...table.all()]) {
      if (volume.removing) await this.#delete(volume).catch((error) => this.#cannotRestore(volume.id, error));
    }
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (table.get(entry.name) || !entry.isDirectory() || !isVolumeName(entry.name)) continue;
      log.warn({ volume: entry.name }, 'folder without a record is a volume again');
      table.put({ id: entry.name, createdAt: nowSeconds(), labels: {}, options: {} });
    }
    for (const request of needed) if (!table.get(request.name)) await this.#restoreOne(request);
    for (const { id } of this.list()) {
      await this.#restoreFolder(id).catch((error) => this.#cannotRestore(id, error));
    }
  }

  async #restoreFolder(name: string): Promise<void> {
    await this.#makeFolder(name);
    await removeLeftover(join(this.#folder(name), 'filling'));
  }

  async #restoreOne(request: VolumeRequest): Promise<void> {
    await this.ensure(request).catch((error) => this.#cannotRestore(request.name, error));
  }

  /** What is mounted on volumes that nobody holds by now is unmounted; call when containers have been restored. */
  async unmountUnused(): Promise<void> {
    for (const volume of this.list()) {
      if (!needsMount(volume) || this.#holders.has(volume.id)) continue;
      await this.#unmount(volume.id).catch((error) => this.#cannotRestore(volume.id, error));
    }
  }

  #cannotRestore(volume: string, error: unknown): void {
    this.#parts.log.error({ volume, error: messageOf(error) }, 'volume not restored');
  }

  #folder(name: string): string {
    return join(this.#parts.folder, name);
  }

  #emit(action: 'create' | 'destroy', name: string): void {
    this.#parts.events.emit('volume', action, name, { driver: localDriver });
  }
}

async function isEmpty(path: string): Promise<boolean> {
  const folder = await opendir(path);
  try {
    return (await folder.read()) === null;
  } finally {
    await folder.close();
  }
}

function nowSeconds(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}
