/**
 * What requests about networks are answered with and what they do, to the letter that Docker's clients match. Numbers
 * in the tests' names are those of the sections in which Docker's behaviour was written down. What is refused is in
 * `network-refusals.test.ts`.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RawApi, type Refusal, type ShownNetwork } from './lab/raw-api.ts';
import { openStory } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);

const nameOption = 'com.docker.network.bridge.name';
const subnet = (config: object) => ({ IPAM: { Config: [config] } });

/** A network with a running and a stopped container, and what stands in the way of others. */
const shop = await api.createNetwork('shop', subnet({ Subnet: '10.61.0.0/24' }));
await api.createNetwork('other', { Options: { [nameOption]: 'br-other' } });
await api.createNetwork('template', { ConfigOnly: true });
await api.createNetwork('user', { ConfigFrom: { Network: 'template' } });
const up = await api.run('up', 'shop');
await api.createContainer('down', 'shop');
await api.createContainer('plain', 'bridge');
await api.run('nony', 'none');

describe('2: finding a network', () => {
  test('by full id, exact name, unique prefix; a full id beats a name equal to it, a name beats a prefix', async () => {
    assert.equal((await api.network(shop)).Name, 'shop');
    assert.equal((await api.network('shop')).Id, shop);
    assert.equal((await api.network(shop.slice(0, 12))).Id, shop);
    const imposter = await api.createNetwork(shop, { ConfigOnly: true });
    assert.equal((await api.network(shop)).Name, 'shop');
    const short = await api.createNetwork(shop.slice(0, 10), { ConfigOnly: true });
    assert.equal((await api.network(shop.slice(0, 10))).Id, short);
    await api.removeNetworks(imposter, short);
  });

  test('default means bridge', async () => {
    assert.equal((await api.network('default')).Name, 'bridge');
  });

  test('an ambiguous prefix is refused on every route, each in its own words', async () => {
    const made: string[] = [];
    let prefix = '';
    while (prefix === '') {
      // Templates are cheap; of 17 ids two begin with the same digit.
      made.push(await api.createNetwork(`many-${made.length}`, { ConfigOnly: true }));
      prefix = made.map((id) => id[0]!).find((first, index, all) => all.indexOf(first) < index) ?? '';
    }
    const all = await api.get<ShownNetwork[]>('/networks');
    const count = all.filter(({ Id }) => Id.startsWith(prefix)).length;
    const inspecting = `${count} matches found based on ID prefix: network ${prefix} is ambiguous`;
    const doing = `network ${prefix} is ambiguous (${count} matches found based on ID prefix)`;
    await api.createContainer('ambiguous', prefix);
    for (const [method, path, body, message] of [
      ['GET', `/networks/${prefix}`, undefined, inspecting],
      ['DELETE', `/networks/${prefix}`, undefined, doing],
      ['POST', `/networks/${prefix}/connect`, { Container: 'up' }, doing],
      ['POST', `/networks/${prefix}/connect`, { Container: 'down' }, doing],
      ['POST', `/networks/${prefix}/disconnect`, { Container: 'up' }, doing],
      ['POST', '/containers/ambiguous/start', undefined, doing],
    ] as const) {
      await api.isRefused({ what: '', method, path, ...(body ? { body } : {}), status: 400, message });
    }
    await api.removeContainers('ambiguous');
    await api.removeNetworks(...made);
  });
});

