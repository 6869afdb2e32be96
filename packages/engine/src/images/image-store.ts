/**
 * Images on disk. Under the store's folder lie an OCI image layout (`oci-layout`, `index.json`, `blobs/sha256`),
 * one unpacked read-only root file system per image (`rootfs/<id>`), and `staging`, where everything is made before
 * it is renamed into place. The record in the table is written last and deleted first, so what has no record is
 * garbage, whatever interrupted us.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { arch } from 'node:os';
import { join } from 'node:path';
import { internal, invalid, messageOf, notFound } from '../base/errors.ts';
import type { ImageId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { ImageRecord } from '../model/image.ts';
import type { DocumentTable } from '../store/document-table.ts';
import { archiveError, type Bytes, copyArchive, receiveArchive, unpackUpload } from './archive.ts';
import { applyChanges, emptyImageConfig } from './config-change.ts';
import { formatImageConfig, parseImageConfig } from './image-config.ts';
import { type ArchivedImage, type Platform, readDocumentBytes, readLoadArchive } from './load-archive.ts';
import { runProgram } from './programs.ts';
import { findImage, normaliseReference, parseNewTag } from './reference.ts';
import { type ImageUser, planRemoval } from './removal.ts';

export type { ImageConfig, ImageHistoryEntry, ImageRecord } from '../model/image.ts';
export type { ImageUser } from './removal.ts';

export interface ImageStoreOptions {
  /** The store's own folder; made when it does not exist. */
  readonly root: string;
  readonly table: DocumentTable<ImageRecord>;
  readonly log: Log;
  /** The program that applies layers. @default `umoci` on the search path */
  readonly umoci?: string;
  /** Told what happened to images, in Docker's words. @default nobody */
  readonly events?: ImageEvents;
}

/** Where image events go; the engine's own `Events` fit. */
export interface ImageEvents {
  emit(
    type: 'image',
    action: 'import' | 'load' | 'tag' | 'untag' | 'delete',
    id: string,
    attributes: { name: string },
  ): void;
}

export interface ImportOptions {
  /** Name with or without tag. @default none: the image is found by id only */
  readonly reference?: string;
  /** Dockerfile instructions, see config-change.ts. */
  readonly changes?: readonly string[];
  /** @default `Imported from -` */
  readonly message?: string;
  /** @default this machine's */
  readonly platform?: Platform & { readonly variant?: string };
}

/** Which containers are made from an image; asked when one is to be removed. */
export type ImageUsers = (id: ImageId) => readonly ImageUser[];

/** Media types of the OCI image specification. */
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';
const LAYOUT_VERSION = '1.0.0';

/** An image whose parts are in staging, or in the store already because another image has them too. */
interface Candidate {
  readonly configBytes: Buffer;
  /** Staged layer files by digest. */
  readonly staged: ReadonlyMap<string, string>;
  /** A folder for what is made on the way. */
  readonly folder: string;
}

export class ImageStore {
  readonly #root: string;
  readonly #table: DocumentTable<ImageRecord>;
  readonly #log: Log;
  readonly #umoci: string;
  readonly #events: ImageEvents;
  /** Changes of the folder happen one after the other; uploads stream in before their turn. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: ImageStoreOptions) {
    this.#root = options.root;
    this.#table = options.table;
    this.#log = options.log;
    this.#umoci = options.umoci ?? 'umoci';
    this.#events = options.events ?? { emit: () => {} };
  }

  /** Opens the store and clears away what a crash left. Throws `internal` when the folder cannot be used. */
  static async open(options: ImageStoreOptions): Promise<ImageStore> {
    const store = new ImageStore(options);
    try {
      await mkdir(options.root, { recursive: true, mode: 0o710 });
      for (const folder of ['blobs/sha256', 'rootfs', 'staging']) {
        await mkdir(join(options.root, folder), { recursive: true, mode: 0o710 });
      }
      await writeFile(
        join(options.root, 'oci-layout'),
        JSON.stringify({ imageLayoutVersion: LAYOUT_VERSION }),
      );
      await store.sweep();
    } catch (error) {
      throw internal(
        'image-store-unusable',
        `cannot use the image store: ${messageOf(error)}`,
        { root: options.root },
        error,
      );
    }
    return store;
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
    return findImage(this.list(), reference)?.image;
  }

  /** As {@link find}; throws `notFound` when there is none. */
  resolve(reference: string): ImageRecord {
    return this.find(reference) ?? noSuchImage(reference);
  }

