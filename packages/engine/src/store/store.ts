/**
 * The embedded database: what exists is committed here before the kernel is asked for it. Each kind of record is
 * one table of documents, cached in memory and written through. One process at a time holds the database.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { internal, messageOf, unavailable } from '../base/errors.ts';
import type { ContainerRecord } from '../model/container.ts';
import type { ImageRecord } from '../model/image.ts';
import type { EndpointRecord, NetworkRecord, SandboxRecord } from '../model/network.ts';
import type { VolumeRecord } from '../model/volume.ts';
import { DocumentTable } from './document-table.ts';

/** One fact about the installation itself. */
export interface MetaRecord {
  readonly id: string;
  readonly value: string;
}

export class Store implements Disposable {
  readonly meta: DocumentTable<MetaRecord>;
  readonly networks: DocumentTable<NetworkRecord>;
  readonly sandboxes: DocumentTable<SandboxRecord>;
  readonly endpoints: DocumentTable<EndpointRecord>;
  readonly containers: DocumentTable<ContainerRecord>;
  readonly images: DocumentTable<ImageRecord>;
  readonly volumes: DocumentTable<VolumeRecord>;
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    this.meta = new DocumentTable(database, 'meta');
    this.networks = new DocumentTable(database, 'networks');
    this.sandboxes = new DocumentTable(database, 'sandboxes');
    this.endpoints = new DocumentTable(database, 'endpoints');
    this.containers = new DocumentTable(database, 'containers');
    this.images = new DocumentTable(database, 'images');
    this.volumes = new DocumentTable(database, 'volumes');
  }

  /**
   * Opens or makes the database in `folder`.
   * @throws unavailable when another process holds it, internal when the folder cannot be written
   */
  static open(folder: string): Store {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o710 });
      const database = new DatabaseSync(join(folder, 'seaway.db'));
      // The exclusive lock is the kernel's: it goes with the process, however that ends.
      database.exec(
        'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL',
      );
      return new Store(database);
    } catch (error) {
      throw openingError(folder, error);
    }
  }

  close(): void {
    this.#database.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Result codes: https://www.sqlite.org/rescode.html */
function openingError(folder: string, cause: unknown) {
  const code = Number((cause as { errcode?: unknown }).errcode) & 0xff;
  if (code === 5) {
    return unavailable(
      'data-root-in-use',
      `data root ${folder} is in use by another daemon: stop that one, or choose another with --data-root`,
      { folder },
      cause,
    );
  }
  return internal(
    'data-root-unusable',
    `cannot use data root ${folder}: ${messageOf(cause)}`,
    { folder },
    cause,
  );
}
