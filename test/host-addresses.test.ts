/**
 * Networks that choose the address under which their traffic leaves, and networks that trust interfaces of the host:
 * tried with real packets in both address families, and again when rules were taken away and the daemon restarted.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hostAddress, hostAddress6, outsideAddress, outsideAddress6 } from './lab/lab.ts';
import { type ProbeProtocol, probe, serve } from './lab/probes.ts';
import { RawApi } from './lab/raw-api.ts';
import { eventually, openStory } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);

const [chosen, chosen6] = ['198.51.100.9', '2001:db8::9'];
/** Belongs to no interface; only the outside's routes lead it to the host. */
const absent = '203.0.113.77';
/** Beyond `eth1`, another wire of the host's. */
const sideAddress = '192.0.2.2';
/** Becomes 127.0.0.1 on its way out of the side. */
const standIn = '192.0.2.127';

for (const command of [
  `ip address add ${chosen}/24 dev eth0`,
  // Deprecated, so that the host itself prefers its other one.
  `ip address add ${chosen6}/64 dev eth0 nodad preferred_lft 0`,
  'ip netns add side',
  'ip link add eth1 type veth peer name eth0 netns side',
  'ip address add 192.0.2.1/24 dev eth1',
  'ip address add 2001:db8:2::1/64 dev eth1 nodad',
  'ip link set eth1 up',
  'ip -n side link set lo up',
  `ip -n side address add ${sideAddress}/24 dev eth0`,
  'ip -n side address add 2001:db8:2::2/64 dev eth0 nodad',
  'ip -n side link set eth0 up',
  'ip -n side route add default via 192.0.2.1',
  'ip -n side -6 route add default via 2001:db8:2::1',
  `ip -n side route add ${standIn} via 192.0.2.1`,
])
  await lab.run(command);
await lab.run(['nsenter', '--net=/run/netns/side', '--', 'nft', '-f', '-'], {
  input: `table ip craft { chain out {
    type filter hook postrouting priority 400;
    ip daddr ${standIn} ip daddr set 127.0.0.1
  }
  }`,
});
await lab.outside(`ip route add ${absent} via ${hostAddress}`);
await lab.outside(`ip route add 10.62.0.0/24 via ${hostAddress}`);
await lab.outside(`ip -6 route add fd62::/64 via ${hostAddress6}`);

const ipam = (...subnets: string[]) => ({ IPAM: { Config: subnets.map((Subnet) => ({ Subnet })) } });
const option = 'com.docker.network';
const shopOptions = {
  [`${option}.bridge.name`]: 'br-shop',
  [`${option}.host_ipv4`]: chosen,
  [`${option}.host_ipv6`]: chosen6,
  [`${option}.bridge.trusted_host_interfaces`]: 'eth1:absent0',
};
await api.createNetwork('shop', {
  EnableIPv6: true,
  Options: shopOptions,
  ...ipam('10.62.0.0/24', 'fd62::/64'),
});
await api.createNetwork('far', { Options: { [`${option}.host_ipv4`]: absent }, ...ipam('10.63.0.0/24') });
await api.createNetwork('plain', { EnableIPv6: true, ...ipam('10.64.0.0/24', 'fd64::/64') });
await api.run('web', 'shop', {
  HostConfig: {
    PortBindings: {
      '80/tcp': [{ HostPort: '8080' }],
      '81/tcp': [{ HostIp: '127.0.0.1', HostPort: '8081' }],
    },
  },
});
await api.run('neighbour', 'shop');
await api.run('distant', 'far');
await api.run('other', 'plain');

const namespaces: Record<string, string> = {
  host: `/proc/${lab.holderPid}/ns/net`,
  outside: lab.pathInside('/run/netns/outside'),
  side: lab.pathInside('/run/netns/side'),
};
for (const name of ['web', 'neighbour', 'distant', 'other']) {
  namespaces[name] = lab.pathInside(`/proc/${(await api.inspect(name)).State.Pid}/ns/net`);
}
for (const address of [outsideAddress, outsideAddress6]) {
  for (const protocol of ['tcp', 'udp'] as const) {
    await serve(namespaces.outside!, { protocol, address, port: 7 });
  }
}
for (const address of ['10.62.0.2', 'fd62::2']) {
  for (const port of [80, 81, 82]) await serve(namespaces.web!, { protocol: 'tcp', address, port });
}

/** What becomes of an attempt: the address that the server sees, or why there was no answer. */
async function seen(from: string, address: string, port = 7, protocol: ProbeProtocol = 'tcp') {
  const outcome = await probe(namespaces[from]!, { protocol, address, port }, 1500);
  return outcome.kind === 'answered' ? outcome.seenAs : outcome.kind;
}

async function expectSources(): Promise<void> {
  const all = ['web', 'neighbour', 'distant', 'other'].flatMap((from) =>
    (['tcp', 'udp'] as const).map(async (protocol) => [
      from,
      await seen(from, outsideAddress, 7, protocol),
      from === 'distant' ? '' : await seen(from, outsideAddress6, 7, protocol),
    ]),
  );
  const twice = (row: string[]) => [row, row];
  assert.deepEqual(await Promise.all(all), [
    ...twice(['web', chosen, chosen6]),
    ...twice(['neighbour', chosen, chosen6]),
    ...twice(['distant', absent, '']),
    ...twice(['other', hostAddress, hostAddress6]),
  ]);
}

