import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import type { EngineEvent } from '@seaway/engine';
import { fakeEngine } from '../fixtures/engine.ts';
import { buildApi, createApiServer } from '../server.ts';

const SECOND = 1_000_000_000n;

const event = (
  seconds: number,
  type: EngineEvent['type'],
  action: string,
  actorId: string,
  attributes: Record<string, string>,
): EngineEvent => ({ type, action, actorId, attributes, timeNanoseconds: BigInt(seconds) * SECOND });

/** Long past, so that a stream that is limited to them ends at once. */
const past = [
  event(100, 'image', 'import', 'sha256:aa', { name: 'registry.example:5000/app:1' }),
  event(101, 'container', 'create', 'c1', { name: 'web', image: 'busybox:latest', tier: 'front' }),
  event(102, 'network', 'connect', 'n1', { name: 'bridge', type: 'bridge', container: 'c1' }),
  event(103, 'container', 'start', 'c1', { name: 'web', image: 'busybox:latest', tier: 'front' }),
  event(104, 'container', 'create', 'c2', { name: 'job', image: 'job' }),
  event(105, 'daemon', 'reload', 'd1', { name: 'host' }),
  event(106, 'container', 'health_status: healthy', 'd3', { name: 'db', image: 'db' }),
];

async function shown(query: string): Promise<string[]> {
  const api = buildApi(fakeEngine({ events: past }), { version: '1' });
  const answer = await api.inject({ url: `/events?${query}` });
  assert.equal(answer.statusCode, 200, answer.body);
  assert.equal(answer.headers['content-type'], 'application/json');
  return answer.body
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
    .map(({ Type, Action, Actor }) => `${Type} ${Action} ${Actor.ID}`);
}
const filtered = (filters: object) =>
  shown(`since=0&until=200&filters=${encodeURIComponent(JSON.stringify(filters))}`);

const all = past.map(({ type, action, actorId }) => `${type} ${action} ${actorId}`);
const [imported, created, connected, started, other, reloaded, healthy] = all;

describe('events of the past', () => {
  for (const [query, expected] of [
    ['since=0&until=200', all],
    ['since=1000000h&until=1h', all],
    ['since=1ms&until=1ns', []],
    ['since=102&until=103', [connected, started]],
    ['since=101.5&until=102.5', [connected]],
    ['since=1970-01-01T00:01:44Z&until=1970-01-01T00:01:44.5Z', [other]],
    ['until=102', [imported, created, connected]],
    ['since=107&until=200', []],
  ] as const) {
    test(`${query}`, async () => assert.deepEqual(await shown(query), expected));
  }

  for (const [filters, expected] of [
    [{ type: ['network', 'image'] }, [imported, connected]],
    [{ event: ['create'] }, [created, other]],
    [{ event: { create: true }, type: { container: true } }, [created, other]],
    [{ container: ['web'] }, [created, started]],
    [{ container: ['c1'] }, [created, started]],
    [{ container: ['c'] }, [created, started, other]],
    [{ container: ['jo', 'we'] }, [created, started, other]],
    [{ container: ['eb'] }, []],
    [{ network: ['n1'] }, [connected]],
    [{ image: ['sha256:aa'] }, [imported]],
    [{ image: ['registry.example'] }, []],
    [{ plugin: ['x'] }, []],
    [{ event: ['health_status'] }, [healthy]],
    [{ event: ['health_status: healthy'] }, [healthy]],
    [{ event: ['health'] }, []],
    [{ network: ['bridge'] }, [connected]],
    [{ image: ['registry.example:5000/app'] }, [imported]],
    [{ image: ['registry.example:5000/app:1'] }, [imported]],
    [{ image: ['busybox'] }, [created, started]],
    [{ image: ['busybox:latest'] }, [created, started]],
    [{ image: ['job'] }, [other]],
    [{ label: ['tier=front'] }, [created, started]],
    [{ label: ['tier', 'name=web'] }, [created, started]],
    [{ daemon: ['host'] }, [reloaded]],
    [{ scope: ['local'] }, all],
    [{ scope: ['swarm'] }, []],
    [{ volume: ['x'] }, []],
  ] as const) {
    test(`filtered by ${JSON.stringify(filters)}`, async () =>
      assert.deepEqual(await filtered(filters), expected));
  }
});

describe('refusals', () => {
  for (const [query, message] of [
    ['since=x', 'invalid value for since: "x" is no time'],
    ['until=x', 'invalid value for until: "x" is no time'],
    ['since=2&until=1', '`since` time (2000000000) cannot be after `until` time (1000000000)'],
    ['filters={', 'invalid filter'],
    ['filters={"junk":["x"]}', "invalid filter 'junk'"],
  ] as const) {
    test(query, async () => {
      const api = buildApi(fakeEngine(), { version: '1' });
      const answer = await api.inject({ url: `/events?${query}` });
      assert.equal(answer.body, `${JSON.stringify({ message })}\n`);
      assert.equal(answer.statusCode, 400);
    });
  }
});

test('the head of the stream comes before any event, and later events follow as they happen', async () => {
  const engine = fakeEngine();
  const server = await createApiServer(buildApi(engine, { version: '1' }));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(
      { port, host: '127.0.0.1', path: '/events?filters={"type":["container"]}' },
      resolve,
    );
    sent.on('error', reject).end();
  });
  assert.equal(response.statusCode, 200);
  const line = new Promise<string>((resolve) => response.once('data', (data) => resolve(String(data))));
  const emit = engine.events.emit as unknown as (event: EngineEvent) => void;
  emit(past[2]!);
  emit(past[1]!);
  assert.equal(JSON.parse(await line).Actor.ID, 'c1');
  response.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
