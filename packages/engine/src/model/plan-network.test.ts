import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NetworkId } from '../base/ids.ts';
import { defaultSubnetPools, parseSubnetPool } from '../ipam/subnet-pools.ts';
import { bridgeSettings, networkRecord } from './fixtures.ts';
import type { NetworkRecord } from './network.ts';
import type { NetworkRequest } from './network-request.ts';
import { type PlanningFacts, planNetwork } from './plan-network.ts';

const id = 'abcdef0123456789'.repeat(4) as NetworkId;

const defaultBridge = networkRecord({
  name: 'bridge',
  subnets: [{ subnet: '172.17.0.0/16', gateway: '172.17.0.1' }],
  bridge: bridgeSettings({ device: 'docker0' }),
});

const facts: PlanningFacts = {
  id,
  createdAt: '2026-02-03T04:05:06.000000007Z',
  networks: [defaultBridge],
  pools: defaultSubnetPools,
  hostRoutes: [],
  hostServers: [],
  hostId: 'host',
};

const plan = (request: Omit<NetworkRequest, 'name'> = {}, changes: Partial<PlanningFacts> = {}) =>
  planNetwork({ name: 'shop', ...request }, { ...facts, ...changes });

const subnetsOf = (request: Omit<NetworkRequest, 'name'>, changes?: Partial<PlanningFacts>) =>
  plan(request, changes).network.subnets;