async function expectTrust(): Promise<void> {
  const from = async (place: string) =>
    Object.fromEntries(
      await Promise.all(
        ['10.62.0.2', 'fd62::2'].flatMap((address) =>
          [80, 81, 82].map(async (port) => [`${address} ${port}`, await seen(place, address, port)]),
        ),
      ),
    );
  assert.deepEqual(await from('side'), {
    '10.62.0.2 80': sideAddress,
    // Published for 127.0.0.1 of the host, and so in this family alone.
    '10.62.0.2 81': sideAddress,
    '10.62.0.2 82': 'dropped',
    'fd62::2 80': '2001:db8:2::2',
    'fd62::2 81': 'dropped',
    'fd62::2 82': 'dropped',
  });
  for (const place of ['outside', 'other']) {
    const reached = await from(place);
    assert.deepEqual([place, new Set(Object.values(reached))], [place, new Set(['dropped'])]);
  }
}

const isInSync = async () => {
  const { InSync, Missing, Foreign } = await api.get<Record<string, unknown>>('/seaway/firewall');
  assert.deepEqual({ InSync, Missing, Foreign }, { InSync: true, Missing: [], Foreign: [] });
};

describe('the address under which a network goes out', () => {
  test('is the chosen one in each family, also where no interface of the host has it', expectSources);

  test('is no matter inside the network, and published ports show who asks', async () => {
    assert.equal(await seen('neighbour', '10.62.0.2', 80), '10.62.0.3');
    assert.equal(await seen('outside', chosen, 8080), outsideAddress);
    assert.equal(await seen('outside', hostAddress, 8080), outsideAddress);
    assert.equal(await seen('other', hostAddress, 8080), '10.62.0.1');
    assert.equal(await seen('neighbour', chosen, 8080), '10.62.0.1');
    assert.equal(await seen('host', '127.0.0.1', 8081), '10.62.0.1');
  });
});

describe('an interface that a network trusts', () => {
  test('reaches published ports at the address of the container, and others do not', expectTrust);

  test('reaches no port of 127.0.0.1, which is the host alone', async () => {
    assert.equal(await seen('side', '192.0.2.1', 8080), sideAddress);
    assert.equal(await seen('side', '192.0.2.1', 8081), 'refused');
    const dropped = async () =>
      (await lab.run('nft list chain inet seaway raw_prerouting')).stdout.match(/packets [1-9]/g)?.length ??
      0;
    assert.equal(await dropped(), 0);
    assert.equal(await seen('side', standIn, 8081), 'dropped');
    assert.equal(await dropped(), 1, 'it came over the wire');
  });

  test('loses a port when its container leaves the network, and has it back with it', async () => {
    const opened = async () =>
      (await lab.run('nft list set inet seaway opened4')).stdout.includes('10.62.0.2 . tcp . 81');
    assert.equal(await opened(), true);
    await api.connect('plain', 'web');
    await api.disconnect('shop', 'web');
    assert.equal(await opened(), false);
    await isInSync();
    await api.connect('shop', 'web', { IPAMConfig: { IPv4Address: '10.62.0.2' } });
    await api.disconnect('plain', 'web');
    assert.equal(await opened(), true);
    await isInSync();
  });
});

test('firewall show tells chosen addresses and trusted interfaces', async () => {
  const { stdout } = await lab.seaway('firewall show');
  assert.match(stdout, /^shop +br-shop +10\.62\.0\.0\/24 +nat +198\.51\.100\.9 +yes +eth1, absent0$/m);
  assert.match(stdout, /^ +fd62::\/64 +nat +2001:db8::9$/m);
  assert.match(stdout, /^far +br-\w{12} +10\.63\.0\.0\/24 +nat +203\.0\.113\.77 +yes$/m);
  assert.match(stdout, /^plain .* masquerade +yes$/m);
  assert.match(stdout, /^In sync: /m);
  const inspected = await api.network('shop');
  assert.deepEqual(inspected.Options, shopOptions);
});

for (const [what, harm] of [
  ['rules that somebody flushes are put back', 'flush ruleset'],
  ['a deleted address is put back', 'delete element inet seaway source4 { "br-shop" }'],
  ['trust that is taken away is put back', 'flush set inet seaway trusted'],
] as const) {
  test(what, async () => {
    const served = async () => (await lab.run('nft list ruleset')).stdout.includes('"eth1" . "br-shop"');
    await lab.run(['nft', harm]);
    await eventually(async () => {
      assert.ok(await served());
      await isInSync();
    });
  });
}

test('all of it survives a restart of the daemon, and a daemon that finds no rules', async () => {
  await expectSources();
  await lab.engine.restart();
  await isInSync();
  await lab.run('nft flush ruleset');
  await lab.engine.restart();
  await expectSources();
  await isInSync();
});

test('nothing is left of networks that are removed', async () => {
  for (const name of ['web', 'neighbour', 'distant']) {
    await api.ask('DELETE', `/containers/${name}?force=1`);
  }
  await api.removeNetworks('shop', 'far');
  const { stdout } = await lab.run('nft list table inet seaway');
  for (const trace of ['br-shop', 'eth1', chosen, chosen6, absent]) assert.ok(!stdout.includes(trace), trace);
  await isInSync();
});
