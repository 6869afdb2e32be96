/**
 * The embedded database: what exists is committed here before the kernel is asked for it.
 * Each kind of record is one table of documents, cached in memory, written through in a transaction.
 */
import type { DatabaseSync } from 'node:sqlite';

/** One table of JSON documents by id. Reads come from memory; writes are committed before they return. */
export class DocumentTable<T extends { readonly id: string }> {
  readonly #database: DatabaseSync;
  readonly #name: string;
  readonly #documents = new Map<string, T>();

  constructor(database: DatabaseSync, name: string) {
    this.#database = database;
    this.#name = name;
    database.exec(
      `CREATE TABLE IF NOT EXISTS ${name} (id TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT, WITHOUT ROWID`,
    );
    for (const row of database.prepare(`SELECT document FROM ${name}`).all()) {
      const document = JSON.parse(String(row.document)) as T;
      this.#documents.set(document.id, document);
    }
  }

  get(id: string): T | undefined {
    return this.#documents.get(id);
  }

  all(): IterableIterator<T> {
    return this.#documents.values();
  }

  get size(): number {
    return this.#documents.size;
  }

  /** Inserts or replaces, and commits. Throws when the disk refuses; memory is then unchanged. */
  put(document: T): void {
    this.#database
      .prepare(
        `INSERT INTO ${this.#name} (id, document) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET document = excluded.document`,
      )
      .run(document.id, JSON.stringify(document));
    this.#documents.set(document.id, document);
  }

  delete(id: string): void {
    this.#database.prepare(`DELETE FROM ${this.#name} WHERE id = ?`).run(id);
    this.#documents.delete(id);
  }
}
