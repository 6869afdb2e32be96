/** Which image has which name. A name belongs to one image at a time; the table of records is where that is kept. */
import type { ImageId } from '../base/ids.ts';
import type { ImageRecord } from '../model/image.ts';
import type { DocumentTable } from '../store/document-table.ts';
import { type FoundImage, findImage, formatRepository, parseReference } from './reference.ts';

export class NameTable {
  readonly #table: DocumentTable<ImageRecord>;

  constructor(table: DocumentTable<ImageRecord>) {
    this.#table = table;
  }

  /** By name, id or the beginning of an id. Throws `invalid` for what can be none of them. */
  find(reference: string): FoundImage<ImageRecord> | undefined {
    return findImage(this.#images(), reference);
  }

  ownerOf(name: string): ImageRecord | undefined {
    return this.#images().find((image) => image.references.includes(name));
  }

  inRepository(repository: string): { readonly name: string; readonly image: ImageRecord }[] {
    return this.#images().flatMap((image) =>
      image.references
        .filter((name) => formatRepository(parseReference(name)) === repository)
        .map((name) => ({ name, image })),
    );
  }

  /** Moves names to an image. When the disk refuses halfway, a name is where it was. */
  assign(
    image: ImageRecord,
    naming: { readonly names?: readonly string[]; readonly repoDigests?: readonly string[] },
  ): ImageRecord {
    const names = (naming.names ?? []).filter((name) => !image.references.includes(name));
    const digests = (naming.repoDigests ?? []).filter((digest) => !image.repoDigests.includes(digest));
    if (names.length === 0 && digests.length === 0) return image;
    const losers = new Map<ImageId, ImageRecord>();
    for (const other of this.#images()) {
      if (other.id === image.id) continue;
      const left = [...names, ...digests].reduce(without, other);
      if (left !== other) losers.set(other.id, other);
    }
    const named = this.#table.put({
      ...image,
      references: [...image.references, ...names],
      repoDigests: [...image.repoDigests, ...digests],
      ...(names.length > 0 ? { lastTaggedAt: new Date().toISOString() } : {}),
    });
    try {
      for (const loser of losers.values()) this.#table.put([...names, ...digests].reduce(without, loser));
    } catch (error) {
      this.#table.put(image);
      throw error;
    }
    return named;
  }

  /** A crash between two writes of {@link assign} leaves a name with two images: the one named last keeps it. */
  settle(): void {
    const seen = new Set<string>();
    const namedAt = (image: ImageRecord): string => image.lastTaggedAt ?? image.importedAt;
    for (const image of [...this.#table.all()].sort((a, b) => (namedAt(a) < namedAt(b) ? 1 : -1))) {
      const all = [...image.references, ...image.repoDigests];
      const doubled = all.filter((name) => seen.has(name));
      for (const name of all) seen.add(name);
      if (doubled.length > 0) this.#table.put(doubled.reduce(without, image));
    }
  }

  #images(): ImageRecord[] {
    return [...this.#table.all()].filter((image) => !image.isRemoved);
  }
}

/** @returns the very record when it has no such name */
function without(image: ImageRecord, name: string): ImageRecord {
  if (!image.references.includes(name) && !image.repoDigests.includes(name)) return image;
  const isOther = (other: string): boolean => other !== name;
  return {
    ...image,
    references: image.references.filter(isOther),
    repoDigests: image.repoDigests.filter(isOther),
  };
}
