/** `seaway network inspect`: everything about networks. */
import { segment } from '../client/http-client.ts';
import { addFlag } from './flags.ts';
import { inspectObjects } from './inspect-objects.ts';
import type { CommandSpec } from './spec.ts';

export const spec: CommandSpec<{ format?: string; verbose?: boolean }> = {
  name: 'network inspect',
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  summary: 'Show everything about networks',
  configure(command) {
    command.argument('<NETWORK...>', 'names or ids');
    command.option('-f, --format <FORMAT>', 'json, or a template such as {{.Driver}}');
    addFlag(command, '-v, --verbose', 'ask for more, which only Swarm has');
  },
  run(context, names, { format, verbose }) {
    const query = { verbose: verbose || undefined };
    return inspectObjects(context, names, format, (name) =>
      context.client.json<unknown>('GET', `/networks/${segment(name)}`, { query }),
    );
  },
};
