import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayBudget } from './relay-budget.ts';
import { type Handler, RelayLoop } from './relay-loop.ts';

test('who finds no place is called when one is given back', () => {
  const loop = new RelayLoop();
  const counts: number[] = [];
  const budget = new RelayBudget(loop, (count) => counts.push(count));
  let called = 0;
  const handler: Handler = {
    onReady: () => {
      called++;
    },
  };
  let taken = 0;
  for (; budget.hasPlace(handler); taken++) budget.take();
  assert.equal(counts.at(-1), taken);
  assert.equal(budget.isShort, true);
  loop.turn(0);
  assert.equal(called, 0);
  budget.giveBack();
  assert.equal(counts.at(-1), taken - 1);
  assert.equal(budget.isShort, false);
  loop.turn(1000);
  assert.equal(called, 1, 'without waiting for a descriptor');
  assert.equal(budget.hasPlace(handler), true);

  budget.wait(handler);
  budget.forget(handler);
  budget.retry();
  loop.turn(0);
  assert.equal(called, 1);
});
