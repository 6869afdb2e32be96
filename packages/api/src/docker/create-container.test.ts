import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EngineError, type ErrorKind } from '@seaway/engine';
import { fromDockerClient } from '../fixtures/docker-client-body.ts';
import { fromDockerCreate } from './create-container.ts';
import type { CreateContainerBody } from './create-container-body.ts';
import { refusedOptions } from './refused-options.ts';

type Host = NonNullable<CreateContainerBody['HostConfig']>;
type Endpoints = NonNullable<CreateContainerBody['NetworkingConfig']>['EndpointsConfig'];

const NEWEST = 150;

function create(body: CreateContainerBody, version = NEWEST, name?: string) {
  return fromDockerCreate({ Image: 'busybox', ...body }, name, version);
}
const hostOf = (host: Host, version?: number) => create({ HostConfig: host }, version).request.host;
const networksOf = (mode: string, endpoints: Endpoints, version?: number) =>
  create({ HostConfig: { NetworkMode: mode }, NetworkingConfig: { EndpointsConfig: endpoints } }, version)
    .request.networks;

function refuses(run: () => unknown, kind: ErrorKind, message: string | RegExp, code?: string): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof EngineError);
    if (typeof message === 'string') assert.equal(error.message, message);
    else assert.match(error.message, message);
    assert.equal(error.kind, kind);
    if (code) assert.equal(error.code, code);
    return true;
  });
}

/** The same body with every field null. */
function allNull(body: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => [
      name,
      name === 'HostConfig' ? allNull(value as Record<string, unknown>) : name === 'Image' ? value : null,
    ]),
  );
}

const plain = {
  request: {
    config: {
      hostname: '',
      domainname: '',
      user: '',
      attachStdin: false,
      attachStdout: true,
      attachStderr: true,
      tty: false,
      openStdin: false,
      stdinOnce: false,
      env: [],
      cmd: null,
      entrypoint: null,
      image: 'busybox',
      workingDir: '',
      labels: {},
      exposedPorts: [],
    },
    host: {
      networkMode: { kind: 'network', network: 'bridge' },
      networkModeText: 'bridge',
      autoRemove: false,
      restartPolicy: { name: 'no', maximumRetryCount: 0 },
      binds: [],
      tmpfs: {},
      capAdd: [],
      capDrop: [],
      readonlyRootfs: false,
      dns: [],
      dnsSearch: [],
      dnsOptions: [],
      extraHosts: [],
      groupAdd: [],
      utsMode: 'private',
      shmSizeBytes: 67108864,
      sysctls: {},
      securityOpt: [],
      rlimits: [],
      oomScoreAdj: 0,
      resources: {},
      cgroupParent: '',
      portBindings: [],
      publishAllPorts: false,
    },
    links: [],
    networks: { bridge: { aliases: [], links: [], driverOptions: {}, gatewayPriority: 0 } },
  },
  warnings: [],
};

describe('what clients leave open', () => {
  test('is sent as nulls, zeros and empty values by the docker client, and means the defaults', () => {
    assert.deepEqual(fromDockerCreate(fromDockerClient, undefined, NEWEST), plain);
  });

  test('may be null throughout', () => {
    const { request } = fromDockerCreate(allNull(fromDockerClient) as CreateContainerBody, '', NEWEST);
    assert.deepEqual(request.host, plain.request.host);
    assert.deepEqual(request.networks, plain.request.networks);
    assert.deepEqual(request.config, { ...plain.request.config, attachStdout: false, attachStderr: false });
  });

  test('may be missing, but not everything', () => {
    assert.deepEqual(
      fromDockerCreate({ Image: 'busybox' }, undefined, NEWEST).request.host,
      plain.request.host,
    );
    refuses(
      () => fromDockerCreate({}, undefined, NEWEST),
      'invalid',
      'Config cannot be empty in order to create a container',
      'empty-config',
    );
  });
});

