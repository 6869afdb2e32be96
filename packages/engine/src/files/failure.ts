/** Failures of work inside a container, in words that say what was tried. */
import { errnoNumber, errnoText } from '@seaway/linux/files';
import type { Failure } from './protocol.ts';

/** The code of what has none. */
const unknown = 'unknown';

/** `lstat /a/b: not a directory`, in place of Node's own order of the same. */
export function describe(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: unknown, message: String(error) };
  const { code = unknown, syscall, path, dest } = error as NodeJS.ErrnoException & { readonly dest?: string };
  const number = error.name === 'LinuxError' ? undefined : errnoNumber(code);
  if (number === undefined) return { code, message: error.message };
  // What links are made with comes before where they are made.
  const place = dest ?? path;
  const where = place === undefined ? '' : ` ${Buffer.from(place).toString()}`;
  return { code, message: `${syscall ?? 'open'}${where}: ${errnoText(number)}` };
}
