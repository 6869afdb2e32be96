/** `seaway network prune`: remove the networks that no container is on. */
import type { NetworkPruneAnswer } from '../client/types.ts';
import { confirm } from './confirm.ts';
import { addFilter, formatFilters } from './filters.ts';
import { addFlag } from './flags.ts';
import type { CommandSpec } from './spec.ts';

export interface NetworkPruneOptions {
  filter?: string[];
  force?: boolean;
}

const question =
  'WARNING! This will remove all custom networks not used by at least one container.\n' +
  'Are you sure you want to continue?';

export const spec: CommandSpec<NetworkPruneOptions> = {
  name: 'network prune',
  usage: '[OPTIONS]',
  summary: 'Remove all networks that are not in use',
  configure(command) {
    addFilter(command, '--filter <KEY=VALUE>', 'remove only what matches: until, label, label!');
    addFlag(command, '-f, --force', 'do not ask');
  },
  async run(context, _args, { filter = [], force }) {
    if (!force && !(await confirm(context, question))) return 0;
    const query = { filters: formatFilters(filter) };
    const answer = await context.client.json<NetworkPruneAnswer>('POST', '/networks/prune', { query });
    const names = answer.NetworksDeleted ?? [];
    if (names.length > 0) context.print(`Deleted Networks:\n${names.join('\n')}\n\n`);
    return 0;
  },
};