describe('the configuration', () => {
  const fields: readonly (readonly [given: CreateContainerBody, expected: object])[] = [
    [{ Hostname: 'box.example' }, { hostname: 'box.example' }],
    [{ Domainname: 'example' }, { domainname: 'example' }],
    [{ User: '1:2' }, { user: '1:2' }],
    [
      { AttachStdin: true, AttachStdout: true, AttachStderr: true },
      { attachStdin: true, attachStdout: true, attachStderr: true },
    ],
    [
      { Tty: true, OpenStdin: true, StdinOnce: true },
      { tty: true, openStdin: true, stdinOnce: true },
    ],
    [{ Env: ['A=1', 'B'] }, { env: ['A=1', 'B'] }],
    [{ Cmd: ['a', 'b'] }, { cmd: ['a', 'b'] }],
    [{ Cmd: 'a b' }, { cmd: ['a b'] }],
    [{ Cmd: [] }, { cmd: [] }],
    [{ Entrypoint: ['x'] }, { entrypoint: ['x'] }],
    [{ Entrypoint: '' }, { entrypoint: [''] }],
    [{ WorkingDir: '/srv' }, { workingDir: '/srv' }],
    [{ Labels: { a: 'b', __proto: '' } }, { labels: { a: 'b', __proto: '' } }],
    [
      { ExposedPorts: { '80': {}, '53/UDP': {}, '8000-8002/tcp': {} } },
      { exposedPorts: ['80/tcp', '53/udp', '8000/tcp', '8001/tcp', '8002/tcp'] },
    ],
    [{ StopSignal: 'SIGINT' }, { stopSignal: 'SIGINT' }],
    [{ StopTimeout: 0 }, { stopTimeoutSeconds: 0 }],
    [{ StopTimeout: -1 }, { stopTimeoutSeconds: -1 }],
    [{ Healthcheck: { Test: ['NONE'] } }, {}],
  ];
  for (const [given, expected] of fields) {
    test(`takes ${JSON.stringify(given)}`, () => {
      const config = create(given).request.config as unknown as Record<string, unknown>;
      for (const [name, value] of Object.entries(expected)) {
        const actual = config[name];
        assert.deepEqual(
          Array.isArray(actual) ? actual.toSorted() : actual,
          Array.isArray(value) ? value.toSorted() : value,
        );
      }
    });
  }

  test('takes the name with or without its slash', () => {
    assert.equal(create({}, NEWEST, '/web').request.name, 'web');
    assert.equal(create({}, NEWEST, 'web').request.name, 'web');
    assert.ok(!('name' in create({}, NEWEST, '').request));
  });

  const bad: readonly (readonly [body: CreateContainerBody, code: string, message: string])[] = [
    [
      { Hostname: '-box' },
      'invalid-hostname',
      "invalid hostname '-box': letters, digits, '-' and '.' are allowed, at most 63",
    ],
    [
      { Hostname: 'x'.repeat(64) },
      'invalid-hostname',
      `invalid hostname '${'x'.repeat(64)}': letters, digits, '-' and '.' are allowed, at most 63`,
    ],
    [{ Env: [''] }, 'invalid-env', 'invalid environment variable: '],
    [{ Env: ['=x'] }, 'invalid-env', 'invalid environment variable: =x'],
    [
      { WorkingDir: 'srv' },
      'invalid-working-dir',
      "the working directory 'srv' is invalid, it needs to be an absolute path",
    ],
    [{ ExposedPorts: { http: {} } }, 'invalid-port', 'invalid port specification: "http"'],
    [{ ExposedPorts: { '0/tcp': {} } }, 'invalid-port', 'invalid port specification: "0/tcp"'],
    [{ ExposedPorts: { '65536': {} } }, 'invalid-port', 'invalid port specification: "65536"'],
    [{ ExposedPorts: { '9-8': {} } }, 'invalid-port', 'invalid port specification: "9-8"'],
    [{ ExposedPorts: { '80/icmp': {} } }, 'invalid-port', 'invalid port specification: "80/icmp"'],
  ];
  for (const [body, code, message] of bad) {
    test(`refuses ${JSON.stringify(body)}`, () => refuses(() => create(body), 'invalid', message, code));
  }
});

