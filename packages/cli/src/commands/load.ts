/** `seaway load`: take images out of an archive that `docker save` or an OCI tool made. */
import { readProgress } from '../client/json-lines.ts';
import { openArchive } from './archive.ts';
import { addFlag } from './flags.ts';
import type { CommandSpec } from './spec.ts';

export interface LoadOptions {
  input?: string;
  quiet?: boolean;
}

export const spec: CommandSpec<LoadOptions> = {
  name: 'load',
  usage: '[OPTIONS]',
  summary: 'Load images from a tar archive',
  configure(command) {
    command.option('-i, --input <FILE>', 'read from a file instead of stdin');
    addFlag(command, '-q, --quiet', 'show no progress');
  },
  async run(context, _args, options) {
    const upload = await openArchive(context, options.input);
    // Progress bars are for docker's clients; here only what was loaded is shown.
    const answer = await context.client.open('POST', '/images/load', { query: { quiet: true }, upload });
    for await (const { stream } of readProgress(answer)) {
      if (stream !== undefined) context.print(stream);
    }
    return 0;
  },
};
