import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Ending,
  parseRestartPolicy,
  restartDelayMs,
  restartsAfterEnd,
  restartsWithDaemon,
} from './restart-policy.ts';

describe('a restart policy', () => {
  it('is one of four, and none is no', () => {
    for (const name of ['no', 'on-failure', 'always', 'unless-stopped']) {
      assert.deepEqual(parseRestartPolicy(name, 0), { name, maximumRetryCount: 0 });
    }
    assert.deepEqual(parseRestartPolicy('', 0), { name: 'no', maximumRetryCount: 0 });
    assert.deepEqual(parseRestartPolicy('on-failure', 5), { name: 'on-failure', maximumRetryCount: 5 });
  });

  const bad: readonly (readonly [name: string, count: number, message: RegExp])[] = [
    ['zz', 0, /^invalid restart policy 'zz'$/],
    ['ALWAYS', 0, /^invalid restart policy 'ALWAYS'$/],
    ['on-failure', -1, /^maximum retry count cannot be negative$/],
    ['no', 1, /^maximum retry count cannot be used with restart policy 'no'$/],
    ['always', 1, /^maximum retry count cannot be used with restart policy 'always'$/],
    ['unless-stopped', 2, /^maximum retry count cannot be used with restart policy 'unless-stopped'$/],
    ['always', -2, /^maximum retry count cannot be negative$/],
  ];
  for (const [name, count, message] of bad) {
    it(`is refused as ${name}:${count}`, () =>
      assert.throws(() => parseRestartPolicy(name, count), { kind: 'invalid', message }));
  }
});

const clean: Ending = { exitCode: 0, stoppedByUser: false, restartCount: 0 };
const failed: Ending = { ...clean, exitCode: 1 };

describe('starting again', () => {
  const cases: readonly (readonly [
    policy: string,
    retries: number,
    ending: Ending,
    itself: boolean,
    withDaemon: boolean,
  ])[] = [
    ['no', 0, failed, false, false],
    ['always', 0, clean, true, true],
    ['always', 0, { ...clean, restartCount: 1000 }, true, true],
    ['always', 0, { ...failed, stoppedByUser: true }, false, true],
    ['unless-stopped', 0, clean, true, true],
    ['unless-stopped', 0, { ...failed, stoppedByUser: true }, false, false],
    ['on-failure', 0, clean, false, false],
    ['on-failure', 0, { ...failed, restartCount: 1000 }, true, true],
    ['on-failure', 3, { ...failed, restartCount: 2 }, true, true],
    ['on-failure', 3, { ...failed, restartCount: 3 }, false, false],
    ['on-failure', 3, { ...failed, stoppedByUser: true }, false, false],
  ];
  for (const [name, retries, ending, itself, withDaemon] of cases) {
    it(`by ${name}:${retries} after ${JSON.stringify(ending)}: ${itself}, with the daemon: ${withDaemon}`, () => {
      const policy = parseRestartPolicy(name, retries);
      assert.equal(restartsAfterEnd(policy, ending), itself);
      assert.equal(restartsWithDaemon(policy, ending), withDaemon);
    });
  }

  it('waits twice as long each time, at most a minute, and as at first after ten seconds of running', () => {
    const delays: number[] = [];
    for (let delay: number | undefined, turn = 0; turn < 12; turn++) {
      delay = restartDelayMs(delay, 50);
      delays.push(delay);
    }
    assert.deepEqual(delays.slice(0, 5), [100, 200, 400, 800, 1600]);
    assert.deepEqual(delays.slice(9), [51_200, 60_000, 60_000]);
    assert.equal(restartDelayMs(60_000, 9_999), 60_000);
    assert.equal(restartDelayMs(60_000, 10_000), 100);
  });
});
