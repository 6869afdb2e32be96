/** `seaway ps`: list containers. */
import type { ContainerSummary } from '../client/types.ts';
import { containerListing, containerRow } from '../format/container.ts';
import { formatListing } from '../format/listing.ts';
import { addFilter, formatFilters } from './filters.ts';
import { addFlag, addValue, parseInteger } from './flags.ts';
import type { CommandSpec } from './spec.ts';

export interface PsOptions {
  all?: boolean;
  filter?: string[];
  format?: string;
  last?: number;
  latest?: boolean;
  quiet?: boolean;
  trunc?: boolean;
}

export const spec: CommandSpec<PsOptions> = {
  name: 'ps',
  usage: '[OPTIONS]',
  summary: 'List containers',
  configure(command) {
    addFlag(command, '-a, --all', 'also show containers that do not run');
    addFilter(command);
    command.option('--format <FORMAT>', 'table, json, or a template such as {{.Names}}');
    addValue(command, '-n, --last <COUNT>', 'the newest containers, in all states', parseInteger);
    addFlag(command, '-l, --latest', 'the newest container, in any state');
    addFlag(command, '--no-trunc', 'show ids and commands in full');
    addFlag(command, '-q, --quiet', 'show ids only');
  },
  async run(context, _args, options) {
    const limit = options.latest === true ? 1 : options.last;
    const containers = await context.client.json<ContainerSummary[]>('GET', '/containers/json', {
      query: { all: options.all || undefined, limit, filters: formatFilters(options.filter ?? []) },
    });
    const truncate = options.trunc !== false;
    const rows = containers.map((container) => containerRow(container, context.now(), truncate));
    context.print(formatListing(containerListing, rows, options));
    return 0;
  },
};