describe('2.1: the network object', () => {
  const everything = {
    Driver: 'bridge',
    EnableIPv6: true,
    Internal: true,
    Attachable: true,
    IPAM: {
      Driver: 'default',
      Options: { some: 'thing' },
      Config: [
        {
          Subnet: '10.62.0.0/24',
          IPRange: '10.62.0.128/25',
          Gateway: '10.62.0.9',
          AuxiliaryAddresses: { printer: '10.62.0.130' },
        },
        { Subnet: 'fd62::/64' },
      ],
    },
    Options: { [nameOption]: 'br-all', 'my.own': 'x' },
    Labels: { tier: 'front', empty: '' },
  };
  const shown = {
    Name: 'all',
    Scope: 'local',
    Driver: 'bridge',
    EnableIPv4: true,
    EnableIPv6: true,
    IPAM: {
      Driver: 'default',
      Options: { some: 'thing' },
      Config: [everything.IPAM.Config[0], { Subnet: 'fd62::/64', Gateway: 'fd62::1' }],
    },
    Internal: true,
    Attachable: true,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Options: everything.Options,
    Labels: everything.Labels,
  };

  test('has every field that was set, in inspect and in the list', async () => {
    const Id = await api.createNetwork('all', everything);
    const inspected = await api.get<Record<string, unknown>>('/networks/all');
    const { Created, ...rest } = inspected;
    assert.match(String(Created), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|\+00:00)$/);
    assert.match(Id, /^[0-9a-f]{64}$/);
    assert.deepEqual(rest, { ...shown, Id, Containers: {} });
    const list = await api.get<ShownNetwork[]>('/networks');
    assert.deepEqual(
      list.find(({ Name }) => Name === 'all'),
      { ...shown, Id, Created },
    );
    await api.removeNetworks('all');
  });

  test('has empty objects where nothing was set, and the subnet and gateway that were chosen', async () => {
    const { IPAM, Options, Labels, Containers, EnableIPv4, EnableIPv6 } = await api.network('other');
    assert.deepEqual(
      { Options, Labels, Containers, EnableIPv4, EnableIPv6 },
      {
        Options: { [nameOption]: 'br-other' },
        Labels: {},
        Containers: {},
        EnableIPv4: true,
        EnableIPv6: false,
      },
    );
    assert.deepEqual(IPAM, {
      Driver: 'default',
      Options: null,
      Config: [{ Subnet: '172.18.0.0/16', Gateway: '172.18.0.1' }],
    });
  });

  test('of host and none has no subnets', async () => {
    for (const [name, driver] of [
      ['host', 'host'],
      ['none', 'null'],
    ] as const) {
      const network = await api.network(name);
      assert.equal(network.Driver, driver);
      assert.equal(network.IPAM.Config, null);
    }
  });

  test('names running containers only; the list does so before API 1.28', async () => {
    const member = {
      Name: 'up',
      EndpointID: (await api.endpoint('up', 'shop')).EndpointID,
      MacAddress: '02:42:0a:3d:00:02',
      IPv4Address: '10.61.0.2/24',
      IPv6Address: '',
    };
    assert.deepEqual((await api.network('shop')).Containers, { [up]: member });
    for (const version of ['1.24', '1.27']) {
      const list = await api.at(version).get<ShownNetwork[]>('/networks');
      assert.deepEqual(list.find(({ Name }) => Name === 'shop')?.Containers, { [up]: member }, version);
    }
    for (const version of ['1.28', '1.41', '1.44', '1.50']) {
      const list = await api.at(version).get<ShownNetwork[]>('/networks');
      assert.ok(!('Containers' in list.find(({ Name }) => Name === 'shop')!), version);
    }
  });

  test('verbose changes nothing, and EnableIPv4 is shown in every version', async () => {
    assert.deepEqual(await api.get('/networks/shop?verbose=true'), await api.get('/networks/shop'));
    assert.equal((await api.at('1.24').network('shop')).EnableIPv4, true);
  });
});

