/**
 * Networks of containers that live in another's namespace, changed while that comes and goes, and what containers do
 * in their namespaces themselves: nothing is left behind by any of it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { resolve } from './lab/dns.ts';
import { RawApi } from './lab/raw-api.ts';
import { expectClearedAfterEach, expectConsistent } from './lab/seats.ts';
import { openStory } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);
await expectClearedAfterEach(lab);

const block = (subnet: string) => ({ IPAM: { Config: [{ Subnet: subnet }] } });

/** The path of the namespace that a container runs in, as the lab knows it. */
const namespaceOf = async (container: string) => `/proc/${(await api.inspect(container)).State.Pid}/ns/net`;

/** Runs a command in a container's namespace with every privilege. */
async function inside(container: string, command: string): Promise<string> {
  const argv = ['nsenter', `--net=${await namespaceOf(container)}`, '--', ...command.split(' ')];
  return (await lab.run(argv)).stdout.trim();
}

async function addressesIn(container: string): Promise<string[]> {
  const shown = await inside(container, 'ip -4 -brief address');
  return [...shown.matchAll(/^(\S+?)(?:@\S+)?\s+\S+\s+(\S+)/gm)].map(
    ([, name, address]) => `${name} ${address}`,
  );
}

const routesIn = async (container: string) =>
  (await inside(container, 'ip route')).split('\n').flatMap((route) => route.trim() || []);

describe('members of a namespace', () => {
  test('get and lose the interfaces of its owner', async () => {
    await api.createNetwork('shop', block('10.94.0.0/24'));
    await api.createNetwork('other', block('10.95.0.0/24'));
    await api.run('owner', 'shop');
    await api.run('member', 'container:owner');
    await api.connect('other', 'owner');
    assert.deepEqual(await addressesIn('member'), [
      'lo 127.0.0.1/8',
      'eth0 10.94.0.2/24',
      'eth1 10.95.0.2/24',
    ]);
    await api.disconnect('shop', 'owner');
    assert.deepEqual(await addressesIn('member'), ['lo 127.0.0.1/8', 'eth1 10.95.0.2/24']);
    assert.match(await inside('member', 'ip route show default'), /^default via 10\.95\.0\.1 /);
    await expectConsistent(lab);
  });

  test('find the networks of an owner that were changed while it was down', async () => {
    await api.createNetwork('shop', block('10.94.0.0/24'));
    await api.createNetwork('other', block('10.95.0.0/24'));
    await api.run('owner', 'shop');
    await api.run('member', 'container:owner');
    await api.stop('owner');
    await api.connect('other', 'owner');
    await api.disconnect('shop', 'owner');
    await api.removeNetworks('shop');
    await api.start('owner');
    assert.deepEqual(await addressesIn('member'), ['lo 127.0.0.1/8', 'eth0 10.95.0.2/24']);
    await expectConsistent(lab);
  });

  test('keep the addresses of an owner that is down, until the last of them has ended', async () => {
    await api.createNetwork('shop', block('10.94.0.0/24'));
    await api.run('owner', 'shop');
    await api.run('member', 'container:owner');
    await api.stop('owner');
    await api.run('next', 'shop');
    assert.equal((await api.endpoint('next', 'shop')).IPAddress, '10.94.0.3');
    await lab.engine.restart('SIGKILL');
    await api.run('another', 'shop');
    assert.equal((await api.endpoint('another', 'shop')).IPAddress, '10.94.0.4');
    await api.stop('member');
    await api.run('last', 'shop');
    assert.equal((await api.endpoint('last', 'shop')).IPAddress, '10.94.0.2');
  });

  test('outlive an owner that is removed', async () => {
    await api.createNetwork('shop', block('10.94.0.0/24'));
    const owner = await api.run('owner', 'shop');
    await api.run('member', 'container:owner');
    await api.removeContainers('owner');
    assert.deepEqual(await addressesIn('member'), ['lo 127.0.0.1/8']);
    await lab.engine.restart('SIGKILL');
    assert.equal((await api.inspect('member')).State.Status, 'running');
    await api.stop('member');
    await api.isRefused({
      what: '',
      path: '/containers/member/start',
      status: 404,
      message: new RegExp(`No such container: ${owner}$`),
    });
    await api.run('next', 'shop');
    assert.equal((await api.endpoint('next', 'shop')).IPAddress, '10.94.0.2');
  });

  test('survive a daemon that is killed while their owner restarts', async () => {
    await api.createNetwork('shop', block('10.94.0.0/24'));
    await api.run('owner', 'shop');
    await api.run('member', 'container:owner');
    await api.run('web', 'shop');
    for (const delayMs of [10, 60, 120]) {
      const restarting = api.send('POST', '/containers/owner/restart?t=0').catch(() => undefined);
      await new Promise((wake) => setTimeout(wake, delayMs));
      await lab.engine.restart('SIGKILL');
      await restarting;
      await api.send('POST', '/containers/owner/start');
      assert.deepEqual(await addressesIn('member'), ['lo 127.0.0.1/8', 'eth0 10.94.0.2/24']);
      const found = await resolve(lab.pathInside(await namespaceOf('member')), 'web');
      assert.deepEqual(found, [(await api.endpoint('web', 'shop')).IPAddress]);
      await expectConsistent(lab);
    }
  });
});

