import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ContainerRecord, type ContainerStatus, zeroTime } from '../model/container.ts';
import { parseRestartPolicy } from '../model/restart-policy.ts';
import { changeAtDaemonStart, statusAfterEnd } from './restart-decisions.ts';

function record(policy: string, status: ContainerStatus, change: object = {}, exitCode = 1): ContainerRecord {
  const [name = '', retries = '0'] = policy.split(':');
  return {
    host: { restartPolicy: parseRestartPolicy(name, Number(retries)) },
    state: { status, exitCode, startedAt: '2026-01-02T03:04:05Z' },
    ...change,
  } as ContainerRecord;
}

describe('a container that ends', () => {
  it('waits to be started again, and that is counted', () => {
    const running = record('on-failure:2', 'running', { restartCount: 1 });
    assert.deepEqual(statusAfterEnd(running, 7), { status: 'restarting', restartCount: 2 });
    assert.deepEqual(statusAfterEnd(running, 0), { status: 'exited', restartCount: 1 });
    assert.deepEqual(statusAfterEnd({ ...running, restartCount: 2 }, 7), {
      status: 'exited',
      restartCount: 2,
    });
  });

  it('stays where it is when a user wanted its end, or nobody ever said otherwise', () => {
    const always = record('always', 'running', { stoppedByUser: true });
    assert.equal(statusAfterEnd(always, 0).status, 'exited');
    assert.equal(statusAfterEnd({ ...always, host: {} } as ContainerRecord, 1).status, 'exited');
  });
});

describe('when the daemon starts', () => {
  const cases: readonly (readonly [what: string, container: ContainerRecord, status: string | undefined])[] =
    [
      ['always, stopped by a user', record('always', 'exited', { stoppedByUser: true }), 'restarting'],
      [
        'unless-stopped, stopped by a user',
        record('unless-stopped', 'exited', { stoppedByUser: true }),
        undefined,
      ],
      ['unless-stopped, ended by itself', record('unless-stopped', 'exited', {}, 0), 'restarting'],
      ['no, ended', record('no', 'exited'), undefined],
      ['on-failure, succeeded', record('on-failure', 'exited', {}, 0), undefined],
      ['on-failure, all retries used up', record('on-failure:1', 'exited', { restartCount: 1 }), undefined],
      [
        'on-failure, waiting for its last retry',
        record('on-failure:1', 'restarting', { restartCount: 1 }),
        'restarting',
      ],
      [
        'unless-stopped, stopped while it waited',
        record('unless-stopped', 'restarting', { stoppedByUser: true }),
        'exited',
      ],
      ['no since it waits', record('no', 'restarting'), 'exited'],
      [
        'always, never started',
        record('always', 'created', { state: { status: 'created', startedAt: zeroTime } }),
        undefined,
      ],
      [
        'always, never got up',
        record('always', 'exited', { state: { status: 'exited', startedAt: zeroTime } }),
        undefined,
      ],
      ['always, half removed', record('always', 'exited', { removing: true }), undefined],
    ];
  for (const [what, container, status] of cases) {
    it(`${what}: ${status ?? 'as it was'}`, () =>
      assert.equal(changeAtDaemonStart(container)?.state.status, status));
  }

  it('begins to count anew, unless it was at it', () => {
    assert.equal(changeAtDaemonStart(record('always', 'exited', { restartCount: 4 }))?.restartCount, 0);
    assert.equal(changeAtDaemonStart(record('always', 'restarting', { restartCount: 4 }))?.restartCount, 4);
    assert.equal(
      changeAtDaemonStart(record('always', 'exited', { stoppedByUser: true }))?.stoppedByUser,
      false,
    );
  });
});
