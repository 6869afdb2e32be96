/** `seaway network rm`: remove networks. */
import { DaemonError } from '../client/daemon-error.ts';
import { segment } from '../client/http-client.ts';
import { addFlag } from './flags.ts';
import type { CommandSpec } from './spec.ts';
import { forEachTarget } from './targets.ts';

export const spec: CommandSpec<{ force?: boolean }> = {
  name: 'network rm',
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  summary: 'Remove networks',
  configure(command) {
    command.argument('<NETWORK...>', 'names or ids');
    addFlag(command, '-f, --force', 'do not complain about a network that is not there');
  },
  run(context, args, { force }) {
    return forEachTarget(context, args, async (name) => {
      try {
        await context.client.text('DELETE', `/networks/${segment(name)}`);
        return name;
      } catch (error) {
        if (force && error instanceof DaemonError && error.status === 404) return undefined;
        throw error;
      }
    });
  },
};
