import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerId } from '../base/ids.ts';
import type { ContainerRecord } from '../model/container.ts';
import { Restarts } from './restarts.ts';

const id = (text: string) => text as ContainerId;

function record(networkMode: object, links: readonly string[] = []): ContainerRecord {
  return {
    host: { networkMode },
    links: links.map((target) => ({ target, alias: target })),
  } as unknown as ContainerRecord;
}

describe('containers that wait to be started again', () => {
  it('are started with the daemon after those that they need, and a circle waits for nobody', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const records = new Map([
      ['joins', record({ kind: 'container', container: 'linked' })],
      ['linked', record({ kind: 'network' }, ['first', 'absent'])],
      ['first', record({ kind: 'network' })],
      ['egg', record({ kind: 'container', container: 'hen' })],
      ['hen', record({ kind: 'container', container: 'egg' })],
    ]);
    const started: string[] = [];
    const restarts = new Restarts(async (each) => void started.push(each));
    for (const name of records.keys()) restarts.schedule(id(name), 0);
    restarts.schedule(id('gone'), 0);
    restarts.schedule(id('stopped'), 0);
    restarts.cancel(id('stopped'));
    assert.equal(started.length, 0, 'nothing before the daemon is ready');
    const begun = restarts.begin((each) => records.get(each));
    for (let turn = 0; turn < 50 && !started.includes('joins'); turn++) await Promise.resolve();
    assert.deepEqual(
      started.filter((name) => records.has(name)),
      ['first', 'linked', 'joins'],
    );
    await new Promise(setImmediate);
    context.mock.timers.tick(5_000);
    await begun;
    assert.deepEqual(started.slice(-2).sort(), ['egg', 'hen']);
    assert.ok(!started.includes('stopped'));
    restarts.close();
  });

  it('wait longer each time, and a user who starts one ends that', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const started: string[] = [];
    const restarts = new Restarts(async (each) => void started.push(each));
    await restarts.begin(() => undefined);
    const startsAfter = (ms: number) => {
      const before = started.length;
      restarts.schedule(id('web'), 0);
      context.mock.timers.tick(ms - 1);
      const early = started.length - before;
      context.mock.timers.tick(1);
      return [early, started.length - before];
    };
    assert.deepEqual(startsAfter(100), [0, 1]);
    assert.deepEqual(startsAfter(200), [0, 1]);
    assert.deepEqual(startsAfter(400), [0, 1]);
    restarts.forget(id('web'));
    assert.deepEqual(startsAfter(100), [0, 1]);
    restarts.schedule(id('web'), 0);
    restarts.cancel(id('web'));
    restarts.schedule(id('db'), 0);
    restarts.close();
    restarts.schedule(id('db'), 0);
    context.mock.timers.tick(100_000);
    assert.equal(started.length, 4);
  });
});