/** Docker's words for a network's mistakes, in the order in which they are found. */
const refusals: readonly (readonly [
  what: string,
  request: Partial<NetworkRequest>,
  kind: string,
  message: string,
  changes?: Partial<PlanningFacts>,
])[] = [
  ...['bridge', 'host', 'none', 'default'].map(
    (name) =>
      [
        `the name ${name}`,
        { name, driver: 'overlay' },
        'forbidden',
        `operation is not permitted on predefined ${name} network `,
      ] as const,
  ),
  ['no name', { name: '', driver: 'overlay' }, 'invalid', 'invalid name: name is empty'],
  ['a blank name', { name: ' \t\n', scope: 'swarm' }, 'invalid', 'invalid name: name is empty'],
  [
    'overlay',
    { driver: 'overlay', scope: 'swarm' },
    'forbidden',
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  ],
  [
    'the scope swarm',
    { scope: 'swarm', driver: 'host' },
    'forbidden',
    'cannot create a swarm scoped network when swarm is not active',
  ],
  ['another scope', { scope: 'global' }, 'invalid', 'invalid network scope: global: it should be local'],
  [
    'a second host network',
    { driver: 'host', ipamDriver: 'x' },
    'forbidden',
    'only one instance of "host" network is allowed',
  ],
  [
    'a second network without anything',
    { driver: 'null' },
    'forbidden',
    'only one instance of "null" network is allowed',
  ],
  [
    'an unknown driver',
    { name: 'bridge2', driver: 'weave', ipamDriver: 'x' },
    'notFound',
    'plugin "weave" not found',
  ],
  ['an unknown IPAM driver', { name: 'taken', ipamDriver: 'dhcp' }, 'notFound', 'plugin "dhcp" not found'],
  ...['macvlan', 'ipvlan'].map(
    (driver) =>
      [
        driver,
        { driver },
        'notImplemented',
        `the network driver ${driver} is not supported by this version of Seaway: use bridge`,
      ] as const,
  ),
  [
    'a name that is taken',
    { name: 'taken', configFrom: 'nope' },
    'conflict',
    'network with name taken already exists',
    { networks: [networkRecord({ name: 'taken' })] },
  ],
  ...(['ingress', 'internal', 'attachable'] as const).map(
    (field) =>
      [
        `a template that is ${field}`,
        { configOnly: true, [field]: true },
        'forbidden',
        'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.',
      ] as const,
  ),
  [
    'a template with a scope',
    { configOnly: true, scope: 'local' },
    'forbidden',
    'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.',
  ],
  [
    'a template of a template',
    { configOnly: true, configFrom: 'nope' },
    'forbidden',
    'a configuration network cannot depend on another configuration network',
  ],
  ['ingress', { ingress: true }, 'forbidden', 'Ingress network can only be global scope network'],
  [
    'a template that is not there',
    { configFrom: 'nope', options: { a: 'b' } },
    'notFound',
    'configuration network "nope" does not exist',
  ],
  [
    'a template that is an ordinary network',
    { configFrom: 'bridge' },
    'notFound',
    'configuration network "bridge" does not exist',
  ],
  ...(
    [
      { subnets: [{ subnet: '10.0.0.0/24' }] },
      { labels: { a: 'b' } },
      { ipamOptions: { a: 'b' } },
      { enableIpv6: true },
      { enableIpv4: false },
    ] as const
  ).map(
    (own) =>
      [
        `${Object.keys(own)[0]} beside a template`,
        { configFrom: 'template', ...own },
        'forbidden',
        'user-specified configurations are not supported if the network depends on a configuration network',
        { networks: [networkRecord({ name: 'template', configOnly: true })] },
      ] as const,
  ),
  [
    'options beside a template',
    { configFrom: 'template', options: { a: 'b' } },
    'forbidden',
    'network driver options are not supported if the network depends on a configuration network',
    { networks: [networkRecord({ name: 'template', configOnly: true })] },
  ],
  [
    'a family that is neither on nor off',
    { options: { 'com.docker.network.enable_ipv6': 'junk' } },
    'invalid',
    'driver-opt "com.docker.network.enable_ipv6" is not a valid bool: junk',
  ],
  [
    'no family',
    { enableIpv4: false, options: { 'com.docker.network.driver.mtu': 'x' } },
    'invalid',
    'IPv4 or IPv6 must be enabled',
  ],
  [
    'a bad option',
    { options: { 'com.docker.network.driver.mtu': 'x' }, subnets: [{ subnet: '172.17.0.0/16' }] },
    'invalid',
    'failed to parse com.docker.network.driver.mtu value: x (strconv.Atoi: parsing "x": invalid syntax)',
  ],
  [
    'the device of another network',
    { options: { 'com.docker.network.bridge.name': 'docker0' }, subnets: [{ subnet: '172.17.0.0/16' }] },
    'forbidden',
    `cannot create network ${id} (docker0): conflicts with network ${'1'.repeat(64)} (docker0): networks have same bridge name`,
  ],
  [
    'addresses of another network',
    { subnets: [{ subnet: '172.17.4.0/22' }, { subnet: '10.0.0.0/24' }] },
    'forbidden',
    'invalid pool request: Pool overlaps with other one on this address space: 172.17.4.0/22 has addresses of network bridge (172.17.0.0/16); 172.18.0.0/22 is free',
  ],
  [
    'a block around that of another network, also when only a range of it is used',
    { subnets: [{ subnet: '172.16.0.0/12', range: '172.20.0.0/16' }] },
    'forbidden',
    'invalid pool request: Pool overlaps with other one on this address space: 172.16.0.0/12 has addresses of network bridge (172.17.0.0/16); 10.0.0.0/12 is free',
  ],
  [
    'IPv6 addresses of another network',
    { enableIpv6: true, subnets: [{ subnet: 'fd00:1::/64' }] },
    'forbidden',
    'invalid pool request: Pool overlaps with other one on this address space: fd00:1::/64 has addresses of network six (fd00:1::/60); fd00:1:0:10::/64 is free',
    {
      networks: [networkRecord({ name: 'six', subnets: [{ subnet: 'fd00:1::/60', gateway: 'fd00:1::1' }] })],
    },
  ],
  [
    'more than the pools have',
    {},
    'invalid',
    'all predefined address pools have been fully subnetted: remove networks that are not in use, choose a subnet yourself (--subnet), or give the daemon more room (--default-address-pool base=CIDR,size=PREFIX)',
    {
      pools: [parseSubnetPool('base=10.5.0.0/24,size=24')],
      networks: [networkRecord({ subnets: [{ subnet: '10.5.0.128/25', gateway: '10.5.0.129' }] })],
    },
  ],
  [
    'more than one subnet of a family',
    {
      subnets: [{ subnet: '10.0.0.0/24' }, { subnet: '10.0.1.0/24' }],
      options: { 'com.docker.network.bridge.gateway_mode_ipv4': 'isolated' },
    },
    'forbidden',
    "bridge driver doesn't support multiple subnets",
  ],
  ...(['ipv4', 'ipv6'] as const).map(
    (family) =>
      [
        `isolation of a network that is not internal (${family})`,
        { options: { [`com.docker.network.bridge.gateway_mode_${family}`]: 'isolated' } },
        'invalid',
        "gateway mode 'isolated' can only be used for an internal network",
      ] as const,
  ),
];

