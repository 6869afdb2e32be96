/** Clients whose user sits at a terminal. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { killTree } from './command.ts';
import type { Lab } from './lab.ts';
import { eventually } from './story.ts';

/** A client in a lab on a terminal of its own, of 33 rows and 77 columns, which script(1) makes. */
export class TerminalClient implements AsyncDisposable {
  /** All that the terminal has shown so far; at the end `code` and the exit code. */
  shown = '';
  readonly ended: Promise<void>;
  readonly #child: ReturnType<typeof spawn>;

  constructor(lab: Lab, command: string) {
    const inside = `stty rows 33 cols 77; ${command}; echo code $?`;
    const [file = '', ...args] = lab.enter(['script', '-qec', inside, '/dev/null']);
    const address = `unix://${lab.engine.socket}`;
    const env = { ...lab.env, DOCKER_HOST: address, SEAWAY_HOST: address };
    // Its input stays open: the end of it would be a key to the terminal.
    this.#child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdout?.on('data', (data) => {
      this.shown += data;
    });
    this.ended = new Promise((resolve) => this.#child.once('close', () => resolve()));
  }

  shows(what: RegExp): Promise<void> {
    return eventually(() => assert.match(this.shown, what));
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    killTree(this.#child.pid);
    await this.ended;
  }
}
