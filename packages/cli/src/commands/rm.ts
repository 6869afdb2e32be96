/** `seaway rm`: remove containers. */
import { segment } from '../client/http-client.ts';
import { addFlag } from './flags.ts';
import type { CommandSpec } from './spec.ts';
import { forEachTarget } from './targets.ts';

export interface RemoveOptions {
  force?: boolean;
  link?: boolean;
  volumes?: boolean;
}

export const spec: CommandSpec<RemoveOptions> = {
  name: 'rm',
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Remove containers',
  configure(command) {
    command.argument('<CONTAINER...>', 'containers to remove');
    addFlag(command, '-f, --force', 'kill a container that still runs');
    addFlag(command, '-l, --link', 'remove the link PARENT/ALIAS, not the container that it leads to');
    addFlag(command, '-v, --volumes', 'also remove its anonymous volumes');
  },
  run(context, args, options) {
    const query = {
      force: options.force || undefined,
      link: options.link || undefined,
      v: options.volumes || undefined,
    };
    return forEachTarget(context, args, async (name) => {
      await context.client.text('DELETE', `/containers/${segment(name)}`, { query });
      return name;
    });
  },
};
