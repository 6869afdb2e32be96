/** `seaway import`: make an image of a root file system's archive. */
import { readProgress } from '../client/json-lines.ts';
import { openArchive } from './archive.ts';
import { addList } from './flags.ts';
import type { CommandSpec } from './spec.ts';

export interface ImportOptions {
  change?: string[];
  message?: string;
}

export const spec: CommandSpec<ImportOptions> = {
  name: 'import',
  usage: '[OPTIONS] FILE|- [REPOSITORY[:TAG]]',
  summary: "Make an image of a root file system's tar archive",
  configure(command) {
    command.argument('<FILE>', 'tar archive, or - for stdin').argument('[REPOSITORY]', 'name of the image');
    addList(command, '-c, --change <INSTRUCTION>', 'apply a Dockerfile instruction, such as "CMD sh"');
    command.option('-m, --message <TEXT>', 'comment to keep with the image');
  },
  async run(context, [file, repository], options) {
    const upload = await openArchive(context, file);
    const answer = await context.client.open('POST', '/images/create', {
      query: { fromSrc: '-', repo: repository, message: options.message },
      lists: { changes: options.change ?? [] },
      upload,
    });
    for await (const { status } of readProgress(answer)) {
      if (status !== undefined) context.print(`${status}\n`);
    }
    return 0;
  },
};
