/**
 * Clients that are attached to containers. A client may attach before the container starts: it is then connected
 * between the making of the container's processes and the start of its program, so that no output is lost.
 */
import { join } from 'node:path';
import type { ContainerId } from '../base/ids.ts';
import { Attachment, type AttachmentHandlers } from '../runtime/attachment.ts';

/** One attached client. */
export class AttachSession {
  readonly #handlers: AttachmentHandlers;
  #attachment: Attachment | undefined;
  /** What the client sent before the container started. */
  #pending: ((attachment: Attachment) => Promise<void>)[] = [];
  #ended = false;

  constructor(handlers: AttachmentHandlers) {
    this.#handlers = handlers;
  }

  connect(bundle: string): void {
    if (this.#ended || this.#attachment) return;
    this.#attachment = Attachment.open(join(bundle, 'attach'), {
      onData: (stream, data) => this.#handlers.onData(stream, data),
      onEnd: () => this.end(),
    });
    for (const action of this.#pending) void action(this.#attachment);
    this.#pending = [];
  }

  /** Resolves when the container took the data, or at once when it has not started yet. */
  async write(data: Uint8Array): Promise<void> {
    await this.#do((attachment) => attachment.write(data));
  }

  async endInput(): Promise<void> {
    await this.#do((attachment) => attachment.endInput());
  }

  async #do(action: (attachment: Attachment) => Promise<void>): Promise<void> {
    if (this.#attachment) await action(this.#attachment);
    else if (!this.#ended) this.#pending.push(action);
  }

  /** The container ended or will never start: tells the client. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#handlers.onEnd();
  }

  /** The client is gone. */
  async close(): Promise<void> {
    this.#ended = true;
    await this.#attachment?.close();
  }
}

export class AttachStreams {
  readonly #waiting = new Map<ContainerId, Set<AttachSession>>();

  /** @param bundle the container's folder when it runs already, undefined when it has yet to start */
  attach(id: ContainerId, bundle: string | undefined, handlers: AttachmentHandlers): AttachSession {
    const session = new AttachSession(handlers);
    if (bundle !== undefined) {
      session.connect(bundle);
    } else {
      const sessions = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, sessions.add(session));
    }
    return session;
  }

  /** Connects those who waited for the container to start. */
  connectWaiting(id: ContainerId, bundle: string): void {
    for (const session of this.#take(id)) session.connect(bundle);
  }

  /** Tells those who waited that the container does not start. */
  endWaiting(id: ContainerId): void {
    for (const session of this.#take(id)) session.end();
  }

  #take(id: ContainerId): Iterable<AttachSession> {
    const sessions = this.#waiting.get(id) ?? [];
    this.#waiting.delete(id);
    return sessions;
  }
}
