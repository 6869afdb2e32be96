/**
 * Networks and their members changed by many at once: what the engine says is what the kernel has, and nothing is left
 * behind.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RawApi } from './lab/raw-api.ts';
import { expectClearedAfterEach, expectConsistent } from './lab/seats.ts';
import { openStory } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);
await expectClearedAfterEach(lab);

const post = (path: string, body?: object) => api.send('POST', path, body);
const connect = (network: string, container: string) =>
  post(`/networks/${network}/connect`, { Container: container });
const disconnect = (network: string, container: string) =>
  post(`/networks/${network}/disconnect`, { Container: container });
const count = (answers: readonly { readonly status: number }[], status: number) =>
  answers.filter((answer) => answer.status === status).length;

describe('many at once', () => {
  test('of 20 connects of one container to one network one is granted, of 20 disconnects too', async () => {
    await api.createNetwork('shop');
    await api.run('c1', 'bridge');
    const connects = await Promise.all(Array.from({ length: 20 }, () => connect('shop', 'c1')));
    assert.deepEqual([count(connects, 200), count(connects, 403)], [1, 19]);
    await expectConsistent(lab);
    const disconnects = await Promise.all(Array.from({ length: 20 }, () => disconnect('shop', 'c1')));
    assert.deepEqual([count(disconnects, 200), count(disconnects, 500)], [1, 19]);
    await expectConsistent(lab);
  });

  test('a removal and connects: either the network is gone, or it has its members', async () => {
    for (const name of ['c1', 'c2', 'c3']) await api.run(name, 'bridge');
    for (let round = 0; round < 8; round++) {
      await api.createNetwork('shop');
      const answers = await Promise.all([
        connect('shop', 'c1'),
        ...(round % 2
          ? [api.send('DELETE', '/networks/shop'), connect('shop', 'c2')]
          : [connect('shop', 'c2'), api.send('DELETE', '/networks/shop')]),
        connect('shop', 'c3'),
      ]);
      const [removed] = answers.filter(({ status }) => status === 204);
      if (removed) assert.equal(count(answers, 404) + count(answers, 200), 3);
      else assert.equal(count(answers, 200), 3);
      await expectConsistent(lab);
      for (const name of ['c1', 'c2', 'c3']) await disconnect('shop', name);
      await api.send('DELETE', '/networks/shop');
    }
  });

  test('prunes, removals, connects and starts of the same networks', async () => {
    await Promise.all(['c1', 'c2', 'c3', 'c4'].map((name) => api.createContainer(name, 'bridge')));
    const names = ['n1', 'n2', 'n3'];
    const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)]!;
    const actions = [
      () => post('/networks/create', { Name: pick(names), EnableIPv6: true }),
      () => post('/networks/create', { Name: pick(names) }),
      () => connect(pick(names), pick(['c1', 'c2', 'c3', 'c4'])),
      () => connect(pick(names), pick(['c1', 'c2', 'c3', 'c4'])),
      () => disconnect(pick(names), pick(['c1', 'c2', 'c3', 'c4'])),
      () => api.send('DELETE', `/networks/${pick(names)}`),
      () => post('/networks/prune'),
      () => post(`/containers/${pick(['c1', 'c2', 'c3', 'c4'])}/start`),
      () => post(`/containers/${pick(['c1', 'c2', 'c3', 'c4'])}/kill`),
      () => post(`/containers/${pick(['c1', 'c2', 'c3', 'c4'])}/restart?t=0`),
    ];
    const odd: string[] = [];
    const until = performance.now() + 3000;
    const client = async () => {
      while (performance.now() < until) {
        const answer = await pick(actions)();
        const said = answer.text;
        if (answer.status === 500 && !/is not connected to/.test(said)) odd.push(said);
      }
    };
    await Promise.all(Array.from({ length: 6 }, client));
    assert.deepEqual(odd, []);
    await expectConsistent(lab);
  });

  test('a container that is connected while it ends has the network when it comes back, or was refused it', async () => {
    await api.createNetwork('shop');
    await api.createContainer('c1', 'bridge');
    for (let round = 0; round < 6; round++) {
      await api.start('c1');
      const ending = post('/containers/c1/kill');
      await sleep(round * 4);
      const answer = await connect('shop', 'c1');
      await ending;
      assert.equal(answer.status, 200, answer.text);
      await api.start('c1');
      await api.endpoint('c1', 'shop');
      await expectConsistent(lab);
      await api.disconnect('shop', 'c1');
      await api.stop('c1');
    }
  });

  test('a container that is removed while it is connected leaves nothing', async () => {
    await api.createNetwork('shop');
    for (let round = 0; round < 5; round++) {
      await api.run('brief', 'bridge');
      const [connected, removed] = await Promise.all([
        connect('shop', 'brief'),
        api.send('DELETE', '/containers/brief?force=1'),
      ]);
      assert.equal(removed.status, 204, removed.text);
      assert.ok([200, 404, 500].includes(connected.status), connected.text);
      if (connected.status === 500) assert.match(connected.text, /is marked for removal/);
      await expectConsistent(lab);
    }
    await api.removeNetworks('shop');
  });

  test('one network of a name of a device of its own, made and removed over and over by several', async () => {
    const body = { Name: 'own', Options: { 'com.docker.network.bridge.name': 'own-bridge' } };
    const client = async () => {
      const answers = [];
      for (let round = 0; round < 8; round++) {
        answers.push(await post('/networks/create', body), await api.send('DELETE', '/networks/own'));
      }
      return answers;
    };
    const answers = (await Promise.all([client(), client(), client()])).flat();
    const odd = answers
      .filter(({ status }) => ![201, 204, 404, 409].includes(status))
      .map(({ text }) => text);
    assert.deepEqual(odd, []);
    const left = await api.send('DELETE', '/networks/own');
    assert.ok([204, 404].includes(left.status));
    await expectConsistent(lab);
  });
});
