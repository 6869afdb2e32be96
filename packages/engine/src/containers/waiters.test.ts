import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ContainerId } from '../base/ids.ts';
import { Waiters } from './waiters.ts';

const id = 'a'.repeat(64) as ContainerId;

it('those who wait are told once, all of them, and only of what they wait for', async () => {
  const waiters = new Waiters();
  const told: string[] = [];
  void waiters.wait(id, 'exit').then((result) => told.push(`first ${result.exitCode}`));
  void waiters.wait(id, 'exit').then((result) => told.push(`second ${result.exitCode}`));
  void waiters.wait(id, 'removed').then(() => told.push('removed'));
  waiters.notify(id, 'exit', { exitCode: 7 });
  waiters.notify(id, 'exit', { exitCode: 8 });
  waiters.notify('b'.repeat(64) as ContainerId, 'removed', { exitCode: 0 });
  await new Promise(setImmediate);
  assert.deepEqual(told, ['first 7', 'second 7']);
});

it('who gave up is not told', async () => {
  const waiters = new Waiters();
  const controller = new AbortController();
  let isTold = false;
  void waiters.wait(id, 'exit', controller.signal).then(() => {
    isTold = true;
  });
  controller.abort();
  waiters.notify(id, 'exit', { exitCode: 0 });
  await new Promise(setImmediate);
  assert.equal(isTold, false);
});
