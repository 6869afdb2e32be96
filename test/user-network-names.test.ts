/**
 * How containers on networks of the users' own find each other by name, asked from inside as programs do it.
 */
import assert from 'node:assert/strict';
import { after, afterEach, describe, test } from 'node:test';
import { resolve, serveDns } from './lab/dns.ts';
import { outsideAddress } from './lab/lab.ts';
import { RawApi } from './lab/raw-api.ts';
import { image, inspect, openStory } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);
afterEach(() => api.clear());

const docker = (command: string | readonly string[]) => lab.dockerOutput(command);
const run = (name: string, ...options: string[]) =>
  docker(['run', '-d', '--name', name, ...options, image, 'sleep', '600']);

/** The addresses of a name as a program in the container gets them, IPv6 first; none for an unknown one. */
async function addressesOf(container: string, name: string): Promise<string[]> {
  const found = await lab.docker(`exec ${container} getent ahosts ${name}`, { allowFailure: true });
  return [...new Set([...found.stdout.matchAll(/^(\S+)\s+STREAM/gm)].map(([, address]) => address!))].sort();
}

/** A fact about which name leads where from whom. */
async function expectNames(
  container: string,
  expected: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  const names = Object.keys(expected);
  const seen = await Promise.all(names.map((name) => addressesOf(container, name)));
  assert.deepEqual(Object.fromEntries(names.map((name, index) => [name, seen[index]])), expected);
}

/** The path of a container's namespace as this process reaches it. */
const namespaceOf = async (container: string) =>
  lab.pathInside((await inspect(lab, container)).NetworkSettings.SandboxKey);

// What the engine does not know itself, nobody knows.
const NXDOMAIN = 3;
const upstream = await serveDns(lab.pathInside('/run/netns/outside'), outsideAddress, () => ({
  rcode: NXDOMAIN,
}));
await lab.run(['sh', '-c', `echo nameserver ${outsideAddress} > /etc/resolv.conf`]);
after(() => upstream.close());

describe('a container is found', () => {
  test('by name, alias, short id and host name, in any case, with and without the name of the network', async () => {
    await docker('network create --subnet 10.91.0.0/24 shop');
    const id = await run(
      'web',
      '--net',
      'shop',
      '--hostname',
      'web-host',
      '--network-alias',
      'www',
      '--network-alias',
      'w3',
    );
    await run('c1', '--net', 'shop');
    const found = ['10.91.0.2'];
    await expectNames('c1', {
      web: found,
      WEB: found,
      www: found,
      w3: found,
      [id.slice(0, 12)]: found,
      'web-host': found,
      'web.shop': found,
      'www.shop': found,
      'web.': found,
      [id]: [],
      'web.other': [],
      unknown: [],
    });
    assert.deepEqual(await resolve(await namespaceOf('c1'), '2.0.91.10.in-addr.arpa', { type: 'PTR' }), [
      'web.shop',
    ]);
    assert.match(await docker('exec c1 getent hosts 10.91.0.2'), /^10\.91\.0\.2\s+web\.shop$/);
    assert.match(await docker('exec c1 nslookup www.'), /10\.91\.0\.2/);
    await docker('exec c1 ping -c1 -W5 w3');
  });

  test('by itself, under its own names', async () => {
    await docker('network create --subnet 10.91.0.0/24 shop');
    await run('me', '--net', 'shop', '--network-alias', 'self');
    await expectNames('me', { me: ['10.91.0.2'], self: ['10.91.0.2'] });
  });

  test('not on the default bridge', async () => {
    await run('c1');
    await run('c2');
    await expectNames('c1', { c2: [] });
    assert.doesNotMatch(await docker('exec c1 cat /etc/resolv.conf'), /127\.0\.0\.11/);
  });

  test('on the network whose name it has, and not on another, nor from elsewhere', async () => {
    await docker('network create --subnet 10.91.0.0/24 one');
    await docker('network create --subnet 10.92.0.0/24 two');
    await run('first', '--net', 'one');
    await run('second', '--net', 'two');
    await run('both', '--net', 'one');
    await docker('network connect --alias bridge-head two both');
    await expectNames('first', {
      second: [],
      both: ['10.91.0.3'],
      'both.one': ['10.91.0.3'],
      'both.two': [],
      'bridge-head': [],
    });
    await expectNames('second', { first: [], both: ['10.92.0.3'], 'bridge-head': ['10.92.0.3'] });
    await expectNames('both', {
      first: ['10.91.0.2'],
      second: ['10.92.0.2'],
      'second.two': ['10.92.0.2'],
      'second.one': [],
    });
  });

  test('with its IPv6 addresses too', async () => {
    await docker('network create --ipv6 --subnet 10.91.0.0/24 --subnet fd91::/64 both');
    await docker('network create --ipv4=false --ipv6 --subnet fd92::/64 six');
    await run('web', '--net', 'both');
    await run('web6', '--net', 'six');
    await run('c1', '--net', 'both');
    await docker('network connect six c1');
    await expectNames('c1', { web: ['10.91.0.2', 'fd91::2'], web6: ['fd92::2'] });
    const namespace = await namespaceOf('c1');
    assert.deepEqual(await resolve(namespace, 'web', { type: 'AAAA' }), ['fd91::2']);
    assert.deepEqual(await resolve(namespace, 'web6', { type: 'A' }), []);
    const reversed = [...'fd91'].reverse().join('.');
    const name = `2.${'0.'.repeat(27)}${reversed}.ip6.arpa`;
    assert.deepEqual(await resolve(namespace, name, { type: 'PTR' }), ['web.both']);
  });
});

