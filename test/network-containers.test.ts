/**
 * The networks of containers as they are created, started and inspected, to the letter that Docker's clients match.
 * Numbers in the tests' names are those of the sections in which Docker's behaviour was written down.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inventoryDifference, takeInventory } from './lab/inventory.ts';
import { RawApi, type Refusal, testRefusals } from './lab/raw-api.ts';
import { eventually, image, openStory } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);

await api.createNetwork('shop', {
  EnableIPv6: true,
  IPAM: { Config: [{ Subnet: '10.65.0.0/24' }, { Subnet: 'fd65::/64' }] },
});
await api.createNetwork('other');
const up = await api.run('up', 'shop');
const ended = await api.createContainer('ended', 'shop');

/** A request to create a container that is to be refused. */
const creating = (what: string, body: object, message: string | RegExp, version = '1.50'): Refusal => ({
  what: `${what}, API ${version}`,
  path: '/containers/create?name=refused',
  version,
  body: { Image: image, Cmd: ['true'], ...body },
  status: 400,
  message,
});
const mode = (NetworkMode: string, more: object = {}) => ({ HostConfig: { NetworkMode, ...more } });
const onNetwork = (name: string, settings: object, NetworkMode = name) => ({
  ...mode(NetworkMode),
  NetworkingConfig: { EndpointsConfig: { [name]: settings } },
});
const conflict = (what: string) => `conflicting options: ${what}`;

describe('5: what cannot be created', () => {
  const undefinedBehaviour = (kind: string) =>
    conflict(`${kind} can't be used with links. This would result in undefined behavior`);
  const bridgeProblem = (text: string) =>
    `invalid config for network bridge: invalid endpoint settings:\n${text}`;
  const noAlias = bridgeProblem('network-scoped aliases are only supported for user-defined networks');
  const noAddress = bridgeProblem('user-specified IP address is supported on user-defined networks only');
  const ports = { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } };
  const shopProblem = (text: string) =>
    `invalid config for network shop: invalid endpoint settings:\n${text}`;
  const several = { NetworkingConfig: { EndpointsConfig: { shop: {}, other: {} } } };
  const sysctls = { DriverOpts: { 'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.eth0.x=1' } };

  testRefusals(lab, '5.1', [
    ...['1.24', '1.41', '1.44', '1.50'].flatMap((version) => [
      creating(
        'container mode and hostname',
        { ...mode('container:up'), Hostname: 'x' },
        conflict('hostname and the network mode'),
        version,
      ),
      creating(
        'UTS mode host and hostname',
        { HostConfig: { UTSMode: 'host' }, Hostname: 'x' },
        conflict('hostname and the UTS mode'),
        version,
      ),
      creating(
        'container mode and links',
        mode('container:up', { Links: ['up:a'] }),
        undefinedBehaviour('container type network'),
        version,
      ),
      creating(
        'host mode and links',
        mode('host', { Links: ['up:a'] }),
        undefinedBehaviour('host type networking'),
        version,
      ),
      creating(
        'container mode and dns',
        mode('container:up', { Dns: ['9.9.9.9'] }),
        conflict('dns and the network mode'),
        version,
      ),
      creating(
        'container mode and extra hosts',
        mode('container:up', { ExtraHosts: ['a:9.9.9.9'] }),
        conflict('custom host-to-IP mapping and the network mode'),
        version,
      ),
      creating(
        'container mode and publish',
        mode('container:up', ports),
        conflict('port publishing and the container type network mode'),
        version,
      ),
      creating(
        'container mode and publish all',
        mode('container:up', { PublishAllPorts: true }),
        conflict('port publishing and the container type network mode'),
        version,
      ),
      creating(
        'container mode and expose',
        { ...mode('container:up'), ExposedPorts: { '80/tcp': {} } },
        conflict('port exposing and the container type network mode'),
        version,
      ),
      creating(
        'mode container',
        mode('container'),
        'invalid network mode: invalid container format container:<name|id>',
        version,
      ),
      creating(
        'mode container:',
        mode('container:'),
        'invalid network mode: invalid container format container:<name|id>',
        version,
      ),
      creating('an alias on bridge', onNetwork('bridge', { Aliases: ['a'] }), noAlias, version),
      creating('an alias on default', onNetwork('default', { Aliases: ['a'] }), noAlias, version),
      creating(
        'an address on bridge',
        onNetwork('bridge', { IPAMConfig: { IPv4Address: '172.17.0.9' } }),
        noAddress,
        version,
      ),
      creating(
        'a malformed address',
        onNetwork('shop', { IPAMConfig: { IPv4Address: 'x' } }),
        shopProblem('invalid IPv4 address: x'),
        version,
      ),
      creating(
        'a bad interface sysctl',
        onNetwork('shop', sysctls),
        /invalid config for network shop: .*unrecognised network interface sysctl 'net\.ipv4\.conf\.eth0\.x=1'/s,
        version,
      ),
    ]),
    ...['host', 'none', 'container:up'].map((network) =>
      creating(
        `${network} and a MAC address`,
        { ...mode(network), MacAddress: '02:00:00:00:00:05' },
        conflict('mac-address and the network mode'),
        '1.43',
      ),
    ),
    ...['1.24', '1.43'].map((version) =>
      creating(
        'two networks',
        { ...mode('shop'), ...several },
        'Container cannot be created with multiple network endpoints: shop, other',
        version,
      ),
    ),
    creating(
      'a malformed MAC address',
      onNetwork('shop', { MacAddress: 'junk' }),
      shopProblem('invalid MAC address: junk'),
    ),
    creating(
      'two MAC addresses',
      { ...onNetwork('shop', { MacAddress: '02:00:00:00:00:05' }), MacAddress: '02:00:00:00:00:06' },
      'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
    ),
  ]);
});

