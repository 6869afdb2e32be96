/** Times as Docker's clients send them. */
import { invalid, parseTimestampNs } from '@seaway/engine';

/**
 * A point in time: seconds since the epoch with an optional fraction, or RFC 3339.
 * @returns nanoseconds since the epoch, or undefined when the text is neither
 */
export function parseTimeNs(text: string): bigint | undefined {
  const seconds = /^(-?\d+)(?:\.(\d{1,9})\d*)?$/.exec(text);
  if (!seconds) return parseTimestampNs(text);
  return BigInt(seconds[1]!) * 1_000_000_000n + BigInt((seconds[2] ?? '').padEnd(9, '0'));
}

const durationUnitsMs = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/**
 * The value of a filter `until`: a point in time, one of this daemon's clock where it names no zone, or how long ago
 * (`24h`, `1h30m`).
 * @returns milliseconds since 1970
 * @throws invalid for anything else
 */
export function parseUntilMs(text: string, nowMs: number): number {
  const time = parseTimeNs(text);
  if (time !== undefined) return Number(time / 1_000_000n);
  if (/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?)?$/.test(text)) {
    // A date alone would be taken as one in UTC.
    const localMs = Date.parse(text.includes('T') ? text : `${text}T00:00`);
    if (!Number.isNaN(localMs)) return localMs;
  }
  const ageMs = durationMs(text);
  if (ageMs !== undefined) return nowMs - ageMs;
  throw invalid('invalid-filter', `invalid filter 'until=${text}'`);
}

/** How long ago, such as `10m` or `1h30m`. @returns nanoseconds since the epoch, undefined when the text is no duration */
export function parseAgoNs(text: string, nowMs: number): bigint | undefined {
  const ageMs = durationMs(text);
  return ageMs === undefined ? undefined : BigInt(Math.round((nowMs - ageMs) * 1000)) * 1000n;
}

function durationMs(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  return parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * durationUnitsMs[unit as keyof typeof durationUnitsMs],
    0,
  );
}