describe('names follow', () => {
  test('a container that comes, goes and comes back', async () => {
    await docker('network create --subnet 10.91.0.0/24 shop');
    await run('c1', '--net', 'shop');
    await run('web');
    await expectNames('c1', { web: [], www: [] });
    await docker('network connect --alias www shop web');
    await expectNames('c1', { web: ['10.91.0.3'], www: ['10.91.0.3'] });
    await docker('network disconnect shop web');
    await expectNames('c1', { web: [], www: [] });
    await docker('network connect --ip 10.91.0.77 shop web');
    await expectNames('c1', { web: ['10.91.0.77'], www: [] });
    await docker('kill web');
    await expectNames('c1', { web: [] });
    await docker('start web');
    await expectNames('c1', { web: ['10.91.0.77'] });
    await docker('rm -f web');
    await expectNames('c1', { web: [] });
  });

  test('one that comes to its first network of that kind, and leaves it', async () => {
    await docker('network create --subnet 10.91.0.0/24 shop');
    await run('web', '--net', 'shop');
    await run('c1');
    await docker('network connect shop c1');
    await expectNames('c1', { web: ['10.91.0.2'] });
    assert.match(await docker('exec c1 cat /etc/resolv.conf'), /^nameserver 127\.0\.0\.11$/m);
    await docker('network disconnect shop c1');
    await expectNames('c1', { web: [] });
    await docker('network connect shop c1');
    await expectNames('c1', { web: ['10.91.0.2'] });
  });

  test('a new name of a running container', async () => {
    await docker('network create --subnet 10.91.0.0/24 shop');
    await run('old', '--net', 'shop', '--network-alias', 'www');
    await run('c1', '--net', 'shop');
    await docker('rename old new');
    await expectNames('c1', { old: [], new: ['10.91.0.2'], www: ['10.91.0.2'] });
    assert.match(await docker('exec c1 getent hosts 10.91.0.2'), /new\.shop/);
    assert.equal(
      Object.values((await api.network('shop')).Containers ?? {})
        .map(({ Name }) => Name)
        .sort()
        .join(),
      'c1,new',
    );
    await docker('restart -t0 new');
    await expectNames('c1', { old: [], new: ['10.91.0.2'] });
  });

  test('who shares an alias: all of them, in changing order', async () => {
    await docker('network create --subnet 10.91.0.0/24 shop');
    for (const name of ['w1', 'w2', 'w3']) await run(name, '--net', 'shop', '--network-alias', 'web');
    await run('c1', '--net', 'shop');
    const all = ['10.91.0.2', '10.91.0.3', '10.91.0.4'];
    const namespace = await namespaceOf('c1');
    const first = new Set<string>();
    for (let index = 0; index < 60; index++) {
      const answer = await resolve(namespace, 'web');
      assert.deepEqual([...answer].sort(), all);
      first.add(answer[0]!);
    }
    assert.deepEqual([...first].sort(), all, 'each of them is first at times');
    await docker('kill w2');
    await expectNames('c1', { web: ['10.91.0.2', '10.91.0.4'] });
  });

  test("a name in several of the asker's networks: the one of its way out answers", async () => {
    await docker('network create --subnet 10.91.0.0/24 n1');
    await docker('network create --subnet 10.92.0.0/24 n2');
    await run('w1', '--net', 'n1', '--network-alias', 'web');
    await run('w2', '--net', 'n2', '--network-alias', 'web');
    await run('c1', '--net', 'n2');
    await expectNames('c1', { web: ['10.92.0.2'] });
    await docker('network connect n1 c1');
    await expectNames('c1', { web: ['10.91.0.2'], 'web.n2': ['10.92.0.2'], 'web.n1': ['10.91.0.2'] });
    await docker('network disconnect n1 c1');
    await docker('network connect --gw-priority -1 n1 c1');
    await expectNames('c1', { web: ['10.92.0.2'] });
  });
});