/** Makes a container for the time of a look at it. */
async function withContainer(
  body: object,
  look: (id: string) => Promise<unknown>,
  version = '1.50',
): Promise<void> {
  const { Id } = await api
    .at(version)
    .ask<{ Id: string }>('POST', '/containers/create', { Image: image, Cmd: ['sleep', '600'], ...body });
  await look(Id);
  await api.removeContainers(Id);
}

const networksOf = async (id: string) => Object.keys((await api.inspect(id)).NetworkSettings.Networks).sort();

describe('5: what can be created', () => {
  test('no network, default and bridge are the default bridge', async () => {
    const bodies = [
      {},
      mode(''),
      mode('default'),
      mode('bridge'),
      onNetwork('default', {}, 'default'),
      onNetwork('default', {}, 'bridge'),
    ];
    for (const version of ['1.24', '1.41', '1.50']) {
      for (const body of bodies) {
        await withContainer(
          body,
          async (id) => {
            assert.deepEqual(await networksOf(id), ['bridge'], JSON.stringify(body));
            assert.equal((await api.inspect(id)).HostConfig.NetworkMode, 'bridge');
          },
          version,
        );
      }
    }
  });

  test('an entry for another network beside the default bridge replaces that', () =>
    withContainer(onNetwork('shop', {}, 'bridge'), async (id) => {
      assert.deepEqual(await networksOf(id), ['shop']);
      await api.start(id);
      assert.deepEqual(await networksOf(id), ['shop']);
    }));

  test('from API 1.44 on all networks that are named are joined at the start', () =>
    withContainer(
      { ...mode('shop'), NetworkingConfig: { EndpointsConfig: { other: { Aliases: ['a'] } } } },
      async (id) => {
        assert.deepEqual(await networksOf(id), ['other', 'shop']);
        await api.start(id);
        const { Networks } = (await api.inspect(id)).NetworkSettings;
        assert.match(Networks.other?.IPAddress ?? '', /^172\.18\./);
        assert.match(Networks.shop?.IPAddress ?? '', /^10\.65\./);
        assert.deepEqual(Networks.other?.Aliases, ['a']);
      },
      '1.44',
    ));

  test('whether networks and joined containers exist is asked at the start', async () => {
    await withContainer(mode('nope'), (id) =>
      api.isRefused({
        what: '',
        path: `/containers/${id}/start`,
        status: 404,
        message: /network nope not found$/,
      }),
    );
    await withContainer(mode('container:nope'), (id) =>
      api.isRefused({
        what: '',
        path: `/containers/${id}/start`,
        status: 404,
        message: /No such container: nope$/,
      }),
    );
  });

  test('a network is named by name, id or prefix, and shown by its name once it runs', async () => {
    const { Id } = await api.network('other');
    for (const reference of [Id, Id.slice(0, 12)]) {
      await withContainer(mode(reference), async (id) => {
        await api.start(id);
        assert.deepEqual(await networksOf(id), ['other']);
        await api.disconnect('other', id);
        assert.deepEqual(await networksOf(id), []);
      });
    }
  });

  test('container mode is kept with the id', () =>
    withContainer(mode('container:up'), async (id) =>
      assert.equal((await api.inspect(id)).HostConfig.NetworkMode, `container:${up}`),
    ));

  test('host mode takes hostname, dns and hosts; ports are a warning', async () => {
    const body = {
      ...mode('host', {
        Dns: ['9.9.9.9'],
        ExtraHosts: ['a:9.9.9.9'],
        PortBindings: { '80/tcp': [{ HostPort: '8080' }] },
      }),
      Hostname: 'x',
    };
    const { Id, Warnings } = await api.ask<{ Id: string; Warnings: string[] }>('POST', '/containers/create', {
      Image: image,
      Cmd: ['true'],
      ...body,
    });
    assert.deepEqual(Warnings, ['Published ports are discarded when using host network mode']);
    await api.removeContainers(Id);
  });
});

