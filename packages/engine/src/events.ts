/** What happened, told to whoever listens, with a short memory for clients that ask for the recent past. */
import { nowNanoseconds } from './base/time.ts';

export interface EngineEvent {
  readonly type: 'container' | 'network' | 'image' | 'volume' | 'daemon';
  /** `create`, `start`, `die`, `connect`, ... */
  readonly action: string;
  readonly actorId: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Nanoseconds since the epoch. */
  readonly timeNanoseconds: bigint;
}

const REMEMBERED = 256;

export class Events {
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  readonly #recent: EngineEvent[] = [];

  emit(type: EngineEvent['type'], action: string, actorId: string, attributes: Record<string, string>): void {
    const event = { type, action, actorId, attributes, timeNanoseconds: nowNanoseconds() };
    this.#recent.push(event);
    if (this.#recent.length > REMEMBERED) this.#recent.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** @returns how to stop listening */
  subscribe(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  recent(): readonly EngineEvent[] {
    return this.#recent;
  }
}
