/** Commands that do one thing to each of several containers, images or networks. */
import { exitCodes } from '../cli-error.ts';
import type { Context } from '../context.ts';

/**
 * Does `work` for all targets at once and prints each result, or complains about each failure, in the order the
 * targets were given; undefined prints nothing. Resolves with exit code 1 when any failed: the others are done all the
 * same.
 */
export async function forEachTarget(
  context: Context,
  targets: readonly string[],
  work: (target: string) => Promise<string | undefined>,
): Promise<number> {
  const pending = targets.map((target) => work(target));
  // The loop below waits for them one by one; a later one may fail first.
  for (const promise of pending) promise.catch(() => {});
  let exitCode = 0;
  for (const promise of pending) {
    try {
      const result = await promise;
      if (result !== undefined) context.print(`${result}\n`);
    } catch (error) {
      context.complain((error as Error).message);
      exitCode = exitCodes.failure;
    }
  }
  return exitCode;
}