describe('5.2: starts that fail', () => {
  /** Without the files that a container has once it was tried to start it. */
  const inventory = async () => ({ ...(await takeInventory(lab, lab.engine)), data: [] });
  const cases: [what: string, body: object, status: number, message: (id: string) => string | RegExp][] = [
    ['a missing network', mode('nope'), 404, () => /network nope not found$/],
    [
      'the second network is missing',
      { ...mode('shop'), NetworkingConfig: { EndpointsConfig: { shop: {}, nope: {} } } },
      404,
      () => /network nope not found$/,
    ],
    ['a missing joined container', mode('container:nope'), 404, () => /No such container: nope$/],
    [
      'a joined container that does not run',
      mode('container:ended'),
      409,
      () => 'cannot join network namespace of a non running container: container ended is created',
    ],
    [
      'an address outside',
      onNetwork('shop', { IPAMConfig: { IPv4Address: '10.66.0.9' } }),
      400,
      () => /no configured subnet contains IP address 10\.66\.0\.9$/,
    ],
    [
      'an address in use',
      onNetwork('shop', { IPAMConfig: { IPv4Address: '10.65.0.2' } }),
      403,
      () => /Address already in use$/,
    ],
    [
      'an IPv6 address in use',
      onNetwork('shop', { IPAMConfig: { IPv6Address: 'fd65::2' } }),
      403,
      () => /Address already in use$/,
    ],
    [
      'an interface sysctl that the kernel does not know',
      onNetwork('shop', {
        DriverOpts: { 'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.nope=1' },
      }),
      500,
      () => /nope/,
    ],
    [
      'a program that does not exist',
      { ...mode('shop'), Cmd: ['/nope'] },
      400,
      () => /no such file or directory|executable file not found/,
    ],
  ];
  for (const [what, body, status, message] of cases) {
    test(`${what}: ${status}, and everything is taken back`, () =>
      withContainer(body, async (id) => {
        const before = await inventory();
        await api.isRefused({ what, path: `/containers/${id}/start`, status, message: message(id) });
        const { State, NetworkSettings } = await api.inspect(id);
        assert.equal(State.Status, 'created');
        if (status !== 400 || !what.includes('program')) assert.equal(State.ExitCode, 128);
        assert.notEqual(State.Error, '');
        assert.equal(NetworkSettings.SandboxKey, '');
        await eventually(async () => assert.deepEqual(inventoryDifference(before, await inventory()), []));
      }));
  }

  test('a container that joins itself: 500', async () => {
    const id = await api.createContainer('selfish', 'container:selfish');
    await api.isRefused({
      what: '',
      path: `/containers/${id}/start`,
      status: 500,
      message: 'cannot join own network namespace',
    });
    await api.removeContainers(id);
  });

  test('one that removes itself is gone after a failed start', async () => {
    const id = await api.createContainer('brief', 'nope', { HostConfig: { AutoRemove: true } });
    await api.isRefused({
      what: '',
      path: `/containers/${id}/start`,
      status: 404,
      message: /network nope not found$/,
    });
    await api.isRefused({
      what: '',
      method: 'GET',
      path: `/containers/${id}/json`,
      status: 404,
      message: `No such container: ${id}`,
    });
  });

  test('what failed took no address', async () => {
    await api.run('next', 'shop');
    assert.equal((await api.endpoint('next', 'shop')).IPAddress, '10.65.0.3');
    await api.removeContainers('next');
  });
});