describe('the host configuration', () => {
  const fields: readonly (readonly [given: Host, expected: object])[] = [
    [{ AutoRemove: true }, { autoRemove: true }],
    [{ Tmpfs: { '/tmp': 'size=1m', '/run': '' } }, { tmpfs: { '/tmp': 'size=1m', '/run': '' } }],
    [
      { CapAdd: ['NET_ADMIN'], CapDrop: ['ALL'] },
      { capAdd: ['NET_ADMIN'], capDrop: ['ALL'] },
    ],
    [{ ReadonlyRootfs: true }, { readonlyRootfs: true }],
    [
      { Dns: ['192.0.2.1'], DnsSearch: ['x'], DnsOptions: ['ndots:1'] },
      { dns: ['192.0.2.1'], dnsSearch: ['x'], dnsOptions: ['ndots:1'] },
    ],
    [
      { ExtraHosts: ['a:192.0.2.1', 'b:2001:db8::1', 'c:host-gateway'] },
      { extraHosts: ['a:192.0.2.1', 'b:2001:db8::1', 'c:host-gateway'] },
    ],
    [{ GroupAdd: ['audio'] }, { groupAdd: ['audio'] }],
    [{ UTSMode: 'host' }, { utsMode: 'host' }],
    [{ ShmSize: 4096 }, { shmSizeBytes: 4096 }],
    [{ Sysctls: { 'net.core.somaxconn': '1' } }, { sysctls: { 'net.core.somaxconn': '1' } }],
    [{ SecurityOpt: ['no-new-privileges'] }, { securityOpt: ['no-new-privileges'] }],
    [
      { Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }] },
      { rlimits: [{ name: 'nofile', soft: 1, hard: 2 }] },
    ],
    [{ OomScoreAdj: -5 }, { oomScoreAdj: -5 }],
    [{ CgroupParent: '/x' }, { cgroupParent: '/x' }],
    [
      { PortBindings: { '80': [{ HostPort: '8080' }] }, PublishAllPorts: true },
      {
        portBindings: [
          { port: 80, protocol: 'tcp', hostAddress: '', hostPortFirst: 8080, hostPortLast: 8080 },
        ],
        publishAllPorts: true,
      },
    ],
    [
      { NetworkMode: 'none', PublishAllPorts: true },
      { networkMode: { kind: 'none' }, networkModeText: 'none', publishAllPorts: true },
    ],
  ];
  for (const [given, expected] of fields) {
    test(`takes ${JSON.stringify(given)}`, () => {
      assert.deepEqual(hostOf(given), { ...plain.request.host, ...expected });
    });
  }

  test('tells of empty lists of port bindings from 1.52 on', () => {
    const PortBindings = { '80/tcp': [], '53/udp': null, '81/tcp': [{}] };
    assert.deepEqual(create({ HostConfig: { PortBindings } }, 151).warnings, []);
    assert.deepEqual(create({ HostConfig: { PortBindings } }, 152).warnings, [
      'Following container port(s) have an empty list of port-bindings: 80/tcp, 53/udp. Such bindings will be discarded in a future version.',
    ]);
  });

  const bad: readonly (readonly [host: Host, code: string, message: string])[] = [
    [
      { PortBindings: { '80/tcp': [{ HostPort: '99999' }] } },
      'invalid-port',
      'invalid port specification: "99999"',
    ],
    [{ Tmpfs: { tmp: '' } }, 'invalid-tmpfs', "invalid mount path: 'tmp' mount path must be absolute"],
    [{ ExtraHosts: ['a'] }, 'invalid-extra-host', 'bad format for add-host: "a"'],
    [{ ExtraHosts: ['a:b'] }, 'invalid-extra-host', 'invalid IP address in add-host: "b"'],
    [{ UTSMode: 'x' }, 'invalid-uts-mode', 'invalid UTS mode: x'],
    [
      { RestartPolicy: { Name: 'no', MaximumRetryCount: 1 } },
      'invalid-restart-policy',
      "maximum retry count cannot be used with restart policy 'no'",
    ],
    [{ RestartPolicy: { Name: 'zz' } }, 'invalid-restart-policy', "invalid restart policy 'zz'"],
    [
      { RestartPolicy: { Name: 'always', MaximumRetryCount: 1 } },
      'invalid-restart-policy',
      "maximum retry count cannot be used with restart policy 'always'",
    ],
    [
      { RestartPolicy: { Name: 'unless-stopped', MaximumRetryCount: 1 } },
      'invalid-restart-policy',
      "maximum retry count cannot be used with restart policy 'unless-stopped'",
    ],
    [
      { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: -1 } },
      'invalid-restart-policy',
      'maximum retry count cannot be negative',
    ],
    [
      { RestartPolicy: { Name: 'always' }, AutoRemove: true },
      'invalid-restart-policy',
      "can't create 'AutoRemove' container with restart policy",
    ],
    [
      { NetworkMode: 'container:' },
      'invalid-network-mode',
      'invalid network mode: invalid container format container:<name|id>',
    ],
    [
      { NetworkMode: 'container' },
      'invalid-network-mode',
      'invalid network mode: invalid container format container:<name|id>',
    ],
  ];
  for (const [host, code, message] of bad) {
    test(`refuses ${JSON.stringify(host)}`, () =>
      refuses(() => create({ HostConfig: host }), 'invalid', message, code));
  }
});

