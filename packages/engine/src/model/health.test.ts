import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  checkHealthCheck,
  endedHealth,
  formatHealthCheck,
  type Health,
  type HealthCheck,
  healthAfter,
  healthCheckFrom,
  mergeHealthChecks,
  probeCommand,
  probeDelayMs,
  probeTimeoutMs,
  startingHealth,
  timeoutText,
} from './health.ts';

const open: HealthCheck = {
  test: [],
  intervalNs: 0,
  timeoutNs: 0,
  startPeriodNs: 0,
  startIntervalNs: 0,
  retries: 0,
};
const second = 1_000_000_000;

describe('a health check', () => {
  it("is read from Docker's object, however little that says", () => {
    assert.deepEqual(healthCheckFrom({ Test: ['CMD', 'true'], Interval: 5, Retries: 2 }), {
      ...open,
      test: ['CMD', 'true'],
      intervalNs: 5,
      retries: 2,
    });
    assert.deepEqual(healthCheckFrom({ Test: null, Interval: 'soon', Timeout: 1.5 }), open);
    for (const value of [undefined, null, 'NONE', 3]) assert.equal(healthCheckFrom(value), undefined);
  });

  it('is written as it was read', () => {
    const object = {
      Test: ['CMD', 'true'],
      Interval: 5,
      Timeout: 6,
      StartPeriod: 7,
      StartInterval: 8,
      Retries: 2,
    };
    assert.deepEqual(formatHealthCheck(healthCheckFrom(object)!), object);
    assert.deepEqual(formatHealthCheck(open), {});
  });

  it('takes from the image what it leaves open', () => {
    const image = { ...open, test: ['CMD', 'a'], intervalNs: 1, timeoutNs: 2, startPeriodNs: 3, retries: 4 };
    assert.deepEqual(mergeHealthChecks({ ...open, timeoutNs: 9 }, image), { ...image, timeoutNs: 9 });
    assert.deepEqual(mergeHealthChecks({ ...open, test: ['NONE'] }, image)?.test, ['NONE']);
    assert.equal(mergeHealthChecks(undefined, image), image);
    assert.equal(mergeHealthChecks(undefined, undefined), undefined);
  });

  const commands: readonly (readonly [test: string[], command: string[] | undefined])[] = [
    [
      ['CMD', 'curl', '-f', 'x'],
      ['curl', '-f', 'x'],
    ],
    [
      ['CMD-SHELL', 'exit 1'],
      ['/bin/sh', '-c', 'exit 1'],
    ],
    [['NONE'], undefined],
    [['CMD'], undefined],
    [[], undefined],
    [['curl', 'x'], undefined],
  ];
  for (const [test, command] of commands) {
    it(`runs ${JSON.stringify(command)} for ${JSON.stringify(test)}`, () =>
      assert.deepEqual(probeCommand({ ...open, test }), command));
  }

  it("runs the shell form in the image's own shell", () => {
    assert.deepEqual(probeCommand({ ...open, test: ['CMD-SHELL', 'x'] }, ['bash', '-ec']), [
      'bash',
      '-ec',
      'x',
    ]);
    assert.equal(probeCommand(undefined), undefined);
  });

  const bad: readonly (readonly [change: Partial<HealthCheck>, message: string])[] = [
    [{ intervalNs: 999_999 }, 'Interval in Healthcheck cannot be less than 1ms'],
    [{ timeoutNs: 1 }, 'Timeout in Healthcheck cannot be less than 1ms'],
    [{ startPeriodNs: -second }, 'StartPeriod in Healthcheck cannot be less than 1ms'],
    [{ startIntervalNs: 10 }, 'StartInterval in Healthcheck cannot be less than 1ms'],
    [{ retries: -1 }, 'Retries in Healthcheck cannot be negative'],
  ];
  for (const [change, message] of bad) {
    it(`is refused with ${JSON.stringify(change)}`, () =>
      assert.throws(() => checkHealthCheck({ ...open, ...change }), { kind: 'invalid', message }));
  }

  it('is fine with nothing, and with the shortest times', () => {
    checkHealthCheck(open);
    checkHealthCheck({ ...open, intervalNs: 1_000_000, timeoutNs: 1_000_000 });
  });
});

/** The states after results that come one second apart; `.` succeeds, `x` fails. */
function history(check: HealthCheck, results: string, from: Health = startingHealth(undefined)): string[] {
  let health = from;
  return [...results].map((result, index) => {
    const at = new Date(index * 1000).toISOString();
    const exitCode = result === '.' ? 0 : 1;
    health = healthAfter(health, check, { start: at, end: at, exitCode, output: '' }, index * 1000);
    return `${health.status}:${health.failingStreak}`;
  });
}

describe('the health of a container', () => {
  it('is bad after three failures in a row, and good after one success', () => {
    assert.deepEqual(history(open, 'xx.xxx.'), [
      'starting:1',
      'starting:2',
      'healthy:0',
      'healthy:1',
      'healthy:2',
      'unhealthy:3',
      'healthy:0',
    ]);
  });

  it('does not suffer from failures in the start period, until a first success', () => {
    const check = { ...open, startPeriodNs: 3 * second, retries: 1 };
    assert.deepEqual(history(check, 'xxxx'), ['starting:0', 'starting:0', 'starting:0', 'unhealthy:1']);
    assert.deepEqual(history(check, 'x.x'), ['starting:0', 'healthy:0', 'unhealthy:1']);
  });

  it('remembers the last five results, over a restart too', () => {
    let health = startingHealth(undefined);
    for (let index = 0; index < 8; index++) {
      health = healthAfter(health, open, { start: '', end: '', exitCode: 0, output: `${index}` }, 0);
    }
    assert.deepEqual(health.log.map(({ output }) => output).join(''), '34567');
    assert.equal(endedHealth(health).status, 'unhealthy');
    const again = startingHealth(endedHealth(health));
    assert.deepEqual([again.status, again.failingStreak, again.log.length], ['starting', 0, 5]);
  });

  it('is asked for every 30 seconds, and more often while it comes up', () => {
    const starting = startingHealth(undefined);
    const healthy: Health = { ...starting, status: 'healthy' };
    assert.equal(probeDelayMs(open, starting, 0), 30_000);
    const check = { ...open, intervalNs: 2 * second, startPeriodNs: 10 * second };
    assert.equal(probeDelayMs(check, starting, 9_000), 5_000);
    assert.equal(probeDelayMs({ ...check, startIntervalNs: second / 2 }, starting, 9_000), 500);
    assert.equal(probeDelayMs(check, starting, 10_000), 2_000);
    assert.equal(probeDelayMs(check, healthy, 0), 2_000);
    assert.equal(
      probeDelayMs({ ...open, intervalNs: 1e18 }, healthy, 0),
      2 ** 31 - 1,
      'a timer takes no more',
    );
    assert.equal(probeTimeoutMs(open), 30_000);
    assert.equal(probeTimeoutMs({ ...open, timeoutNs: second }), 1_000);
  });

  it('says how long a check was waited for', () => {
    assert.equal(timeoutText(30_000, ''), 'Health check exceeded timeout (30s)');
    assert.equal(timeoutText(500, 'so far'), 'Health check exceeded timeout (500ms): so far');
    assert.equal(timeoutText(1_500, ''), 'Health check exceeded timeout (1.5s)');
    assert.equal(timeoutText(90_000, ''), 'Health check exceeded timeout (1m30s)');
    assert.equal(timeoutText(3_600_000, ''), 'Health check exceeded timeout (1h0m0s)');
  });
});
