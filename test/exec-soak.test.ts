/** After many execs and attached clients nothing of them is left. `npm run bench -- soak` does the same with more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { attachClients, holdings, residentBytes, runExecs } from './lab/exec-soak.ts';
import { engineUnderTest } from './lab/lab.ts';
import { RawApi } from './lab/raw-api.ts';
import { eventually, openStory } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);

test('of two hundred execs and forty attached clients nothing is left', {
  skip: engineUnderTest === 'dockerd' && 'about our daemon alone',
}, async () => {
  await api.run('box', 'none', { Cmd: ['cat'], OpenStdin: true });
  // The first ones bring up what stays: threads, their descriptors, and code.
  await runExecs(lab, api, 'box', 24);
  await attachClients(lab, 'box', 8);
  const before = await eventually(async () => {
    const held = holdings(lab);
    assert.deepEqual([held.files, held.ended], [[], 0]);
    // What the last ones started may go on for a moment.
    const busy = held.processes.filter((command) => / --exec | exec |sleep /.test(command));
    assert.deepEqual(busy, []);
    await sleep(200);
    assert.deepEqual(holdings(lab), held);
    return held;
  });
  const memoryBefore = residentBytes(lab);
  await runExecs(lab, api, 'box', 200);
  await attachClients(lab, 'box', 40);
  await eventually(() => {
    const now = holdings(lab);
    // Connections of those who ask come and go.
    const more = now.descriptors.length - before.descriptors.length;
    assert.ok(more <= 0, `${now.descriptors.join(' ')}\n${before.descriptors.join(' ')}`);
    assert.deepEqual({ ...now, descriptors: [] }, { ...before, descriptors: [] });
  });
  const growth = (residentBytes(lab) - memoryBefore) / 2 ** 20;
  assert.ok(growth < 32, `the daemon grew by ${growth.toFixed(1)} MB`);
});
