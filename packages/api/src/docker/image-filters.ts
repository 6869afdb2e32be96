/** Which images `images` lists and `image prune` takes, by Docker's filters. */
import { type ImageRecord, invalid } from '@seaway/engine';
import { type Filters, matches, matchesLabels } from '../http/query.ts';
import { parseUntilMs } from '../http/time.ts';

export const listFilterKeys = ['dangling', 'label', 'before', 'since', 'reference', 'until'] as const;
export const pruneFilterKeys = ['dangling', 'label', 'label!', 'until'] as const;

export interface FilterContext {
  /** Finds the image of `before` and `since`; throws when there is none. */
  readonly resolve: (reference: string) => ImageRecord;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** The names under which an image is listed; undefined when it is not. */
export function listedNames(
  image: ImageRecord,
  filters: Filters,
  context: FilterContext,
): readonly string[] | undefined {
  const created = createdMs(image);
  const isListed =
    matches(filters, 'dangling', (value) => parseBoolean('dangling', value) === isDangling(image)) &&
    matches(filters, 'before', (reference) => created < createdMs(context.resolve(reference))) &&
    matches(filters, 'since', (reference) => created > createdMs(context.resolve(reference))) &&
    matches(filters, 'until', (value) => created < parseUntilMs(value, context.nowMs)) &&
    matchesLabels(filters, image.config.labels);
  if (!isListed) return undefined;
  const patterns = filters.get('reference') ?? [];
  if (patterns.length === 0) return image.references;
  const names = image.references.filter((name) => patterns.some((pattern) => matchesName(pattern, name)));
  return names.length > 0 ? names : undefined;
}

/** Whether prune takes the image, if no container uses it. Without `dangling=false` only nameless ones go. */
export function isPruned(image: ImageRecord, filters: Filters, nowMs: number): boolean {
  const takesNamed = (filters.get('dangling') ?? []).some((value) => !parseBoolean('dangling', value));
  const unwanted = filters.get('label!') ?? [];
  return (
    (takesNamed || isDangling(image)) &&
    matches(filters, 'until', (value) => createdMs(image) < parseUntilMs(value, nowMs)) &&
    matchesLabels(filters, image.config.labels) &&
    unwanted.every((label) => !matchesLabels(new Map([['label', [label]]]), image.config.labels))
  );
}

function isDangling(image: ImageRecord): boolean {
  return image.references.length === 0;
}

function createdMs(image: ImageRecord): number {
  return Date.parse(image.createdAt) || 0;
}

/** A pattern fits the whole name or the name without its tag. */
function matchesName(pattern: string, name: string): boolean {
  const regExp = globToRegExp(pattern);
  const colon = name.lastIndexOf(':');
  const repository = colon > name.lastIndexOf('/') ? name.slice(0, colon) : name;
  return regExp.test(name) || regExp.test(repository);
}

/** Shell patterns of path components: `*` and `?` stop at a slash, `[a-z]` and `[^a-z]` are sets, `\` escapes. */
function globToRegExp(glob: string): RegExp {
  const source = glob.replace(/\\(.)|\[(\^?)([^\]]+)\]|[*?]|[.+^${}()|[\]\\]/g, (part, escaped, not, set) => {
    if (escaped !== undefined) return escapeRegExp(escaped);
    if (set !== undefined) return `[${not}${set.replace(/[\\[]/g, '\\$&')}]`;
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    return escapeRegExp(part);
  });
  try {
    return new RegExp(`^${source}$`);
  } catch {
    throw invalid('invalid-filter', `invalid filter 'reference=${glob}'`);
  }
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function parseBoolean(key: string, value: string): boolean {
  if (['1', 't', 'true', 'True', 'TRUE', 'T'].includes(value)) return true;
  if (['0', 'f', 'false', 'False', 'FALSE', 'F'].includes(value)) return false;
  throw invalid('invalid-filter', `invalid filter '${key}=${value}'`);
}
