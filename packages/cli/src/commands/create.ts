/** `seaway create`: create a container without starting it. */
import { createContainer } from './create-container.ts';
import { addCreateOptions, buildCreateRequest, type CreateOptions } from './create-options.ts';
import type { CommandSpec } from './spec.ts';

export const spec: CommandSpec<CreateOptions> = {
  name: 'create',
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create a container without starting it',
  takesCommand: true,
  configure: addCreateOptions,
  async run(context, args, options) {
    const id = await createContainer(context, options.name, buildCreateRequest(args, options, context.env));
    context.print(`${id}\n`);
    return 0;
  },
};
