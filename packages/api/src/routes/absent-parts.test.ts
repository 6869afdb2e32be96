/** Parts of Docker that are not here, and which answer as those of a Docker daemon that does not use them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fakeEngine } from '../fixtures/engine.ts';
import { buildApi } from '../server.ts';

const api = buildApi(fakeEngine({}), { version: '1' });

async function answers(endpoint: string, status: number, body: unknown, sent?: object) {
  const [method, url] = endpoint.split(' ') as ['GET', string];
  const answer = await api.inject({ method, url: `/v1.41${url}`, ...(sent ? { payload: sent } : {}) });
  assert.deepEqual(answer.json(), body, endpoint);
  assert.equal(answer.statusCode, status, endpoint);
}

describe('Swarm', () => {
  test('is told to be absent by every endpoint, whatever it is sent', async () => {
    const message =
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
    for (const endpoint of [
      ...['GET /swarm', 'GET /swarm/unlockkey', 'POST /swarm/update?version=1', 'POST /swarm/unlock'],
      ...['services', 'nodes', 'tasks', 'secrets', 'configs'].flatMap((kind) => [
        `GET /${kind}`,
        `GET /${kind}?filters=%7B%7D`,
        `GET /${kind}/x`,
      ]),
      ...['services', 'secrets', 'configs'].map((kind) => `POST /${kind}/create`),
      ...['services', 'nodes', 'secrets', 'configs'].flatMap((kind) => [
        `POST /${kind}/x/update`,
        `DELETE /${kind}/x`,
      ]),
      ...['services', 'tasks'].map((kind) => `GET /${kind}/x/logs?stdout=1`),
    ]) {
      await answers(endpoint, 503, { message });
    }
    await answers('POST /services/create', 503, { message }, { Name: 'web' });
  });

  test('cannot be begun, joined or left', async () => {
    const message = 'Swarm is not supported by Seaway: its networks and containers are those of one host';
    await answers('POST /swarm/init', 501, { message }, { ListenAddr: '0.0.0.0:2377' });
    await answers('POST /swarm/join', 501, { message }, { RemoteAddrs: ['192.0.2.1'] });
    await answers('POST /swarm/leave?force=1', 503, { message: 'This node is not part of a swarm' });
  });

  test('has no other endpoints', async () => {
    for (const endpoint of ['PUT /swarm', 'POST /tasks/create', 'GET /services/x/y', 'DELETE /tasks/x']) {
      await answers(endpoint, 404, { message: 'page not found' });
    }
  });
});

describe('plugins', () => {
  test('there are none, whatever they are looked for by', async () => {
    await answers('GET /plugins', 200, []);
    await answers(`GET /plugins?filters=${encodeURIComponent('{"capability":["volumedriver"]}')}`, 200, []);
    await answers(`GET /plugins?filters=${encodeURIComponent('{"junk":["x"]}')}`, 400, {
      message: "invalid filter 'junk'",
    });
    for (const [endpoint, name] of [
      ['GET /plugins/x/json', 'x'],
      ['GET /plugins/team/x:latest/json', 'team/x:latest'],
      ['DELETE /plugins/team/x', 'team/x'],
      ...['enable', 'disable', 'push', 'set', 'upgrade'].map(
        (verb) => [`POST /plugins/x/${verb}`, 'x'] as const,
      ),
    ] as const) {
      await answers(endpoint, 404, { message: `plugin "${name}" not found` });
    }
  });

  test('cannot be installed', async () => {
    for (const endpoint of ['GET /plugins/privileges', 'POST /plugins/pull', 'POST /plugins/create']) {
      await answers(endpoint, 501, {
        message: `${endpoint} is not supported by this version of Seaway`,
      });
    }
    await answers('GET /plugins/x', 404, { message: 'page not found' });
  });
});

test('there is no build cache to prune', () =>
  answers('POST /build/prune?all=1', 200, { CachesDeleted: null, SpaceReclaimed: 0 }));
