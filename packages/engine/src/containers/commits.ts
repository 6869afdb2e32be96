/** Images of containers as they are: their image's layers and what they have changed as one more. */
import { conflict, EngineError } from '../base/errors.ts';
import { KeyedLock } from '../base/keyed-lock.ts';
import type { Events } from '../events.ts';
import { applyChanges } from '../images/config-change.ts';
import type { ImageStore } from '../images/image-store.ts';
import { mergeConfig } from '../images/merge-config.ts';
import { parseNewTag } from '../images/reference.ts';
import type { ContainerRecord } from '../model/container.ts';
import type { ImageConfig, ImageRecord } from '../model/image.ts';
import { emitContainerEvent } from './container-events.ts';
import type { ContainerFiles } from './container-files.ts';
import type { Pausing } from './pausing.ts';
import type { ContainerRegistry } from './registry.ts';

export interface CommitsParts {
  readonly registry: ContainerRegistry;
  readonly files: ContainerFiles;
  readonly images: ImageStore;
  readonly pausing: Pausing;
  readonly events: Events;
}

export interface CommitRequest {
  /** Name with or without tag, which `tag` overrides; empty: the image is found by id only. */
  readonly repository: string;
  readonly tag: string;
  readonly author: string;
  readonly comment: string;
  /** Dockerfile instructions, see config-change.ts. */
  readonly changes: readonly string[];
  /** What the image is to say other than the container; open where it is empty. */
  readonly config: ImageConfig;
  /** Whether the container's processes stand still meanwhile. */
  readonly pause: boolean;
}

export class Commits {
  readonly #parts: CommitsParts;
  /** Of one container one after another: the second would find it paused, and forget for what. */
  readonly #turns = new KeyedLock();

  constructor(parts: CommitsParts) {
    this.#parts = parts;
  }

  /**
   * Makes an image of a container, running or not; of what is in volumes nothing.
   * @throws notFound for the container, invalid for a bad name or change, conflict when it is being removed
   */
  async commit(reference: string, request: CommitRequest): Promise<ImageRecord> {
    return this.#turns.run(this.#parts.registry.resolve(reference).id, () =>
      this.#commit(reference, request),
    );
  }

  async #commit(reference: string, request: CommitRequest): Promise<ImageRecord> {
    const { registry, files, images, events } = this.#parts;
    const container = registry.resolve(reference);
    const { id, imageId, removing } = container;
    if (removing) {
      throw conflict('being-removed', `You cannot commit container ${id} which is being removed`, { id });
    }
    const name = request.repository ? parseNewTag(request.repository, request.tag || undefined) : undefined;
    const asked = applyChanges(request.config, request.changes);
    const image = images.get(imageId)!;
    await using _pause = request.pause ? await this.#paused(container) : undefined;
    await using diff = await files.diff(id);
    const made = await images.commit(diff.content, {
      parent: imageId,
      config: mergeConfig(asked, container.config, image.config),
      author: request.author,
      comment: request.comment,
      createdBy: (container.config.cmd ?? []).join(' '),
      ...(name === undefined ? {} : { reference: name }),
    });
    const { comment } = request;
    emitContainerEvent(events, 'commit', container, { comment, imageID: made.id, imageRef: name ?? '' });
    return made;
  }

  /** The record says for what it is paused, so that a crash meanwhile leaves no container standing. */
  async #paused(container: ContainerRecord): Promise<AsyncDisposable | undefined> {
    const { registry, pausing } = this.#parts;
    if (container.state.status !== 'running') return undefined;
    const { id } = container;
    registry.update(id, { pausedForCommit: true });
    try {
      await pausing.pause(id);
    } catch (error) {
      registry.update(id, { pausedForCommit: undefined });
      // It may have ended by itself, or somebody else have paused it.
      if (!(error instanceof EngineError && error.kind === 'conflict')) throw error;
      return undefined;
    }
    return { [Symbol.asyncDispose]: () => this.#resume(container) };
  }

  async #resume(container: ContainerRecord): Promise<void> {
    const { registry, pausing } = this.#parts;
    await pausing.thaw(container);
    if (registry.find(container.id)) registry.update(container.id, { pausedForCommit: undefined });
  }

  /** Lets those go on whose commit a crash has cut short. */
  async restore(): Promise<void> {
    for (const container of this.#parts.registry.list()) {
      if (container.pausedForCommit) await this.#resume(container);
    }
  }
}
