/** What a failed `run` or `start` tells the shell. */
import { CliError, exitCodes } from '../cli-error.ts';

/**
 * The exit code for a container that could not be created or started. Engines report a bad command only in words,
 * and every docker client decides by these words.
 */
export function exitCodeForStartFailure(message: string): number {
  const text = message.toLowerCase();
  if (text.includes('executable file not found') || text.includes('no such file or directory')) {
    return exitCodes.notFound;
  }
  if (text.includes('permission denied') || text.includes('is a directory')) return exitCodes.notExecutable;
  return exitCodes.daemon;
}

/** Gives a failure of `run` the exit code that goes with its message. */
export async function withStartExitCodes<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { message } = error as Error;
    throw new CliError(message, { exitCode: exitCodeForStartFailure(message), cause: error });
  }
}
