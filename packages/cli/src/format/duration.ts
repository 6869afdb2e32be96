/** Spans of time in words ("3 minutes"), and the dates and spans that users type for `--since`. */

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** A span in the largest unit that reads well, as docker prints it. Anything under a second has its own words. */
export function formatDuration(spanMs: number): string {
  if (spanMs < second) return 'Less than a second';
  if (spanMs < minute) return plural(Math.floor(spanMs / second), 'second');
  if (spanMs < 2 * minute) return 'About a minute';
  if (spanMs < hour) return `${Math.floor(spanMs / minute)} minutes`;
  const hours = Math.round(spanMs / hour);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 14) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 60) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(spanMs / day / 365)} years`;
}

function plural(count: number, unit: string): string {
  return count === 1 ? `1 ${unit}` : `${count} ${unit}s`;
}

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: second,
  m: minute,
  h: hour,
};

/** Reads a span such as `90s`, `1h30m` or `1.5h` into milliseconds, or gives undefined for other text. */
export function parseDuration(text: string): number | undefined {
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(text);
  if (match === null) return undefined;
  let totalMs = 0;
  for (const part of text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    totalMs += Number(part[1]) * unitMs[part[2]!]!;
  }
  return match[1] === '-' ? -totalMs : totalMs;
}

/**
 * Turns what a user types for `--since` and `--until` into the Unix seconds the API takes (with nanoseconds
 * where the text has them): a span before now, a date with or without a time and zone, or Unix seconds.
 * @throws Error when the text is none of these.
 */
export function parseTimestamp(text: string, nowMs: number): string {
  const spanMs = parseDuration(text);
  if (spanMs !== undefined) return formatUnix(nowMs - spanMs);
  if (/^\d+(\.\d{1,9})?$/.test(text)) return text;
  const date =
    /^\d{4}-\d{2}-\d{2}(?:T\d{2}(?::\d{2}(?::\d{2}(?:\.(\d{1,9}))?)?)?(?:Z|[+-]\d{2}:\d{2})?)?$/.exec(text);
  if (date !== null) {
    const [day, time = '00:00:00'] = text.split('T');
    const zone = /(Z|[+-]\d{2}:\d{2})$/.exec(time)?.[0] ?? '';
    const [hours, minutes = '00', seconds = '00'] = time.slice(0, time.length - zone.length).split(':');
    // Without a zone the runtime reads local time, which is what docker does too.
    const ms = Date.parse(`${day}T${hours}:${minutes}:${seconds.split('.')[0]}${zone}`);
    if (!Number.isNaN(ms)) return `${ms / second}.${(date[1] ?? '').padEnd(9, '0')}`;
  }
  throw new Error(`"${text}" is neither a date, a span such as 10m, nor Unix seconds`);
}

function formatUnix(ms: number): string {
  const whole = Math.floor(ms / second);
  return `${whole}.${String(Math.round((ms - whole * second) * 1e6)).padStart(9, '0')}`;
}

/** A point in time as docker's lists show it: `2026-11-23 18:24:59 +0000 UTC`, always in UTC here. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`;
}
