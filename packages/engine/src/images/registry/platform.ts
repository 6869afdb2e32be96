/** Which image of several for different platforms is meant. Pure. */
import { notFound } from '../../base/errors.ts';
import type { IndexEntry, Platform } from '../manifest.ts';

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant ? [variant] : [])].join('/');
}

/** What a processor without a variant in its name is. */
const defaultVariants: Readonly<Record<string, string>> = { arm: 'v7', arm64: 'v8', amd64: 'v1' };

/**
 * The entry for a platform: of the same variant, else of the best older one.
 * @throws notFound with Docker's text when there is none
 */
export function choosePlatform(entries: readonly IndexEntry[], wanted: Platform): IndexEntry {
  const wantedVariant = variantOf(wanted);
  const fitting = entries
    .filter(({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture)
    .map((entry) => ({ entry, variant: variantOf(entry.platform!) }))
    .filter(({ variant }) => variant <= wantedVariant)
    .sort((a, b) => b.variant - a.variant);
  if (fitting[0]) return fitting[0].entry;
  throw notFound(
    'image-platform-not-found',
    `no matching manifest for ${formatPlatform(wanted)} in the manifest list entries`,
  );
}

/** The number of a variant, `v7` is 7. */
function variantOf({ architecture, variant }: Platform): number {
  const [, digits] = /^v(\d+)/.exec(variant || (defaultVariants[architecture] ?? 'v0')) ?? [];
  return Number(digits ?? 0);
}
