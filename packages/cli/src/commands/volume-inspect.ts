/** `seaway volume inspect`: everything about volumes. */
import { segment } from '../client/http-client.ts';
import { inspectObjects } from './inspect-objects.ts';
import type { CommandSpec } from './spec.ts';

export const spec: CommandSpec<{ format?: string }> = {
  name: 'volume inspect',
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Show everything about volumes',
  configure(command) {
    command.argument('<VOLUME...>', 'names');
    command.option('-f, --format <FORMAT>', 'json, or a template such as {{.Mountpoint}}');
  },
  run(context, names, { format }) {
    return inspectObjects(context, names, format, (name) =>
      context.client.json<unknown>('GET', `/volumes/${segment(name)}`),
    );
  },
};
