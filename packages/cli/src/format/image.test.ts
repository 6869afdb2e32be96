import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageSummary } from '../client/types.ts';
import { imageListing, imageRows } from './image.ts';

const digest = `sha256:${'e'.repeat(64)}`;

function summary(changes: Partial<ImageSummary> = {}): ImageSummary {
  return {
    Id: `sha256:${'d'.repeat(64)}`,
    RepoTags: ['busybox:latest'],
    RepoDigests: [],
    Created: 1_700_000_000,
    Size: 2_974_720,
    ...changes,
  };
}

function names(image: ImageSummary): (string | undefined)[][] {
  return imageRows(image, 1_700_000_060_000, true).map((row) => [row.Repository, row.Tag, row.Digest]);
}

test('a row has every field that has a heading', () => {
  const [row] = imageRows(summary(), 1_700_000_060_000, true);
  assert.deepEqual(Object.keys(row!).sort(), Object.keys(imageListing.headings).sort());
  assert.equal(row!.CreatedSince, 'About a minute ago');
  assert.equal(row!.Size, '2.97MB');
  assert.equal(row!.ID, 'd'.repeat(12));
});

test('every name is a row, and a port in a name is no tag', () => {
  const image = summary({ RepoTags: ['a:1', 'localhost:5000/b:2'], RepoDigests: [`a@${digest}`] });
  assert.deepEqual(names(image), [
    ['a', '1', digest],
    ['localhost:5000/b', '2', '<none>'],
  ]);
});

test('an image without a name is one row', () => {
  assert.deepEqual(names(summary({ RepoTags: null, RepoDigests: null })), [['<none>', '<none>', '<none>']]);
  assert.deepEqual(names(summary({ RepoTags: ['<none>:<none>'] })), [['<none>', '<none>', '<none>']]);
  assert.deepEqual(names(summary({ RepoTags: [], RepoDigests: [`a@${digest}`] })), [['a', '<none>', digest]]);
});
