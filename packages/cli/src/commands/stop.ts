/** `seaway stop`: ask containers to end, and kill those that do not. */
import { segment } from '../client/http-client.ts';
import { addValue, parseInteger } from './flags.ts';
import type { CommandSpec } from './spec.ts';
import { forEachTarget } from './targets.ts';

export interface StopOptions {
  signal?: string;
  /** Seconds. */
  timeout?: number;
}

export const spec: CommandSpec<StopOptions> = {
  name: 'stop',
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Stop running containers',
  configure(command) {
    command.argument('<CONTAINER...>', 'containers to stop');
    command.option('-s, --signal <SIGNAL>', 'signal to send first');
    addValue(command, '-t, --timeout <SECONDS>', 'seconds to wait before killing, -1 for ever', parseInteger);
  },
  run(context, args, { signal, timeout }) {
    return forEachTarget(context, args, async (name) => {
      await context.client.text('POST', `/containers/${segment(name)}/stop`, {
        query: { signal, t: timeout },
      });
      return name;
    });
  },
};