describe('a network is refused for', () => {
  for (const [what, request, kind, message, changes] of refusals) {
    it(what, () => {
      assert.throws(() => plan(request, changes), { name: 'EngineError', kind, message });
    });
  }
});

describe('a plan', () => {
  it('fills in everything that the request leaves open', () => {
    assert.deepEqual(plan(), {
      network: {
        id,
        name: 'shop',
        driver: 'bridge',
        createdAt: facts.createdAt,
        internal: false,
        attachable: false,
        enableIpv4: true,
        enableIpv6: false,
        subnets: [{ subnet: '172.18.0.0/16', gateway: '172.18.0.1' }],
        options: {},
        labels: {},
        configOnly: false,
        bridge: {
          device: 'br-abcdef012345',
          masquerade: true,
          interContainer: true,
          interfacePrefix: 'eth',
          gatewayModes: { ipv4: 'nat', ipv6: 'nat' },
          inhibitIpv4: false,
        },
      },
      warning: '',
    });
  });

  it('keeps what is asked for', () => {
    const request = {
      name: 'a b/c',
      internal: true,
      attachable: true,
      scope: 'local',
      ipamDriver: 'default',
      ipamOptions: { x: 'y' },
      labels: { tier: 'front' },
      options: {
        'com.docker.network.bridge.name': 'shop0',
        'com.docker.network.bridge.gateway_mode_ipv4': 'isolated',
        'org.example.unknown': 'kept',
      },
      subnets: [{ subnet: '10.98.0.0/24', range: '10.98.0.128/25', auxiliary: { router: '10.98.0.9' } }],
    };
    const { network } = plan(request);
    assert.deepEqual(network.subnets, [
      {
        subnet: '10.98.0.0/24',
        gateway: '10.98.0.128',
        range: '10.98.0.128/25',
        auxiliary: { router: '10.98.0.9' },
      },
    ]);
    const { name, internal, attachable, ipamOptions, labels, options } = network;
    assert.deepEqual(
      { name, internal, attachable, ipamOptions, labels, options },
      {
        name: request.name,
        internal: true,
        attachable: true,
        ipamOptions: request.ipamOptions,
        labels: request.labels,
        options: request.options,
      },
    );
    assert.equal(network.bridge?.device, 'shop0');
    assert.equal(network.bridge?.gatewayModes.ipv4, 'isolated');
  });

  const familyCases: [
    NetworkRequest['options'],
    boolean | undefined,
    boolean | undefined,
    boolean,
    boolean,
  ][] = [
    [{}, undefined, undefined, true, false],
    [{}, undefined, true, true, true],
    [{}, false, true, false, true],
    [{ 'com.docker.network.enable_ipv6': '1' }, undefined, undefined, true, true],
    [{ 'com.docker.network.enable_ipv6': 'true' }, undefined, false, true, false],
    [{ 'com.docker.network.enable_ipv4': 'F' }, undefined, true, false, true],
    [{ 'com.docker.network.enable_ipv4': 'junk' }, true, undefined, true, false],
  ];
  for (const [options, enableIpv4, enableIpv6, ipv4, ipv6] of familyCases) {
    it(`has families ${JSON.stringify({ options, enableIpv4, enableIpv6 })}`, () => {
      const { network } = plan({
        options: options!,
        ...(enableIpv4 === undefined ? {} : { enableIpv4 }),
        ...(enableIpv6 === undefined ? {} : { enableIpv6 }),
      });
      assert.deepEqual([network.enableIpv4, network.enableIpv6], [ipv4, ipv6]);
      assert.deepEqual(
        network.subnets.map(({ subnet }) => subnet.includes(':')),
        [...(ipv4 ? [false] : []), ...(ipv6 ? [true] : [])],
      );
    });
  }

  it('says which subnets it has no use for', () => {
    const { network, warning } = plan({ subnets: [{ subnet: 'fd00:9::1/64' }, { subnet: '10.0.0.0/24' }] });
    assert.deepEqual(network.subnets, [{ subnet: '10.0.0.0/24', gateway: '10.0.0.1' }]);
    assert.equal(warning, 'fd00:9::1/64 is not used: IPv6 is off for this network');
  });
});

