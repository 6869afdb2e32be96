/** `seaway volume ls`: list volumes. */
import type { VolumeListAnswer } from '../client/types.ts';
import { formatListing } from '../format/listing.ts';
import { volumeListing, volumeRow } from '../format/volume.ts';
import { addFilter, formatFilters } from './filters.ts';
import { addFlag } from './flags.ts';
import type { CommandSpec } from './spec.ts';

export interface VolumeListOptions {
  filter?: string[];
  format?: string;
  quiet?: boolean;
}

export const spec: CommandSpec<VolumeListOptions> = {
  name: 'volume ls',
  usage: '[OPTIONS]',
  summary: 'List volumes',
  configure(command) {
    addFilter(command);
    command.option('--format <FORMAT>', 'table, json, or a template such as {{.Name}}');
    addFlag(command, '-q, --quiet', 'show names only');
  },
  async run(context, _args, options) {
    const { Volumes: volumes } = await context.client.json<VolumeListAnswer>('GET', '/volumes', {
      query: { filters: formatFilters(options.filter ?? []) },
    });
    const rows = (volumes ?? [])
      .toSorted((a, b) => a.Name.localeCompare(b.Name, 'en', { numeric: true }))
      .map(volumeRow);
    context.print(formatListing(volumeListing, rows, options));
    return 0;
  },
};
