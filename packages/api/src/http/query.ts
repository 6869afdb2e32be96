/** Values in query strings, as Go programs read them. */
import { setFlagsFromString } from 'node:v8';
import { invalid } from '@seaway/engine';

export type Query = Readonly<Record<string, string | string[] | undefined>>;

export function queryText(query: Query, name: string): string | undefined {
  const value = query[name];
  return Array.isArray(value) ? value[0] : value;
}

/** All values of a parameter that may be repeated. */
export function queryTexts(query: Query, name: string): string[] {
  const value = query[name] ?? [];
  return Array.isArray(value) ? value : [value];
}

/** Every spelling but these of "no" is "yes", as Docker has it for most flags. */
export function queryFlag(query: Query, name: string): boolean {
  const value = (queryText(query, name) ?? '').trim().toLowerCase();
  return !['', '0', 'no', 'false', 'none'].includes(value);
}

/** @throws invalid naming the parameter when its value is no whole number */
export function queryInteger(query: Query, name: string): number | undefined {
  const text = queryText(query, name);
  if (text === undefined || text === '') return undefined;
  if (!/^-?\d+$/.test(text)) {
    throw invalid(
      'invalid-query',
      `invalid value for ${name}: strconv.Atoi: parsing "${text}": invalid syntax`,
    );
  }
  const value = Number(text);
  if (Math.abs(value) < 2 ** 63) return value;
  throw invalid(
    'invalid-query',
    `invalid value for ${name}: strconv.Atoi: parsing "${text}": value out of range`,
  );
}

/** The booleans that Go's strconv.ParseBool knows. @throws invalid for anything else */
export function queryBoolean(query: Query, name: string): boolean {
  const text = queryText(query, name) ?? '';
  if (['', '0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  throw invalid(
    'invalid-query',
    `invalid value for ${name}: ${text}: strconv.ParseBool: parsing "${text}": invalid syntax`,
  );
}

/** Filter values by key. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/**
 * Reads the `filters` parameter in both its encodings, `{"name":["a"]}` and `{"name":{"a":true}}`.
 * @param known the keys that the endpoint takes
 * @throws invalid for broken JSON and for unknown keys
 */
export function parseFilters(query: Query, known: readonly string[]): Filters {
  const text = queryText(query, 'filters');
  if (!text) return new Map();
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw invalid('invalid-filter', 'invalid filter');
  }
  if (parsed === null) return new Map();
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw invalid('invalid-filter', 'invalid filter');
  }
  const filters = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(parsed)) {
    if (!known.includes(key)) throw invalid('invalid-filter', `invalid filter '${key}'`);
    filters.set(key, filterValues(value));
  }
  return filters;
}

function filterValues(value: unknown): string[] {
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const entries = Object.entries(value);
    if (entries.every(([, isSet]) => typeof isSet === 'boolean'))
      return entries.flatMap(([name, isSet]) => (isSet ? [name] : []));
  }
  throw invalid('invalid-filter', 'invalid filter');
}

/** Whether one of the values fits, or the filter was not given. */
export function matches(filters: Filters, key: string, fits: (value: string) => boolean): boolean {
  const values = filters.get(key);
  return !values || values.length === 0 || values.some(fits);
}

/** `label` filters hold all together: `key` or `key=value` each. */
export function matchesLabels(
  filters: Filters,
  labels: Readonly<Record<string, string>>,
  filter = 'label',
): boolean {
  return (filters.get(filter) ?? []).every((wanted) => {
    const [key = '', ...rest] = wanted.split('=');
    return Object.hasOwn(labels, key) && (rest.length === 0 || labels[key] === rest.join('='));
  });
}

// Go's expressions take time in proportion to the text; those of V8 can take for ever, and the daemon with them.
setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');

/** Docker's names and ids match exactly or as an unanchored regular expression. @throws invalid for a broken one */
export function matchesPattern(pattern: string, text: string): boolean {
  return patternOf(pattern)(text);
}

/** As {@link matchesPattern}, for many texts. @throws invalid for a broken expression */
export function patternOf(pattern: string): (text: string) => boolean {
  try {
    const expression = new RegExp(pattern);
    return (text) => text === pattern || expression.test(text);
  } catch {
    throw invalid('invalid-filter', `invalid filter: '${pattern}' is no regular expression`);
  }
}
