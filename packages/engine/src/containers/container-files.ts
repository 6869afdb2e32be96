/**
 * The files of containers, running or not: looked at, copied out and in, compared with the image's. The daemon itself
 * never follows a path that a container could have made; a helper that has nothing but the container's files in its
 * reach does (see files/main.ts).
 */
import type { Events } from '../events.ts';
import { FilesHelper } from '../files/helper.ts';
import type { FileChange, PathStat, TaskMount, UnpackOptions, Work } from '../files/protocol.ts';
import { archiveError, type Bytes, decompress } from '../images/archive.ts';
import type { ImageStore } from '../images/image-store.ts';
import { type ContainerRecord, isRunning } from '../model/container.ts';
import type { OciMount } from '../runtime/spec/oci-spec.ts';
import type { ContainerMounts } from '../volumes/container-mounts.ts';
import { emitContainerEvent } from './container-events.ts';
import { diskUsageBytes } from './disk-usage.ts';
import { FilesSession } from './files-session.ts';
import type { Launcher } from './launcher.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { ContainerRegistry } from './registry.ts';
import { fileMounts } from './spec-input.ts';

export type { FileChange, PathStat } from '../files/protocol.ts';

export interface ContainerFilesParts {
  readonly registry: ContainerRegistry;
  readonly launcher: Launcher;
  readonly lifecycle: Lifecycle;
  readonly mounts: ContainerMounts;
  readonly images: ImageStore;
  readonly events: Events;
}

/** An archive on its way out; to be disposed of by whoever asked for it, read to its end or not. */
export interface OutgoingArchive extends AsyncDisposable {
  /** Tar, not compressed. Throws where the archive cannot be finished. */
  readonly content: Bytes;
}

export interface ContainerSize {
  readonly writtenBytes: number;
  readonly totalBytes: number;
}

export interface WriteOptions extends Pick<UnpackOptions, 'noOverwriteDirNonDir'> {
  /** Whether everything becomes the user's that the container runs as. */
  readonly copyUidGid: boolean;
}

export class ContainerFiles {
  readonly #parts: ContainerFilesParts;
  readonly #helpers = new Set<FilesHelper>();
  /** How many have looked so far: each holds the volumes by itself. */
  #looks = 0;

  constructor(parts: ContainerFilesParts) {
    this.#parts = parts;
  }

  /** What is at a path. @throws notFound when nothing is, invalid for a path through what is no folder */
  async stat(reference: string, path: string): Promise<PathStat> {
    await using session = await this.#look(reference, { kind: 'stat', path }, path);
    const stat = await session.begun();
    await session.done();
    return stat;
  }

