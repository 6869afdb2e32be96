/** `seaway save`: write images into an archive. */
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { CliError } from '../cli-error.ts';
import type { CommandSpec } from './spec.ts';

export interface SaveOptions {
  output?: string;
}

export const spec: CommandSpec<SaveOptions> = {
  name: 'save',
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Write images into a tar archive',
  configure(command) {
    command.argument('<IMAGE...>', 'names or ids; a name without tag means all its tags');
    command.option('-o, --output <FILE>', 'write to a file instead of stdout');
  },
  async run(context, names, { output }) {
    const { stdout } = context.terminal;
    if (output === undefined && (stdout as { isTTY?: boolean }).isTTY) {
      throw new CliError('stdout is a terminal: name a file with -o, or send the archive elsewhere');
    }
    const answer = await context.client.open('GET', '/images/get', { lists: { names } });
    if (output === undefined) {
      await pipeline(answer, stdout as NodeJS.WritableStream, { end: false });
      return 0;
    }
    // What is there under that name stays until the archive is whole.
    const partial = `${output}.partial`;
    try {
      await pipeline(answer, createWriteStream(partial));
      await rename(partial, output);
    } catch (cause) {
      await rm(partial, { force: true });
      throw new CliError(`cannot write ${output}: ${(cause as Error).message}`, { cause });
    }
    return 0;
  },
};