describe('subnets that are chosen', () => {
  it('keep off networks, on-link routes and name servers of the host', () => {
    const changes = {
      networks: [
        defaultBridge,
        networkRecord({ subnets: [{ subnet: '172.21.0.0/16', gateway: '172.21.0.1' }] }),
      ],
      hostRoutes: [
        { destination: '172.18.9.0/24', device: 'eth0' },
        { destination: '172.17.0.0/16', device: 'docker0' },
        { destination: '0.0.0.0/0', device: 'tun0' },
        { destination: '0.0.0.0/1', device: 'tun0' },
        { destination: '128.0.0.0/1', device: 'tun0' },
        { destination: '172.20.0.0/32' },
      ],
      hostServers: ['172.19.3.4', 'fd00::53', 'junk'],
    };
    assert.deepEqual(subnetsOf({}, changes), [{ subnet: '172.22.0.0/16', gateway: '172.22.0.1' }]);
  });

  it('may be any of a given size', () => {
    assert.deepEqual(subnetsOf({ subnets: [{ subnet: '0.0.0.0/24' }] }), [
      { subnet: '172.18.0.0/24', gateway: '172.18.0.1' },
    ]);
    assert.deepEqual(subnetsOf({ subnets: [{ subnet: '0.0.0.0/0' }] }), subnetsOf({}));
    const changes = { pools: [parseSubnetPool('base=fd00:7::/56,size=60')] };
    const six = (subnet: string) =>
      subnetsOf({ enableIpv4: false, enableIpv6: true, subnets: [{ subnet }] }, changes)[0];
    assert.deepEqual(six('::/64'), { subnet: 'fd00:7::/64', gateway: 'fd00:7::1' });
    assert.throws(() => six('::/48'), { code: 'subnets-exhausted' });
  });

  it("are /64s of the host's own block for IPv6, the lowest free first", () => {
    const first = subnetsOf({ enableIpv6: true });
    // printf host | sha256sum
    assert.deepEqual(first[1], { subnet: 'fd5b:3f47:5145::/64', gateway: 'fd5b:3f47:5145::1' });
    const second = subnetsOf({ enableIpv6: true }, { networks: [networkRecord({ subnets: first })] });
    assert.equal(second[1]?.subnet, 'fd5b:3f47:5145:1::/64');
    const elsewhere = subnetsOf({ enableIpv6: true }, { hostId: 'another' });
    assert.notEqual(elsewhere[1]?.subnet, first[1]?.subnet);
  });

  it("come from the daemon's pools of each family, and from Docker's where it has none", () => {
    const pools = [parseSubnetPool('base=fd00:8::/56,size=64'), parseSubnetPool('base=10.9.0.0/16,size=24')];
    const chosen = (given: typeof pools) =>
      subnetsOf({ enableIpv6: true }, { pools: given }).map(({ subnet }) => subnet);
    assert.deepEqual(chosen(pools), ['10.9.0.0/24', 'fd00:8::/64']);
    assert.deepEqual(chosen(pools.slice(0, 1)), ['172.18.0.0/16', 'fd00:8::/64']);
  });

  it('fit beside one that was asked for', () => {
    assert.deepEqual(subnetsOf({ enableIpv6: true, subnets: [{ subnet: 'fd00:9::/64' }] }), [
      { subnet: '172.18.0.0/16', gateway: '172.18.0.1' },
      { subnet: 'fd00:9::/64', gateway: 'fd00:9::1' },
    ]);
  });

  it('do for 500 networks with the built-in pools, and are found quickly', () => {
    const networks: NetworkRecord[] = [defaultBridge];
    const hostRoutes: { destination: string; device: string }[] = [];
    let fastest = Number.POSITIVE_INFINITY;
    for (let count = 0; count < 500; count++) {
      const ownId = count.toString(16).padStart(12, '0').padEnd(64, '0') as NetworkId;
      const started = performance.now();
      const { network } = plan({}, { id: ownId, networks, hostRoutes });
      if (count > 450) fastest = Math.min(fastest, performance.now() - started);
      networks.push({ ...network, name: `n${count}` });
      hostRoutes.push({ destination: network.subnets[0]!.subnet, device: network.bridge!.device });
    }
    assert.equal(new Set(networks.map(({ subnets }) => subnets[0]!.subnet)).size, 501);
    assert.ok(networks.every(({ subnets }) => !subnets[0]!.subnet.startsWith('10.')));
    assert.equal(networks.at(-1)?.subnets[0]?.subnet, '172.16.234.128/25');
    // The walk is linear; a quadratic one takes far longer on any machine.
    assert.ok(fastest < 2, `${fastest} ms for one network among 500`);
  });
});

