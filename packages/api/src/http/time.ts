/**
 * Times as Docker's clients send them: seconds since the epoch with an optional fraction, or RFC 3339.
 * @returns nanoseconds since the epoch, or undefined when the text is neither
 */
export function parseTimeNs(text: string): bigint | undefined {
  const seconds = /^(-?\d+)(?:\.(\d{1,9})\d*)?$/.exec(text);
  if (seconds) return BigInt(seconds[1]!) * 1_000_000_000n + BigInt((seconds[2] ?? '').padEnd(9, '0'));
  const date = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const ms = date ? Date.parse(`${date[1]}${date[3]}`) : Number.NaN;
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + BigInt((date![2] ?? '').padEnd(9, '0'));
}