describe('2.2: create', () => {
  test('answers 201 with the id and no warning; further fields are taken', async () => {
    const answer = await api.send('POST', '/networks/create', {
      Name: 'made',
      CheckDuplicate: true,
      Whatever: 1,
    });
    assert.equal(answer.status, 201);
    const { Id } = await api.network('made');
    assert.deepEqual(answer.json, { Id, Warning: '' });
    await api.removeNetworks('made');
  });

  test('takes any name that is not blank', async () => {
    for (const name of ['x', 'two words', 'with/slash', 'ünï', 'a'.repeat(300), '-', '%2f']) {
      const id = await api.createNetwork(name, { ConfigOnly: true });
      assert.equal((await api.network(name)).Id, id, name);
      await api.removeNetworks(name);
    }
  });

  test('honours EnableIPv4 from API 1.48 on', async () => {
    const body = { EnableIPv4: false, EnableIPv6: true };
    await api.createNetwork('six', body);
    await api.at('1.47').createNetwork('both', body);
    const six = await api.network('six');
    assert.deepEqual([six.EnableIPv4, six.EnableIPv6], [false, true]);
    assert.deepEqual(
      six.IPAM.Config?.map(({ Subnet }) => Subnet.includes(':')),
      [true],
    );
    const both = await api.network('both');
    assert.deepEqual([both.EnableIPv4, both.EnableIPv6], [true, true]);
    await api.removeNetworks('six', 'both');
  });

  test('families can be set by options, and fields win over them', async () => {
    const options = { 'com.docker.network.enable_ipv4': 'false', 'com.docker.network.enable_ipv6': 'true' };
    await api.createNetwork('by-option', { Options: options });
    await api.createNetwork('by-field', { Options: options, EnableIPv4: true, EnableIPv6: false });
    const [option, field] = [await api.network('by-option'), await api.network('by-field')];
    assert.deepEqual([option.EnableIPv4, option.EnableIPv6], [false, true]);
    assert.deepEqual([field.EnableIPv4, field.EnableIPv6], [true, false]);
    await api.removeNetworks('by-option', 'by-field');
  });

  test('gives an IPv6 network without a subnet a stable /64 of a unique local /48', async () => {
    await api.createNetwork('ula', { EnableIPv6: true });
    const before = (await api.network('ula')).IPAM.Config?.[1];
    assert.match(before?.Subnet ?? '', /^fd[0-9a-f:]+\/64$/);
    await api.removeNetworks('ula');
    await api.createNetwork('ula', { EnableIPv6: true });
    assert.deepEqual((await api.network('ula')).IPAM.Config?.[1], before);
    await api.removeNetworks('ula');
  });

  test('0.0.0.0/N and ::/N take a free block of that size', async () => {
    await api.createNetwork('sized', {
      EnableIPv6: true,
      IPAM: { Config: [{ Subnet: '0.0.0.0/24' }, { Subnet: '::/96' }] },
    });
    const [four, six] = (await api.network('sized')).IPAM.Config ?? [];
    assert.match(four?.Subnet ?? '', /^1(72|92)\..*\/24$/);
    assert.match(six?.Subnet ?? '', /^fd.*\/96$/);
    await api.removeNetworks('sized');
  });

  test('a template gives its settings, in use it stays, and it is never real', async () => {
    const Options = { 'com.docker.network.driver.mtu': '1300' };
    const settings = { ...subnet({ Subnet: '10.63.0.0/24' }), Options, Labels: { from: 'plan' } };
    await api.createNetwork('plan', { ...settings, ConfigOnly: true });
    await api.createNetwork('real', { ConfigFrom: { Network: 'plan' } });
    const real = await api.get<ShownNetwork & { ConfigFrom: object }>('/networks/real');
    assert.deepEqual(real.IPAM.Config?.[0]?.Subnet, '10.63.0.0/24');
    assert.deepEqual([real.Options, real.Labels], [Options, settings.Labels]);
    assert.deepEqual(real.ConfigFrom, { Network: 'plan' });
    const plan = await api.get<Record<string, unknown>>('/networks/plan');
    assert.equal(plan.ConfigOnly, true);
    await api.isRefused({
      what: '',
      method: 'DELETE',
      path: '/networks/plan',
      status: 403,
      message: 'error while removing network: configuration network "plan" is in use',
    });
    await api.removeNetworks('real', 'plan');
  });

  test('IPv6 entries are not looked at where the network has no IPv6', async () => {
    const answer = await api.send<{ Id: string; Warning: string }>('POST', '/networks/create', {
      Name: 'four',
      IPAM: { Config: [{ Subnet: 'fd00::1/64', Gateway: 'fd99::1' }] },
    });
    assert.equal(answer.status, 201, answer.text);
    assert.match(answer.json.Warning, /IPv6 is off/);
    await api.removeNetworks('four');
  });
});

