/** Images as `images` shows them: one row for each name. */
import type { ImageSummary } from '../client/types.ts';
import { formatDuration, formatTime } from './duration.ts';
import type { ListingShape, Row } from './listing.ts';
import { formatSize } from './size.ts';
import { truncateId } from './table.ts';

const none = '<none>';

export const imageListing: ListingShape = {
  headings: {
    CreatedAt: 'CREATED AT',
    CreatedSince: 'CREATED',
    Digest: 'DIGEST',
    ID: 'IMAGE ID',
    Repository: 'REPOSITORY',
    Size: 'SIZE',
    Tag: 'TAG',
  },
  columns: ['Repository', 'Tag', 'ID', 'CreatedSince', 'Size'],
  id: 'ID',
};

/** The rows of one image: one per tag, or a single one with `<none>` for an image without a name. */
export function imageRows(image: ImageSummary, nowMs: number, truncate: boolean): Row[] {
  const common = {
    CreatedAt: formatTime(image.Created * 1000),
    CreatedSince: `${formatDuration(nowMs - image.Created * 1000)} ago`,
    ID: truncate ? truncateId(image.Id) : image.Id,
    Size: formatSize(image.Size),
  };
  const digests = (image.RepoDigests ?? []).map((digest) => digest.split('@') as [string, string]);
  const tags = (image.RepoTags ?? []).filter((tag) => tag !== `${none}:${none}`);
  if (tags.length === 0) {
    const [repository = none, digest = none] = digests[0] ?? [];
    return [{ ...common, Repository: repository, Tag: none, Digest: digest }];
  }
  return tags.map((reference) => {
    // The last colon: one before it belongs to a registry's port.
    const colon = reference.lastIndexOf(':');
    const repository = reference.slice(0, colon);
    const digest = digests.find(([name]) => name === repository)?.[1] ?? none;
    return { ...common, Repository: repository, Tag: reference.slice(colon + 1), Digest: digest };
  });
}