describe('5.3: inspect', () => {
  const flat = {
    Bridge: '',
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
  };

  test("a seat on a network of the users' has all its fields, and the flat ones stay empty", async () => {
    const settings = {
      IPAMConfig: { IPv4Address: '10.65.0.50' },
      Aliases: ['www', 'web'],
      GwPriority: 3,
      DriverOpts: { 'my.option': 'x' },
    };
    await withContainer({ Hostname: 'host1', ...onNetwork('shop', settings) }, async (id) => {
      await api.start(id);
      const { NetworkSettings } = await api.inspect(id);
      const { Networks, SandboxID, SandboxKey, ...rest } = NetworkSettings;
      const { EndpointID, ...seat } = Networks.shop!;
      assert.match(EndpointID, /^[0-9a-f]{64}$/);
      const name = (await api.get<{ Name: string }>(`/containers/${id}/json`)).Name.slice(1);
      assert.deepEqual(seat, {
        ...settings,
        Links: null,
        MacAddress: '02:42:0a:41:00:32',
        NetworkID: (await api.network('shop')).Id,
        Gateway: '10.65.0.1',
        IPAddress: '10.65.0.50',
        IPPrefixLen: 24,
        IPv6Gateway: 'fd65::1',
        GlobalIPv6Address: 'fd65::3',
        GlobalIPv6PrefixLen: 64,
        DNSNames: [name, 'www', 'web', id.slice(0, 12), 'host1'],
      });
      assert.match(SandboxID, /^[0-9a-f]{64}$/);
      assert.ok(SandboxKey.endsWith(SandboxID.slice(0, 12)));
      assert.deepEqual(rest, {
        ...flat,
        Ports: {},
        EndpointID: '',
        Gateway: '',
        GlobalIPv6Address: '',
        GlobalIPv6PrefixLen: 0,
        IPAddress: '',
        IPPrefixLen: 0,
        IPv6Gateway: '',
        MacAddress: '',
      });
      await api.stop(id);
      const stopped = (await api.inspect(id)).NetworkSettings;
      assert.deepEqual([stopped.SandboxID, stopped.SandboxKey], ['', '']);
      assert.deepEqual(stopped.Networks.shop, {
        ...seat,
        EndpointID: '',
        MacAddress: '',
        Gateway: '',
        IPAddress: '',
        IPPrefixLen: 0,
        IPv6Gateway: '',
        GlobalIPv6Address: '',
        GlobalIPv6PrefixLen: 0,
      });
    });
  });

  test('the flat fields are those of the default bridge', () =>
    withContainer(mode('bridge'), async (id) => {
      await api.start(id);
      await api.connect('shop', id);
      const { NetworkSettings } = await api.inspect(id);
      const seat = NetworkSettings.Networks.bridge!;
      const { IPAddress, IPPrefixLen, Gateway, MacAddress, EndpointID } = seat;
      const shown = NetworkSettings as unknown as typeof seat;
      assert.deepEqual(
        [shown.IPAddress, shown.IPPrefixLen, shown.Gateway, shown.MacAddress, shown.EndpointID],
        [IPAddress, IPPrefixLen, Gateway, MacAddress, EndpointID],
      );
    }));

  test("a member of another's namespace shows no network of its own, and the owner's files", () =>
    withContainer(mode('container:up'), async (id) => {
      await api.start(id);
      const [{ NetworkSettings, ...member }, owner] = [await api.inspect(id), await api.inspect('up')];
      assert.deepEqual(NetworkSettings.Networks, {});
      assert.deepEqual([NetworkSettings.SandboxID, NetworkSettings.SandboxKey], ['', '']);
      assert.deepEqual(NetworkSettings.Ports, {});
      for (const file of ['HostsPath', 'HostnamePath', 'ResolvConfPath'] as const) {
        assert.equal(member[file], owner[file], file);
      }
      assert.equal((await lab.docker(['exec', id, 'hostname'])).stdout.trim(), up.slice(0, 12));
    }));
});