/** A request to connect or disconnect that is to be refused. */
const moving = (
  what: string,
  path: string,
  body: object,
  status: number,
  message: string | RegExp,
): Refusal => ({ what, path: `/networks/${path}`, body, status, message });

describe('2.3: connect', () => {
  const multiple =
    'container cannot be connected to multiple networks with one of the networks in private (none) mode';
  test('what was refused took no address', async () => {
    await api.connect('other', 'up');
    assert.equal((await api.endpoint('up', 'other')).IPAddress, '172.18.0.2');
    await api.disconnect('other', 'up');
  });

  test('answers 200 with an empty body', async () => {
    const answer = await api.send('POST', '/networks/other/connect', { Container: 'up', EndpointConfig: {} });
    assert.deepEqual([answer.status, answer.text], [200, '']);
    const back = await api.send('POST', '/networks/other/disconnect', { Container: 'up' });
    assert.deepEqual([back.status, back.text], [200, '']);
  });

  test('what the docker client sends beside it, and empty addresses, mean nothing', async () => {
    await api.connect('other', 'up', {
      IPAMConfig: { IPv4Address: '', IPv6Address: '' },
      Links: null,
      Aliases: null,
      MacAddress: '',
      DriverOpts: null,
      GwPriority: 0,
      NetworkID: '',
      EndpointID: 'junk',
      Gateway: '9.9.9.9',
      IPAddress: '9.9.9.9',
      IPPrefixLen: 7,
      IPv6Gateway: '',
      GlobalIPv6Address: '',
      GlobalIPv6PrefixLen: 0,
      DNSNames: ['junk'],
    });
    const { IPAddress, EndpointID } = await api.endpoint('up', 'other');
    assert.equal(IPAddress, '172.18.0.2');
    assert.match(EndpointID, /^[0-9a-f]{64}$/);
    await api.disconnect('other', 'up');
  });

  test('a stopped container keeps the settings of the first call, and nothing is looked up', async () => {
    await api.connect('other', 'down', { Aliases: ['first'] });
    await api.connect('other', 'down', { Aliases: ['second'] });
    assert.deepEqual((await api.endpoint('down', 'other')).Aliases, ['first']);
    await api.connect('later', 'down', { Aliases: ['early'] });
    await api.isRefused({
      what: '',
      path: '/containers/down/start',
      status: 404,
      message: /network later not found$/,
    });
    const later = await api.createNetwork('later');
    await api.start('down');
    assert.equal((await api.endpoint('down', 'later')).NetworkID, later);
    assert.deepEqual((await api.endpoint('down', 'later')).Aliases, ['early']);
    await api.stop('down');
    await api.disconnect('later', 'down');
    await api.disconnect('other', 'down');
    await api.removeNetworks('later');
  });

  test('a static address may lie in a subnet that was chosen automatically', async () => {
    await api.connect('other', 'up', { IPAMConfig: { IPv4Address: '172.18.4.4' } });
    assert.equal((await api.endpoint('up', 'other')).IPAddress, '172.18.4.4');
    await api.disconnect('other', 'up');
  });

  test('the MAC address of a connect request is not applied before API 1.54', async () => {
    await api.connect('other', 'up', { MacAddress: '02:00:00:00:00:77' });
    assert.notEqual((await api.endpoint('up', 'other')).MacAddress, '02:00:00:00:00:77');
    await api.disconnect('other', 'up');
  });

  test('GwPriority counts from API 1.48 on', async () => {
    await api.connect('other', 'up', { GwPriority: 7 });
    assert.equal((await api.endpoint('up', 'other')).GwPriority, 7);
    await api.disconnect('other', 'up');
    await api.at('1.47').connect('other', 'up', { GwPriority: 7 });
    assert.equal((await api.endpoint('up', 'other')).GwPriority, 0);
    await api.disconnect('other', 'up');
  });

  test('an address in use, of a running container, of a stopped one, or auxiliary: 403', async () => {
    await api.createNetwork(
      'full',
      subnet({ Subnet: '10.64.0.0/24', AuxiliaryAddresses: { printer: '10.64.0.7' } }),
    );
    await api.run('user1', 'full');
    await api.createContainer('user2', 'full', {}, { full: { IPAMConfig: { IPv4Address: '10.64.0.9' } } });
    for (const address of ['10.64.0.2', '10.64.0.7', '10.64.0.9']) {
      const config = { IPAMConfig: { IPv4Address: address } };
      await api.isRefused(
        moving(
          '',
          'full/connect',
          { Container: 'up', EndpointConfig: config },
          403,
          'Address already in use',
        ),
      );
    }
    await api.removeContainers('user1', 'user2');
    await api.removeNetworks('full');
  });

  test('no free address: 500 naming the network', async () => {
    const id = await api.createNetwork('tiny', subnet({ Subnet: '10.64.0.0/30' }));
    await api.connect('tiny', 'up');
    await api.start('down');
    await api.isRefused(
      moving(
        '',
        'tiny/connect',
        { Container: 'down' },
        500,
        `no available IPv4 addresses on this network's address pools: tiny (${id})`,
      ),
    );
    await api.disconnect('tiny', 'up');
    await api.connect('tiny', 'down');
    assert.equal((await api.endpoint('down', 'tiny')).IPAddress, '10.64.0.2');
    await api.disconnect('tiny', 'down');
    await api.stop('down');
    await api.removeNetworks('tiny');
  });

  test('a container that leaves none can go elsewhere', async () => {
    await api.disconnect('none', 'nony');
    await api.connect('other', 'nony');
    assert.equal((await api.endpoint('nony', 'other')).IPAddress, '172.18.0.2');
    await api.isRefused(moving('', 'none/connect', { Container: 'nony' }, 400, multiple));
    await api.disconnect('other', 'nony');
    await api.connect('none', 'nony');
    assert.deepEqual(Object.keys((await api.inspect('nony')).NetworkSettings.Networks), ['none']);
  });
});

