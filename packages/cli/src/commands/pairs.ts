/** Values such as `--label NAME=VALUE`; a name alone stands for an empty value. */

/** The pairs as an object; of two values for one name the last counts. */
export function readPairs(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf('=');
      return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

/** @throws Error for a label without a name */
export function checkLabel(label: string): string {
  if (label === '' || label.startsWith('=')) throw new Error('a label needs a name');
  return label;
}

/** Options that may be repeated and may also list several values with commas between. */
export function splitCommas(values: readonly string[] = []): string[] {
  return values.flatMap((value) => value.split(','));
}
