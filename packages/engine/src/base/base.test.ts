import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { invalid } from './errors.ts';
import { newId, shortId } from './ids.ts';
import { KeyedLock } from './keyed-lock.ts';
import { type Log, silentLog } from './log.ts';
import { nowNanoseconds, nowText } from './time.ts';
import { UndoStack } from './undo-stack.ts';

describe('an undo stack', () => {
  it('undoes in reverse order, goes on past a failing step, and leaves the first error on top', async () => {
    const done: string[] = [];
    const logged: object[] = [];
    const log: Log = { ...silentLog, error: (fields) => void logged.push(fields) };
    const work = async () => {
      await using undo = new UndoStack(log);
      undo.add('first', () => void done.push('first'));
      undo.add('second', () => Promise.reject(new Error('stuck')));
      undo.add('third', async () => void done.push('third'));
      throw invalid('boom', 'the first error');
    };
    await assert.rejects(work, { kind: 'invalid', message: 'the first error' });
    assert.deepEqual(done, ['third', 'first']);
    assert.deepEqual(logged, [{ step: 'second', error: 'stuck' }]);
  });

  it('undoes nothing after success', async () => {
    let undone = false;
    {
      await using undo = new UndoStack(silentLog);
      undo.add('step', () => {
        undone = true;
      });
      undo.keep();
    }
    assert.equal(undone, false);
  });
});

describe('a keyed lock', () => {
  it('keeps the order within a key, also past a failure, and forgets keys', async () => {
    const lock = new KeyedLock();
    const order: string[] = [];
    const step =
      (name: string, ms: number, fail = false) =>
      async () => {
        await new Promise((resolve) => setTimeout(resolve, ms));
        order.push(name);
        if (fail) throw new Error(name);
      };
    const failed = assert.rejects(lock.run('a', step('a1', 20, true)), /a1/);
    const all = [failed, lock.run('a', step('a2', 0)), lock.run('b', step('b1', 5))];
    await Promise.all(all);
    assert.deepEqual(order, ['b1', 'a1', 'a2']);
    await lock.idle();
  });
});

describe('ids and times', () => {
  it('have the shapes that clients parse', () => {
    assert.match(newId(), /^[0-9a-f]{64}$/);
    assert.equal(shortId(`sha256:${'ab'.repeat(32)}`), 'abababababab');
    assert.match(nowText(), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    assert.ok(Math.abs(Date.parse(nowText()) - Date.now()) < 1000);
    assert.ok(Math.abs(Number(nowNanoseconds() / 1_000_000n) - Date.now()) < 1000);
  });
});