describe('a container that changes its own namespace', () => {
  test('and has an interface of the name that the next one was to have: that is refused, and its own stays', async () => {
    await api.createNetwork('shop', block('10.94.0.0/24'));
    await api.run('c1', 'bridge');
    await inside('c1', 'ip link add eth1 type bridge');
    await inside('c1', 'ip address add 10.96.0.1/24 dev eth1');
    await api.isRefused({
      what: '',
      path: '/networks/shop/connect',
      body: { Container: 'c1' },
      status: 500,
      message: /failed to set up container networking/,
    });
    assert.deepEqual(Object.keys((await api.inspect('c1')).NetworkSettings.Networks), ['bridge']);
    assert.deepEqual((await addressesIn('c1')).slice(1), ['eth0 172.17.0.2/16', 'eth1 10.96.0.1/24']);
    await inside('c1', 'ip link del eth1');
    await api.connect('shop', 'c1');
    assert.deepEqual((await addressesIn('c1')).slice(1), ['eth0 172.17.0.2/16', 'eth1 10.94.0.2/24']);
    await expectConsistent(lab);
  });

  test('and has renamed, moved or lost its interface: it can be disconnected and connected again', async () => {
    await api.createNetwork('shop', block('10.94.0.0/24'));
    await api.run('c1', 'shop');
    for (const change of [
      'ip link set eth0 down name mine',
      'ip link del eth0',
      'ip address flush dev eth0',
      'ip route del default',
    ]) {
      await inside('c1', change);
      await api.disconnect('shop', 'c1');
      await api.connect('shop', 'c1');
      assert.deepEqual(
        (await addressesIn('c1')).filter((line) => line.startsWith('eth0')),
        ['eth0 10.94.0.2/24'],
        change,
      );
      await lab.run('ping -c1 -W5 10.94.0.2');
    }
    await expectConsistent(lab);
  });

  test('has no less of it when it leaves another network', async () => {
    await api.createNetwork('shop', block('10.94.0.0/24'));
    await api.createNetwork('other', block('10.95.0.0/24'));
    for (const change of [
      'ip link set eth0 down name mine',
      'ip route replace default via 10.94.0.77',
      'ip address flush dev eth0',
      'ip link del eth0',
    ]) {
      await api.run('c1', 'shop');
      await api.connect('other', 'c1', { GwPriority: -1 });
      await inside('c1', change);
      const before = await routesIn('c1');
      await api.disconnect('other', 'c1');
      assert.deepEqual(
        await routesIn('c1'),
        before.filter((route) => !route.includes('10.95.0.')),
        change,
      );
      await api.run('next', 'other');
      assert.equal((await api.endpoint('next', 'other')).IPAddress, '10.95.0.2', 'its address is free');
      await api.removeContainers('c1', 'next');
    }
  });

  test('keeps what it has made of its interface when the daemon is killed, and has a lost one back', async () => {
    await api.createNetwork('shop', block('10.94.0.0/24'));
    await api.run('c1', 'shop');
    await inside('c1', 'ip address add 10.94.0.200/24 dev eth0');
    await inside('c1', 'ip route replace default via 10.94.0.77');
    await lab.engine.restart('SIGKILL');
    assert.match(await inside('c1', 'ip route show default'), /^default via 10\.94\.0\.77 /);
    assert.match(await inside('c1', 'ip address show eth0'), /10\.94\.0\.200/);
    await inside('c1', 'ip link del eth0');
    await lab.engine.restart('SIGKILL');
    assert.match(await inside('c1', 'ip route show default'), /^default via 10\.94\.0\.1 /);
    await lab.run('ping -c1 -W5 10.94.0.2');
    await expectConsistent(lab);
  });
});
