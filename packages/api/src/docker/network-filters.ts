/** Which networks `network ls` lists and `network prune` takes, by Docker's filters. */
import { invalid, isPredefinedNetwork, type NetworkRecord } from '@seaway/engine';
import { type Filters, matches, matchesLabels, matchesPattern } from '../http/query.ts';
import { parseUntilMs } from '../http/time.ts';

export const listFilterKeys = ['id', 'name', 'driver', 'label', 'scope', 'type', 'dangling'] as const;
export const pruneFilterKeys = ['until', 'label', 'label!'] as const;

/** @throws invalid for values that a filter cannot have */
export function checkListFilters(filters: Filters): void {
  for (const type of filters.get('type') ?? []) {
    if (type !== 'builtin' && type !== 'custom')
      throw invalid('invalid-filter', `invalid filter: 'type'='${type}'`);
  }
  const dangling = filters.get('dangling') ?? [];
  if (dangling.length > 1)
    throw invalid('invalid-filter', 'got more than one value for filter key "dangling"');
  if (dangling[0] !== undefined && !['true', '1', 'false', '0'].includes(dangling[0])) {
    throw invalid(
      'invalid-filter',
      `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`,
    );
  }
}

export function isListed(network: NetworkRecord, filters: Filters, hasEndpoints: () => boolean): boolean {
  const isBuiltin = isPredefinedNetwork(network.name);
  return (
    matches(filters, 'id', (pattern) => matchesPattern(pattern, network.id)) &&
    matches(filters, 'name', (pattern) => matchesPattern(pattern, network.name)) &&
    matches(filters, 'driver', (driver) => driver === network.driver) &&
    matches(filters, 'scope', (scope) => scope === 'local') &&
    matches(filters, 'type', (type) => (type === 'builtin') === isBuiltin) &&
    matches(
      filters,
      'dangling',
      (value) => ['true', '1'].includes(value) === (!isBuiltin && !hasEndpoints()),
    ) &&
    matchesLabels(filters, network.labels)
  );
}

/**
 * Which of the unused networks prune takes.
 * @throws invalid for two points in time, or one that is none
 */
export function pruneCondition(filters: Filters, nowMs: number): (network: NetworkRecord) => boolean {
  const until = filters.get('until') ?? [];
  if (until.length > 1) throw invalid('invalid-filter', 'more than one until filter specified');
  const untilMs = until[0] === undefined ? Number.POSITIVE_INFINITY : parseUntilMs(until[0], nowMs);
  const hasUnwanted = (filters.get('label!') ?? []).length > 0;
  return ({ createdAt, labels }) =>
    Date.parse(createdAt) < untilMs &&
    matchesLabels(filters, labels) &&
    !(hasUnwanted && matchesLabels(filters, labels, 'label!'));
}
