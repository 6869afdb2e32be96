import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineEvent } from '@seaway/engine';
import { eventLine } from './event.ts';

const started: EngineEvent = {
  type: 'container',
  action: 'start',
  actorId: 'c1',
  attributes: { image: 'busybox', name: 'web', label: 'x' },
  timeNanoseconds: 1_795_462_220_333_853_001n,
};
const actor = { ID: 'c1', Attributes: { image: 'busybox', name: 'web', label: 'x' } };

test('a line ends in a newline and keeps all nanoseconds, which no JavaScript number does', () => {
  const line = eventLine(started, 150);
  assert.ok(line.endsWith('}\n'));
  assert.equal(/"timeNano":(\d+)\}/.exec(line)?.[1], '1795462220333853001');
  assert.equal(line.trim().split('\n').length, 1);
});

const cases: readonly (readonly [what: string, event: EngineEvent, version: number, fields: object])[] = [
  [
    'a container event repeats its old fields before 1.52',
    started,
    151,
    { status: 'start', id: 'c1', from: 'busybox', Type: 'container', Action: 'start', Actor: actor },
  ],
  ['from 1.52 on it does not', started, 152, { Type: 'container', Action: 'start', Actor: actor }],
  [
    'an image event has no `from`',
    { ...started, type: 'image', action: 'tag', attributes: { name: 'a:1' } },
    150,
    {
      status: 'tag',
      id: 'c1',
      Type: 'image',
      Action: 'tag',
      Actor: { ID: 'c1', Attributes: { name: 'a:1' } },
    },
  ],
  [
    'a network event never had old fields',
    {
      ...started,
      type: 'network',
      action: 'connect',
      attributes: { container: 'c1', name: 'n', type: 'bridge' },
    },
    124,
    {
      Type: 'network',
      Action: 'connect',
      Actor: { ID: 'c1', Attributes: { container: 'c1', name: 'n', type: 'bridge' } },
    },
  ],
];
for (const [what, event, version, fields] of cases) {
  test(what, () => {
    const { timeNano: _, ...shown } = JSON.parse(eventLine(event, version));
    assert.deepEqual(shown, { ...fields, scope: 'local', time: 1795462220 });
  });
}
