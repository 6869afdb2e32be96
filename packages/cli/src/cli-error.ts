/** How the command line fails on purpose: one message for stderr and the exit code that scripts rely on. */

/** Exit codes that the docker command line gives its users, and that ours keeps. */
export const exitCodes = {
  failure: 1,
  /** The daemon refused, or the command line could not be understood. */
  daemon: 125,
  /** The container's command exists but cannot be executed. */
  notExecutable: 126,
  /** The container's command does not exist. */
  notFound: 127,
  /** 128 + SIGPIPE: whoever read our output has gone. */
  brokenPipe: 141,
} as const;

export interface CliErrorOptions {
  /** @default 1 */
  readonly exitCode?: number;
  /** A second line that says where to look, such as "Run 'seaway run --help' for more information". */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** An error whose message is meant for the person at the terminal. */
export class CliError extends Error {
  readonly exitCode: number;
  readonly hint: string | undefined;

  constructor(message: string, options: CliErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'CliError';
    this.exitCode = options.exitCode ?? exitCodes.failure;
    this.hint = options.hint;
  }
}

/** A value that an option cannot take. `flag` is spelt as the user would: `--dns`. Exit code 125, as docker's. */
export function invalidArgument(flag: string, value: string, reason: string): CliError {
  return new CliError(`invalid argument "${value}" for "${flag}" flag: ${reason}`, {
    exitCode: exitCodes.daemon,
  });
}
