import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  conflict,
  forbidden,
  internal,
  invalid,
  type NetworkRecord,
  notFound,
  notImplemented,
} from '@seaway/engine';
import {
  bridgeId,
  containerId,
  endpointRecord,
  fakeEngine,
  hostNetwork,
  networkRecord,
  noneNetwork,
  runningRecord,
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
    containers: [runningRecord()],
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

async function refuses(url: string, status: number, message: string) {
  const answer = await api.inject({ url });
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

/** An API over an engine that notes what it is asked for, and answers or fails as told. */
function recording(answers: Readonly<Record<string, unknown>> = {}) {
  const calls: unknown[][] = [];
  const method =
    (name: string) =>
    async (...args: unknown[]) => {
      calls.push([name, ...args]);
      const answer = answers[name];
      if (answer instanceof Error) throw answer;
      return answer;
    };
  const engine = fakeEngine({
    networks: [networkRecord(), shop, busy],
    networkMethods: { create: method('create'), remove: method('remove'), prune: method('prune') },
    methods: { connect: method('connect'), disconnect: method('disconnect') },
  });
  return { calls, api: buildApi(engine, { version: '1' }) };
}

type Recorder = ReturnType<typeof recording>;

async function post({ api: target }: Recorder, url: string, payload?: unknown) {
  const answer = await target.inject({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json' },
    ...(payload === undefined
      ? {}
      : { payload: typeof payload === 'string' ? payload : JSON.stringify(payload) }),
  });
  return { status: answer.statusCode, body: answer.body, message: messageIn(answer.body) };
}

function messageIn(body: string): string {
  return body === '' ? '' : ((JSON.parse(body) as { message?: string }).message ?? '');
}

/** Everything that is left open. */
const plainRequest = {
  internal: false,
  attachable: false,
  ingress: false,
  configOnly: false,
  subnets: [],
  options: {},
  labels: {},
};

describe('creation', () => {
  const answer = { id: '7'.repeat(64), warning: '' };

  test('answers with the id and the warning', async () => {
    const recorder = recording({ create: { ...answer, warning: 'careful' } });
    const { status, body } = await post(recorder, '/networks/create', { Name: 'shop' });
    assert.equal(status, 201);
    assert.equal(body, JSON.stringify({ Id: answer.id, Warning: 'careful' }));
    assert.deepEqual(recorder.calls, [['create', { name: 'shop', ...plainRequest }]]);
  });

  const requests: [what: string, url: string, body: object, expected: object][] = [
    ['no name', '/networks/create', {}, { name: '' }],
    [
      'what the docker client sends',
      '/v1.48/networks/create',
      {
        Name: 'shop',
        Driver: 'bridge',
        Scope: '',
        IPAM: { Driver: 'default', Options: {}, Config: [] },
        Internal: false,
        Attachable: false,
        Ingress: false,
        ConfigOnly: false,
        ConfigFrom: null,
        Options: {},
        Labels: {},
      },
      { name: 'shop', driver: 'bridge', ipamDriver: 'default', ipamOptions: {} },
    ],
    [
      'nulls',
      '/networks/create',
      {
        Name: 'shop',
        Driver: null,
        EnableIPv4: null,
        EnableIPv6: null,
        IPAM: { Driver: null, Options: null, Config: null },
        ConfigFrom: { Network: null },
        Options: null,
        Labels: null,
      },
      { name: 'shop' },
    ],
    [
      'everything',
      '/v1.50/networks/create',
      {
        Name: 'shop',
        Driver: 'overlay',
        Scope: 'swarm',
        EnableIPv4: false,
        EnableIPv6: true,
        IPAM: {
          Driver: 'mine',
          Options: { a: 'b' },
          Config: [
            {
              Subnet: '10.0.0.1/24',
              IPRange: '10.0.0.128/25',
              Gateway: '10.0.0.254',
              AuxiliaryAddresses: { router: '10.0.0.9' },
            },
            { Subnet: '', Gateway: '', IPRange: '', AuxiliaryAddresses: {} },
            { Subnet: 'fd00::/64', Gateway: null },
          ],
        },
        Internal: true,
        Attachable: true,
        Ingress: true,
        ConfigOnly: true,
        ConfigFrom: { Network: 'template' },
        Options: { x: 'y' },
        Labels: { l: 'm' },
        CheckDuplicate: true,
        Unheard: ['of'],
      },
      {
        name: 'shop',
        driver: 'overlay',
        scope: 'swarm',
        enableIpv4: false,
        enableIpv6: true,
        ipamDriver: 'mine',
        ipamOptions: { a: 'b' },
        subnets: [
          {
            subnet: '10.0.0.1/24',
            range: '10.0.0.128/25',
            gateway: '10.0.0.254',
            auxiliary: { router: '10.0.0.9' },
          },
          {},
          { subnet: 'fd00::/64' },
        ],
        internal: true,
        attachable: true,
        ingress: true,
        configOnly: true,
        configFrom: 'template',
        options: { x: 'y' },
        labels: { l: 'm' },
      },
    ],
    ['no IPv4 before 1.48', '/v1.47/networks/create', { Name: 'a', EnableIPv4: false }, { name: 'a' }],
    [
      'no IPv4 from 1.48 on',
      '/v1.48/networks/create',
      { Name: 'a', EnableIPv4: false, EnableIPv6: false },
      { name: 'a', enableIpv4: false, enableIpv6: false },
    ],
    [
      'fields of any case',
      '/networks/create',
      { name: 'a', ipam: { config: [{ subnet: '10.0.0.0/8' }] } },
      {
        name: 'a',
        subnets: [{ subnet: '10.0.0.0/8' }],
      },
    ],
  ];
  for (const [what, url, body, expected] of requests) {
    test(`passes on ${what}`, async () => {
      const recorder = recording({ create: answer });
      assert.equal((await post(recorder, url, body)).status, 201);
      assert.deepEqual(recorder.calls, [['create', { ...plainRequest, ...expected }]]);
    });
  }

  test('without a body is one without a name', async () => {
    const recorder = recording({ create: invalid('invalid-network-name', 'invalid name: name is empty') });
    for (const payload of [undefined, '', 'null', '{}']) {
      const { status, message } = await post(recorder, '/networks/create', payload);
      assert.deepEqual([status, message], [400, 'invalid name: name is empty']);
    }
  });

  const config = (entry: object) => ({ Name: 'a', IPAM: { Config: [{}, entry] } });
  const mistakes: [body: unknown, message: string | RegExp][] = [
    ['{', /^invalid JSON: /],
    ['{} {}', 'unexpected content after JSON'],
    [[], 'invalid JSON: body must be object'],
    [{ Name: 7 }, 'invalid JSON: Name must be string,null'],
    [{ Name: 'a', Internal: 'yes' }, 'invalid JSON: Internal must be boolean,null'],
    [{ Name: 'a', Options: { mtu: 1400 } }, 'invalid JSON: Options.mtu must be string'],
    [{ Name: 'a', IPAM: { Config: {} } }, 'invalid JSON: IPAM.Config must be array,null'],
    [{ Name: 'a', IPAM: { Config: ['10.0.0.0/8'] } }, 'invalid JSON: IPAM.Config.0 must be object'],
    [config({ Subnet: 'junk' }), 'invalid JSON: IPAM.Config.1.Subnet must be a block (ADDRESS/PREFIX): junk'],
    [
      config({ Subnet: '10.0.0.0/33' }),
      'invalid JSON: IPAM.Config.1.Subnet must be a block (ADDRESS/PREFIX): 10.0.0.0/33',
    ],
    [
      config({ Subnet: '10.0.0.0/8', IPRange: '10.0.0.0' }),
      'invalid JSON: IPAM.Config.1.IPRange must be a block (ADDRESS/PREFIX): 10.0.0.0',
    ],
    [
      config({ Subnet: '10.0.0.0/8', Gateway: '10.0.0.0/8' }),
      'invalid JSON: IPAM.Config.1.Gateway must be an IP address: 10.0.0.0/8',
    ],
    [
      config({ Subnet: '10.0.0.0/8', AuxiliaryAddresses: { r: 'x' } }),
      'invalid JSON: IPAM.Config.1.AuxiliaryAddresses.r must be an IP address: x',
    ],
  ];
  for (const [body, message] of mistakes) {
    test(`refuses ${JSON.stringify(body)}`, async () => {
      const recorder = recording({ create: answer });
      const refused = await post(recorder, '/networks/create', body);
      assert.equal(refused.status, 400);
      if (typeof message === 'string') assert.equal(refused.message, message);
      else assert.match(refused.message, message);
      assert.deepEqual(recorder.calls, []);
    });
  }

  test('fails with the kind and the words of the engine', async () => {
    for (const [error, status] of [
      [forbidden('a', 'a'), 403],
      [conflict('b', 'b'), 409],
      [notFound('c', 'c'), 404],
      [notImplemented('d', 'd'), 501],
      [internal('e', 'e'), 500],
    ] as const) {
      const refused = await post(recording({ create: error }), '/networks/create', { Name: 'x' });
      assert.deepEqual([refused.status, refused.message], [status, error.message]);
    }
  });
});

describe('connecting', () => {
  const nothing = { aliases: [], links: [], driverOptions: {}, gatewayPriority: 0 };

  test('passes on what clients can ask for, and answers with nothing', async () => {
    const recorder = recording();
    const answer = await post(recorder, '/v1.48/networks/shop/connect', {
      Container: 'web',
      EndpointConfig: {
        IPAMConfig: { IPv4Address: '10.0.0.9', IPv6Address: 'fd00::9', LinkLocalIPs: null },
        Links: ['db:database'],
        Aliases: ['www'],
        DriverOpts: { 'com.docker.network.endpoint.ifname': 'lan0' },
        GwPriority: -5,
        MacAddress: '02:42:00:00:00:09',
        NetworkID: '',
        EndpointID: '',
        Gateway: '',
        IPAddress: '172.17.0.9',
        IPPrefixLen: 16,
        DNSNames: null,
      },
    });
    assert.deepEqual([answer.status, answer.body], [200, '']);
    const settings = {
      aliases: ['www'],
      links: ['db:database'],
      driverOptions: { 'com.docker.network.endpoint.ifname': 'lan0' },
      gatewayPriority: -5,
      ipv4Address: '10.0.0.9',
      ipv6Address: 'fd00::9',
    };
    assert.deepEqual(recorder.calls, [['connect', 'shop', 'web', settings]]);
  });

  for (const [what, body, container] of [
    ['no settings', { Container: 'web' }, 'web'],
    ['null settings', { Container: 'web', EndpointConfig: null }, 'web'],
    [
      'empty settings',
      {
        Container: 'web',
        EndpointConfig: { IPAMConfig: { IPv4Address: '', LinkLocalIPs: [] }, Aliases: null },
      },
      'web',
    ],
    ['a priority before 1.48', { Container: 'web', EndpointConfig: { GwPriority: 5 } }, 'web'],
    ['no container', {}, ''],
    ['no body', undefined, ''],
  ] as const) {
    test(`takes ${what}`, async () => {
      const recorder = recording();
      assert.equal((await post(recorder, '/v1.47/networks/a%2Fb%20c/connect', body)).status, 200);
      assert.deepEqual(recorder.calls, [['connect', 'a/b c', container, nothing]]);
    });
  }

  for (const [body, status, message] of [
    [{ Container: 7 }, 400, 'invalid JSON: Container must be string,null'],
    [{ Container: 'web', EndpointConfig: [] }, 400, 'invalid JSON: EndpointConfig must be object,null'],
    [
      { Container: 'web', EndpointConfig: { Aliases: 'x' } },
      400,
      'invalid JSON: EndpointConfig.Aliases must be array,null',
    ],
    [
      { Container: 'web', EndpointConfig: { IPAMConfig: { LinkLocalIPs: ['169.254.0.9'] } } },
      501,
      'EndpointConfig.IPAMConfig.LinkLocalIPs: a link-local address is not supported by this version of Seaway',
    ],
  ] as const) {
    test(`refuses ${JSON.stringify(body)}`, async () => {
      const recorder = recording();
      const refused = await post(recorder, '/networks/shop/connect', body);
      assert.deepEqual([refused.status, refused.message], [status, message]);
      assert.deepEqual(recorder.calls, []);
    });
  }

  test('fails with the words of the engine', async () => {
    const error = forbidden('endpoint-exists', 'endpoint with name web already exists in network shop');
    const refused = await post(recording({ connect: error }), '/networks/shop/connect', { Container: 'web' });
    assert.deepEqual([refused.status, refused.message], [403, error.message]);
  });
});

describe('disconnecting', () => {
  for (const [body, container, force] of [
    [{ Container: 'web' }, 'web', false],
    [{ Container: 'web', Force: null }, 'web', false],
    [{ Container: 'web', Force: true }, 'web', true],
    [{}, '', false],
  ] as const) {
    test(`with ${JSON.stringify(body)}`, async () => {
      const recorder = recording();
      const answer = await post(recorder, '/networks/shop/disconnect', body);
      assert.deepEqual([answer.status, answer.body], [200, '']);
      assert.deepEqual(recorder.calls, [['disconnect', 'shop', container, { force }]]);
    });
  }

  test('refuses what is no request', async () => {
    const recorder = recording();
    const refused = await post(recorder, '/networks/shop/disconnect', { Container: 'web', Force: 'yes' });
    assert.deepEqual([refused.status, refused.message], [400, 'invalid JSON: Force must be boolean,null']);
    assert.deepEqual(recorder.calls, []);
  });

  test('fails with the words of the engine', async () => {
    const error = internal('not-connected', 'container 1 is not connected to network shop');
    const refused = await post(recording({ disconnect: error }), '/networks/shop/disconnect', {});
    assert.deepEqual([refused.status, refused.message], [500, error.message]);
  });
});

describe('removal', () => {
  test('is left to the engine, and answers with nothing', async () => {
    const recorder = recording();
    const answer = await recorder.api.inject({ method: 'DELETE', url: '/v1.41/networks/shop' });
    assert.deepEqual([answer.statusCode, answer.body], [204, '']);
    assert.deepEqual(recorder.calls, [['remove', 'shop']]);
  });

  test('fails with the words of the engine', async () => {
    const error = forbidden('network-predefined', 'host is a pre-defined network and cannot be removed');
    const { api: target } = recording({ remove: error });
    const answer = await target.inject({ method: 'DELETE', url: '/networks/host' });
    assert.equal(answer.statusCode, 403);
    assert.equal(answer.body, `${JSON.stringify({ message: error.message })}\n`);
  });
});

describe('pruning', () => {
  const prune = (recorder: Recorder, filters?: unknown) => {
    const text = typeof filters === 'string' ? filters : JSON.stringify(filters);
    return post(
      recorder,
      `/networks/prune${filters === undefined ? '' : `?filters=${encodeURIComponent(text)}`}`,
    );
  };

  test('answers with the names, or null where there are none', async () => {
    const some = await prune(recording({ prune: ['a', 'b'] }));
    assert.deepEqual([some.status, some.body], [200, '{"NetworksDeleted":["a","b"]}']);
    assert.equal((await prune(recording({ prune: [] }))).body, '{"NetworksDeleted":null}');
  });

  const now = Date.now();
  const createdAgo = (minutes: number) =>
    new Date(now - minutes * 60_000).toISOString().replace('Z', '000000Z');
  const candidates = [
    networkRecord({ name: 'old', createdAt: createdAgo(120), labels: { keep: 'no', tier: 'back' } }),
    networkRecord({ name: 'young', createdAt: createdAgo(1), labels: { keep: '' } }),
    networkRecord({ name: 'plain', createdAt: createdAgo(10), labels: {} }),
  ];
  for (const [filters, expected] of [
    [undefined, ['old', 'young', 'plain']],
    [{}, ['old', 'young', 'plain']],
    [{ until: ['1h'] }, ['old']],
    [{ until: { '5m30s': true } }, ['old', 'plain']],
    [{ until: ['0s'] }, ['old', 'young', 'plain']],
    [{ until: [createdAgo(60)] }, ['old']],
    [{ until: [String(Math.floor(now / 1000) - 300)] }, ['old', 'plain']],
    [{ until: ['2001-01-01'] }, []],
    [{ until: ['2001-01-01T01:02:03'] }, []],
    [{ label: ['keep'] }, ['old', 'young']],
    [{ label: ['keep=no'] }, ['old']],
    [{ label: ['keep', 'tier=back'] }, ['old']],
    [{ label: ['constructor'] }, []],
    [{ 'label!': ['keep'] }, ['plain']],
    [{ 'label!': ['keep=no'] }, ['young', 'plain']],
    [{ 'label!': [] }, ['old', 'young', 'plain']],
    [{ label: ['keep'], 'label!': ['tier=back'] }, ['young']],
  ] as const) {
    test(`by ${JSON.stringify(filters)} takes ${expected.join() || 'nothing'}`, async () => {
      const recorder = recording({ prune: [] });
      assert.equal((await prune(recorder, filters)).status, 200);
      const [, isWanted] = recorder.calls[0] as [string, (network: NetworkRecord) => boolean];
      assert.deepEqual(
        candidates.filter(isWanted).map(({ name }) => name),
        expected,
      );
    });
  }

  for (const [filters, message] of [
    ['{', 'invalid filter'],
    [{ dangling: ['true'] }, "invalid filter 'dangling'"],
    [{ until: ['1h', '2h'] }, 'more than one until filter specified'],
    [{ until: ['junk'] }, "invalid filter 'until=junk'"],
    [{ until: ['2001-99-01'] }, "invalid filter 'until=2001-99-01'"],
  ] as const) {
    test(`refuses ${JSON.stringify(filters)}`, async () => {
      const recorder = recording({ prune: [] });
      const refused = await prune(recorder, filters);
      assert.deepEqual([refused.status, refused.message], [400, message]);
      assert.deepEqual(recorder.calls, []);
    });
  }

  test('at the same time as another is a conflict', async () => {
    const error = conflict('prune-under-way', 'a prune operation is already running');
    const refused = await prune(recording({ prune: error }));
    assert.deepEqual([refused.status, refused.message], [409, error.message]);
  });
});
