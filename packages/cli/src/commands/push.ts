/** `seaway push`: bring an image to a registry. */
import { imagePath } from '../client/http-client.ts';
import { readProgress } from '../client/json-lines.ts';
import { registryHeaders } from '../client/registry-auth.ts';
import { addFlag } from './flags.ts';
import { formatStep } from './pull.ts';
import type { CommandSpec } from './spec.ts';
import { splitReference } from './tag.ts';

export interface PushOptions {
  allTags?: boolean;
  quiet?: boolean;
}

export const spec: CommandSpec<PushOptions> = {
  name: 'push',
  usage: '[OPTIONS] NAME[:TAG]',
  summary: 'Bring an image to a registry',
  configure(command) {
    command.argument('<NAME>', 'name of the image, which names the registry as well');
    addFlag(command, '-a, --all-tags', 'all tags of the repository');
    addFlag(command, '-q, --quiet', 'print only the name');
  },
  async run(context, [name], options) {
    const { repo, tag } = splitReference(name!);
    const answer = await context.client.open('POST', `/images/${imagePath(repo)}/push`, {
      query: { tag: options.allTags ? undefined : tag },
      headers: await registryHeaders(context.env, name!),
    });
    for await (const message of readProgress(answer)) {
      if (!options.quiet) context.print(formatStep(message));
    }
    if (options.quiet) context.print(`${name}\n`);
    return 0;
  },
};
