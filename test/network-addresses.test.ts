/**
 * Options of networks as the kernel has them, and who gets which address: the lowest free one, unless somebody is to
 * have it. Numbers in the tests' names are those of the sections in which Docker's behaviour was written down.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RawApi } from './lab/raw-api.ts';
import { eventually, openStory } from './lab/story.ts';

const pool = ['--default-address-pool', 'base=10.70.0.0/21,size=24'];
const lab = await openStory({ args: ['--mtu', '1400', ...pool] });
const api = new RawApi(lab);

const subnet = (config: object) => ({ IPAM: { Config: [config] } });
const bridgeOption = (name: string) => `com.docker.network.bridge.${name}`;
const deviceOf = (id: string) => `br-${id.slice(0, 12)}`;

interface Link {
  readonly ifname: string;
  readonly mtu: number;
  readonly address: string;
  readonly flags: readonly string[];
  readonly addr_info: readonly {
    readonly local: string;
    readonly prefixlen: number;
    readonly scope: string;
  }[];
}

/** Links of the host, or of a container's namespace. */
async function links(selection = '', container?: string): Promise<Link[]> {
  const namespace = container && (await api.inspect(container)).NetworkSettings.SandboxKey;
  const enter = namespace ? `nsenter --net=${namespace} ` : '';
  return JSON.parse((await lab.run(`${enter}ip -json address show ${selection}`)).stdout) as Link[];
}

async function link(selection: string, container?: string): Promise<Link> {
  const [first] = await links(selection, container);
  assert.ok(first, selection);
  return first;
}

const addresses = ({ addr_info: all }: Link) =>
  all.filter(({ scope }) => scope !== 'link').map(({ local, prefixlen }) => `${local}/${prefixlen}`);

async function inside(container: string, command: string): Promise<string> {
  const { SandboxKey } = (await api.inspect(container)).NetworkSettings;
  return (await lab.run(['nsenter', `--net=${SandboxKey}`, '--', ...command.split(' ')])).stdout.trim();
}

/** Starts a container and tells its address. */
async function addressOfNew(name: string, network: string, ipam?: object): Promise<string> {
  await api.run(name, network, {}, ipam ? { [network]: { IPAMConfig: ipam } } : {});
  return (await api.endpoint(name, network)).IPAddress;
}

/** Makes a network for the time of some work. */
async function withNetwork(
  name: string,
  body: object,
  work: (id: string) => Promise<unknown>,
): Promise<void> {
  const id = await api.createNetwork(name, body);
  await work(id);
  await api.removeNetworks(id);
}

