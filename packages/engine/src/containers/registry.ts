/** The container records: found by id, name or id prefix; names are unique and reserved before the record is made. */
import { internal, invalid, notFound } from '../base/errors.ts';
import type { ContainerId, ImageId } from '../base/ids.ts';
import { type ContainerRecord, type ContainerState, isActive } from '../model/container.ts';
import { checkContainerName, nameTaken } from '../model/create-rules.ts';
import { mountPointsOf } from '../model/mounts.ts';
import type { DocumentTable } from '../store/document-table.ts';
import { randomName } from './random-name.ts';

export class ContainerRegistry {
  readonly #table: DocumentTable<ContainerRecord>;
  readonly #idsByName = new Map<string, ContainerId>();

  constructor(table: DocumentTable<ContainerRecord>) {
    this.#table = table;
    for (const { name, id } of table.all()) this.#idsByName.set(name, id);
  }

  list(): ContainerRecord[] {
    return [...this.#table.all()];
  }

  /** The containers that are made from an image. */
  usersOf(image: ImageId): { readonly id: string; readonly running: boolean }[] {
    return this.list()
      .filter((container) => container.imageId === image)
      .map((container) => ({ id: container.id, running: isActive(container) }));
  }

  /** The containers that have a volume, but for those that are about to go with it. */
  usersOfVolume(volume: string): ContainerId[] {
    return this.list()
      .filter((container) =>
        mountPointsOf(container).some(
          (mount) => mount.volume === volume && !(container.removingVolumes && mount.isOwn),
        ),
      )
      .map(({ id }) => id);
  }

  find(id: ContainerId): ContainerRecord | undefined {
    return this.#table.get(id);
  }

  /** @throws notFound when it was removed meanwhile */
  get(id: ContainerId): ContainerRecord {
    const container = this.#table.get(id);
    if (!container) throw notFound('container-not-found', `No such container: ${id}`, { id });
    return container;
  }

  /**
   * Finds a container by full id, name (with or without a leading slash), the name PARENT/ALIAS that a link gives it,
   * or unique id prefix, in that order.
   * @throws notFound, invalid when a prefix fits several
   */
  resolve(reference: string): ContainerRecord {
    const name = reference.replace(/^\//, '');
    const exact = this.#table.get(reference) ?? this.#byName(name) ?? this.#byLinkName(name);
    if (exact) return exact;
    const matches = reference === '' ? [] : this.list().filter(({ id }) => id.startsWith(reference));
    if (matches.length > 1) {
      throw invalid('container-ambiguous', `multiple IDs found with provided prefix: ${reference}`, {
        reference,
      });
    }
    if (!matches[0]) throw notFound('container-not-found', `No such container: ${reference}`, { reference });
    return matches[0];
  }

  #byName(name: string): ContainerRecord | undefined {
    const id = this.#idsByName.get(name);
    return id && this.#table.get(id);
  }

  #byLinkName(name: string): ContainerRecord | undefined {
    const [parent = '', ...rest] = name.split('/');
    const alias = rest.join('/');
    const link = this.#byName(parent)?.links?.find((candidate) => candidate.alias === alias);
    return link && this.#table.get(link.target);
  }

  /** The names PARENT/ALIAS that links give to containers. */
  linkNames(): ReadonlyMap<ContainerId, readonly string[]> {
    const names = new Map<ContainerId, string[]>();
    for (const { name, links = [] } of this.#table.all()) {
      for (const { target, alias } of links) {
        const known = names.get(target) ?? [];
        known.push(`${name}/${alias}`);
        names.set(target, known);
      }
    }
    return names;
  }

  /**
   * Takes the name for the container, or a random one when none is given.
   * @throws invalid for a name that Docker does not allow, conflict when it is taken
   */
  claimName(wanted: string | undefined, id: ContainerId): string {
    const name = wanted ?? randomName((candidate) => this.#idsByName.has(candidate));
    checkContainerName(name);
    const owner = this.#idsByName.get(name);
    if (owner) throw nameTaken(name, owner);
    this.#idsByName.set(name, id);
    return name;
  }

  /** Gives up a name that the container has; one that is another's by now stays with that. */
  releaseName(name: string, id: ContainerId): void {
    if (this.#idsByName.get(name) === id) this.#idsByName.delete(name);
  }

  /** Commits a record; its name was claimed before. */
  put(container: ContainerRecord): ContainerRecord {
    return this.#table.put(container);
  }

  /** Commits a change of some fields. */
  update(id: ContainerId, change: Partial<Omit<ContainerRecord, 'id' | 'name'>>): ContainerRecord {
    return this.#table.put({ ...this.get(id), ...change });
  }

  updateState(id: ContainerId, change: Partial<ContainerState>): ContainerRecord {
    return this.update(id, { state: { ...this.get(id).state, ...change } });
  }

  /** Gives a container another name. @throws invalid, conflict as {@link claimName} */
  rename(id: ContainerId, name: string): ContainerRecord {
    const container = this.get(id);
    this.claimName(name, id);
    try {
      const renamed = this.#table.put({ ...container, name });
      this.releaseName(container.name, id);
      return renamed;
    } catch (error) {
      this.releaseName(name, id);
      throw internal('rename-failed', `cannot rename ${container.name}`, { id }, error);
    }
  }

  delete(id: ContainerId): void {
    const container = this.#table.get(id);
    if (!container) return;
    this.#table.delete(id);
    this.releaseName(container.name, id);
  }
}
