/** `seaway network ls`: list networks. */
import type { NetworkSummary } from '../client/types.ts';
import { formatListing } from '../format/listing.ts';
import { networkListing, networkRow } from '../format/network.ts';
import { addFilter, formatFilters } from './filters.ts';
import { addFlag } from './flags.ts';
import type { CommandSpec } from './spec.ts';

export interface NetworkListOptions {
  filter?: string[];
  format?: string;
  quiet?: boolean;
  trunc?: boolean;
}

export const spec: CommandSpec<NetworkListOptions> = {
  name: 'network ls',
  usage: '[OPTIONS]',
  summary: 'List networks',
  configure(command) {
    addFilter(command);
    command.option('--format <FORMAT>', 'table, json, or a template such as {{.Name}}');
    addFlag(command, '--no-trunc', 'show ids in full');
    addFlag(command, '-q, --quiet', 'show ids only');
  },
  async run(context, _args, options) {
    const networks = await context.client.json<NetworkSummary[]>('GET', '/networks', {
      query: { filters: formatFilters(options.filter ?? []) },
    });
    const rows = networks
      .toSorted((a, b) => a.Name.localeCompare(b.Name, 'en', { numeric: true }))
      .map((network) => networkRow(network, options.trunc !== false));
    context.print(formatListing(networkListing, rows, options));
    return 0;
  },
};
