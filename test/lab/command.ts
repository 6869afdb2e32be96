/**
 * Runs one program to its end and captures what it wrote. Knows nothing of labs.
 */
import { type SpawnOptions, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

/** What a finished program left; `code` as `exitCode` gives it. */
export interface Output {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export interface CommandOptions {
  /** Environment of the program, in place of this process's own. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Bytes for standard input, which is closed after them. @default nothing: an empty standard input */
  readonly input?: string | Uint8Array;
  /** After this the program is killed and the call fails, in milliseconds. @default 60000 */
  readonly timeoutMs?: number;
  /** Return a non-zero exit code instead of throwing. @default false */
  readonly allowFailure?: boolean;
}

/** A program ended with a non-zero code, or did not end in time. The message carries everything it wrote. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly output: Output;

  constructor(argv: readonly string[], reason: string, output: Output) {
    const texts = [output.stdout && `stdout: ${output.stdout}`, output.stderr && `stderr: ${output.stderr}`];
    super([`${argv.join(' ')}: ${reason}`, ...texts.filter(Boolean)].join('\n').trimEnd());
    this.output = output;
  }
}

/** `'ps -a'` and `['ps', '-a']` mean the same; only the array form can hold arguments with spaces. */
export function toArgv(command: string | readonly string[]): string[] {
  return typeof command === 'string' ? command.split(' ').filter(Boolean) : [...command];
}

/**
 * Runs a program and waits until it ended and its output was read.
 * @throws CommandError on a non-zero code (unless allowed) and when the time is over.
 */
export function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<Output> {
  const [file = '', ...args] = argv;
  const spawnOptions: SpawnOptions = { stdio: ['pipe', 'pipe', 'pipe'], cwd: options.cwd, env: options.env };
  const child = spawn(file, args, spawnOptions);
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout?.on('data', (chunk: Buffer) => chunks.stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => chunks.stderr.push(chunk));
  // A program may end without reading its input; what matters then is its exit code, not our EPIPE.
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input ?? '');

  const timeoutMs = options.timeoutMs ?? 60_000;
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killTree(child.pid);
  }, timeoutMs);

  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const output: Output = {
        stdout: Buffer.concat(chunks.stdout).toString('utf8'),
        stderr: Buffer.concat(chunks.stderr).toString('utf8'),
        code: exitCode(code, signal),
      };
      if (timedOut) {
        reject(new CommandError(argv, `did not end within ${timeoutMs} ms`, output));
      } else if (output.code !== 0 && !options.allowFailure) {
        reject(new CommandError(argv, signal ? `ended by ${signal}` : `exit code ${code}`, output));
      } else {
        resolve(output);
      }
    });
  });
}

/** The exit code as a shell tells it: the program's own, or 128 plus the number of the signal that ended it. */
export function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

/** Process ids of the direct children of a process, as this process's PID namespace numbers them (proc(5)). */
export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/**
 * Kills a process and all below it. `nsenter` does not pass signals on, so what it started is killed; it then ends by
 * itself and, as the parent, has reaped its child, which the machine's init might do only much later.
 */
export function killTree(pid: number | undefined): void {
  if (pid === undefined) return;
  const children = childrenOf(pid);
  for (const child of children) killTree(child);
  if (children.length > 0 && programName(pid) === 'nsenter') return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Already gone.
  }
}

function programName(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}