describe('3.1: options', () => {
  test("the MTU is that of bridge and interfaces; users' networks do not have the daemon's", async () => {
    await withNetwork('small', { Options: { 'com.docker.network.driver.mtu': '1280' } }, async (id) => {
      await api.run('c1', 'small');
      assert.equal((await link(deviceOf(id))).mtu, 1280);
      assert.equal((await link('eth0', 'c1')).mtu, 1280);
      const [veth] = await links(`master ${deviceOf(id)}`);
      assert.equal(veth?.mtu, 1280);
      await api.removeContainers('c1');
    });
    await withNetwork('usual', {}, async (id) => {
      await api.run('c1', 'usual');
      assert.equal((await link(deviceOf(id))).mtu, 1500);
      assert.equal((await link('eth0', 'c1')).mtu, 1500);
      assert.equal((await link('docker0')).mtu, 1400);
      await api.removeContainers('c1');
    });
  });

  test('the bridge bears the name that was asked for, and goes with its network', async () => {
    await withNetwork('named', { Options: { [bridgeOption('name')]: 'my-bridge' } }, async () => {
      assert.deepEqual(addresses(await link('my-bridge')), ['10.70.1.1/24']);
    });
    await eventually(async () =>
      assert.deepEqual(await links('type bridge').then((all) => all.map(({ ifname }) => ifname)), [
        'docker0',
      ]),
    );
  });

  test('a foreign bridge of the name asked for is refused and stays as it is', async () => {
    await lab.run('ip link add theirs type bridge');
    await lab.run('ip address add 10.99.0.1/24 dev theirs');
    await lab.run('ip link set theirs up mtu 1333');
    const theirs = async () => {
      const { flags, mtu, address, addr_info } = await link('theirs');
      return { flags, mtu, address, addresses: addr_info.map(({ local }) => local) };
    };
    const before = await theirs();
    const request = {
      Name: 'thief',
      ...subnet({ Subnet: '10.99.0.0/24' }),
      Options: { [bridgeOption('name')]: 'theirs' },
    };
    await api.isRefused({
      what: '',
      path: '/networks/create',
      body: request,
      status: 409,
      message: /theirs/,
    });
    await api.isRefused({
      what: '',
      method: 'GET',
      path: '/networks/thief',
      status: 404,
      message: 'network thief not found',
    });
    await lab.engine.restart('SIGKILL');
    assert.deepEqual(await theirs(), before);
    await lab.run('ip link del theirs');
  });

  test('interfaces are called by the prefix, and by a name of their own', async () => {
    const prefixed = { Options: { 'com.docker.network.container_iface_prefix': 'net' } };
    const name = { DriverOpts: { 'com.docker.network.endpoint.ifname': 'uplink' } };
    await withNetwork('prefixed', prefixed, () =>
      withNetwork('plain', {}, async () => {
        await api.run('c1', 'prefixed', {}, { prefixed: {}, plain: {} });
        await api.connect('bridge', 'c1', name);
        assert.deepEqual((await links('', 'c1')).map(({ ifname }) => ifname).sort(), [
          'eth0',
          'lo',
          'net0',
          'uplink',
        ]);
        await api.removeContainers('c1');
        await api.run('c1', 'prefixed', {}, { prefixed: name });
        assert.deepEqual((await links('', 'c1')).map(({ ifname }) => ifname).sort(), ['lo', 'uplink']);
        await api.removeContainers('c1');
      }),
    );
  });

  test('kernel parameters of the interface are set, also when it connects later', async () => {
    const settings = {
      DriverOpts: {
        'com.docker.network.endpoint.sysctls':
          'net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.forwarding=0,net.ipv6.conf.IFNAME.hop_limit=77',
      },
    };
    await withNetwork('tuned', { EnableIPv6: true }, async () => {
      await api.run('c1', 'tuned', {}, { tuned: settings });
      await api.run('c2', 'bridge');
      await api.connect('tuned', 'c2', settings);
      for (const [container, name] of [
        ['c1', 'eth0'],
        ['c2', 'eth1'],
      ] as const) {
        const values = [
          'ipv4/conf/NAME/log_martians',
          'ipv4/conf/NAME/forwarding',
          'ipv6/conf/NAME/hop_limit',
        ].map((path) => `/proc/sys/net/${path.replace('NAME', name)}`);
        assert.equal(await inside(container, `cat ${values.join(' ')}`), '1\n0\n77');
      }
      await api.removeContainers('c1', 'c2');
    });
  });

  test('inhibit_ipv4 leaves the bridge without its address, which nobody else gets', async () => {
    await withNetwork('bare', { Options: { [bridgeOption('inhibit_ipv4')]: 'true' } }, async (id) => {
      assert.equal(await addressOfNew('c1', 'bare'), '10.70.1.2');
      assert.deepEqual(addresses(await link(deviceOf(id))), []);
      await api.removeContainers('c1');
    });
  });

  test('gateway mode isolated: neither an address on the bridge nor a default route', async () => {
    const isolated = {
      [bridgeOption('gateway_mode_ipv4')]: 'isolated',
      [bridgeOption('gateway_mode_ipv6')]: 'isolated',
    };
    await withNetwork('alone', { Internal: true, EnableIPv6: true, Options: isolated }, async (id) => {
      await api.run('c1', 'alone');
      assert.deepEqual(addresses(await link(deviceOf(id))), []);
      assert.equal(await inside('c1', 'ip route show default'), '');
      assert.equal(await inside('c1', 'ip -6 route show default'), '');
      const { Gateway, IPv6Gateway } = await api.endpoint('c1', 'alone');
      assert.deepEqual([Gateway, IPv6Gateway], ['', '']);
      await api.removeContainers('c1');
    });
  });

  test('an internal network has an address on its bridge and no default route', async () => {
    await withNetwork('internal', { Internal: true, EnableIPv6: true }, async (id) => {
      await api.run('c1', 'internal');
      assert.equal(addresses(await link(deviceOf(id))).length, 2);
      assert.equal(await inside('c1', 'ip route show default'), '');
      assert.equal(await inside('c1', 'ip -6 route show default'), '');
      await api.removeContainers('c1');
    });
  });

  test('auxiliary addresses named DefaultGatewayIPv4 and IPv6 are the way out', async () => {
    const config = [
      {
        Subnet: '10.99.0.0/24',
        AuxiliaryAddresses: { DefaultGatewayIPv4: '10.99.0.200', other: '10.99.0.2' },
      },
      { Subnet: 'fd99::/64', AuxiliaryAddresses: { DefaultGatewayIPv6: 'fd99::200' } },
    ];
    await withNetwork('detour', { EnableIPv6: true, IPAM: { Config: config } }, async (id) => {
      assert.equal(await addressOfNew('c1', 'detour'), '10.99.0.3');
      assert.match(await inside('c1', 'ip route show default'), /^default via 10\.99\.0\.200 dev eth0/);
      assert.match(await inside('c1', 'ip -6 route show default'), /^default via fd99::200 dev eth0/);
      const { Gateway, IPv6Gateway } = await api.endpoint('c1', 'detour');
      assert.deepEqual([Gateway, IPv6Gateway], ['10.99.0.200', 'fd99::200']);
      assert.deepEqual(addresses(await link(deviceOf(id))), ['10.99.0.1/24', 'fd99::1/64']);
      await api.removeContainers('c1');
    });
  });

  test('host ends are called veth and seven hex digits, and stand on the bridge of their network (3.2)', async () => {
    await withNetwork('shop', {}, async (id) => {
      await api.run('c1', 'shop');
      const ports = await links(`master ${deviceOf(id)}`);
      assert.equal(ports.length, 1);
      assert.match(ports[0]?.ifname ?? '', /^veth[0-9a-f]{7}$/);
      await api.removeContainers('c1');
    });
  });
});

