import { messageOf } from './errors.ts';
import type { Log } from './log.ts';

type UndoStep = { readonly name: string; readonly undo: () => void | Promise<void> };

/**
 * Collects how to take back what was done so far. Leaving the scope of `await using` runs the steps last-in
 * first-out, unless {@link keep} was called. A step that fails is logged and the next one still runs, so the
 * caller sees the error that started it and not one of its consequences (an AsyncDisposableStack would bury it
 * in a SuppressedError).
 */
export class UndoStack implements AsyncDisposable {
  readonly #log: Log;
  #steps: UndoStep[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  /** Call on the line after the change: what it did is taken back by `undo`. */
  add(name: string, undo: () => void | Promise<void>): void {
    this.#steps.push({ name, undo });
  }

  /** Success: nothing will be undone. */
  keep(): void {
    this.#steps = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        this.#log.error({ step: step.name, error: messageOf(error) }, 'undo step failed');
      }
    }
  }
}
