/** A process's streams where we hold the other ends of its pipes ourselves. */
import { Socket } from 'node:net';
import type { OutputHandlers, ProcessStreams } from './process-streams.ts';

/** Our ends: the writing one of its stdin, where it has one, and the reading ones of its output. */
export interface PipeEnds {
  readonly stdin: number | undefined;
  readonly stdout: number;
  readonly stderr: number;
}

/**
 * How long output may go on after the process has ended, when something else that it started still holds the pipes;
 * Docker waits as long. Time in which the client has not taken what came does not count.
 */
const PATIENCE_MS = 2000;
const LOOK_MS = 100;

export class PipeStreams implements ProcessStreams {
  readonly #handlers: OutputHandlers;
  readonly #stdin: Socket | undefined;
  readonly #outputs: readonly Socket[];
  /** Outputs that wait for the client. */
  readonly #waiting = new Set<Socket>();
  /** Outputs that have not come to their ends. */
  readonly #open: Set<Socket>;
  #isClosed = false;
  #hasEnded = false;
  #hasExited = false;

  constructor(ends: PipeEnds, handlers: OutputHandlers) {
    this.#handlers = handlers;
    this.#stdin =
      ends.stdin === undefined ? undefined : new Socket({ fd: ends.stdin, readable: false, writable: true });
    // A process that no longer reads is no failure of ours.
    this.#stdin?.on('error', () => {});
    this.#outputs = [this.#output('stdout', ends.stdout), this.#output('stderr', ends.stderr)];
    this.#open = new Set(this.#outputs);
  }

  #output(name: 'stdout' | 'stderr', fd: number): Socket {
    const socket = new Socket({ fd, readable: true, writable: false });
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => this.#take(socket, name, data));
    socket.once('close', () => {
      this.#open.delete(socket);
      if (this.#open.size === 0) this.#end();
    });
    return socket;
  }

  #take(socket: Socket, name: 'stdout' | 'stderr', data: Uint8Array): void {
    // Without a client the process writes on, and nobody reads it.
    const taken = this.#isClosed ? undefined : this.#handlers.onData(name, data);
    if (!taken) return;
    socket.pause();
    this.#waiting.add(socket);
    const goOn = () => {
      this.#waiting.delete(socket);
      socket.resume();
    };
    taken.then(goOn, goOn);
  }

  async write(data: Uint8Array): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#stdin?.writable) this.#stdin.write(data, () => resolve());
    else resolve();
    await promise;
  }

  async endInput(): Promise<void> {
    this.#stdin?.end();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.endInput();
    for (const socket of this.#outputs) socket.resume();
  }

  /** The process has ended: what it wrote is still handed over, and then its streams are at their end. */
  exited(): void {
    if (this.#hasExited) return;
    this.#hasExited = true;
    this.#stdin?.destroy();
    if (this.#open.size === 0) return;
    let waitedMs = 0;
    const timer = setInterval(() => {
      // The client's own slowness is waited for.
      if (this.#waiting.size === 0) waitedMs += LOOK_MS;
      if (waitedMs >= PATIENCE_MS) this.destroy();
      if (this.#open.size === 0) clearInterval(timer);
    }, LOOK_MS);
  }

  /** Lets go of the pipes, whatever is in them. */
  destroy(): void {
    this.#stdin?.destroy();
    for (const socket of this.#outputs) socket.destroy();
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (!this.#isClosed) this.#handlers.onEnd();
  }
}
