import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NetworkRecord } from '@seaway/engine';
import {
  bridgeId,
  containerId,
  endpointRecord,
  fakeEngine,
  hostNetwork,
  networkRecord,
  noneNetwork,
} from '../fixtures/engine.ts';
import { buildApi } from '../server.ts';

const shop = networkRecord({
  id: '9'.repeat(64) as NetworkRecord['id'],
  name: 'shop',
  labels: { tier: 'front' },
});
const busy = networkRecord({ id: '8'.repeat(64) as NetworkRecord['id'], name: 'busy' });
const api = buildApi(
  fakeEngine({
    networks: [networkRecord(), hostNetwork, noneNetwork, shop, busy],
    endpoints: [endpointRecord(), endpointRecord({ networkId: busy.id })],
  }),
  { version: '1' },
);

async function names(filters: object): Promise<string[]> {
  const answer = await api.inject({
    url: `/networks?filters=${encodeURIComponent(JSON.stringify(filters))}`,
  });
  assert.equal(answer.statusCode, 200, answer.body);
  return answer.json().map(({ Name }: { Name: string }) => Name);
}

async function refuses(url: string, status: number, message: string, method: 'GET' | 'DELETE' = 'GET') {
  const answer = await api.inject({ method, url });
  assert.equal(answer.body, `${JSON.stringify({ message })}\n`);
  assert.equal(answer.statusCode, status);
}

describe('the list', () => {
  for (const [filters, expected] of [
    [{}, ['bridge', 'host', 'none', 'shop', 'busy']],
    [{ name: ['o'] }, ['host', 'none', 'shop']],
    [{ name: { '^host$': true } }, ['host']],
    [{ id: [bridgeId] }, ['bridge']],
    [{ id: ['^9'] }, ['shop']],
    [{ driver: ['bridge'] }, ['bridge', 'shop', 'busy']],
    [{ driver: ['bri'] }, []],
    [{ driver: ['null', 'host'] }, ['host', 'none']],
    [{ label: ['tier=front'] }, ['shop']],
    [{ scope: ['local'] }, ['bridge', 'host', 'none', 'shop', 'busy']],
    [{ scope: ['swarm'] }, []],
    [{ type: ['builtin'] }, ['bridge', 'host', 'none']],
    [{ type: ['custom'] }, ['shop', 'busy']],
    [{ dangling: ['true'] }, ['shop']],
    [{ dangling: { 0: true } }, ['bridge', 'host', 'none', 'busy']],
    [{ type: ['custom'], name: ['bus'] }, ['busy']],
  ] as const) {
    test(`filtered by ${JSON.stringify(filters)}`, async () =>
      assert.deepEqual(await names(filters), expected));
  }

  for (const [filters, message] of [
    ['{', 'invalid filter'],
    ['{"junk":["x"]}', "invalid filter 'junk'"],
    ['{"type":["x"]}', "invalid filter: 'type'='x'"],
    [
      '{"dangling":["x"]}',
      `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`,
    ],
    ['{"dangling":["true","false"]}', 'got more than one value for filter key "dangling"'],
  ] as const) {
    test(`refuses ${filters}`, () =>
      refuses(`/networks?filters=${encodeURIComponent(filters)}`, 400, message));
  }

  test('shows containers before 1.28 only', async () => {
    const first = async (version: string) => (await api.inject({ url: `/v${version}/networks` })).json()[0];
    assert.deepEqual(Object.keys((await first('1.27')).Containers), [containerId]);
    assert.ok(!('Containers' in (await first('1.28'))));
  });
});

describe('inspect', () => {
  test('finds a network by id and by name, with its containers', async () => {
    for (const reference of ['bridge', bridgeId]) {
      const { Name, Containers } = (await api.inject({ url: `/networks/${reference}` })).json();
      assert.equal(Name, 'bridge');
      assert.deepEqual(Object.keys(Containers), [containerId]);
    }
  });

  test('takes verbose and scope', async () => {
    assert.equal((await api.inject({ url: '/networks/bridge?verbose=true&scope=local' })).statusCode, 200);
    await refuses('/networks/bridge?scope=swarm', 404, 'network bridge not found');
    await refuses('/networks/nope', 404, 'network nope not found');
    await refuses(
      '/networks/bridge?verbose=zz',
      400,
      'invalid value for verbose: zz: strconv.ParseBool: parsing "zz": invalid syntax',
    );
  });
});

describe('removal', () => {
  for (const name of ['bridge', 'host', 'none']) {
    test(`of ${name} is forbidden`, () =>
      refuses(`/networks/${name}`, 403, `${name} is a pre-defined network and cannot be removed`, 'DELETE'));
  }
  test('of what is not there is a 404', () =>
    refuses('/networks/nope', 404, 'network nope not found', 'DELETE'));
});