describe('4: subnets', () => {
  test('the lowest free one of the pools, one that was given back first; then none: 400', async () => {
    const made: string[] = [];
    const subnetOf = async (id: string) => (await api.network(id)).IPAM.Config?.[0]?.Subnet;
    for (let index = 0; index < 7; index++) made.push(await api.createNetwork(`pool-${index}`));
    assert.deepEqual(
      await Promise.all(made.map(subnetOf)),
      made.map((_, index) => `10.70.${index + 1}.0/24`),
    );
    await api.isRefused({
      what: '',
      path: '/networks/create',
      body: { Name: 'more' },
      status: 400,
      message: /^all predefined address pools have been fully subnetted/,
    });
    await api.removeNetworks(made[3]!);
    const again = await api.createNetwork('again');
    assert.equal(await subnetOf(again), '10.70.4.0/24');
    made[3] = again;
    await Promise.all(made.map((id) => api.removeNetworks(id)));
  });

  test('an automatic one avoids what the host reaches directly and its name servers, not what lies behind a gateway', async () => {
    await lab.run('ip route add 10.70.1.128/25 dev eth0');
    await lab.run('ip route add 10.70.3.0/24 via 198.51.100.2');
    await lab.run(['sh', '-c', 'echo nameserver 10.70.2.53 > /etc/resolv.conf']);
    await withNetwork('clever', {}, async (id) => {
      assert.equal((await api.network(id)).IPAM.Config?.[0]?.Subnet, '10.70.3.0/24');
    });
    await lab.run('ip route del 10.70.1.128/25 dev eth0');
    await lab.run(['sh', '-c', 'echo nameserver 198.51.100.2 > /etc/resolv.conf']);
    await withNetwork('clever', {}, async (id) => {
      assert.equal((await api.network(id)).IPAM.Config?.[0]?.Subnet, '10.70.1.0/24');
    });
    await lab.run('ip route del 10.70.3.0/24 via 198.51.100.2');
  });

  test('one that was asked for may lie where the host has a route; a warning says so', async () => {
    const answer = await api.send<{ Id: string; Warning: string }>('POST', '/networks/create', {
      Name: 'bold',
      ...subnet({ Subnet: '198.51.100.128/25' }),
    });
    assert.equal(answer.status, 201);
    assert.match(answer.json.Warning, /198\.51\.100\.0\/24/);
    await api.removeNetworks('bold');
  });

  test('of many parallel requests for automatic subnets no two get the same', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        api.send<{ Id: string }>('POST', '/networks/create', { Name: `race-${index}`, EnableIPv6: true }),
      ),
    );
    const made = answers.filter(({ status }) => status === 201).map(({ json }) => json.Id);
    assert.equal(made.length, 7);
    const networks = await Promise.all(made.map((id) => api.network(id)));
    const subnets = networks.flatMap(({ IPAM }) => (IPAM.Config ?? []).map(({ Subnet }) => Subnet));
    assert.equal(subnets.length, 14);
    assert.equal(new Set(subnets).size, 14);
    await Promise.all(made.map((id) => api.removeNetworks(id)));
  });

  test('of 50 parallel requests for one name one is granted', async () => {
    const body = { Name: 'wanted', ...subnet({ Subnet: '10.99.0.0/24' }) };
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => api.send('POST', '/networks/create', body)),
    );
    const statuses = answers.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 201).length, 1);
    assert.equal(statuses.filter((status) => status === 409).length, 49);
    await api.removeNetworks('wanted');
    await eventually(async () => assert.equal((await links('type bridge')).length, 1));
  });

  test('the same request twenty times, removed in between: subnet and device are free at once', async () => {
    const body = { ...subnet({ Subnet: '10.99.0.0/24' }), Options: { [bridgeOption('name')]: 'again' } };
    for (let round = 0; round < 20; round++) {
      await api.createNetwork('again', body);
      assert.deepEqual(addresses(await link('again')), ['10.99.0.1/24']);
      await api.removeNetworks('again');
    }
  });
});

