/** `--filter KEY=VALUE`, as lists take it, in the form the API wants. */
import type { Command } from 'commander';
import { addList } from './flags.ts';

/** Declares `-f, --filter`, which some commands call otherwise. */
export function addFilter(
  command: Command,
  flags = '-f, --filter <KEY=VALUE>',
  description = 'show only what matches',
): void {
  addList(command, flags, description, checkFilter);
}

/** The API's `filters` parameter: JSON of each key's values; undefined when there is nothing to filter. */
export function formatFilters(filters: readonly string[]): string | undefined {
  if (filters.length === 0) return undefined;
  const values: Record<string, Record<string, true>> = {};
  for (const filter of filters) {
    const equals = filter.indexOf('=');
    const key = filter.slice(0, equals).trim().toLowerCase();
    values[key] = { ...values[key], [filter.slice(equals + 1).trim()]: true };
  }
  return JSON.stringify(values);
}

function checkFilter(filter: string): string {
  if (filter.indexOf('=') < 1) throw new Error('bad format of filter (expected name=value)');
  return filter;
}
