/** The tar archive that `import` and `load` send. */
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { CliError } from '../cli-error.ts';
import type { Context } from '../context.ts';

/**
 * Opens an archive for reading; `-` or undefined is stdin.
 * @throws CliError when the file cannot be opened, or stdin is a terminal, where nobody types archives.
 */
export async function openArchive(context: Context, path: string | undefined): Promise<Readable> {
  if (path === undefined || path === '-') {
    if (context.terminal.isInteractive)
      throw new CliError('expected an archive on stdin, which is a terminal');
    return context.terminal.stdin;
  }
  try {
    const file = await open(path);
    if ((await file.stat()).isDirectory()) {
      await file.close();
      throw new Error('it is a directory');
    }
    return file.createReadStream();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new CliError(`cannot open ${path}: ${code === 'ENOENT' ? 'no such file' : message}`, { cause });
  }
}
