import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContainerRecord, Engine, ImageRecord } from '@seaway/engine';
import { type Changes, containerRecord, fakeEngine } from '../fixtures/engine.ts';
import { parseFilters } from '../http/query.ts';
import { listCondition, listFilterKeys, pruneCondition, pruneFilterKeys } from './container-filters.ts';
import { shownState, statusText } from './container-status.ts';

function record(name: string, changes: object = {}): ContainerRecord {
  return containerRecord({ name, id: name.padEnd(64, '0'), ...changes } as Changes<ContainerRecord>);
}
const state = (status: string, more: object = {}) => ({
  state: { status, startedAt: '2026-01-02T03:04:05Z', finishedAt: '2026-01-02T03:04:06Z', ...more },
});

const layered = (id: string, ...layers: string[]) => ({ id, layers }) as unknown as ImageRecord;
const images = [
  layered('base', 'l1'),
  layered('app', 'l1', 'l2'),
  layered('other', 'l2', 'l1'),
  layered('empty'),
];
const engine = {
  ...fakeEngine(),
  images: { find: (name: string) => images.find(({ id }) => id === name), list: () => images },
} as unknown as Engine;

const containers = [
  record('made', { imageId: 'base' }),
  record('runs', {
    imageId: 'app',
    ...state('running', { health: { status: 'healthy', failingStreak: 0, log: [] } }),
  }),
  record('still', { imageId: 'other', ...state('paused') }),
  record('loops', { imageId: 'empty', ...state('restarting', { exitCode: 7 }) }),
  record('ended', { imageId: 'app', ...state('exited', { exitCode: 7 }) }),
  record('going', { ...state('exited'), removing: true }),
];

function listed(filters: object): string[] {
  const parsed = parseFilters({ filters: JSON.stringify(filters) }, listFilterKeys);
  const isListed = listCondition(engine, parsed, containers, ({ name }) => [name, `${name}-linked/alias`]);
  return containers.filter(isListed).map(({ name }) => name);
}

describe('which containers are listed', () => {
  for (const [filters, expected] of [
    [{}, containers.map(({ name }) => name)],
    [{ status: ['paused', 'restarting'] }, ['still', 'loops']],
    [{ status: ['removing'] }, ['going']],
    [{ status: ['exited'] }, ['ended']],
    [{ status: ['dead'] }, []],
    [{ exited: ['7'] }, ['ended']],
    [{ exited: ['0'] }, ['going']],
    [{ health: ['healthy'] }, ['runs']],
    [{ health: ['starting', 'unhealthy'] }, []],
    [{ health: ['none'], status: ['paused'] }, ['still']],
    [{ ancestor: ['base'] }, ['made', 'runs', 'ended']],
    [{ ancestor: ['app'] }, ['runs', 'ended']],
    [{ ancestor: ['empty'] }, ['loops']],
    [{ ancestor: ['nope'] }, []],
    [{ ancestor: ['nope', 'other'] }, ['still']],
    [{ name: ['^/runs-linked/alias$'] }, ['runs']],
    [{ 'is-task': ['true'] }, []],
    [{ 'is-task': ['0'] }, containers.map(({ name }) => name)],
    [{ label: [] }, containers.map(({ name }) => name)],
  ] as const) {
    test(JSON.stringify(filters), () => assert.deepEqual(listed(filters), expected));
  }
});

describe('which containers are pruned', () => {
  const old = record('old', {
    createdAt: '2026-01-01T00:00:00Z',
    config: { labels: { keep: '', tier: 'web' } },
  });
  const now = Date.parse('2026-01-01T01:00:00Z');
  const isPruned = (filters: object) =>
    pruneCondition(parseFilters({ filters: JSON.stringify(filters) }, pruneFilterKeys), now)(old);
  for (const [filters, expected] of [
    [{}, true],
    [{ until: ['30m'] }, true],
    [{ until: ['2h'] }, false],
    [{ until: ['2025-12-31T00:00:00Z'] }, false],
    [{ label: ['tier=web'] }, true],
    [{ label: ['tier=db'] }, false],
    [{ 'label!': ['keep'] }, false],
    [{ 'label!': ['tier=db'] }, true],
  ] as const) {
    test(JSON.stringify(filters), () => assert.equal(isPruned(filters), expected));
  }
  for (const [filters, message] of [
    [{ until: ['1h', '2h'] }, 'more than one until filter specified'],
    [{ until: ['soon'] }, "invalid filter 'until=soon'"],
    [{ name: ['x'] }, "invalid filter 'name'"],
  ] as const) {
    test(`refuses ${JSON.stringify(filters)}`, () =>
      assert.throws(() => isPruned(filters), { kind: 'invalid', message }));
  }
});

test('states are told in one word and in many', () => {
  const now = Date.parse('2026-01-02T03:04:16Z');
  assert.deepEqual(
    containers.map((container) => `${shownState(container)}: ${statusText(container, now)}`),
    [
      'created: Created',
      'running: Up 11 seconds (healthy)',
      'paused: Up 11 seconds (Paused)',
      'restarting: Restarting (7) 10 seconds ago',
      'exited: Exited (7) 10 seconds ago',
      'removing: Removal In Progress',
    ],
  );
});
