/** Many attempts to reach servers at once, compared with what is expected of each. */
import assert from 'node:assert/strict';
import { type Outcome, probe, type Target } from './probes.ts';

export type Way = readonly [what: string, namespace: string, target: Target, expected: Outcome['kind']];

/** How long nothing has to come back before it counts as dropped, in milliseconds. */
const silenceMs = 700;

/** Tries all ways at once. */
export async function expectWays(ways: readonly Way[]): Promise<void> {
  const outcomes = ways.map(async ([what, namespace, target, expected]) => {
    const { kind } = await probe(namespace, target, expected === 'dropped' ? silenceMs : 4000);
    return `${what}: ${kind}`;
  });
  assert.deepEqual(
    await Promise.all(outcomes),
    ways.map(([what, , , expected]) => `${what}: ${expected}`),
  );
}