  /** An archive of what is at a path, under its own name. @throws as {@link stat} */
  async read(reference: string, path: string): Promise<OutgoingArchive & { readonly stat: PathStat }> {
    const session = await this.#look(reference, { kind: 'read', path }, path);
    const stat = await session.begunOrEnd();
    emitContainerEvent(this.#parts.events, 'archive-path', session.container);
    return { stat, content: session.content(), [Symbol.asyncDispose]: () => session.end() };
  }

  /** An archive of all files, without the volumes' and the engine's own. @throws notFound for the container */
  async export(reference: string): Promise<OutgoingArchive> {
    const session = await this.#look(reference, { kind: 'export' });
    await session.begunOrEnd();
    emitContainerEvent(this.#parts.events, 'export', session.container);
    return { content: session.content(), [Symbol.asyncDispose]: () => session.end() };
  }

  /**
   * Unpacks an archive, compressed or not, into a folder. What was unpacked before a failure stays.
   * @throws notFound when there is no such folder; invalid where nothing may be written, and for a bad archive
   */
  async write(reference: string, path: string, archive: Bytes, options: WriteOptions): Promise<void> {
    const { user } = this.#parts.registry.resolve(reference).config;
    const work = {
      kind: 'write',
      path,
      noOverwriteDirNonDir: options.noOverwriteDirNonDir,
      ...(options.copyUidGid && user ? { user } : {}),
    } as const;
    await using session = await this.#look(reference, work, path);
    await session.begun();
    const feeding = session.feed(decompress(archive)).catch((error) => {
      throw archiveError(error);
    });
    await Promise.all([feeding, session.done()]);
    emitContainerEvent(this.#parts.events, 'extract-to-dir', session.container);
  }

  /** What differs from the image, in the order of the paths. */
  async changes(reference: string): Promise<readonly FileChange[]> {
    await using session = await this.#compare(reference, { kind: 'changes' });
    return await session.done();
  }

  /** The same as a layer over the image's own. */
  async diff(reference: string): Promise<OutgoingArchive> {
    const session = await this.#compare(reference, { kind: 'diff' });
    await session.begunOrEnd();
    return { content: session.content(), [Symbol.asyncDispose]: () => session.end() };
  }

  /** How much room a container takes: what it has written, and that with its image. */
  async size({ id, imageId }: ContainerRecord): Promise<ContainerSize> {
    const { launcher, images } = this.#parts;
    const writtenBytes = await diskUsageBytes(launcher.rootfs.upper(id));
    return { writtenBytes, totalBytes: writtenBytes + (images.get(imageId)?.sizeBytes ?? 0) };
  }

  /** Ends all that is under way. */
  async close(): Promise<void> {
    await Promise.all([...this.#helpers].map((helper) => helper.end()));
  }

  /** @param path what a missing file is called in the error */
  async #look(reference: string, work: Work, path?: string): Promise<FilesSession> {
    const container = await this.#borrow(reference);
    const { launcher } = this.#parts;
    const root = launcher.rootfs.path(container.id);
    const isReadonly = container.host.readonlyRootfs;
    const holder = `files-${++this.#looks}`;
    const giveBack = async () => {
      await this.#parts.mounts.release(container.id, holder);
      await this.#giveBack(container);
    };
    return this.#orGiveBack(giveBack, async () => {
      const mounts = work.kind === 'export' ? [] : await this.#mountsOf(container, holder);
      return this.#start(container, { root, isReadonly, mounts, work }, { reference, path }, giveBack);
    });
  }

  async #compare(reference: string, work: Work): Promise<FilesSession> {
    const container = await this.#borrow(reference);
    const { launcher, images } = this.#parts;
    const mounts = [
      { source: images.rootfs(container.imageId), target: '/lower', readonly: true },
      { source: launcher.rootfs.upper(container.id), target: '/upper', readonly: true },
    ];
    const root = launcher.rootfs.path(container.id);
    const giveBack = () => this.#giveBack(container);
    return this.#orGiveBack(giveBack, async () =>
      this.#start(container, { root, isEmpty: true, mounts, work }, { reference }, giveBack),
    );
  }

  /** What was borrowed goes back where no session begins that would do so at its end. */
  async #orGiveBack(
    giveBack: () => Promise<void>,
    begin: () => Promise<FilesSession>,
  ): Promise<FilesSession> {
    try {
      return await begin();
    } catch (error) {
      await giveBack();
      throw error;
    }
  }

  /** The root is mounted from now on, also when the container ends meanwhile. */
  #borrow(reference: string): Promise<ContainerRecord> {
    const { registry, lifecycle, launcher } = this.#parts;
    const { id } = registry.resolve(reference);
    return lifecycle.exclusively(id, async () => {
      const container = registry.get(id);
      await launcher.rootfs.borrow(container);
      return container;
    });
  }

  async #giveBack({ id }: ContainerRecord): Promise<void> {
    const { registry, lifecycle, launcher } = this.#parts;
    await lifecycle.exclusively(id, async () => {
      const container = registry.find(id);
      await launcher.rootfs.giveBack(id, container !== undefined && isRunning(container));
    });
  }

  async #mountsOf(container: ContainerRecord, holder: string): Promise<TaskMount[]> {
    const { mounts } = await this.#parts.mounts.mount(container, holder);
    const files = this.#parts.launcher.filesOf(container);
    return distinct([...fileMounts(files, container.host.readonlyRootfs), ...mounts])
      .filter(({ type }) => type === 'bind')
      .map(({ source, destination, options }) => ({
        source,
        target: destination.replace(/(?<=.)\/+$/, ''),
        readonly: options.includes('ro') || options.includes('rro'),
      }))
      .sort((a, b) => a.target.split('/').length - b.target.split('/').length);
  }

  #start(
    container: ContainerRecord,
    task: Parameters<typeof FilesHelper.start>[0],
    named: { readonly reference: string; readonly path?: string | undefined },
    giveBack: () => Promise<void>,
  ): FilesSession {
    const helper = FilesHelper.start(task);
    this.#helpers.add(helper);
    return new FilesSession(helper, container, named, async () => {
      await helper.end();
      this.#helpers.delete(helper);
      await giveBack();
    });
  }
}

/** Of two mounts at one place the container sees the later one. */
function distinct(mounts: readonly OciMount[]): OciMount[] {
  return [...new Map(mounts.map((mount) => [mount.destination, mount])).values()];
}
