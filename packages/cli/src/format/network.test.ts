import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkListing, networkRow } from './network.ts';

const network = {
  Id: 'f'.repeat(64),
  Name: 'shop',
  Driver: 'bridge',
  Scope: 'local',
  Created: '2026-11-23T18:24:28.760018448Z',
  EnableIPv6: false,
  Internal: true,
  Labels: { a: '1' },
};

test('a row has every field that has a heading', () => {
  const row = networkRow(network, true);
  assert.deepEqual(Object.keys(row).sort(), Object.keys(networkListing.headings).sort());
  assert.equal(row.ID, 'f'.repeat(12));
  assert.equal(row.CreatedAt, '2026-11-23 18:24:28 +0000 UTC');
  assert.equal(row.Internal, 'true');
  assert.equal(row.Labels, 'a=1');
});

test('IPv4 is on unless the daemon says otherwise', () => {
  assert.equal(networkRow(network, true).IPv4, 'true');
  assert.equal(networkRow({ ...network, EnableIPv4: false }, true).IPv4, 'false');
});
