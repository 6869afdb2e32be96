/**
 * Whether a container is healthy, as the results of its health check say. Pure: what runs the checks is in
 * `containers/health-checks.ts`. Source of rules and defaults: the HEALTHCHECK instruction in Docker's documentation.
 */
import { invalid } from '../base/errors.ts';

/** A health check as it was asked for; zero and empty stand for what was left open. Times in nanoseconds. */
export interface HealthCheck {
  /** `CMD` and words, `CMD-SHELL` and a line, or `NONE`; empty: the image's. */
  readonly test: readonly string[];
  /** Between the end of one check and the next. @default 30 seconds */
  readonly intervalNs: number;
  /** @default 30 seconds */
  readonly timeoutNs: number;
  /** How long after the start failures do not count. @default 0 */
  readonly startPeriodNs: number;
  /** In place of the interval as long as that lasts and no check has succeeded. @default 5 seconds */
  readonly startIntervalNs: number;
  /** Failures in a row that make a container unhealthy. @default 3 */
  readonly retries: number;
}

export interface ProbeResult {
  /** RFC 3339 with nanoseconds. */
  readonly start: string;
  readonly end: string;
  /** 0 is healthy; -1 when the check could not be run or took too long. */
  readonly exitCode: number;
  readonly output: string;
}

export interface Health {
  readonly status: 'starting' | 'healthy' | 'unhealthy';
  readonly failingStreak: number;
  /** The last few, the newest at the end. */
  readonly log: readonly ProbeResult[];
}

const SECOND_NS = 1_000_000_000;
const DEFAULT_INTERVAL_NS = 30 * SECOND_NS;
const DEFAULT_TIMEOUT_NS = 30 * SECOND_NS;
const DEFAULT_START_INTERVAL_NS = 5 * SECOND_NS;
const DEFAULT_RETRIES = 3;
const MINIMUM_NS = 1_000_000;
const LOGGED_RESULTS = 5;
/** How much of a check's output is kept, in bytes. */
export const MAX_OUTPUT_BYTES = 4096;
/** Longest delay of a timer in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Reads the object that Docker's images and clients have for a health check; what is no value counts as left open. */
export function healthCheckFrom(value: unknown): HealthCheck | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value as Readonly<Record<string, unknown>>;
  const number = (name: string) => (Number.isSafeInteger(fields[name]) ? (fields[name] as number) : 0);
  const { Test: test } = fields;
  return {
    test: Array.isArray(test) ? test.filter((word) => typeof word === 'string') : [],
    intervalNs: number('Interval'),
    timeoutNs: number('Timeout'),
    startPeriodNs: number('StartPeriod'),
    startIntervalNs: number('StartInterval'),
    retries: number('Retries'),
  };
}

/** The opposite of {@link healthCheckFrom}: what is left open is left out. */
export function formatHealthCheck(check: HealthCheck): Readonly<Record<string, unknown>> {
  const fields = {
    Test: check.test.length > 0 ? check.test : undefined,
    Interval: check.intervalNs || undefined,
    Timeout: check.timeoutNs || undefined,
    StartPeriod: check.startPeriodNs || undefined,
    StartInterval: check.startIntervalNs || undefined,
    Retries: check.retries || undefined,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** @throws invalid for times that are negative or too short to mean anything, and for negative retries */
export function checkHealthCheck(check: HealthCheck): void {
  const times = {
    Interval: check.intervalNs,
    Timeout: check.timeoutNs,
    StartPeriod: check.startPeriodNs,
    StartInterval: check.startIntervalNs,
  };
  for (const [name, value] of Object.entries(times)) {
    if (value !== 0 && value < MINIMUM_NS) {
      throw invalid('invalid-health-check', `${name} in Healthcheck cannot be less than 1ms`, {
        [name]: value,
      });
    }
  }
  if (check.retries < 0) {
    const message = 'Retries in Healthcheck cannot be negative';
    throw invalid('invalid-health-check', message, { retries: check.retries });
  }
}

/** What a container does: what it asks for, and the image's where it leaves something open. */
export function mergeHealthChecks(
  own: HealthCheck | undefined,
  image: HealthCheck | undefined,
): HealthCheck | undefined {
  if (!own || !image) return own ?? image;
  return {
    test: own.test.length > 0 ? own.test : image.test,
    intervalNs: own.intervalNs || image.intervalNs,
    timeoutNs: own.timeoutNs || image.timeoutNs,
    startPeriodNs: own.startPeriodNs || image.startPeriodNs,
    startIntervalNs: own.startIntervalNs || image.startIntervalNs,
    retries: own.retries || image.retries,
  };
}

/** The command that a check runs; undefined where there is none. @param shell what the shell form runs in */
export function probeCommand(
  check: HealthCheck | undefined,
  shell: readonly string[] = ['/bin/sh', '-c'],
): readonly string[] | undefined {
  const [kind, ...words] = check?.test ?? [];
  if (words.length === 0) return undefined;
  if (kind === 'CMD') return words;
  return kind === 'CMD-SHELL' ? [...shell, ...words] : undefined;
}

/** The health of a container that has just been started. @param before that of its life before, whose log stays */
export function startingHealth(before: Health | undefined): Health {
  return { status: 'starting', failingStreak: 0, log: before?.log ?? [] };
}

/** A container that is not checked any more because it has ended is not healthy. */
export function endedHealth(before: Health): Health {
  return { ...before, status: 'unhealthy' };
}

/** The health after one more check. @param ranMs how long the container had run when the check began */
export function healthAfter(before: Health, check: HealthCheck, result: ProbeResult, ranMs: number): Health {
  const log = [...before.log, result].slice(-LOGGED_RESULTS);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (before.status === 'starting' && ranMs < check.startPeriodNs / 1e6) return { ...before, log };
  const failingStreak = before.failingStreak + 1;
  const isUnhealthy = failingStreak >= (check.retries || DEFAULT_RETRIES);
  return { status: isUnhealthy ? 'unhealthy' : before.status, failingStreak, log };
}

/** How long to wait before the next check, in milliseconds. @param ranMs how long the container has run */
export function probeDelayMs(check: HealthCheck, { status }: Health, ranMs: number): number {
  const isComingUp = status === 'starting' && ranMs < check.startPeriodNs / 1e6;
  const delayNs = isComingUp
    ? check.startIntervalNs || DEFAULT_START_INTERVAL_NS
    : check.intervalNs || DEFAULT_INTERVAL_NS;
  return toTimer(delayNs);
}

/** In milliseconds. */
export function probeTimeoutMs({ timeoutNs }: HealthCheck): number {
  return toTimer(timeoutNs || DEFAULT_TIMEOUT_NS);
}

function toTimer(ns: number): number {
  return Math.min(Math.max(ns / 1e6, 1), MAX_TIMER_MS);
}

/** What is said of a check that took too long, with the time as Go programs write it. */
export function timeoutText(timeoutMs: number, output: string): string {
  return `Health check exceeded timeout (${formatDuration(timeoutMs)})${output === '' ? '' : `: ${output}`}`;
}

/** `1m30s`, `1.5s`, `500ms`. */
function formatDuration(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = Number(((ms % 60_000) / 1000).toFixed(9));
  return `${hours > 0 ? `${hours}h` : ''}${ms >= 60_000 ? `${minutes}m` : ''}${seconds}s`;
}
