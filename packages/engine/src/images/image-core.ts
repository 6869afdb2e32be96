/**
 * Images: their records, names and life. What they are made of lies on the disk, see image-files.ts. A record is
 * written last and deleted first, so what has no record is garbage, whatever interrupted us.
 */
import { arch } from 'node:os';
import { invalid, messageOf, notFound } from '../base/errors.ts';
import type { ImageId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { ImageRecord } from '../model/image.ts';
import type { DocumentTable } from '../store/document-table.ts';
import { archiveError, type Bytes } from './archive.ts';
import type { BlobLease } from './blobs.ts';
import { applyChanges, emptyImageConfig } from './config-change.ts';
import { formatImageConfig, parseImageConfig } from './image-config.ts';
import { ImageFiles } from './image-files.ts';
import type {
  Candidate,
  CommitOptions,
  ImageAction,
  ImageEvents,
  ImageStoreOptions,
  ImageUsers,
  ImportOptions,
  Naming,
} from './image-options.ts';
import { receiveLayer, type StoredLayer } from './layers.ts';
import { digestOf, formatManifest, type Platform } from './manifest.ts';
import { mediaTypes } from './media-types.ts';
import { NameTable } from './name-table.ts';
import { type FoundImage, normaliseReference, parseNewTag } from './reference.ts';
import { planRemoval } from './removal.ts';
import { upgradeRecord } from './upgrade-record.ts';

/** What everything that brings, changes or sends images stands on. */
export class ImageCore {
  readonly files: ImageFiles;
  readonly #table: DocumentTable<ImageRecord>;
  readonly #log: Log;
  readonly #events: ImageEvents;
  readonly #names: NameTable;
  /** Changes of the folder happen one after the other; uploads stream in before their turn. */
  #turn: Promise<unknown> = Promise.resolve();

  protected constructor(options: ImageStoreOptions) {
    this.files = new ImageFiles(options.root, { umoci: options.umoci ?? 'umoci', log: options.log });
    this.#table = options.table;
    this.#log = options.log;
    this.#events = options.events ?? { emit: () => {} };
    this.#names = new NameTable(options.table);
  }

  /** All images, youngest first. */
  list(): ImageRecord[] {
    return [...this.#table.all()]
      .filter((image) => !image.isRemoved)
      .sort((a, b) => Date.parse(b.createdAt || '0') - Date.parse(a.createdAt || '0'));
  }

  /** The image of an existing container, also when it was removed under that container. */
  get(id: ImageId): ImageRecord | undefined {
    return this.#table.get(id);
  }

  /** By name, id or the beginning of an id. Throws `invalid` for what can be none of them. */
  find(reference: string): ImageRecord | undefined {
    return this.#names.find(reference)?.image;
  }

  /** As {@link find}, and tells whether it was meant by a name or by its id. */
  lookUp(reference: string): FoundImage<ImageRecord> | undefined {
    return this.#names.find(reference);
  }

  /** As {@link find}; throws `notFound` when there is none. */
  resolve(reference: string): ImageRecord {
    return this.find(reference) ?? noSuchImage(reference);
  }

  /** Absolute path of the unpacked image: the lower directory of containers' overlays. Read-only by agreement. */
  rootfs(id: ImageId): string {
    return this.files.rootfs(id);
  }

  /**
   * Makes an image of one layer from a tar archive of a root file system, compressed or not.
   * Throws `invalid` for a bad name, change or archive (also an empty or interrupted one), `internal` when it
   * cannot be stored; nothing is left behind then.
   */
  async import(body: Bytes, options: ImportOptions = {}): Promise<ImageRecord> {
    const name = options.reference ? normaliseReference(options.reference) : undefined;
    const config = applyChanges(emptyImageConfig(), options.changes ?? []);
    const image = await this.#createWithLayer(body, name, (layer) => {
      if (layer.unpackedBytes === 0) {
        throw invalid('invalid-archive', 'Error processing tar file: the archive is empty');
      }
      const configBytes = formatImageConfig({
        createdAt: new Date().toISOString(),
        ...hostPlatform(),
        ...options.platform,
        comment: options.message || 'Imported from -',
        config,
        diffIds: [layer.diffId],
      });
      return { configBytes, layers: [layer] };
    });
    this.announce('import', image, name ?? image.id);
    return image;
  }

  /** Makes an image of a new layer over another image's. Throws as {@link import}, and `notFound`. */
  async commit(layer: Bytes, options: CommitOptions): Promise<ImageRecord> {
    const name = options.reference ? normaliseReference(options.reference) : undefined;
    const parent = options.parent === undefined ? undefined : this.#table.get(options.parent);
    if (options.parent !== undefined && !parent) noSuchImage(options.parent);
    const image = await this.#createWithLayer(
      layer,
      name,
      (top) => {
        const { author, comment, createdBy, config } = options;
        const configBytes = formatImageConfig({
          createdAt: new Date().toISOString(),
          ...(parent ? platformOf(parent) : hostPlatform()),
          ...{ author, comment, createdBy, config },
          diffIds: [...(parent?.layers ?? []), top.diffId],
          history: parent?.history ?? [],
        });
        return { configBytes, layers: [...(parent ? layersOf(parent) : []), top] };
      },
      parent,
    );
    if (name !== undefined) this.announce('tag', image, name);
    return image;
  }

  async #createWithLayer(
    body: Bytes,
    name: string | undefined,
    complete: (layer: StoredLayer) => Candidate,
    parent?: ImageRecord,
  ): Promise<ImageRecord> {
    using lease = this.files.blobs.lease();
    for (const blob of parent?.blobs ?? []) lease.hold(blob);
    return await this.cleaningUp(async () => {
      await using staging = await this.files.openStaging();
      const layer = await this.receiveLayer(body, staging.fresh(), lease);
      const candidate = complete(layer);
      return await this.add(candidate, name === undefined ? {} : { names: [name] });
    }, lease);
  }

  /** Takes a layer in; the lease keeps it. Throws as {@link import}. */
  async receiveLayer(source: Bytes, path: string, lease: BlobLease): Promise<StoredLayer> {
    const layer = await receiveLayer(source, path);
    lease.hold(layer.digest);
    await this.files.blobs.add(path, layer.digest);
    return layer;
  }

  /** A layer that some image has, which the lease then keeps. */
  findLayer(
    by: { readonly diffId: string } | { readonly digest: string },
    lease: BlobLease,
  ): StoredLayer | undefined {
    const fits = (layer: StoredLayer): boolean =>
      'diffId' in by ? layer.diffId === by.diffId : layer.digest === by.digest;
    for (const image of this.#table.all()) {
      const layer = layersOf(image).find(fits);
      if (!layer) continue;
      lease.hold(layer.digest);
      return layer;
    }
    return undefined;
  }

  /** Runs work under a lease; when it fails, the blobs that it brought go. */
  async cleaningUp<T>(work: () => Promise<T>, lease: BlobLease): Promise<T> {
    try {
      return await work();
    } catch (error) {
      lease[Symbol.dispose]();
      await this.#exclusively(() => this.#discardBlobs()).catch((failure) =>
        this.#log.warn({ error: messageOf(failure) }, 'files of a failed image remain'),
      );
      throw error;
    }
  }

  /**
   * Unpacks, commits and names an image. The same configuration again is the same image.
   * @throws invalid when its layers cannot be unpacked, internal when it cannot be stored
   */
  add(candidate: Candidate, naming: Naming, signal?: AbortSignal): Promise<ImageRecord> {
    return this.#exclusively(async () => {
      signal?.throwIfAborted();
      const image = await this.#ensure(candidate, signal);
      const named = this.#names.assign(image, naming);
      return named;
    });
  }

  /** Tells whoever listens. @param id whom it happened to, where that is not the image's id */
  announce(action: ImageAction, image: ImageRecord, name: string, id: string = image.id): void {
    this.#events.emit('image', action, id, { ...image.config.labels, name });
  }

  /** Gives an image names that it may have already. */
  name(image: ImageRecord, naming: Naming): ImageRecord {
    return this.#names.assign(image, naming);
  }

  /** Tells that unused images were removed. */
  announcePrune(reclaimedBytes: number): void {
    this.#events.emit('image', 'prune', '', { reclaimed: String(reclaimedBytes) });
  }

  /** The image that has a name, itself in normal form. */
  ownerOf(name: string): ImageRecord | undefined {
    return this.#names.ownerOf(name);
  }

  /** The images that have a name in a repository, with the name. */
  named(repository: string): { readonly name: string; readonly image: ImageRecord }[] {
    return this.#names.inRepository(repository);
  }

  /**
   * Gives an image another name; whichever image had that name loses it. Throws `notFound`, `invalid`.
   * @param repository name with or without tag, which `tag` overrides
   */
  tag(reference: string, repository: string, tag?: string): void {
    const image = this.resolve(reference);
    const name = parseNewTag(repository, tag);
    this.#names.assign(image, { names: [name] });
    this.announce('tag', image, name);
  }

  /**
   * Takes a name or an image away, see removal.ts for the rules. Throws `notFound`, or `conflict` when it is in use.
   * Files that stopped containers still need stay until {@link collect} finds that nobody does.
   */
  async remove(
    reference: string,
    options: { readonly force: boolean; readonly inUseBy: ImageUsers },
  ): Promise<{ untagged: string[]; deleted: string[] }> {
    return this.#exclusively(async () => {
      const found = this.#names.find(reference) ?? noSuchImage(reference);
      const { image } = found;
      const users = options.inUseBy(image.id);
      const plan = planRemoval({
        image,
        asked: reference,
        ...(found.by === 'name' ? { name: found.name } : {}),
        force: options.force,
        users,
      });
      const isLeft = (other: string): boolean => !plan.untag.includes(other);
      const left = {
        ...image,
        references: image.references.filter(isLeft),
        repoDigests: image.repoDigests.filter(isLeft),
      };
      if (!plan.isDeleted) this.#table.put(left);
      else if (users.length > 0) {
        this.#table.put({ ...left, references: [], repoDigests: [], isRemoved: true });
      } else await this.#delete(image);
      for (const name of plan.untag) this.announce('untag', image, name);
      if (plan.isDeleted) this.announce('delete', image, image.id);
      return { untagged: [...plan.untag], deleted: plan.isDeleted ? [image.id] : [] };
    });
  }

  /**
   * Deletes the files of images that were removed while containers still needed them, once none does.
   * Call after deleting a container.
   */
  async collect(inUseBy: ImageUsers): Promise<void> {
    // The usual case must not wait for an image that is being unpacked.
    const isUnused = (image: ImageRecord): boolean => !!image.isRemoved && inUseBy(image.id).length === 0;
    if (![...this.#table.all()].some(isUnused)) return;
    await this.#exclusively(async () => {
      for (const image of [...this.#table.all()]) {
        if (isUnused(image)) await this.#delete(image);
      }
    });
  }

  /** Removes what has no record, restores what a record misses. Called by {@link open}. */
  async sweep(): Promise<void> {
    await this.#exclusively(async () => {
      for (const image of [...this.#table.all()]) {
        const upgraded = await upgradeRecord(image, this.files.blobs);
        if (upgraded !== image) this.#table.put(upgraded);
      }
      const images = [...this.#table.all()];
      await this.files.sweep(new Set(images.map((image) => image.id)));
      await this.#discardBlobs();
      this.#names.settle();
      for (const image of images) {
        if (!(await this.files.hasTree(image.id))) await this.#restore(image);
      }
      await this.#writeIndex();
    });
  }

  /** The record of a candidate: the known one, or one that is made now. */
  async #ensure(candidate: Candidate, signal?: AbortSignal): Promise<ImageRecord> {
    const { configBytes, layers } = candidate;
    const id = digestOf(configBytes) as ImageId;
    const known = this.#table.get(id);
    if (known) {
      const { isRemoved, ...image } = known;
      return isRemoved ? this.#table.put(image) : known;
    }
    const { diffIds, ...parsed } = parseImageConfig(configBytes);
    const manifest = candidate.manifest ?? {
      bytes: formatManifest(id, configBytes.length, layers),
      mediaType: mediaTypes.ociManifest,
    };
    const digest = digestOf(manifest.bytes);
    try {
      await using staging = await this.files.openStaging();
      const { blobs } = this.files;
      await blobs.addBytes(configBytes, id, staging.folder);
      await blobs.addBytes(manifest.bytes, digest, staging.folder);
      await this.files.unpack({ id, layers }, staging.folder, signal);
      const image = this.#table.put({
        id,
        references: [],
        repoDigests: [],
        ...parsed,
        sizeBytes: layers.reduce((sum, layer) => sum + layer.unpackedBytes, 0),
        layers: diffIds,
        layerSizes: layers.map((layer) => layer.unpackedBytes),
        layerBlobs: layers.map(({ digest, sizeBytes, mediaType }) => ({ digest, sizeBytes, mediaType })),
        digest,
        manifestType: manifest.mediaType,
        blobs: [...new Set([digest, id, ...layers.map((layer) => layer.digest)])],
        importedAt: new Date().toISOString(),
      });
      await this.#writeIndex();
      this.files.syncLater();
      return image;
    } catch (error) {
      await this.#discardUnrecorded(id);
      signal?.throwIfAborted();
      throw archiveError(error);
    }
  }

  /** Unpacks an image again whose files have gone. Its blobs may still be there. */
  async #restore(image: ImageRecord): Promise<void> {
    this.#log.warn({ image: image.id }, 'unpacked image is missing, unpacking it again');
    try {
      await using staging = await this.files.openStaging();
      await this.files.unpack({ id: image.id, layers: layersOf(image) }, staging.folder);
      this.files.syncLater();
    } catch (error) {
      this.#log.error({ image: image.id, error: messageOf(error) }, 'image cannot be unpacked');
    }
  }

  /** The record goes first: from then on the rest is garbage, which the next sweep would take too. */
  async #delete(image: ImageRecord): Promise<void> {
    this.#table.delete(image.id);
    try {
      await this.#discardUnrecorded(image.id);
      await this.#writeIndex();
    } catch (error) {
      this.#log.warn({ image: image.id, error: messageOf(error) }, 'files of a deleted image remain');
    }
  }

  /** Deletes the unpacked files of an image without record, and every blob that no record needs. */
  async #discardUnrecorded(id: ImageId): Promise<void> {
    if (!this.#table.get(id)) await this.files.deleteTree(id);
    await this.#discardBlobs();
  }

  #discardBlobs(): Promise<void> {
    return this.files.blobs.discardExcept(new Set([...this.#table.all()].flatMap((image) => image.blobs)));
  }

  #writeIndex(): Promise<void> {
    return this.files.writeIndex(
      this.list().map(({ digest, manifestType }) => ({ mediaType: manifestType, digest })),
    );
  }

  #exclusively<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(change);
    this.#turn = result.catch(() => {});
    return result;
  }
}

/** The layers of an image as the store has them, lowest first. */
export function layersOf(image: ImageRecord): StoredLayer[] {
  return image.layerBlobs.map((blob, index) => ({
    ...blob,
    diffId: image.layers[index]!,
    unpackedBytes: image.layerSizes[index]!,
  }));
}

/** Node's word for the architecture, in the specification's words. */
export function hostPlatform(): Platform {
  const machine = arch();
  return { os: 'linux', architecture: machine === 'x64' ? 'amd64' : machine };
}

function platformOf(image: ImageRecord): Platform {
  const { os, architecture, variant } = image;
  return { os, architecture, ...(variant ? { variant } : {}) };
}

export function noSuchImage(reference: string): never {
  // An id is named as it was typed, a name with its tag, as Docker does.
  const isId = /^(?:sha256:)?[0-9a-f]{64}$/.test(reference);
  const name = isId ? reference : normaliseReference(reference);
  throw notFound('image-not-found', `No such image: ${name}`, { reference });
}
