/** `seaway volume prune`: remove the volumes that no container has. */
import type { VolumePruneAnswer } from '../client/types.ts';
import { formatSize } from '../format/size.ts';
import { confirm } from './confirm.ts';
import { addFilter, formatFilters } from './filters.ts';
import { addFlag } from './flags.ts';
import type { CommandSpec } from './spec.ts';

export interface VolumePruneOptions {
  all?: boolean;
  filter?: string[];
  force?: boolean;
}

const question = (what: string) =>
  `WARNING! This will remove ${what} volumes not used by at least one container.\n` +
  'Are you sure you want to continue?';

export const spec: CommandSpec<VolumePruneOptions> = {
  name: 'volume prune',
  usage: '[OPTIONS]',
  summary: 'Remove volumes without a name that no container has',
  configure(command) {
    addFlag(command, '-a, --all', 'also those with a name');
    addFilter(command, '--filter <KEY=VALUE>', 'remove only what matches: label, label!');
    addFlag(command, '-f, --force', 'do not ask');
  },
  async run(context, _args, { all, filter = [], force }) {
    const what = all ? 'all local' : 'anonymous local';
    if (!force && !(await confirm(context, question(what)))) return 0;
    const query = { filters: formatFilters([...filter, ...(all ? ['all=true'] : [])]) };
    const answer = await context.client.json<VolumePruneAnswer>('POST', '/volumes/prune', { query });
    const names = answer.VolumesDeleted ?? [];
    if (names.length > 0) context.print(`Deleted Volumes:\n${names.join('\n')}\n\n`);
    context.print(`Total reclaimed space: ${formatSize(answer.SpaceReclaimed)}\n`);
    return 0;
  },
};
