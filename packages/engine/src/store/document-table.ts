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
  readonly #groupings: Grouping<T>[] = [];

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

  /**
   * Keeps the documents in groups by a key that several may share.
   * @returns those of one key, in the order in which they came
   */
  groupBy(keyOf: (document: T) => string | undefined): (key: string) => T[] {
    const grouping = new Grouping(keyOf);
    for (const document of this.all()) grouping.put(undefined, document);
    this.#groupings.push(grouping);
    return (key) => grouping.of(key);
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
    for (const grouping of this.#groupings) grouping.put(this.#documents.get(document.id), document);
    this.#documents.set(document.id, document);
    return document;
  }

  /** Deletes; an unknown id is no error. */
  delete(id: string): void {
    const document = this.#documents.get(id);
    if (!document) return;
    this.#write(() => this.#remove.run(id));
    for (const grouping of this.#groupings) grouping.drop(document);
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

/** Documents by key and id. */
class Grouping<T extends { readonly id: string }> {
  readonly #keyOf: (document: T) => string | undefined;
  readonly #groups = new Map<string, Map<string, T>>();

  constructor(keyOf: (document: T) => string | undefined) {
    this.#keyOf = keyOf;
  }

  put(before: T | undefined, document: T): void {
    const key = this.#keyOf(document);
    if (before && this.#keyOf(before) !== key) this.drop(before);
    if (key === undefined) return;
    const group = this.#groups.get(key) ?? new Map<string, T>();
    this.#groups.set(key, group.set(document.id, document));
  }

  drop(document: T): void {
    const key = this.#keyOf(document);
    const group = key === undefined ? undefined : this.#groups.get(key);
    if (group?.delete(document.id) && group.size === 0) this.#groups.delete(key!);
  }

  of(key: string): T[] {
    return [...(this.#groups.get(key)?.values() ?? [])];
  }
}
