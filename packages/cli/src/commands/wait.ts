/** `seaway wait`: wait until containers end and print their exit codes. */
import { segment } from '../client/http-client.ts';
import type { WaitAnswer } from '../client/types.ts';
import type { CommandSpec } from './spec.ts';
import { forEachTarget } from './targets.ts';

export const spec: CommandSpec = {
  name: 'wait',
  usage: 'CONTAINER [CONTAINER...]',
  summary: 'Wait until containers end, then print their exit codes',
  configure(command) {
    command.argument('<CONTAINER...>', 'containers to wait for');
  },
  run(context, args) {
    return forEachTarget(context, args, async (name) => {
      const answer = await context.client.json<WaitAnswer>('POST', `/containers/${segment(name)}/wait`);
      if (answer.Error?.Message) throw new Error(answer.Error.Message);
      return String(answer.StatusCode);
    });
  },
};
