/**
 * When a container that has ended is started again, and after how long. Pure.
 * Source of rules and times: Docker's documentation, "Start containers automatically".
 */
import { invalid } from '../base/errors.ts';

export interface RestartPolicy {
  readonly name: 'no' | 'on-failure' | 'always' | 'unless-stopped';
  /** How often `on-failure` tries again; 0 is without end. */
  readonly maximumRetryCount: number;
}

export const noRestart: RestartPolicy = { name: 'no', maximumRetryCount: 0 };

const names = ['no', 'on-failure', 'always', 'unless-stopped'] as const;

/**
 * @param name empty means `no`
 * @throws invalid for another name, and for a count that is negative or belongs to another policy than `on-failure`
 */
export function parseRestartPolicy(name: string, maximumRetryCount: number): RestartPolicy {
  const known = names.find((candidate) => candidate === (name || 'no'));
  if (known === undefined) {
    throw invalid('invalid-restart-policy', `invalid restart policy '${name}'`, { name, allowed: names });
  }
  if (maximumRetryCount < 0) {
    throw invalid('invalid-restart-policy', 'maximum retry count cannot be negative', { maximumRetryCount });
  }
  if (maximumRetryCount > 0 && known !== 'on-failure') {
    throw invalid(
      'invalid-restart-policy',
      `maximum retry count cannot be used with restart policy '${known}'`,
      { name, maximumRetryCount },
    );
  }
  return { name: known, maximumRetryCount };
}

/** How a container has come to stand still. */
export interface Ending {
  readonly exitCode: number;
  readonly stoppedByUser: boolean;
  /** How often it was started again by its policy since a user started it. */
  readonly restartCount: number;
}

/** Whether a container that has just ended by itself is started again. A user's stop is respected by all policies. */
export function restartsAfterEnd(policy: RestartPolicy, ending: Ending): boolean {
  if (ending.stoppedByUser) return false;
  switch (policy.name) {
    case 'no':
      return false;
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return (
        ending.exitCode !== 0 &&
        (policy.maximumRetryCount === 0 || ending.restartCount < policy.maximumRetryCount)
      );
  }
}

/** Whether a container that stands still when the daemon starts is started with it: `always` forgets a user's stop. */
export function restartsWithDaemon(policy: RestartPolicy, ending: Ending): boolean {
  return policy.name === 'always' || restartsAfterEnd(policy, ending);
}

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 60_000;
/** Who ran as long as this has come up, and begins again with the shortest delay. */
const STEADY_MS = 10_000;

/**
 * How long to wait before the next start.
 * @param previousMs the delay before the start that came last, undefined when a user asked for that
 * @param ranMs how long the container ran
 */
export function restartDelayMs(previousMs: number | undefined, ranMs: number): number {
  if (previousMs === undefined || ranMs >= STEADY_MS) return FIRST_DELAY_MS;
  return Math.min(previousMs * 2, MAX_DELAY_MS);
}
