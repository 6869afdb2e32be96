import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layersSizeBytes, sharedSizes } from './shared-size.ts';

const base = { layers: ['a'], layerSizes: [100] };
const child = { layers: ['a', 'b'], layerSizes: [100, 20] };
const other = { layers: ['c', 'd'], layerSizes: [7, 0] };

test('layers of several images count once', () => {
  assert.equal(layersSizeBytes([]), 0);
  assert.equal(layersSizeBytes([base, child, other]), 127);
});

test('an image shares what another one has as well', () => {
  assert.deepEqual(sharedSizes([base, child, other]), [100, 100, 0]);
  assert.deepEqual(sharedSizes([child]), [0]);
});