  /** Absolute path of the unpacked image: the lower directory of containers' overlays. Read-only by agreement. */
  rootfs(id: ImageId): string {
    return join(this.#root, 'rootfs', hexOf(id));
  }

  /**
   * Makes an image of one layer from a tar archive of a root file system, compressed or not.
   * Throws `invalid` for a bad name, change or archive (also an empty or interrupted one), `internal` when it
   * cannot be stored; nothing is left behind then.
   */
  async import(body: Bytes, options: ImportOptions = {}): Promise<ImageRecord> {
    const name = options.reference ? normaliseReference(options.reference) : undefined;
    const config = applyChanges(emptyImageConfig(), options.changes ?? []);
    await using staging = await this.#openStaging();
    const path = join(staging.folder, 'layer');
    const layer = await receiveArchive(body, path);
    if (layer.sizeBytes === 0)
      throw invalid('invalid-archive', 'Error processing tar file: the archive is empty');
    const configBytes = formatImageConfig({
      createdAt: new Date().toISOString(),
      ...hostPlatform(),
      ...options.platform,
      comment: options.message || 'Imported from -',
      config,
      diffId: layer.digest,
    });
    const staged = new Map([[layer.digest, path]]);
    // Awaited here: the staging folder must outlive the work in it.
    return await this.#exclusively(async () => {
      const image = await this.#add({ configBytes, staged, folder: staging.folder });
      const named = name === undefined ? image : this.#assign(name, image.id);
      this.#events.emit('image', 'import', image.id, { name: name ?? image.id });
      return named;
    });
  }

  /**
   * Adds the images of a `docker save` or OCI archive. Each is complete before the next begins; a failure leaves the
   * ones before it. `onProgress` gets the same lines as the result, and what happened to names that moved.
   * Throws as {@link import}.
   */
  async load(body: Bytes, onProgress: (text: string) => void = () => {}): Promise<{ loaded: string[] }> {
    await using staging = await this.#openStaging();
    const upload = join(staging.folder, 'upload');
    await mkdir(upload, { mode: 0o700 });
    await unpackUpload(body, upload);
    const loaded: string[] = [];
    const report = (line: string): void => {
      loaded.push(line);
      onProgress(`${line}\n`);
    };
    const staged = new Map<string, string>();
    for (const archived of await readLoadArchive(upload, hostPlatform())) {
      await this.#exclusively(async () => {
        // In turn as well: a layer that the store has now must not be deleted before this image claims it.
        const configBytes = await this.#stage(archived, staging.folder, staged);
        const image = await this.#add({ configBytes, staged, folder: staging.folder });
        for (const name of archived.names) {
          const owner = this.#ownerOf(name);
          if (owner && owner.id !== image.id) {
            onProgress(
              `The image ${name} already exists, renaming the old one with ID ${owner.id} to empty string\n`,
            );
          }
          this.#assign(name, image.id);
          report(`Loaded image: ${name}`);
        }
        if (archived.names.length === 0) report(`Loaded image ID: ${image.id}`);
        this.#events.emit('image', 'load', image.id, { name: archived.names[0] ?? image.id });
      });
    }
    return { loaded };
  }

  /**
   * Gives an image another name; whichever image had that name loses it. Throws `notFound`, `invalid`.
   * @param repository name with or without tag, which `tag` overrides
   */
  tag(reference: string, repository: string, tag?: string): void {
    const { id } = this.resolve(reference);
    const name = parseNewTag(repository, tag);
    this.#assign(name, id);
    this.#events.emit('image', 'tag', id, { name });
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
      const { image, by } = findImage(this.list(), reference) ?? noSuchImage(reference);
      const users = options.inUseBy(image.id);
      const plan = planRemoval({
        image,
        asked: reference,
        // By a digest the image is found under all its names; the first one is as good as any.
        ...(by === 'name' ? { name: nameIn(image, reference) } : {}),
        force: options.force,
        users,
      });
      const references = image.references.filter((name) => !plan.untag.includes(name));
      if (!plan.isDeleted) this.#table.put({ ...image, references });
      else if (users.length > 0) this.#table.put({ ...image, references: [], isRemoved: true });
      else await this.#delete(image);
      for (const name of plan.untag) this.#events.emit('image', 'untag', image.id, { name });
      if (plan.isDeleted) this.#events.emit('image', 'delete', image.id, { name: image.id });
      return { untagged: [...plan.untag], deleted: plan.isDeleted ? [image.id] : [] };
    });
  }

  /**
   * Deletes the files of images that were removed while containers still needed them, once none does.
   * Call after deleting a container.
   */
  async collect(inUseBy: ImageUsers): Promise<void> {
    await this.#exclusively(async () => {
      for (const image of [...this.#table.all()]) {
        if (image.isRemoved && inUseBy(image.id).length === 0) await this.#delete(image);
      }
    });
  }

  /** Removes what has no record, restores what a record misses. Called by {@link open}. */
  async sweep(): Promise<void> {
    await this.#exclusively(async () => {
      await emptyFolder(join(this.#root, 'staging'), new Set());
      const images = [...this.#table.all()];
      await emptyFolder(join(this.#root, 'rootfs'), new Set(images.map((image) => hexOf(image.id))));
      await emptyFolder(join(this.#root, 'blobs/sha256'), usedBlobs(images));
      this.#settleNames(images);
      for (const image of images) {
        if (await exists(this.rootfs(image.id))) continue;
        await this.#restore(image);
      }
      await this.#writeIndex();
    });
  }

  /** Copies the configuration and those layers that the store lacks out of an archive, and checks them. */
  async #stage(archived: ArchivedImage, folder: string, staged: Map<string, string>): Promise<Buffer> {
    const configBytes = await readDocumentBytes(archived.configPath);
    const { diffIds, os } = parseImageConfig(configBytes);
    if (os !== 'linux') throw invalid('image-platform-missing', `cannot load ${os} image on linux`, { os });
    if (diffIds.length !== archived.layerPaths.length) {
      throw invalid(
        'invalid-load-archive',
        `invalid manifest, layers length mismatch: expected ${diffIds.length}, got ${archived.layerPaths.length}`,
      );
    }
    for (const [index, diffId] of diffIds.entries()) {
      if (staged.has(diffId) || (await exists(this.#blob(diffId)))) continue;
      const path = join(folder, `layer-${staged.size}`);
      const { digest } = await copyArchive(archived.layerPaths[index]!, path);
      if (digest !== diffId) {
        throw invalid(
          'invalid-load-archive',
          `invalid diffID for layer ${index}: expected "${diffId}", got "${digest}"`,
        );
      }
      staged.set(diffId, path);
    }
    return configBytes;
  }

  /** Publishes blobs, unpacks, and commits. The same configuration again is the same image. */
  async #add(candidate: Candidate): Promise<ImageRecord> {
    const { configBytes, folder } = candidate;
    const id = digestOf(configBytes) as ImageId;
    const known = this.#table.get(id);
    if (known) {
      const { isRemoved, ...image } = known;
      return isRemoved ? this.#table.put(image) : known;
    }
    const { diffIds, ...parsed } = parseImageConfig(configBytes);
    try {
      const layerSizes: number[] = [];
      for (const diffId of diffIds) layerSizes.push(await this.#publishLayer(diffId, candidate));
      const manifest = formatManifest(id, configBytes.length, diffIds, layerSizes);
      const digest = digestOf(manifest);
      await this.#publishBytes(id, configBytes, folder);
      await this.#publishBytes(digest, manifest, folder);
      await this.#unpack(id, { digest, sizeBytes: manifest.length }, folder);
      const image = this.#table.put({
        id,
        references: [],
        ...parsed,
        sizeBytes: layerSizes.reduce((sum, size) => sum + size, 0),
        layers: diffIds,
        layerSizes,
        digest,
        blobs: [...new Set([digest, id, ...diffIds])],
        importedAt: new Date().toISOString(),
      });
      await this.#writeIndex();
      return image;
    } catch (error) {
      await this.#discardUnrecorded(id);
      throw archiveError(error);
    }
  }

  async #publishLayer(diffId: string, { staged }: Candidate): Promise<number> {
    const target = this.#blob(diffId);
    const path = staged.get(diffId);
    if (path && (await exists(path)) && !(await exists(target))) await rename(path, target);
    return (await stat(target)).size;
  }

  async #publishBytes(digest: string, bytes: Buffer, folder: string): Promise<void> {
    const path = join(folder, 'document');
    await writeFile(path, bytes, { mode: 0o600 });
    await rename(path, this.#blob(digest));
  }

  /** Applies the layers in staging and renames the result into place. */
  async #unpack(id: ImageId, manifest: { digest: string; sizeBytes: number }, folder: string): Promise<void> {
    // umoci finds an image by a name in an index, so it gets an index of its own beside the common blobs.
    const layout = join(folder, 'layout');
    const descriptor = {
      mediaType: MANIFEST_TYPE,
      digest: manifest.digest,
      size: manifest.sizeBytes,
      annotations: { 'org.opencontainers.image.ref.name': 'image' },
    };
    await rm(layout, { recursive: true, force: true });
    await rm(join(folder, 'rootfs'), { recursive: true, force: true });
    await mkdir(layout);
    await symlink(join(this.#root, 'blobs'), join(layout, 'blobs'));
    await writeFile(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: LAYOUT_VERSION }));
    await writeFile(
      join(layout, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }),
    );
    await runProgram(this.#umoci, ['raw', 'unpack', '--image', 'layout:image', 'rootfs'], { cwd: folder });
    await rm(this.rootfs(id), { recursive: true, force: true });
    await rename(join(folder, 'rootfs'), this.rootfs(id));
  }

  /** Unpacks an image again whose files have gone. Its blobs may still be there. */
  async #restore(image: ImageRecord): Promise<void> {
    this.#log.warn({ image: image.id }, 'unpacked image is missing, unpacking it again');
    try {
      await using staging = await this.#openStaging();
      const { size } = await stat(this.#blob(image.digest));
      await this.#unpack(image.id, { digest: image.digest, sizeBytes: size }, staging.folder);
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
    if (!this.#table.get(id)) {
      await using staging = await this.#openStaging();
      // Renamed first, so that a crash in the middle of deleting cannot leave half of it in place.
      await rename(this.rootfs(id), join(staging.folder, 'rootfs')).catch(ignoreMissing);
    }
    await emptyFolder(join(this.#root, 'blobs/sha256'), usedBlobs(this.#table.all()));
  }

  #ownerOf(name: string): ImageRecord | undefined {
    return this.list().find((image) => image.references.includes(name));
  }

  /** Moves a name to an image. When the disk refuses halfway, the name is where it was. */
  #assign(name: string, id: ImageId): ImageRecord {
    const image = this.#table.get(id) ?? noSuchImage(name);
    if (image.references.includes(name)) return image;
    const owner = this.#ownerOf(name);
    const named = this.#table.put({ ...image, references: [...image.references, name] });
    try {
      if (owner) this.#table.put(without(owner, name));
    } catch (error) {
      this.#table.put(image);
      throw error;
    }
    return named;
  }

  /** A crash between the two writes of {@link #assign} leaves a name with two images: the younger import keeps it. */
  #settleNames(images: readonly ImageRecord[]): void {
    const seen = new Set<string>();
    for (const image of [...images].sort((a, b) => (a.importedAt < b.importedAt ? 1 : -1))) {
      const doubled = image.references.filter((name) => seen.has(name));
      for (const name of image.references) seen.add(name);
      if (doubled.length > 0) this.#table.put(doubled.reduce(without, image));
    }
  }

  /** Lists the manifests, so that other tools can read the layout. Names are ours and live in the table. */
  async #writeIndex(): Promise<void> {
    const manifests = await Promise.all(
      this.list().map(async ({ digest }) => ({
        mediaType: MANIFEST_TYPE,
        digest,
        size: (await stat(this.#blob(digest)).catch(() => undefined))?.size ?? 0,
      })),
    );
    const path = join(this.#root, 'staging', 'index.json');
    await writeFile(path, JSON.stringify({ schemaVersion: 2, manifests }));
    await rename(path, join(this.#root, 'index.json'));
  }

  async #openStaging(): Promise<Staging> {
    try {
      return new Staging(await mkdtemp(join(this.#root, 'staging', 'work-')), this.#log);
    } catch (error) {
      throw archiveError(error);
    }
  }

  #blob(digest: string): string {
    return join(this.#root, 'blobs/sha256', hexOf(digest));
  }

  #exclusively<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(change);
    this.#turn = result.catch(() => {});
    return result;
  }
}

/** A folder for half-done things that goes with the scope that opened it. */
class Staging implements AsyncDisposable {
  readonly folder: string;
  readonly #log: Log;

  constructor(folder: string, log: Log) {
    this.folder = folder;
    this.#log = log;
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

function formatManifest(
  id: ImageId,
  configSize: number,
  diffIds: readonly string[],
  layerSizes: readonly number[],
): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: { mediaType: CONFIG_TYPE, digest: id, size: configSize },
      layers: diffIds.map((digest, index) => ({ mediaType: LAYER_TYPE, digest, size: layerSizes[index] })),
    }),
  );
}

/** Node's word for the architecture, in the specification's words. */
function hostPlatform(): Platform {
  const machine = arch();
  return { os: 'linux', architecture: machine === 'x64' ? 'amd64' : machine };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function hexOf(digest: string): string {
  return digest.slice('sha256:'.length);
}

function without(image: ImageRecord, name: string): ImageRecord {
  return { ...image, references: image.references.filter((other) => other !== name) };
}

function nameIn(image: ImageRecord, reference: string): string {
  const name = normaliseReference(reference);
  return image.references.includes(name) ? name : (image.references[0] ?? name);
}

function usedBlobs(images: Iterable<ImageRecord>): Set<string> {
  return new Set([...images].flatMap((image) => image.blobs.map(hexOf)));
}

/** Deletes everything in a folder but the names to keep. */
async function emptyFolder(folder: string, keep: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!keep.has(name)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

function noSuchImage(reference: string): never {
  // An id is named as it was typed, a name with its tag, as Docker does.
  const isId = /^(?:sha256:)?[0-9a-f]{64}$/.test(reference);
  const name = isId ? reference : normaliseReference(reference);
  throw notFound('image-not-found', `No such image: ${name}`, { reference });
}
