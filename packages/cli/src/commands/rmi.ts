/** `seaway rmi`: remove images. */

import { exitCodes } from '../cli-error.ts';
import { imagePath } from '../client/http-client.ts';
import type { ImageDeletion } from '../client/types.ts';
import { addFlag } from './flags.ts';
import type { CommandSpec } from './spec.ts';

export interface RemoveImageOptions {
  force?: boolean;
  prune?: boolean;
}

export const spec: CommandSpec<RemoveImageOptions> = {
  name: 'rmi',
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Remove images',
  configure(command) {
    command.argument('<IMAGE...>', 'images to remove');
    addFlag(command, '-f, --force', 'also when containers use it');
    addFlag(command, '--no-prune', 'keep unnamed parents');
  },
  async run(context, images, options) {
    const query = { force: options.force || undefined, noprune: options.prune === false || undefined };
    let exitCode = 0;
    // One after another: two names of one image remove each other's last layer otherwise.
    for (const image of images) {
      try {
        const path = `/images/${imagePath(image)}`;
        const deletions = await context.client.json<ImageDeletion[] | null>('DELETE', path, { query });
        for (const { Untagged, Deleted } of deletions ?? []) {
          context.print(Deleted === undefined ? `Untagged: ${Untagged}\n` : `Deleted: ${Deleted}\n`);
        }
      } catch (error) {
        context.complain((error as Error).message);
        exitCode = exitCodes.failure;
      }
    }
    return exitCode;
  },
};