describe('options that exclude each other', () => {
  const joined = { NetworkMode: 'container:other' };
  const cases: readonly (readonly [body: CreateContainerBody, version: number, message: string])[] = [
    [{ Hostname: 'h', HostConfig: joined }, NEWEST, 'hostname and the network mode'],
    [{ Hostname: 'h', HostConfig: { UTSMode: 'host' } }, NEWEST, 'hostname and the UTS mode'],
    [
      { HostConfig: { ...joined, Links: ['a:b'] } },
      NEWEST,
      "container type network can't be used with links. This would result in undefined behavior",
    ],
    [
      { HostConfig: { NetworkMode: 'host', Links: ['a:b'] } },
      NEWEST,
      "host type networking can't be used with links. This would result in undefined behavior",
    ],
    [{ HostConfig: { ...joined, Dns: ['192.0.2.1'] } }, NEWEST, 'dns and the network mode'],
    [
      { HostConfig: { ...joined, ExtraHosts: ['a:192.0.2.1'] } },
      NEWEST,
      'custom host-to-IP mapping and the network mode',
    ],
    [
      { HostConfig: { ...joined, PortBindings: { '80/tcp': [] } } },
      NEWEST,
      'port publishing and the container type network mode',
    ],
    [
      { HostConfig: { ...joined, PublishAllPorts: true } },
      NEWEST,
      'port publishing and the container type network mode',
    ],
    [
      { HostConfig: joined, ExposedPorts: { '80/tcp': {} } },
      NEWEST,
      'port exposing and the container type network mode',
    ],
    ...['host', 'none', 'container:other'].map(
      (NetworkMode) =>
        [
          { HostConfig: { NetworkMode }, MacAddress: '02:42:00:00:00:01' },
          143,
          'mac-address and the network mode',
        ] as const,
    ),
  ];
  for (const [body, version, message] of cases) {
    test(`${JSON.stringify(body)} is refused`, () =>
      refuses(
        () => create(body, version),
        'invalid',
        `conflicting options: ${message}`,
        'conflicting-options',
      ));
  }

  test('ports with the host network are a warning, and hostname, dns and extra hosts are fine', () => {
    const { warnings, request } = create({
      Hostname: 'h',
      HostConfig: {
        NetworkMode: 'host',
        PortBindings: { '80/tcp': [{ HostPort: '8080' }] },
        Dns: ['192.0.2.1'],
        ExtraHosts: ['a:192.0.2.1'],
      },
    });
    assert.deepEqual(warnings, ['Published ports are discarded when using host network mode']);
    assert.deepEqual(request.networks, {});
    assert.deepEqual(request.host.portBindings, [
      { port: 80, protocol: 'tcp', hostAddress: '', hostPortFirst: 8080, hostPortLast: 8080 },
    ]);
  });
});

describe('networks', () => {
  const none = plain.request.networks.bridge;
  const cases: readonly (readonly [
    what: string,
    mode: string,
    endpoints: Endpoints,
    expected: Readonly<Record<string, object>>,
  ])[] = [
    ['no mode is the default bridge', '', null, { bridge: none }],
    ['the entry `default` is the default bridge', 'default', { default: null }, { bridge: none }],
    ['an entry for the mode', 'shop', { shop: { Aliases: ['a'] } }, { shop: { ...none, aliases: ['a'] } }],
    ['a network without an entry', 'shop', {}, { shop: none }],
    ['an entry for another network replaces the default bridge', 'bridge', { shop: {} }, { shop: none }],
    ['an entry for another network joins it as well', 'shop', { other: {} }, { shop: none, other: none }],
    ['no networks in host mode', 'host', { host: {} }, {}],
    ['no networks in none mode', 'none', { none: {} }, {}],
    ['no networks in container mode', 'container:x', {}, {}],
    [
      'addresses and priority',
      'shop',
      { shop: { IPAMConfig: { IPv4Address: '192.0.2.9', IPv6Address: '2001:db8::9' }, GwPriority: 5 } },
      { shop: { ...none, ipv4Address: '192.0.2.9', ipv6Address: '2001:db8::9', gatewayPriority: 5 } },
    ],
    [
      'empty texts are no addresses',
      'shop',
      { shop: { IPAMConfig: { IPv4Address: '', IPv6Address: '', LinkLocalIPs: null } } },
      { shop: none },
    ],
  ];
  for (const [what, mode, endpoints, expected] of cases) {
    test(what, () => assert.deepEqual(networksOf(mode, endpoints), expected));
  }

  test('the mode is kept as it was written, but the default is called bridge', () => {
    for (const [given, text] of [
      ['', 'bridge'],
      ['default', 'bridge'],
      ['bridge', 'bridge'],
      ['host', 'host'],
      ['none', 'none'],
      ['shop', 'shop'],
      ['container:web', 'container:web'],
    ] as const) {
      assert.equal(hostOf({ NetworkMode: given }).networkModeText, text);
    }
  });

  test('before 1.44 there is one network at most, from then on any number', () => {
    refuses(
      () => networksOf('a', { a: {}, b: {} }, 143),
      'invalid',
      'Container cannot be created with multiple network endpoints: a, b',
      'several-networks',
    );
    assert.deepEqual(Object.keys(networksOf('a', { a: {}, b: {} }, 144)), ['a', 'b']);
  });

  test('settings of an endpoint are passed on', () => {
    const given = { DriverOpts: { 'com.docker.network.endpoint.ifname': 'lan0' }, Links: ['db:database'] };
    assert.deepEqual(networksOf('shop', { shop: { ...given, MacAddress: '02:42:00:00:00:01' } }), {
      shop: {
        ...none,
        driverOptions: given.DriverOpts,
        links: given.Links,
        macAddress: '02:42:00:00:00:01',
      },
    });
  });

  test('links are passed on as they are', () => {
    const { request } = fromDockerCreate({ Image: 'i', HostConfig: { Links: ['db:store'] } }, undefined, 148);
    assert.deepEqual(request.links, ['db:store']);
  });

  test('before 1.48 there is no priority', () => {
    assert.deepEqual(networksOf('shop', { shop: { GwPriority: 5 } }, 147), { shop: none });
  });

  test('names that objects have by nature are names of networks', () => {
    assert.deepEqual(Object.keys(networksOf('constructor', {})), ['constructor']);
    assert.deepEqual(Object.keys(networksOf('__proto__', JSON.parse('{"__proto__":{}}'))), ['__proto__']);
  });
});

