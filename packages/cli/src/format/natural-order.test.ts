import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareNaturally } from './natural-order.ts';

test('numbers in texts count as numbers', () => {
  const sorted = [
    '',
    '9',
    '10',
    '53/udp',
    '80',
    '80/tcp',
    '80/udp',
    '443/tcp',
    '[::]:9',
    'a',
    'a2',
    'a10',
    'a10b',
  ];
  assert.deepEqual(sorted.toReversed().sort(compareNaturally), sorted);
  for (const text of sorted) assert.equal(compareNaturally(text, text), 0);
});