describe('2.4: disconnect', () => {
  test('of a stopped container only changes its record', async () => {
    await api.disconnect('shop', 'down');
    assert.deepEqual((await api.inspect('down')).NetworkSettings.Networks, {});
    await api.connect('shop', 'down');
    assert.equal((await api.endpoint('down', 'shop')).EndpointID, '');
  });
});

describe('2.5: delete', () => {
  test('answers 204, by name, id and prefix', async () => {
    for (const reference of [(id: string) => id, (id: string) => id.slice(0, 12), () => 'brief']) {
      const id = await api.createNetwork('brief');
      const answer = await api.send('DELETE', `/networks/${reference(id)}`);
      assert.deepEqual([answer.status, answer.text], [204, '']);
    }
  });

  test('stopped containers do not block it, and then do not start: 404 with the id, also when the name is back', async () => {
    const gone = await api.createNetwork('gone');
    const created = await api.createContainer('created', 'gone');
    const ran = await api.run('ran', 'gone');
    await api.stop('ran');
    await api.connect('gone', 'plain');
    await api.removeNetworks('gone');
    const missing = { what: '', status: 404, message: new RegExp(`network ${gone} not found$`) };
    for (const id of [ran, 'plain']) await api.isRefused({ ...missing, path: `/containers/${id}/start` });
    await api.createNetwork('gone');
    for (const id of [ran, 'plain']) await api.isRefused({ ...missing, path: `/containers/${id}/start` });
    const { State } = await api.inspect('ran');
    assert.deepEqual([State.Status, State.ExitCode], ['exited', 128]);
    assert.match(State.Error, new RegExp(gone));
    // One that never was on the network only has its name.
    await api.start(created);
    await api.removeContainers('created', 'ran');
    await api.disconnect('gone', 'plain');
    await api.removeNetworks('gone');
  });
});

