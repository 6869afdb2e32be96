import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StalledClients } from './stalled-clients.ts';

/** A client that takes nothing until told to, and what was done about it. */
function stalled(rules: { patienceMs: number }, state: { isEnding: boolean; hasCompany: boolean }) {
  const done: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const client = { release: () => done.push('released'), dismiss: () => done.push('dismissed') };
  const clients = new StalledClients({ lookMs: 1, ...rules });
  const answers = { isEnding: () => state.isEnding, hasCompany: () => state.hasCompany };
  clients.watch(client, promise, answers);
  return { done, take: resolve };
}

const looks = () => new Promise((resolve) => setTimeout(resolve, 25));

test('a client is waited for as long as nothing else waits', async (context) => {
  const { done, take } = stalled({ patienceMs: 0 }, { isEnding: false, hasCompany: false });
  await looks();
  assert.deepEqual(done, []);
  take();
  context.after(() => take());
});

test('it is released as soon as the process ends', async () => {
  const state = { isEnding: false, hasCompany: true };
  const { done, take } = stalled({ patienceMs: 60_000 }, state);
  await looks();
  assert.deepEqual(done, []);
  state.isEnding = true;
  await looks();
  assert.equal(done[0], 'released');
  take();
});

test('it is dismissed when others wait for it too long', async () => {
  const { done, take } = stalled({ patienceMs: 5 }, { isEnding: false, hasCompany: true });
  await looks();
  assert.equal(done[0], 'dismissed');
  take();
});

test('one that takes its output in the end is left alone', async () => {
  const state = { isEnding: false, hasCompany: true };
  const { done, take } = stalled({ patienceMs: 60_000 }, state);
  take();
  await looks();
  state.isEnding = true;
  await looks();
  assert.deepEqual(done, []);
});