describe('13: API versions', () => {
  test('aliases have the short id before 1.45, names are listed from 1.44 on', async () => {
    await api.run('named', 'shop', { Hostname: 'host1' }, { shop: { Aliases: ['www'] } });
    const id = (await api.inspect('named')).Id.slice(0, 12);
    for (const [version, aliases, names] of [
      ['1.24', true, false],
      ['1.43', true, false],
      ['1.44', true, true],
      ['1.45', false, true],
      ['1.50', false, true],
    ] as const) {
      const { Aliases, DNSNames } = await api.at(version).endpoint('named', 'shop');
      assert.equal(Aliases?.[0], 'www', version);
      assert.equal(Aliases?.includes(id), aliases, version);
      assert.deepEqual(DNSNames, names ? ['named', 'www', id, 'host1'] : undefined, version);
    }
    await api.removeContainers('named');
  });

  test('a container-wide MAC address is that of the main network; from 1.44 on a warning says where it belongs', async () => {
    for (const [version, warned] of [
      ['1.41', 0],
      ['1.44', 1],
      ['1.50', 1],
    ] as const) {
      const created = await api
        .at(version)
        .ask<{ Id: string; Warnings: string[] }>('POST', '/containers/create', {
          Image: image,
          Cmd: ['sleep', '600'],
          MacAddress: '02:00:00:00:00:05',
          ...mode('shop'),
        });
      assert.equal(created.Warnings.length, warned, version);
      await api.start(created.Id);
      assert.equal((await api.endpoint(created.Id, 'shop')).MacAddress, '02:00:00:00:00:05');
      await api.removeContainers(created.Id);
    }
  });

  test('a MAC address that inspect has shown is not asked for again by clients before 1.44', () =>
    withContainer(
      onNetwork('shop', { MacAddress: '02:00:00:00:00:05' }),
      async (id) => {
        await api.start(id);
        assert.notEqual((await api.endpoint(id, 'shop')).MacAddress, '02:00:00:00:00:05');
      },
      '1.43',
    ));

  test('a request of an older client makes what one of the newest does', async () => {
    for (const version of ['1.24', '1.41', '1.44', '1.50']) {
      const client = api.at(version);
      await client.createNetwork('aged', {
        CheckDuplicate: true,
        IPAM: { Config: [{ Subnet: '10.66.0.0/24' }] },
      });
      await client.run(
        'aged',
        'aged',
        {},
        { aged: { Aliases: ['a'], IPAMConfig: { IPv4Address: '10.66.0.9' } } },
      );
      await client.connect('other', 'aged', { Aliases: ['b'] });
      const [first, second] = [await client.endpoint('aged', 'aged'), await client.endpoint('aged', 'other')];
      assert.deepEqual([first.IPAddress, first.Aliases?.[0], second.Aliases?.[0]], ['10.66.0.9', 'a', 'b']);
      await client.disconnect('other', 'aged', true);
      await client.removeContainers('aged');
      await client.removeNetworks('aged');
    }
  });

  test('versions that are not spoken: 400', async () => {
    await api.isRefused({
      what: '',
      method: 'GET',
      path: '/networks',
      version: '1.23',
      status: 400,
      message:
        'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
    });
    await api.isRefused({
      what: '',
      method: 'GET',
      path: '/networks',
      version: '1.99',
      status: 400,
      message: /^client version 1\.99 is too new\. Maximum supported API version is /,
    });
  });
});

test('11: what a restart changes and what it keeps', async () => {
  await api.run('again', 'shop', {}, { shop: { Aliases: ['a'], GwPriority: 2 } });
  const before = await api.endpoint('again', 'shop');
  await api.ask('POST', '/containers/again/restart?t=0');
  const after = await api.endpoint('again', 'shop');
  assert.notEqual(after.EndpointID, before.EndpointID);
  assert.deepEqual({ ...after, EndpointID: '' }, { ...before, EndpointID: '' });
  await api.removeContainers('again');
  assert.equal((await api.inspect(ended)).State.Status, 'created');
});