describe('2.6: filters', () => {
  const listed = async (filters: object | string, version = '1.50') => {
    const text = encodeURIComponent(typeof filters === 'string' ? filters : JSON.stringify(filters));
    const list = await api.at(version).get<ShownNetwork[]>(`/networks?filters=${text}`);
    return list.map(({ Name }) => Name).sort();
  };

  test('of the list, in both encodings', async () => {
    await api.createNetwork('labelled', { ConfigOnly: true, Labels: { tier: 'front', empty: '' } });
    const cases: [object, string[]][] = [
      [{ id: [shop] }, ['shop']],
      [{ id: [shop.slice(0, 20)] }, ['shop']],
      [{ name: ['hop'] }, ['shop']],
      [{ name: { '^sho': true, '^oth': true } }, ['other', 'shop']],
      [{ name: { '^sho': true, '^oth': false } }, ['shop']],
      [{ driver: ['host'] }, ['host']],
      [{ driver: ['brid'] }, []],
      [{ label: ['tier'] }, ['labelled']],
      [{ label: ['tier=front', 'empty'] }, ['labelled']],
      [{ label: ['tier=front', 'nope'] }, []],
      [{ label: ['tier=back'] }, []],
      [{ scope: ['local'], type: ['builtin'] }, ['bridge', 'host', 'none']],
      [{ scope: ['swarm'] }, []],
      [{ type: ['custom'] }, ['labelled', 'other', 'shop', 'template', 'user']],
      [{ type: ['custom', 'builtin'], driver: ['host'] }, ['host']],
      [{ dangling: ['true'] }, ['labelled', 'other', 'template', 'user']],
      [{ dangling: ['1'], name: ['other'] }, ['other']],
      [{ dangling: ['false'] }, ['bridge', 'host', 'none', 'shop']],
      [{ dangling: ['0'], type: ['custom'] }, ['shop']],
      [{}, ['bridge', 'host', 'labelled', 'none', 'other', 'shop', 'template', 'user']],
    ];
    for (const [filters, names] of cases) {
      assert.deepEqual(await listed(filters), names, JSON.stringify(filters));
      assert.deepEqual(await listed(filters, '1.24'), names, JSON.stringify(filters));
    }
    await api.removeNetworks('labelled');
  });

  const prune = async (filters: object = {}) => {
    const text = encodeURIComponent(JSON.stringify(filters));
    const { NetworksDeleted } = await api.ask<{ NetworksDeleted: string[] | null }>(
      'POST',
      `/networks/prune?filters=${text}`,
    );
    return NetworksDeleted?.toSorted() ?? null;
  };

  test('prune takes what its filters name and nothing in use, and answers with names, or null', async () => {
    for (const name of ['old', 'kept', 'third']) {
      await api.createNetwork(name, { Labels: { mine: name, [`has-${name}`]: '' } });
    }
    assert.deepEqual(await prune({ until: ['1h'], label: ['mine'] }), null);
    assert.deepEqual(await prune({ until: ['2020-01-02T03:04:05Z'] }), null);
    assert.deepEqual(await prune({ label: ['mine=old'], until: [`${Math.ceil(Date.now() / 1000) + 1}`] }), [
      'old',
    ]);
    assert.deepEqual(await prune({ label: ['mine'], 'label!': ['has-kept'] }), ['third']);
    assert.deepEqual(await prune({ label: ['nope'] }), null);
    const rest = (await api.get<ShownNetwork[]>('/networks')).map(({ Name }) => Name);
    assert.deepEqual(rest.sort(), ['bridge', 'host', 'kept', 'none', 'other', 'shop', 'template', 'user']);
    assert.deepEqual(await prune({ label: ['mine'] }), ['kept']);
  });

  test('of two prunes at once one is refused: 409', async () => {
    for (let index = 0; index < 4; index++)
      await api.createNetwork(`crowd-${index}`, { Labels: { crowd: '' } });
    const path = `/networks/prune?filters=${encodeURIComponent('{"label":["crowd"]}')}`;
    const answers = await Promise.all([api.send('POST', path), api.send('POST', path)]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409]);
    assert.equal(
      answers.find(({ status }) => status === 409)?.json.message,
      'a prune operation is already running',
    );
  });
});