describe('4: addresses', () => {
  test('the lowest free one each time, also one that was just given back', async () => {
    await withNetwork('shop', subnet({ Subnet: '10.99.0.0/24' }), async () => {
      assert.equal(await addressOfNew('c1', 'shop'), '10.99.0.2');
      assert.equal(await addressOfNew('c2', 'shop'), '10.99.0.3');
      await api.stop('c1');
      assert.equal(await addressOfNew('c3', 'shop'), '10.99.0.2');
      await api.start('c1');
      assert.equal((await api.endpoint('c1', 'shop')).IPAddress, '10.99.0.4');
      await api.removeContainers('c1', 'c2', 'c3');
    });
  });

  test('twelve started at once have twelve addresses without a gap', async () => {
    await withNetwork('crowd', { ...subnet({ Subnet: '10.99.0.0/28' }), EnableIPv6: true }, async () => {
      const names = Array.from({ length: 12 }, (_, index) => `crowd-${index}`);
      await Promise.all(names.map((name) => api.run(name, 'crowd')));
      const seats = await Promise.all(names.map((name) => api.endpoint(name, 'crowd')));
      const last = seats.map(({ IPAddress }) => Number(IPAddress.split('.')[3])).sort((a, b) => a - b);
      assert.deepEqual(
        last,
        Array.from({ length: 12 }, (_, index) => index + 2),
      );
      assert.equal(new Set(seats.map((seat) => seat.GlobalIPv6Address)).size, 12);
      await api.removeContainers(...names);
    });
  });

  test("out of the ip-range, whose first one is the gateway's; the prefix is the subnet's", async () => {
    const config = {
      Subnet: '10.99.0.0/24',
      IPRange: '10.99.0.128/29',
      AuxiliaryAddresses: { a: '10.99.0.130' },
    };
    await withNetwork('ranged', subnet(config), async (id) => {
      assert.equal((await api.network(id)).IPAM.Config?.[0]?.Gateway, '10.99.0.128');
      const got: string[] = [];
      for (let index = 0; index < 6; index++) got.push(await addressOfNew(`c${index}`, 'ranged'));
      assert.deepEqual(
        got,
        [129, 131, 132, 133, 134, 135].map((last) => `10.99.0.${last}`),
      );
      assert.equal((await api.endpoint('c0', 'ranged')).IPPrefixLen, 24);
      const full = {
        what: '',
        status: 500,
        message: `no available IPv4 addresses on this network's address pools: ranged (${id})`,
      };
      await api.createContainer('c6', 'ranged');
      await api.isRefused({ ...full, path: '/containers/c6/start' });
      assert.equal((await api.inspect('c6')).State.Error, full.message);
      assert.equal(await addressOfNew('outside', 'ranged', { IPv4Address: '10.99.0.77' }), '10.99.0.77');
      await api.removeContainers('c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'outside');
    });
  });

  test('the gateway that was asked for is given to nobody', async () => {
    await withNetwork('gated', subnet({ Subnet: '10.99.0.0/24', Gateway: '10.99.0.2' }), async () => {
      assert.equal(await addressOfNew('c1', 'gated'), '10.99.0.1');
      assert.equal(await addressOfNew('c2', 'gated'), '10.99.0.3');
      await api.removeContainers('c1', 'c2');
    });
  });

  test('a /31 has room for the gateway and one container, a /30 too', async () => {
    for (const [prefix, gateway, first] of [
      [31, '10.99.0.0', '10.99.0.1'],
      [30, '10.99.0.1', '10.99.0.2'],
    ] as const) {
      await withNetwork('tiny', subnet({ Subnet: `10.99.0.0/${prefix}` }), async (id) => {
        assert.equal((await api.network(id)).IPAM.Config?.[0]?.Gateway, gateway);
        assert.equal(await addressOfNew('c1', 'tiny'), first);
        assert.match((await lab.run(`ping -c1 -W2 ${first}`)).stdout, / 0% packet loss/);
        await api.createContainer('c2', 'tiny');
        await api.isRefused({
          what: '',
          path: '/containers/c2/start',
          status: 500,
          message: `no available IPv4 addresses on this network's address pools: tiny (${id})`,
        });
        await api.removeContainers('c1');
        await api.start('c2');
        assert.equal((await api.endpoint('c2', 'tiny')).IPAddress, first);
        await api.removeContainers('c2');
      });
    }
  });

  test('an IPv6 network gives the lowest, its first address to nobody', async () => {
    await withNetwork(
      'six',
      { EnableIPv4: false, EnableIPv6: true, IPAM: { Config: [{ Subnet: 'fd99::/120' }] } },
      async () => {
        await api.run('c1', 'six');
        const seat = await api.endpoint('c1', 'six');
        assert.deepEqual(
          [seat.IPAddress, seat.GlobalIPv6Address, seat.GlobalIPv6PrefixLen, seat.IPv6Gateway],
          ['', 'fd99::2', 120, 'fd99::1'],
        );
        assert.deepEqual(addresses(await link('eth0', 'c1')), ['fd99::2/120']);
        await api.isRefused({
          what: '',
          path: '/networks/six/connect',
          body: { Container: 'c1', EndpointConfig: {} },
          status: 403,
          message: 'endpoint with name c1 already exists in network six',
        });
        await api.removeContainers('c1');
      },
    );
  });

  test("a static address stays its container's while that is stopped, and over the daemon's end", async () => {
    const wanted = { IPv4Address: '10.99.0.2', IPv6Address: 'fd99::2' };
    const body = {
      EnableIPv6: true,
      IPAM: { Config: [{ Subnet: '10.99.0.0/24' }, { Subnet: 'fd99::/64' }] },
    };
    await withNetwork('kept', body, async () => {
      await api.run('owner', 'kept', {}, { kept: { IPAMConfig: wanted } });
      await api.stop('owner');
      assert.equal(await addressOfNew('c1', 'kept'), '10.99.0.3');
      assert.equal((await api.endpoint('c1', 'kept')).GlobalIPv6Address, 'fd99::3');
      await lab.engine.restart('SIGKILL');
      assert.equal(await addressOfNew('c2', 'kept'), '10.99.0.4');
      await api.createContainer('thief', 'kept', {}, { kept: { IPAMConfig: wanted } });
      await api.isRefused({
        what: '',
        path: '/containers/thief/start',
        status: 403,
        message: /Address already in use$/,
      });
      await api.start('owner');
      const seat = await api.endpoint('owner', 'kept');
      assert.deepEqual([seat.IPAddress, seat.GlobalIPv6Address], ['10.99.0.2', 'fd99::2']);
      assert.deepEqual(seat.IPAMConfig, wanted);
      await api.removeContainers('owner', 'thief');
      assert.equal(await addressOfNew('c3', 'kept'), '10.99.0.2', 'removed, it keeps nothing');
      await api.removeContainers('c1', 'c2', 'c3');
    });
  });

  test('one that a stopped container was connected with is kept, until it is disconnected', async () => {
    await withNetwork('kept', subnet({ Subnet: '10.99.0.0/24' }), async () => {
      await api.createContainer('owner', 'bridge');
      await api.connect('kept', 'owner', { IPAMConfig: { IPv4Address: '10.99.0.2' } });
      assert.equal(await addressOfNew('c1', 'kept'), '10.99.0.3');
      await api.disconnect('kept', 'owner');
      assert.equal(await addressOfNew('c2', 'kept'), '10.99.0.2');
      await api.removeContainers('owner', 'c1', 'c2');
    });
  });

  test('one that was asked for before its network existed is kept from then on', async () => {
    await api.createContainer('early', 'bridge');
    await api.connect('late', 'early', { IPAMConfig: { IPv4Address: '10.99.0.2' } });
    await withNetwork('late', subnet({ Subnet: '10.99.0.0/24' }), async () => {
      assert.equal(await addressOfNew('c1', 'late'), '10.99.0.3');
      await api.start('early');
      assert.equal((await api.endpoint('early', 'late')).IPAddress, '10.99.0.2');
      await api.removeContainers('early', 'c1');
    });
  });

  test("a running container of a stopped one's static address keeps it; the start says so", async () => {
    await withNetwork('kept', subnet({ Subnet: '10.99.0.0/24' }), async () => {
      assert.equal(await addressOfNew('first', 'kept'), '10.99.0.2');
      await api.createContainer('second', 'kept', {}, { kept: { IPAMConfig: { IPv4Address: '10.99.0.2' } } });
      await api.isRefused({
        what: '',
        path: '/containers/second/start',
        status: 403,
        message: /Address already in use$/,
      });
      await api.removeContainers('first');
      await api.start('second');
      assert.equal((await api.endpoint('second', 'kept')).IPAddress, '10.99.0.2');
      await api.removeContainers('second');
    });
  });

  test('MAC addresses: from the address; one that was asked for stays over a restart', async () => {
    await withNetwork('macs', { ...subnet({ Subnet: '10.99.0.0/24' }) }, async () => {
      await api.run('c1', 'macs');
      assert.equal((await api.endpoint('c1', 'macs')).MacAddress, '02:42:0a:63:00:02');
      assert.equal((await link('eth0', 'c1')).address, '02:42:0a:63:00:02');
      const MacAddress = '02:00:5e:10:00:01';
      await api.run('c2', 'macs', {}, { macs: { MacAddress } });
      await api.stop('c2');
      assert.equal((await api.endpoint('c2', 'macs')).MacAddress, MacAddress);
      await api.start('c2');
      assert.equal((await link('eth0', 'c2')).address, MacAddress);
      assert.equal((await api.endpoint('c2', 'macs')).MacAddress, MacAddress);
      assert.match((await lab.run('ping -c1 -W2 10.99.0.3')).stdout, / 0% packet loss/);
      await api.removeContainers('c1', 'c2');
    });
  });
});
