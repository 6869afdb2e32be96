/** `seaway rename`: give a container another name. */
import { segment } from '../client/http-client.ts';
import type { CommandSpec } from './spec.ts';

export const spec: CommandSpec = {
  name: 'rename',
  usage: 'CONTAINER NEW_NAME',
  summary: 'Rename a container',
  configure(command) {
    command.argument('<CONTAINER>', 'container to rename').argument('<NEW_NAME>', 'its new name');
  },
  async run(context, [container, name]) {
    await context.client.text('POST', `/containers/${segment(container!)}/rename`, { query: { name } });
    return 0;
  },
};
