import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { internal, messageOf } from '../base/errors.ts';

/**
 * One table of JSON documents by id. Reads come from memory; writes are committed before they return, and memory
 * changes only after the disk took them.
 */
export class DocumentTable<T extends { readonly id: string }> {
  readonly #name: string;
  readonly #documents = new Map<string, T>();
  readonly #upsert: StatementSync;
  readonly #remove: StatementSync;

  constructor(database: DatabaseSync, name: string) {
    this.#name = name;
    database.exec(
      `CREATE TABLE IF NOT EXISTS ${name} (id TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT, WITHOUT ROWID`,
    );
    this.#upsert = database.prepare(
      `INSERT INTO ${name} (id, document) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET document = excluded.document`,
    );
    this.#remove = database.prepare(`DELETE FROM ${name} WHERE id = ?`);
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

  /**
   * Inserts or replaces.
   * @throws internal when the disk refuses, for example because it is full
   */
  put(document: T): T {
    this.#write(() => this.#upsert.run(document.id, JSON.stringify(document)));
    this.#documents.set(document.id, document);
    return document;
  }

  /** Deletes; an unknown id is no error. */
  delete(id: string): void {
    if (!this.#documents.has(id)) return;
    this.#write(() => this.#remove.run(id));
    this.#documents.delete(id);
  }

  #write(statement: () => void): void {
    try {
      statement();
    } catch (error) {
      const message = `cannot write to the database (${this.#name}): ${messageOf(error)}`;
      throw internal('store-write-failed', message, { table: this.#name }, error);
    }
  }
}
