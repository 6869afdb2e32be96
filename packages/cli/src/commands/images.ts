/** `seaway images`: list images. */
import type { ImageSummary } from '../client/types.ts';
import { imageListing, imageRows } from '../format/image.ts';
import { formatListing } from '../format/listing.ts';
import { addFilter, formatFilters } from './filters.ts';
import { addFlag } from './flags.ts';
import type { CommandSpec } from './spec.ts';

export interface ImagesOptions {
  all?: boolean;
  filter?: string[];
  format?: string;
  quiet?: boolean;
  trunc?: boolean;
}

export const spec: CommandSpec<ImagesOptions> = {
  name: 'images',
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  summary: 'List images',
  configure(command) {
    command.argument('[REPOSITORY]', 'show only this repository or reference');
    addFlag(command, '-a, --all', 'also show images that only other images use');
    addFilter(command);
    command.option('--format <FORMAT>', 'table, json, or a template such as {{.Repository}}');
    addFlag(command, '--no-trunc', 'show ids in full');
    addFlag(command, '-q, --quiet', 'show ids only');
  },
  async run(context, [repository], options) {
    const filters = [
      ...(options.filter ?? []),
      ...(repository === undefined ? [] : [`reference=${repository}`]),
    ];
    const images = await context.client.json<ImageSummary[]>('GET', '/images/json', {
      query: { all: options.all || undefined, filters: formatFilters(filters) },
    });
    const rows = images.flatMap((image) => imageRows(image, context.now(), options.trunc !== false));
    context.print(formatListing(imageListing, rows, options));
    return 0;
  },
};
