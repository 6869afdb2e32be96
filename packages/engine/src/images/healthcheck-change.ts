/** The instruction HEALTHCHECK as `--change` takes it. Pure. Syntax of the Dockerfile reference. */
import { invalid } from '../base/errors.ts';

/** Docker's health check object, times in nanoseconds. */
export interface HealthcheckConfig {
  readonly Test: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

const durations = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
} as const;

/** @param text what follows the word HEALTHCHECK @throws invalid for what is malformed */
export function parseHealthcheck(text: string): HealthcheckConfig {
  const options: { -readonly [Key in keyof HealthcheckConfig]?: HealthcheckConfig[Key] } = {};
  let rest = text;
  for (;;) {
    const [whole, name = '', value = ''] = /^--([a-z-]+)=(\S*)\s*/.exec(rest) ?? [];
    if (whole === undefined) break;
    rest = rest.slice(whole.length);
    if (name === 'retries') options.Retries = parseRetries(value);
    else if (name in durations)
      options[durations[name as keyof typeof durations]] = parseDuration(name, value);
    else throw bad(text, `unknown flag: --${name}`);
  }
  const [, word = '', command = ''] = /^(\S*)\s*([\s\S]*)$/.exec(rest) ?? [];
  switch (word.toUpperCase()) {
    case 'NONE':
      if (command !== '') throw bad(text, 'HEALTHCHECK NONE takes no arguments');
      return { Test: ['NONE'] };
    case 'CMD':
      if (command === '') throw bad(text, 'Missing command after HEALTHCHECK CMD');
      return { Test: parseTest(command), ...options };
    case '':
      throw bad(text, 'HEALTHCHECK requires at least one argument');
    default:
      throw bad(text, `Unknown type "${word}" for healthcheck`);
  }
}

function parseTest(command: string): string[] {
  try {
    const words: unknown = JSON.parse(command);
    if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return ['CMD', ...words];
  } catch {
    // A line for the shell.
  }
  return ['CMD-SHELL', command];
}

const unitsNs = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 } as const;

/** As Go writes durations: `1m30s`. */
function parseDuration(name: string, value: string): number {
  const isWhole = /^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(value);
  if (!isWhole && value !== '0')
    throw bad(value, `invalid value "${value}" for --${name}: it should be as 1m30s`);
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  const total = parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * unitsNs[unit as keyof typeof unitsNs],
    0,
  );
  if (total !== 0 && total < unitsNs.ms) throw bad(value, `Interval "${name}" cannot be less than 1ms`);
  return total;
}

function parseRetries(value: string): number {
  if (!/^\d+$/.test(value)) throw bad(value, `--retries must be at least 0 (not ${value})`);
  return Number(value);
}

function bad(change: string, message: string): Error {
  return invalid('invalid-image-change', message, { change });
}