describe('MAC addresses', () => {
  const none = plain.request.networks.bridge;
  const mac = '02:42:00:00:00:01';
  const withMac = (mode: string, endpoints: Endpoints, version: number) =>
    create(
      {
        MacAddress: mac,
        HostConfig: { NetworkMode: mode },
        NetworkingConfig: { EndpointsConfig: endpoints },
      },
      version,
    );

  test("before 1.44 an endpoint's is one that was read, not one that is asked for", () => {
    assert.deepEqual(networksOf('a', { a: { MacAddress: mac } }, 143), { a: none });
  });

  test('of the whole container is that of its main network', () => {
    for (const [mode, endpoints, expected] of [
      ['', {}, { bridge: { ...none, macAddress: mac } }],
      ['a', { a: { MacAddress: mac } }, { a: { ...none, macAddress: mac } }],
      ['bridge', { a: {} }, { a: { ...none, macAddress: mac } }],
    ] as const) {
      assert.deepEqual(withMac(mode, endpoints, 143).request.networks, expected);
      assert.deepEqual(withMac(mode, endpoints, 144).request.networks, expected);
    }
    assert.deepEqual(withMac('a', { b: {} }, 144).request.networks, {
      a: { ...none, macAddress: mac },
      b: none,
    });
  });

  test('of the whole container are out of use from 1.44 on', () => {
    assert.deepEqual(withMac('a', {}, 143).warnings, []);
    assert.deepEqual(withMac('a', {}, 144).warnings, [
      'The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.',
    ]);
  });

  test('must not differ', () => {
    refuses(
      () => withMac('a', { a: { MacAddress: '02:42:00:00:00:02' } }, 144),
      'invalid',
      'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
    );
  });

  test('need a network of their own', () => {
    for (const mode of ['host', 'none', 'container:x']) {
      for (const version of [143, 150]) {
        refuses(
          () => withMac(mode, {}, version),
          'invalid',
          'conflicting options: mac-address and the network mode',
        );
      }
    }
    refuses(
      () => networksOf('host', { host: { MacAddress: mac } }, 150),
      'invalid',
      'conflicting options: mac-address and the network mode',
    );
    assert.deepEqual(networksOf('host', { host: { MacAddress: mac } }, 143), {}, 'only what was read');
  });
});

/** For each refused field a request that asks for it, and what the error calls it. */
const asking: Readonly<Record<string, readonly [body: CreateContainerBody, what: string]>> = {
  'NetworkingConfig.EndpointsConfig.IPAMConfig.LinkLocalIPs': [
    { NetworkingConfig: { EndpointsConfig: { default: { IPAMConfig: { LinkLocalIPs: ['169.254.0.9'] } } } } },
    'a link-local address',
  ],
};

describe('what this version cannot honour is refused, not ignored', () => {
  test('the table below covers every refused field', () => {
    assert.deepEqual(
      refusedOptions.map(({ field }) => field),
      Object.keys(asking),
    );
  });
  for (const [field, [body, what]] of Object.entries(asking)) {
    test(field, () =>
      refuses(
        () => create(body),
        'notImplemented',
        `${field}: ${what} is not supported by this version of Seaway`,
        'unsupported-option',
      ),
    );
  }
});