describe('subnets that are asked for', () => {
  const accepted: [string, NetworkRequest['subnets'], { subnet: string; gateway: string }[]][] = [
    [
      'with a gateway',
      [{ subnet: '10.1.0.0/24', gateway: '10.1.0.254' }],
      [{ subnet: '10.1.0.0/24', gateway: '10.1.0.254' }],
    ],
    [
      'with the first address set aside',
      [{ subnet: '10.1.0.0/24', auxiliary: { a: '10.1.0.1' } }],
      [{ subnet: '10.1.0.0/24', gateway: '10.1.0.2', ...{ auxiliary: { a: '10.1.0.1' } } }],
    ],
    ['of two addresses', [{ subnet: '10.1.0.8/31' }], [{ subnet: '10.1.0.8/31', gateway: '10.1.0.8' }]],
    ['that repeat nothing', [{}], [{ subnet: '172.18.0.0/16', gateway: '172.18.0.1' }]],
    [
      'with empty texts',
      [{ subnet: '', gateway: '', range: '' }],
      [{ subnet: '172.18.0.0/16', gateway: '172.18.0.1' }],
    ],
    [
      'with another way out for containers',
      [{ subnet: '10.1.0.0/24', auxiliary: { DefaultGatewayIPv4: '10.1.0.254' } }],
      [
        {
          subnet: '10.1.0.0/24',
          gateway: '10.1.0.1',
          ...{ auxiliary: { DefaultGatewayIPv4: '10.1.0.254' } },
        },
      ],
    ],
  ];
  for (const [what, subnets, expected] of accepted) {
    it(what, () => assert.deepEqual(subnetsOf({ subnets: subnets! }), expected));
  }

  it('are in the order of their families', () => {
    const subnets = [{ subnet: 'FD00:9:0::/64', gateway: 'fd00:9::00ff' }, { subnet: '10.0.0.0/24' }];
    assert.deepEqual(subnetsOf({ enableIpv6: true, subnets }), [
      { subnet: '10.0.0.0/24', gateway: '10.0.0.1' },
      { subnet: 'fd00:9::/64', gateway: 'fd00:9::ff' },
    ]);
  });

  it('may overlap with a route of the host, which is said', () => {
    const hostRoutes = [{ destination: '10.0.0.0/9', device: 'eth0' }, { destination: '192.168.1.0/24' }];
    assert.equal(
      plan({ subnets: [{ subnet: '10.1.0.0/24' }] }, { hostRoutes }).warning,
      "10.1.0.0/24 overlaps with this host's route to 10.0.0.0/9 on eth0: the host may no longer reach what has these addresses there; 10.128.0.0/24 is free",
    );
    assert.match(
      plan({ subnets: [{ subnet: '192.168.0.0/16' }] }, { hostRoutes }).warning,
      /route to 192\.168\.1\.0\/24: .*; 172\.16\.0\.0\/16 is free$/,
    );
    const own = [{ destination: '172.17.0.0/16', device: 'docker0' }];
    assert.equal(plan({ subnets: [{ subnet: '10.1.0.0/24' }] }, { hostRoutes: own }).warning, '');
  });

  it('may be those of a template, which has none itself', () => {
    const template = networkRecord({
      configOnly: true,
      subnets: [{ subnet: '10.1.0.0/24', gateway: '10.1.0.1' }],
    });
    assert.equal(
      subnetsOf({ subnets: [{ subnet: '10.1.0.0/24' }] }, { networks: [template] })[0]?.subnet,
      '10.1.0.0/24',
    );
  });
});

