/** Starts the helper that looks into containers and talks to it; see main.ts for what that does. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { internal } from '../base/errors.ts';
import { nodeEnvironment } from '../base/node-environment.ts';
import type { Answer, Failure, FileChange, PathStat, Task } from './protocol.ts';

/** The work failed inside; {@link Failure} says how. */
export class HelperFailure extends Error {
  override readonly name = 'HelperFailure';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** The helper's program, under the extension that we ourselves have: `.ts` as written, `.js` as published. */
const program = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url),
);

/** It lives for one piece of work and keeps little. */
const nodeOptions = ['--max-old-space-size=512', '--disable-warning=ExperimentalWarning'];

/** Enough of what a program says in its need. */
const STDERR_BYTES = 4096;

export class FilesHelper {
  readonly #child: ChildProcess;
  readonly #begun = Promise.withResolvers<PathStat | undefined>();
  readonly #done = Promise.withResolvers<readonly FileChange[]>();
  #stderr = '';

  private constructor(task: Task) {
    this.#child = spawn(
      'unshare',
      ['--mount', '--propagation', 'private', process.execPath, ...nodeOptions, program],
      { cwd: '/', stdio: ['pipe', 'pipe', 'pipe', 'pipe'], env: nodeEnvironment() },
    );
    // Awaited by whom they concern; until then a failure must not count as unhandled.
    for (const { promise } of [this.#begun, this.#done]) promise.catch(() => {});
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_BYTES);
    });
    this.#child.on('error', (error) => this.#fail(cannotRun(error.message, error)));
    const talk = this.#child.stdio[3] as Socket;
    talk.on('error', () => {});
    talk.end(`${JSON.stringify(task)}\n`);
    createInterface({ input: talk }).on('line', (line) => this.#hear(line));
    // All it said has been heard by then.
    this.#child.on('close', (code, signal) => {
      const status = signal ?? `code ${code}`;
      this.#fail(cannotRun(this.#stderr.trim() || `it ended with ${status}`));
    });
  }

  static start(task: Task): FilesHelper {
    return new FilesHelper(task);
  }

  #hear(line: string): void {
    const answer = parseAnswer(line);
    // One that was killed in the middle of a line: how it ended will be told.
    if (!answer) return;
    if (answer.kind === 'begun') this.#begun.resolve(answer.stat);
    else if (answer.kind === 'done') this.#done.resolve(answer.changes ?? []);
    else this.#fail(new HelperFailure(answer.failure));
  }

  #fail(error: Error): void {
    this.#begun.reject(error);
    this.#done.reject(error);
  }

  /** What the work is about has been found. @throws HelperFailure when it has not, internal when there is no helper */
  get begun(): Promise<PathStat | undefined> {
    return this.#begun.promise;
  }

  /** The work is done. @throws as {@link begun} */
  get done(): Promise<readonly FileChange[]> {
    return this.#done.promise;
  }

  /** The archive that it writes, at the pace at which it is read. */
  get output(): Readable {
    return this.#child.stdout!;
  }

  /** Hands it an archive. @throws what the source throws; when the helper has had enough, {@link done} says why */
  async feed(source: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      await pipeline(source, this.#child.stdin!);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EPIPE' && code !== 'ECONNRESET' && code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    }
  }

  /** Ends it, whatever it is doing; resolves when it is gone. */
  async end(): Promise<void> {
    const { exitCode, signalCode, pid } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }
}

function parseAnswer(line: string): Answer | undefined {
  try {
    return JSON.parse(line) as Answer;
  } catch {
    return undefined;
  }
}

function cannotRun(reason: string, cause?: Error): Error {
  return internal('files-helper-failed', `cannot look into the container's files: ${reason}`, {}, cause);
}
