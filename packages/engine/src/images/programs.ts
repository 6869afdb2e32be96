/** Runs the programs that the image store leaves work to: tar, umoci, xz, bzip2. */
import { type ChildProcess, spawn } from 'node:child_process';
import { pipeline } from 'node:stream/promises';
import { type EngineError, internal } from '../base/errors.ts';

/** Enough for any program's last words, and no more memory than that however much it says. */
const STDERR_BYTES = 4096;

/** A program that ended with another status than 0. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';
  readonly program: string;
  /** What it wrote to stderr, its end when that was long. */
  readonly stderr: string;

  constructor(program: string, status: string, stderr: string) {
    super(`${program} ended with ${status}${stderr === '' ? '' : `: ${stderr}`}`);
    this.program = program;
    this.stderr = stderr;
  }
}

export interface RunOptions {
  readonly cwd: string;
  /** Fed to its stdin; nothing when absent. */
  readonly input?: AsyncIterable<Uint8Array>;
  /** Ends the program; what was thrown by the abort is thrown then. */
  readonly signal?: AbortSignal;
}

/**
 * Runs a program to its end. Throws {@link ProgramError} when it fails, `internal` when it is not installed, and
 * whatever `input` throws; the program is ended in that case.
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: RunOptions,
): Promise<void> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: environment(),
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const end = endOf(program, child);
  const feeding = feed(child, options.input);
  const { signal } = options;
  const stop = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  try {
    await Promise.all([end, feeding]);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
    child.kill('SIGKILL');
    await end.catch(() => {});
  }
}

/** The output of a filter program fed with `input`. Throws as {@link runProgram}. */
export async function* filterThrough(
  program: string,
  args: readonly string[],
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const child = spawn(program, args, { env: environment(), stdio: ['pipe', 'pipe', 'pipe'] });
  const end = endOf(program, child);
  // Both are awaited below; until then a failure of theirs must not count as unhandled.
  end.catch(() => {});
  const feeding = feed(child, input);
  feeding.catch(() => {});
  try {
    yield* child.stdout;
    await Promise.all([end, feeding]);
  } finally {
    child.kill('SIGKILL');
    await end.catch(() => {});
  }
}

/** Ours, but with messages in English: they are told apart by their words. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C' };
}

async function feed(child: ChildProcess, input: AsyncIterable<Uint8Array> | undefined): Promise<void> {
  const stdin = child.stdin;
  if (!stdin) return;
  if (!input) {
    stdin.on('error', () => {});
    stdin.end();
    return;
  }
  try {
    await pipeline(input, stdin);
  } catch (error) {
    // The program stopped reading: it has had enough, or it failed and its status says why.
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE') return;
    child.kill('SIGKILL');
    throw error;
  }
}

function endOf(program: string, child: ChildProcess): Promise<void> {
  let stderr = Buffer.alloc(0);
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = Buffer.concat([stderr, chunk]).subarray(-STDERR_BYTES);
  });
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(cannotRun(program, error)));
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new ProgramError(program, signal ?? `status ${code}`, stderr.toString('utf8').trim()));
    });
  });
}

function cannotRun(program: string, error: NodeJS.ErrnoException): EngineError {
  const reason = error.code === 'ENOENT' ? 'it is not installed' : error.message;
  return internal('program-unusable', `cannot run ${program}: ${reason}`, { program }, error);
}
