import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMemory, formatSize } from './size.ts';

test('sizes have three significant digits and decimal units', () => {
  const cases: [number, string][] = [
    [0, '0B'],
    [999, '999B'],
    [1000, '1kB'],
    [1236, '1.24kB'],
    [2_974_720, '2.97MB'],
    [123_456_789, '123MB'],
    [1_500_000_000, '1.5GB'],
  ];
  for (const [bytes, text] of cases) assert.equal(formatSize(bytes), text);
});

test('memory has four significant digits and binary units', () => {
  assert.equal(formatMemory(1024), '1KiB');
  assert.equal(formatMemory(25_276_436_480), '23.54GiB');
});