describe('a shared namespace', () => {
  test("sees the names that its owner sees, and its members are found by the owner's name alone", async () => {
    await docker('network create --subnet 10.91.0.0/24 shop');
    await run('owner', '--net', 'shop');
    await run('web', '--net', 'shop');
    await run('member', '--net', 'container:owner');
    await expectNames('member', { web: ['10.91.0.3'], owner: ['10.91.0.2'] });
    await expectNames('web', { owner: ['10.91.0.2'], member: [] });
  });

  test('keeps its connections and names when the owner restarts', async () => {
    await docker('network create --subnet 10.91.0.0/24 shop');
    await run('owner', '--net', 'shop');
    await docker(['run', '-d', '--name', 'web', '--net', 'shop', image, 'sh', '-c', 'nc -ll -p 7 -e cat']);
    const talking =
      'i=0; while [ $i -lt 150 ]; do echo $i; i=$((i+1)); sleep 0.02; done | nc web 7 > /tmp/heard; echo $? > /tmp/code';
    await docker([
      'run',
      '-d',
      '--name',
      'member',
      '--net',
      'container:owner',
      image,
      'sh',
      '-c',
      `${talking}; sleep 600`,
    ]);
    await new Promise((wake) => setTimeout(wake, 500));
    await docker('restart -t0 owner');
    await expectNames('member', { web: ['10.91.0.3'], owner: ['10.91.0.2'] });
    await expectNames('owner', { web: ['10.91.0.3'] });
    await expectNames('web', { owner: ['10.91.0.2'] });
    const deadline = performance.now() + 15_000;
    let heard = '';
    while (performance.now() < deadline && !heard.includes('\n149')) {
      heard = await docker('exec member cat /tmp/heard');
      await new Promise((wake) => setTimeout(wake, 100));
    }
    assert.deepEqual(
      heard.split('\n').map(Number),
      Array.from({ length: 150 }, (_, index) => index),
    );
    assert.equal((await inspect(lab, 'owner')).NetworkSettings.Networks.shop?.IPAddress, '10.91.0.2');
  });

  test('goes on without its owner, on loopback alone, until that is back', async () => {
    await docker('network create --subnet 10.91.0.0/24 shop');
    await run('owner', '--net', 'shop');
    await run('member', '--net', 'container:owner');
    await run('web', '--net', 'shop');
    await docker('kill owner');
    assert.doesNotMatch(await docker('exec member ip -brief -4 address'), /10\.91/);
    await expectNames('web', { owner: [] });
    await expectNames('member', { web: [] });
    await run('thief', '--net', 'shop');
    assert.notEqual((await inspect(lab, 'thief')).NetworkSettings.Networks.shop?.IPAddress, '10.91.0.2');
    await docker('start owner');
    await expectNames('web', { owner: ['10.91.0.2'] });
    await expectNames('member', { web: ['10.91.0.3'], thief: ['10.91.0.4'] });
    await docker('exec member ping -c1 -W5 web');
  });
});