describe('the check of subnets', () => {
  const shop = { subnet: '10.98.0.0/24' };
  const cases: [string, NetworkRequest['subnets'], string][] = [
    ['host bits', [{ subnet: '10.98.0.1/24' }], 'invalid subnet 10.98.0.1/24: it should be 10.98.0.0/24'],
    ['no subnet', [{ subnet: 'junk' }], 'invalid subnet junk: invalid CIDR block notation'],
    [
      'loopback',
      [{ subnet: '127.0.0.0/8' }],
      'invalid subnet 127.0.0.0/8: no host can have an address of it',
    ],
    [
      'a range of the other family',
      [{ ...shop, range: 'fd00::/64' }],
      'invalid ip-range fd00::/64: parent subnet is an IPv4 block',
    ],
    [
      'a range of the other family, the other way',
      [{ subnet: 'fd00:1::/64', range: '10.0.0.0/24' }],
      'invalid ip-range 10.0.0.0/24: parent subnet is an IPv6 block',
    ],
    [
      'a range that is larger',
      [{ ...shop, range: '10.98.0.0/16' }],
      'invalid ip-range 10.98.0.0/16: CIDR block is bigger than its parent subnet 10.98.0.0/24',
    ],
    [
      'host bits of a range',
      [{ ...shop, range: '10.98.0.1/25' }],
      'invalid ip-range 10.98.0.1/25: it should be 10.98.0.0/25',
    ],
    [
      'a range elsewhere',
      [{ ...shop, range: '10.99.0.0/25' }],
      "invalid ip-range 10.99.0.0/25: parent subnet 10.98.0.0/24 doesn't contain ip-range",
    ],
    ['no range', [{ ...shop, range: 'junk' }], 'invalid ip-range junk: invalid CIDR block notation'],
    [
      'a gateway of the other family',
      [{ ...shop, gateway: 'fd00::1' }],
      'invalid gateway fd00::1: parent subnet is an IPv4 block',
    ],
    [
      'a gateway elsewhere',
      [{ ...shop, gateway: '10.99.0.1' }],
      "invalid gateway 10.99.0.1: parent subnet 10.98.0.0/24 doesn't contain this address",
    ],
    ['no gateway', [{ ...shop, gateway: 'junk' }], 'invalid gateway junk: it is no IP address'],
    [
      'an address elsewhere',
      [{ ...shop, auxiliary: { router: '10.99.0.1' } }],
      "invalid auxiliary address router: parent subnet 10.98.0.0/24 doesn't contain this address",
    ],
    [
      'an address of the other family',
      [{ subnet: 'fd00:1::/64', auxiliary: { router: '10.99.0.1' } }],
      'invalid auxiliary address router: parent subnet is an IPv6 block',
    ],
    [
      'another way out elsewhere',
      [{ ...shop, auxiliary: { DefaultGatewayIPv4: '10.99.0.1' } }],
      "invalid auxiliary address DefaultGatewayIPv4: parent subnet 10.98.0.0/24 doesn't contain this address: default gateway ip must be part of the network",
    ],
    [
      'a gateway without a subnet',
      [{ gateway: '10.98.0.1' }],
      'invalid gateway 10.98.0.1: it needs a subnet that contains it',
    ],
    [
      'everything at once',
      [
        { subnet: '10.98.0.1/24', range: '10.0.0.1/16', gateway: '10.99.0.1', auxiliary: { a: 'x' } },
        { range: '10.0.0.0/24', auxiliary: { b: '10.0.0.1' } },
      ],
      [
        '* invalid subnet 10.98.0.1/24: it should be 10.98.0.0/24',
        '* invalid ip-range 10.0.0.1/16: CIDR block is bigger than its parent subnet 10.98.0.1/24',
        '* invalid ip-range 10.0.0.1/16: it should be 10.0.0.0/16',
        "* invalid ip-range 10.0.0.1/16: parent subnet 10.98.0.1/24 doesn't contain ip-range",
        "* invalid gateway 10.99.0.1: parent subnet 10.98.0.1/24 doesn't contain this address",
        '* invalid auxiliary address a: it is no IP address',
        '* invalid ip-range 10.0.0.0/24: it needs a subnet that contains it',
        '* invalid auxiliary address b: it needs a subnet that contains it',
      ].join('\n'),
    ],
  ];
  for (const [what, subnets, problems] of cases) {
    it(`finds ${what}`, () => {
      assert.throws(() => plan({ enableIpv6: true, subnets: subnets! }), {
        kind: 'invalid',
        code: 'invalid-network-config',
        message: `invalid network config:\n${problems}`,
      });
    });
  }

  it('leaves IPv6 alone where it is off', () => {
    assert.equal(plan({ subnets: [{ subnet: 'fd00::1/64', gateway: 'junk' }] }).network.subnets.length, 1);
  });

  const unusable: [string, NonNullable<NetworkRequest['subnets']>[number], string, string][] = [
    [
      "the subnet's first address as gateway",
      { gateway: '10.98.0.0' },
      'forbidden',
      'failed to allocate gateway (10.98.0.0): Address already in use',
    ],
    [
      'its last address as gateway',
      { gateway: '10.98.0.255' },
      'forbidden',
      'failed to allocate gateway (10.98.0.255): Address already in use',
    ],
    [
      'an address that is the gateway',
      { gateway: '10.98.0.5', auxiliary: { a: '10.98.0.5' } },
      'forbidden',
      'failed to allocate auxiliary address (a:10.98.0.5): Address already in use',
    ],
    [
      'a range that is all set aside',
      { range: '10.98.0.6/32', auxiliary: { a: '10.98.0.6' } },
      'invalid',
      'no address left for a gateway in 10.98.0.6/32',
    ],
  ];
  for (const [what, request, kind, message] of unusable) {
    it(`refuses ${what}`, () => {
      assert.throws(() => plan({ subnets: [{ ...shop, ...request }] }), { kind, message });
    });
  }
});

