/**
 * Networks under daemons and keepers that are killed, and a kernel that others change: what the engine says is what the
 * kernel has again, nobody loses a name or an address, and nothing is left behind.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { resolve } from './lab/dns.ts';
import { expectSameInventory, processes, takeInventory } from './lab/inventory.ts';
import { RawApi } from './lab/raw-api.ts';
import { expectClearedAfterEach, expectConsistent, seats } from './lab/seats.ts';
import { eventually, openStory } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);
await expectClearedAfterEach(lab);

describe('a daemon that is killed', () => {
  test('comes back to everything as it was, and can change it', async () => {
    await api.createNetwork('shop', { EnableIPv6: true });
    await api.createNetwork('quiet', { Options: { 'com.docker.network.bridge.enable_icc': 'false' } });
    await api.run('web', 'shop', {}, { shop: { Aliases: ['www'] }, quiet: {} });
    await api.run('c1', 'shop');
    await api.run('member', 'container:c1');
    const before = await takeInventory(lab, lab.engine);
    const seen = await seats(lab);
    await lab.engine.restart('SIGKILL');
    await expectSameInventory(lab, before, lab.engine);
    assert.deepEqual(await seats(lab), seen);
    const namespace = lab.pathInside((await api.inspect('c1')).NetworkSettings.SandboxKey);
    assert.deepEqual(await resolve(namespace, 'www'), [(await api.endpoint('web', 'shop')).IPAddress]);
    await api.connect('quiet', 'c1');
    await api.disconnect('shop', 'web');
    await assert.rejects(resolve(namespace, 'www', { timeoutMs: 6000 }));
    await api.disconnect('quiet', 'web');
    await expectConsistent(lab);
    await api.removeContainers('web', 'c1', 'member');
    await api.removeNetworks('shop', 'quiet');
  });

  test('in the middle of changes leaves none of them half done', async () => {
    for (let round = 0; round < 5; round++) {
      await api.createNetwork('stays', { EnableIPv6: true });
      await Promise.all(['c1', 'c2'].map((name) => api.run(name, 'stays')));
      const work = Promise.allSettled([
        ...[1, 2, 3].map((index) => api.createNetwork(`n${index}`)),
        api.disconnect('stays', 'c1'),
        api.connect('bridge', 'c2'),
        api.run('c3', 'stays'),
        api
          .createNetwork('own', { Options: { 'com.docker.network.bridge.name': 'own-bridge' } })
          .then(() => api.removeNetworks('own')),
      ]);
      await sleep(round * 15);
      await lab.engine.kill('SIGKILL');
      await work;
      await lab.engine.start();
      await api.send('DELETE', '/networks/own');
      await api.removeContainers(
        ...(await api.get<{ Id: string; State: string }[]>('/containers/json?all=1'))
          .filter(({ State }) => State !== 'running')
          .map(({ Id }) => Id),
      );
      await expectConsistent(lab);
      // What is left can be used.
      await api.send('POST', '/networks/stays/disconnect', { Container: 'c2' });
      await api.connect('stays', 'c2');
      await api.clear();
    }
  });

  test('while containers end: their names and addresses are free when it is back', async () => {
    await api.createNetwork('shop', { IPAM: { Config: [{ Subnet: '10.93.0.0/24' }] } });
    await api.run('web', 'shop');
    await api.run('c1', 'shop');
    const { Pid } = (await api.inspect('web')).State;
    await lab.engine.kill('SIGKILL');
    await lab.run(`kill -9 ${Pid}`);
    await lab.engine.start();
    await eventually(async () => assert.equal((await api.inspect('web')).State.Status, 'exited'));
    const namespace = lab.pathInside((await api.inspect('c1')).NetworkSettings.SandboxKey);
    await eventually(() => assert.rejects(resolve(namespace, 'web')));
    await api.run('next', 'shop');
    assert.equal((await api.endpoint('next', 'shop')).IPAddress, '10.93.0.2');
    await expectConsistent(lab);
  });

  test('what it left and nothing claims is removed by the next', async () => {
    await lab.engine.kill('SIGKILL');
    const [docker0] = JSON.parse((await lab.run('ip -json link show docker0')).stdout) as {
      ifalias: string;
    }[];
    const installation = docker0!.ifalias.split(':')[1];
    await lab.run('ip link add br-stale type bridge');
    await lab.run(`ip link set br-stale alias seaway:${installation}:network:0123456789ab`);
    await lab.run('ip link add veth0000001 type veth peer name veth0000002');
    await lab.run(`ip link set veth0000001 alias seaway:${installation}:endpoint:0123456789ab`);
    await lab.run('ip link add foreign type bridge');
    await lab.run('ip link set foreign alias seaway:someoneelse0:network:0123456789ab');
    await lab.engine.start();
    await eventually(async () => {
      const links = (await lab.run('ip -brief link')).stdout;
      assert.doesNotMatch(links, /br-stale|veth000/);
      assert.match(links, /foreign/);
    });
    await lab.run('ip link del foreign');
  });

  test('ten times under a steady load of lookups fails none', async () => {
    await api.createNetwork('shop');
    await api.run('web', 'shop');
    await api.run('c1', 'shop');
    const namespace = lab.pathInside((await api.inspect('c1')).NetworkSettings.SandboxKey);
    const address = (await api.endpoint('web', 'shop')).IPAddress;
    const failures: string[] = [];
    let asked = 0;
    let isOver = false;
    const client = async () => {
      while (!isOver) {
        asked++;
        await resolve(namespace, 'web', { timeoutMs: 2000 }).then(
          (found) => found.join() === address || failures.push(`${found}`),
          (error) => failures.push(String(error)),
        );
        await sleep(2);
      }
    };
    const clients = [client(), client(), client()];
    for (let kill = 0; kill < 10; kill++) await lab.engine.restart('SIGKILL');
    isOver = true;
    await Promise.all(clients);
    assert.deepEqual(failures, []);
    assert.ok(asked > 500, `only ${asked} lookups`);
  });

  test('has its keeper replaced when that is killed: names are back within a second', async () => {
    await api.createNetwork('shop');
    await api.run('web', 'shop');
    await api.run('c1', 'shop');
    const namespace = lab.pathInside((await api.inspect('c1')).NetworkSettings.SandboxKey);
    const keepers = () => processes(lab).filter(({ command }) => /keeper/.test(command));
    const [keeper, ...more] = keepers();
    assert.ok(keeper);
    assert.deepEqual(more, []);
    await lab.run(`kill -9 ${keeper.pid}`);
    const killedAt = performance.now();
    await eventually(() => resolve(namespace, 'web', { timeoutMs: 100 }));
    const outageMs = performance.now() - killedAt;
    assert.ok(outageMs < 1000, `names were gone for ${outageMs} ms`);
    assert.equal(keepers().length, 1);
    // What changes is told to the new one.
    await api.run('c2', 'shop');
    assert.equal((await resolve(namespace, 'c2')).length, 1);
  });
});

describe('a bridge that somebody has deleted', () => {
  test('is made again by the next start, and who runs is on it again', async () => {
    const id = await api.createNetwork('shop', { IPAM: { Config: [{ Subnet: '10.93.0.0/24' }] } });
    await api.run('c1', 'shop');
    await lab.run(`ip link del br-${id.slice(0, 12)}`);
    await api.run('c2', 'shop');
    await lab.run('ping -c1 -W5 10.93.0.2');
    await lab.run('ping -c1 -W5 10.93.0.3');
    await expectConsistent(lab);
  });

  test('is made again by a daemon that starts', async () => {
    const id = await api.createNetwork('shop', {
      EnableIPv6: true,
      IPAM: { Config: [{ Subnet: '10.93.0.0/24' }, { Subnet: 'fd93::/64' }] },
    });
    await api.run('c1', 'shop');
    await lab.run(`ip link del br-${id.slice(0, 12)}`);
    await lab.engine.restart('SIGKILL');
    await lab.run('ping -c1 -W5 10.93.0.2');
    await lab.run('ping -c1 -W5 fd93::2');
    await expectConsistent(lab);
  });

  test('can be removed, and its members can leave', async () => {
    const id = await api.createNetwork('shop');
    await api.run('c1', 'shop');
    await lab.run(`ip link del br-${id.slice(0, 12)}`);
    await api.disconnect('shop', 'c1');
    await api.removeNetworks('shop');
    await expectConsistent(lab);
  });
});

test('a firewall that somebody has flushed is put back by the next change', async () => {
  await api.createNetwork('shop', { Options: { 'com.docker.network.bridge.enable_icc': 'false' } });
  await api.run('c1', 'shop');
  await lab.run('nft flush ruleset');
  await api.createNetwork('more');
  await api.run('c2', 'shop');
  const rules = (await lab.run('nft list ruleset')).stdout;
  assert.match(rules, /table inet seaway/);
  assert.match(rules, /table bridge seaway/);
  for (const name of ['c1', 'c2']) await api.disconnect('shop', name);
  await api.removeNetworks('more');
});
