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

/** What of an image's names is listed. */
export interface ListedNames {
  readonly references: readonly string[];
  readonly repoDigests: readonly string[];
}

/** The names under which an image is listed; undefined when it is not. */
export function listedNames(
  image: ImageRecord,
  filters: Filters,
  context: FilterContext,
): ListedNames | undefined {
  const created = createdMs(image);
  const isListed =
    matches(filters, 'dangling', (value) => isListedDangling(image, parseBoolean('dangling', value))) &&
    matches(filters, 'before', (reference) => created < createdMs(context.resolve(reference))) &&
    matches(filters, 'since', (reference) => created > createdMs(context.resolve(reference))) &&
    matches(filters, 'until', (value) => created < parseUntilMs(value, context.nowMs)) &&
    matchesLabels(filters, image.config.labels);
  if (!isListed) return undefined;
  const patterns = filters.get('reference') ?? [];
  if (patterns.length === 0) return image;
  const fits = (name: string): boolean => patterns.some((pattern) => matchesName(pattern, name));
  const references = image.references.filter(fits);
  const repoDigests = image.repoDigests.filter(fits);
  return references.length + repoDigests.length > 0 ? { references, repoDigests } : undefined;
}

/** An image that only a digest names is listed either way. */
function isListedDangling(image: ImageRecord, wanted: boolean): boolean {
  return wanted ? isDangling(image) : !isDangling(image) || image.repoDigests.length > 0;
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

/** A pattern fits the whole name or the name without its tag or digest. */
function matchesName(pattern: string, name: string): boolean {
  const regExp = globToRegExp(pattern);
  const [named = ''] = name.split('@');
  const colon = named.lastIndexOf(':');
  const repository = colon > named.lastIndexOf('/') ? named.slice(0, colon) : named;
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