describe('templates', () => {
  const made = plan({
    configOnly: true,
    enableIpv6: true,
    driver: 'macvlan',
    options: { 'com.docker.network.driver.mtu': '1400' },
    labels: { tier: 'back' },
    ipamOptions: { a: 'b' },
    subnets: [{ subnet: '10.98.0.0/24', range: '10.98.0.64/26' }, { subnet: '::/64' }],
  }).network;

  it('keep what they were given and are nothing themselves', () => {
    assert.equal(made.driver, 'null');
    assert.equal(made.bridge, undefined);
    assert.equal(made.configOnly, true);
    assert.deepEqual(made.subnets, [
      { subnet: '10.98.0.0/24', gateway: '10.98.0.64', range: '10.98.0.64/26' },
      { subnet: '::/64', gateway: '' },
    ]);
    assert.deepEqual(plan({ configOnly: true }).network.subnets, []);
  });

  it('give it to the networks made from them', () => {
    const template = { ...made, name: 'template' };
    const { network, warning } = plan(
      { configFrom: 'template', internal: true, subnets: [], options: {}, labels: {}, enableIpv4: true },
      { networks: [template] },
    );
    assert.equal(warning, '');
    assert.equal(network.configFrom, 'template');
    assert.equal(network.configOnly, false);
    assert.equal(network.driver, 'bridge');
    assert.equal(network.internal, true);
    assert.equal(network.enableIpv6, true);
    assert.equal(network.bridge?.mtuBytes, 1400);
    assert.deepEqual(network.labels, { tier: 'back' });
    assert.deepEqual(network.ipamOptions, { a: 'b' });
    assert.deepEqual(network.subnets.slice(0, 1), made.subnets.slice(0, 1));
    assert.match(network.subnets[1]!.subnet, /^fd5b:3f47:5145::\/64$/);
    assert.throws(
      () =>
        planNetwork(
          { name: 'second', configFrom: 'template' },
          { ...facts, id: '2'.repeat(64) as NetworkId, networks: [template, network] },
        ),
      { code: 'subnet-overlaps' },
    );
  });
});
