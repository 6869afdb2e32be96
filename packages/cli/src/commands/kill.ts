/** `seaway kill`: send containers a signal, SIGKILL unless told otherwise. */
import { segment } from '../client/http-client.ts';
import type { CommandSpec } from './spec.ts';
import { forEachTarget } from './targets.ts';

export const spec: CommandSpec<{ signal?: string }> = {
  name: 'kill',
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Send a signal to running containers',
  configure(command) {
    command.argument('<CONTAINER...>', 'containers to signal');
    command.option('-s, --signal <SIGNAL>', 'signal to send instead of KILL');
  },
  run(context, args, { signal }) {
    return forEachTarget(context, args, async (name) => {
      await context.client.text('POST', `/containers/${segment(name)}/kill`, { query: { signal } });
      return name;
    });
  },
};
