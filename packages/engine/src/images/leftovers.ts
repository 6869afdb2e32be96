import { rm } from 'node:fs/promises';

/**
 * Deletes what an earlier daemon was making when it was killed. A program that it ran for that may still be at it, and
 * put a file where there was none a moment ago: it fails soon, because the ground under its feet is gone.
 * @throws the system's error when that does not help for several seconds
 */
export async function removeLeftover(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 30, retryDelay: 10 });
}
