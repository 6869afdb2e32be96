/**
 * Sandboxes: the network namespaces that the engine owns. One is made when a container with a network of its own
 * starts, is shared by those who join it, and lives until no running container uses it, so that members are not cut
 * off from their namespace when its owner stops.
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ContainerId, newId, type SandboxId } from '../base/ids.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { ContainerRecord } from '../model/container.ts';
import type { SandboxRecord } from '../model/network.ts';
import type { Store } from '../store/store.ts';

export class Sandboxes {
  readonly #store: Store;
  readonly #kernel: Kernel;
  readonly #folder: string;
  readonly #byOwner: (id: ContainerId) => SandboxRecord[];
  readonly #usersOf: (id: SandboxId) => ContainerRecord[];

  /** @param folder where the namespaces' handles lie; it must exist */
  constructor(store: Store, kernel: Kernel, folder: string) {
    this.#store = store;
    this.#kernel = kernel;
    this.#folder = folder;
    this.#byOwner = store.sandboxes.groupBy(({ ownerId }) => ownerId);
    this.#usersOf = store.containers.groupBy(({ sandboxId }) => sandboxId);
  }

  /** Path of the namespace's handle, as `nsenter --net=` takes it. */
  path(id: SandboxId): string {
    return join(this.#folder, id.slice(0, 12));
  }

  get(id: SandboxId): SandboxRecord | undefined {
    return this.#store.sandboxes.get(id);
  }

  /** The container's sandbox: while it runs, and after that as long as members keep it alive. */
  ownedBy(owner: ContainerId): SandboxRecord | undefined {
    return this.#byOwner(owner)[0];
  }

  /** Sandboxes in which nobody lives any more. */
  abandoned(): SandboxRecord[] {
    return [...this.#store.sandboxes.all()].filter(({ id }) => this.users(id).length === 0);
  }

  /** Commits a new sandbox for the container, or finds the one it had; nothing is real yet. */
  claim(container: ContainerRecord): SandboxRecord {
    return (
      this.ownedBy(container.id) ??
      this.#store.sandboxes.put({ id: newId<SandboxId>(), ownerId: container.id })
    );
  }

  /** Remembers that 127.0.0.11 answers in the sandbox from now on. */
  needResolver(id: SandboxId): void {
    const sandbox = this.get(id);
    if (sandbox && !sandbox.hasResolver) this.#store.sandboxes.put({ ...sandbox, hasResolver: true });
  }

  /** Remembers which addresses the stopped owner had, because others live on in its namespace. */
  keepAddresses(id: SandboxId, keptAddresses: SandboxRecord['keptAddresses']): void {
    const sandbox = this.get(id);
    if (sandbox) this.#store.sandboxes.put({ ...sandbox, keptAddresses });
  }

  /** Makes the namespace, or finds it, with its loopback up. */
  async ensure(sandbox: SandboxRecord, options: { readonly ipv6: boolean }): Promise<void> {
    await this.#kernel.changes.run('ensureNamespace', { path: this.path(sandbox.id), ...options });
  }

  /** The containers that live in the sandbox or are about to; a record names its sandbox for just that long. */
  users(id: SandboxId): ContainerRecord[] {
    return this.#usersOf(id);
  }

  /** Removes record and namespace, unless a container still lives in it. Tells whether it is gone. */
  async release(id: SandboxId): Promise<boolean> {
    if (this.users(id).length > 0) return false;
    // The record goes first: whoever starts meanwhile gets a new sandbox and not one that is being removed.
    this.#store.sandboxes.delete(id);
    await this.#kernel.deletions.run('removeSandboxNamespace', this.path(id));
    return true;
  }

  /** Removes records and namespaces that nobody lives in, whatever a crash left of them. */
  async sweep(): Promise<void> {
    for (const sandbox of this.abandoned()) await this.release(sandbox.id);
    const claimed = new Set([...this.#store.sandboxes.all()].map((sandbox) => this.path(sandbox.id)));
    if (!existsSync(this.#folder)) return;
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      if (!claimed.has(path)) await this.#kernel.deletions.run('removeSandboxNamespace', path);
    }
  }
}
