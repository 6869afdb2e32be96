import { parseTimestampNs } from '@seaway/engine';

/**
 * Times as Docker's clients send them: seconds since the epoch with an optional fraction, or RFC 3339.
 * @returns nanoseconds since the epoch, or undefined when the text is neither
 */
export function parseTimeNs(text: string): bigint | undefined {
  const seconds = /^(-?\d+)(?:\.(\d{1,9})\d*)?$/.exec(text);
  if (!seconds) return parseTimestampNs(text);
  return BigInt(seconds[1]!) * 1_000_000_000n + BigInt((seconds[2] ?? '').padEnd(9, '0'));
}
