/** `seaway volume rm`: remove volumes. */
import { segment } from '../client/http-client.ts';
import { addFlag } from './flags.ts';
import type { CommandSpec } from './spec.ts';
import { forEachTarget } from './targets.ts';

export const spec: CommandSpec<{ force?: boolean }> = {
  name: 'volume rm',
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Remove volumes with what is in them',
  configure(command) {
    command.argument('<VOLUME...>', 'names');
    addFlag(command, '-f, --force', 'do not complain about a volume that is not there');
  },
  run(context, args, { force }) {
    const query = { force: force || undefined };
    return forEachTarget(context, args, async (name) => {
      await context.client.text('DELETE', `/volumes/${segment(name)}`, { query });
      return name;
    });
  },
};
