import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coverByMasks, type MaskedValue } from './masked-cover.ts';

function fits(cover: readonly MaskedValue[], number: number): boolean {
  return cover.some(({ mask, value }) => (number & mask) >>> 0 === value);
}

const numbers = Array.from({ length: 64 }, (_, number) => number);

test('exactly the allowed numbers fit, whatever they are', () => {
  const sets = [
    [],
    [0],
    [63],
    numbers,
    [1, 2, 4, 8, 16, 32],
    numbers.filter((number) => number % 3 === 0),
    numbers.filter((number) => number < 46 && ![12, 19, 40].includes(number)),
    ...Array.from({ length: 20 }, () => numbers.filter(() => Math.random() < 0.6)),
  ];
  for (const set of sets) {
    const cover = coverByMasks(new Set(set));
    assert.deepEqual(
      numbers.filter((number) => fits(cover, number)),
      set,
    );
  }
});

test('numbers beyond 63 never fit', () => {
  const cover = coverByMasks(new Set(numbers));
  for (let bit = 6; bit < 32; bit += 1) assert.ok(!fits(cover, 2 ** bit), `${2 ** bit}`);
  assert.ok(!fits(cover, 0xffffffff));
});

test('what belongs together is one comparison', () => {
  assert.equal(coverByMasks(new Set(numbers)).length, 1);
  assert.equal(coverByMasks(new Set([32, 33, 34, 35])).length, 1);
  assert.deepEqual(coverByMasks(new Set([5])), [{ mask: 0xffffffff, value: 5 }]);
});
