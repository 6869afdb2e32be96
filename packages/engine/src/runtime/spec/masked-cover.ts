/** Says which numbers are allowed in as few masked comparisons as it finds; each costs the building of a filter time. */

/** Numbers `n` with `(n & mask) === value`. */
export interface MaskedValue {
  readonly mask: number;
  readonly value: number;
}

/**
 * Comparisons of which a 32-bit number fits at least one exactly when it is among `allowed`. Greedy: of all comparisons
 * that allow nothing else, the one that adds most comes first.
 * @param allowed numbers from 0 to 63
 */
export function coverByMasks(allowed: ReadonlySet<number>): MaskedValue[] {
  const range = 64;
  const above = 0xffffffff - (range - 1);
  const candidates: { readonly mask: number; readonly value: number; readonly numbers: readonly number[] }[] =
    [];
  for (let mask = 0; mask < range; mask += 1) {
    for (let value = 0; value < range; value += 1) {
      if ((value & ~mask) !== 0) continue;
      const numbers = Array.from({ length: range }, (_, number) => number).filter(
        (number) => (number & mask) === value,
      );
      if (numbers.every((number) => allowed.has(number))) candidates.push({ mask, value, numbers });
    }
  }
  const missing = new Set(allowed);
  const cover: MaskedValue[] = [];
  while (missing.size > 0) {
    const gain = (candidate: (typeof candidates)[number]) =>
      candidate.numbers.filter((number) => missing.has(number)).length;
    const best = candidates.reduce((left, right) => (gain(right) > gain(left) ? right : left));
    for (const number of best.numbers) missing.delete(number);
    cover.push({ mask: above + best.mask, value: best.value });
  }
  return cover;
}
