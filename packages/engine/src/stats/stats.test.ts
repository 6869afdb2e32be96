import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId } from '../base/ids.ts';
import type { ContainerRecord } from '../model/container.ts';
import { Stats } from './stats.ts';

const id = 'one' as ContainerId;

interface Subject {
  container: { readonly status: string } | undefined;
  asked: number;
  readonly stats: Stats;
}

function stats(container: Subject['container']): Subject {
  const subject: Subject = {
    container,
    asked: 0,
    stats: new Stats({
      cgroupVersion: 1,
      find: (): ContainerRecord | undefined => {
        const state = { ...subject.container, pid: process.pid, startedAt: 'now' };
        const record = { id, host: { networkMode: { kind: 'none' } }, state };
        return subject.container && (record as unknown as ContainerRecord);
      },
      cgroupsOf: async () => {
        subject.asked += 1;
        return { memory: '/nowhere' };
      },
      interfacesOf: () => [],
    }),
  };
  return subject;
}

test('whoever watches gets a look at once and then one a second, whatever others do', async () => {
  const subject = stats({ status: 'running' });
  const [first, second] = [new AbortController(), new AbortController()];
  const looks = subject.stats.watch(id, first.signal);
  const others = subject.stats.watch(id, second.signal);
  const begun = performance.now();
  assert.equal((await looks.next()).value?.cpu.totalNs, 0n);
  assert.equal((await others.next()).value?.cgroupVersion, 1);
  assert.ok(performance.now() - begun < 500);
  second.abort();
  assert.equal((await others.next()).done, true);
  assert.ok((await looks.next()).value?.readAt);
  assert.ok(performance.now() - begun > 900);
  assert.equal(subject.stats.watched, 1);
  assert.ok(subject.asked <= 3, 'control groups are asked for once');
  await looks.return();
  assert.equal(subject.stats.watched, 0);
});

test('a container that does not run is looked at without a result, and the end of it ends the watching', async () => {
  const subject = stats({ status: 'exited' });
  const looks = subject.stats.watch(id, new AbortController().signal);
  assert.deepEqual(await looks.next(), { done: false, value: undefined });
  subject.container = undefined;
  assert.equal((await looks.next()).done, true);
  assert.equal(subject.asked, 0);
  assert.equal(await stats(undefined).stats.once(id), undefined);
});

test('a signal that came before, and the end of the engine, end the watching', async () => {
  const subject = stats({ status: 'running' });
  assert.equal((await subject.stats.watch(id, AbortSignal.abort()).next()).done, true);
  const looks = subject.stats.watch(id, new AbortController().signal);
  await looks.next();
  const next = looks.next();
  subject.stats.close();
  assert.equal((await next).done, true);
  assert.equal(subject.stats.watched, 0);
});
