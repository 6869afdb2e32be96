/** `seaway network disconnect`: take a container off a network. */
import { segment } from '../client/http-client.ts';
import { addFlag } from './flags.ts';
import type { CommandSpec } from './spec.ts';

export const spec: CommandSpec<{ force?: boolean }> = {
  name: 'network disconnect',
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Take a container off a network',
  configure(command) {
    command.argument('<NETWORK>', 'name or id').argument('<CONTAINER>', 'name or id');
    addFlag(command, '-f, --force', 'also what a container that is gone has left there');
  },
  async run(context, [network, container], { force }) {
    const body = { Container: container, Force: force === true };
    await context.client.text('POST', `/networks/${segment(network!)}/disconnect`, { body });
    return 0;
  },
};
