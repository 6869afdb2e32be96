/**
 * Clients that are attached to containers. A client may attach before the container starts: it is then connected
 * between the making of the container's processes and the start of its program, so that no output is lost.
 */
import { join } from 'node:path';
import type { ContainerId } from '../base/ids.ts';
import { Attachment } from '../runtime/attachment.ts';
import type { OutputHandlers, ProcessStreams } from '../runtime/process-streams.ts';
import { StalledClients } from './stalled-clients.ts';

/** One attached client. */
export class AttachSession {
  readonly #handlers: OutputHandlers;
  /** Forgets the session where it is listed. */
  readonly #leave: (session: AttachSession) => void;
  readonly #connected = Promise.withResolvers<ProcessStreams | undefined>();
  /** How to go on without the client, for each piece of output that it has not taken. */
  readonly #stalled = new Set<() => void>();
  #isReleased = false;
  #streams: ProcessStreams | undefined;
  #ended = false;

  constructor(handlers: OutputHandlers, leave: (session: AttachSession) => void) {
    this.#handlers = handlers;
    this.#leave = leave;
  }

  /** Joins the client to the process, unless it has gone already. */
  connect(open: (handlers: OutputHandlers) => ProcessStreams): void {
    if (this.#ended || this.#streams) return;
    this.#streams = open({
      onData: (stream, data) => this.#taken(this.#handlers.onData(stream, data)),
      onEnd: () => this.end(),
    });
    this.#connected.resolve(this.#streams);
  }

  /** Settles with the client, or without it once the session is released. */
  #taken(byClient: void | Promise<void>): void | Promise<void> {
    if (!byClient || this.#isReleased) return;
    return new Promise((resolve) => {
      this.#stalled.add(resolve);
      const goOn = () => {
        this.#stalled.delete(resolve);
        resolve();
      };
      byClient.then(goOn, goOn);
    });
  }

  get isConnected(): boolean {
    return this.#streams !== undefined;
  }

  /** Resolves when the container took the data, which before its start nobody does, or when there is none any more. */
  async write(data: Uint8Array): Promise<void> {
    await (await this.#connected.promise)?.write(data);
  }

  async endInput(): Promise<void> {
    await (await this.#connected.promise)?.endInput();
  }

  /** The container's output no longer waits for the client, however slow that is: the container has ended. */
  release(): void {
    this.#isReleased = true;
    for (const goOn of this.#stalled) goOn();
    this.#stalled.clear();
  }

  /** Sends the client away: others wait for it. */
  dismiss(): void {
    this.end();
    void this.#streams?.close();
  }

  /** The container ended or will never start: tells the client. */
  end(): void {
    if (this.#ended) return;
    this.#finish();
    this.#handlers.onEnd();
  }

  /** The client is gone. */
  async close(): Promise<void> {
    this.#finish();
    await this.#streams?.close();
  }

  #finish(): void {
    this.#ended = true;
    this.#leave(this);
    this.#connected.resolve(undefined);
    this.release();
  }
}

export class AttachStreams {
  /** Every session that has not ended, connected or waiting. */
  readonly #sessions = new Map<ContainerId, Set<AttachSession>>();
  readonly #stalled = new StalledClients();
  readonly #isEnding: (id: ContainerId) => boolean;

  /** @param isEnding whether a container's first process has ended or is about to */
  constructor(isEnding: (id: ContainerId) => boolean) {
    this.#isEnding = isEnding;
  }

  /**
   * @param bundle the container's folder when it runs already, undefined when it has yet to start
   * @throws LinuxError when nobody listens there
   */
  attach(id: ContainerId, bundle: string | undefined, handlers: OutputHandlers): AttachSession {
    const session = new AttachSession(
      {
        onData: (stream, data) => {
          const taken = handlers.onData(stream, data);
          if (taken) this.#watch(id, session, taken);
          return taken;
        },
        onEnd: () => handlers.onEnd(),
      },
      (ended) => this.#forget(id, ended),
    );
    if (bundle !== undefined) session.connect(attachTo(bundle));
    const sessions = this.#sessions.get(id) ?? new Set();
    this.#sessions.set(id, sessions.add(session));
    return session;
  }

  #watch(id: ContainerId, session: AttachSession, taken: Promise<void>): void {
    this.#stalled.watch(session, taken, {
      isEnding: () => this.#isEnding(id),
      hasCompany: () => this.#of(id).length > 1,
    });
  }

  #forget(id: ContainerId, session: AttachSession): void {
    const sessions = this.#sessions.get(id);
    if (sessions?.delete(session) && sessions.size === 0) this.#sessions.delete(id);
  }

  /** Connects those who waited for the container to start. */
  connectWaiting(id: ContainerId, bundle: string): void {
    for (const session of this.#of(id)) session.connect(attachTo(bundle));
  }

  /** Tells those who waited that the container does not start. */
  endWaiting(id: ContainerId): void {
    for (const session of this.#of(id)) if (!session.isConnected) session.end();
  }

  /** Lets the container's last output go by clients that do not read: its monitor waits for them. */
  releaseAll(id: ContainerId): void {
    for (const session of this.#of(id)) session.release();
  }

  #of(id: ContainerId): AttachSession[] {
    return [...(this.#sessions.get(id) ?? [])];
  }
}

/** @param folder where conmon has its attach socket */
export function attachTo(folder: string): (handlers: OutputHandlers) => ProcessStreams {
  return (handlers) => Attachment.open(join(folder, 'attach'), handlers);
}