interface ShownEvent {
  readonly Type: string;
  readonly Action: string;
  readonly scope: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}

/** What happens during some work, without what has to do with others. */
async function eventsDuring(work: () => Promise<unknown>): Promise<ShownEvent[]> {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
  await pause();
  const since = Date.now() / 1000;
  await work();
  await pause();
  const until = Date.now() / 1000;
  const answer = await api.send('GET', `/events?since=${since.toFixed(3)}&until=${until.toFixed(3)}`);
  return answer.text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as ShownEvent);
}

const networkEvents = async (work: () => Promise<unknown>) =>
  (await eventsDuring(work))
    .filter(({ Type }) => Type === 'network')
    .map(({ Action, Actor, scope }) => ({ Action, ID: Actor.ID, ...Actor.Attributes, scope }));

describe('2.7: events', () => {
  test('create, connect, disconnect and destroy come once each, with their attributes', async () => {
    let ID = '';
    const seen = await networkEvents(async () => {
      ID = await api.createNetwork('seen');
      await api.connect('seen', 'up');
      await api.disconnect('seen', 'up');
      await api.removeNetworks('seen');
    });
    const common = { ID, name: 'seen', type: 'bridge', scope: 'local' };
    assert.deepEqual(seen, [
      { Action: 'create', ...common },
      { Action: 'connect', ...common, container: up },
      { Action: 'disconnect', ...common, container: up },
      { Action: 'destroy', ...common },
    ]);
  });

  test('connect and disconnect of a stopped container make none', async () => {
    const seen = await networkEvents(async () => {
      await api.connect('other', 'down');
      await api.disconnect('other', 'down');
    });
    assert.deepEqual(seen, []);
  });

  test('a start connects to each network before it is told of, an end disconnects from each', async () => {
    await api.connect('other', 'down');
    const seen = await eventsDuring(async () => {
      await api.start('down');
      await api.stop('down');
    });
    const told = seen.map(({ Type, Action, Actor }) => `${Type} ${Action} ${Actor.Attributes.name}`);
    assert.deepEqual(told.slice(0, 3).sort(), [
      'container start down',
      'network connect other',
      'network connect shop',
    ]);
    assert.equal(told[2], 'container start down');
    assert.deepEqual(told.slice(3).sort(), [
      'container die down',
      'container kill down',
      'network disconnect other',
      'network disconnect shop',
    ]);
    await api.disconnect('other', 'down');
  });

  test('prune tells of each network and of itself', async () => {
    const id = await api.createNetwork('pruned', { Labels: { pruned: '' } });
    const filters = encodeURIComponent('{"label":["pruned"]}');
    const seen = await networkEvents(() => api.ask('POST', `/networks/prune?filters=${filters}`));
    assert.deepEqual(seen, [
      { Action: 'destroy', ID: id, name: 'pruned', type: 'bridge', scope: 'local' },
      { Action: 'prune', ID: '', reclaimed: '0', scope: 'local' },
    ]);
  });

  test('what is refused makes none', async () => {
    const seen = await networkEvents(async () => {
      await api.send('POST', '/networks/create', { Name: 'shop' });
      await api.send('POST', '/networks/shop/connect', { Container: 'up' });
      await api.send('POST', '/networks/other/disconnect', { Container: 'up' });
      await api.send('DELETE', '/networks/shop');
    });
    assert.deepEqual(seen, []);
  });
});
