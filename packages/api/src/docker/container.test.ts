import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, test } from 'node:test';
import {
  type ContainerRecord,
  type EndpointRecord,
  type NetworkRecord,
  noEndpointSettings,
} from '@seaway/engine';
import {
  bridgeId,
  containerId,
  containerRecord,
  endpointRecord,
  fakeEngine,
  hostNetwork,
  imageId,
  networkRecord,
  runningRecord,
} from '../fixtures/engine.ts';
import { toDockerInspect, toDockerSummary } from './container.ts';
import { humanDuration, statusText } from './container-status.ts';

const NEWEST = 150;

const stopped = containerRecord({
  state: {
    status: 'exited',
    exitCode: 3,
    startedAt: '2026-01-02T03:04:06Z',
    finishedAt: '2026-01-02T03:04:07Z',
  },
});

function inspect(container: ContainerRecord, version = NEWEST, others: readonly ContainerRecord[] = []) {
  const endpoints = container.state.status === 'running' ? [endpointRecord()] : [];
  return toDockerInspect(fakeEngine({ containers: [container, ...others], endpoints }), container, version);
}

describe('durations are in the rough words of Docker', () => {
  const [second, minute, hour, day] = [1000, 60_000, 3_600_000, 86_400_000];
  for (const [ms, text] of [
    [0, 'Less than a second'],
    [second - 1, 'Less than a second'],
    [second, '1 second'],
    [59 * second, '59 seconds'],
    [minute, 'About a minute'],
    [2 * minute - 1, 'About a minute'],
    [2 * minute, '2 minutes'],
    [59 * minute, '59 minutes'],
    [hour, 'About an hour'],
    [1.4 * hour, 'About an hour'],
    [1.5 * hour, '2 hours'],
    [47 * hour, '47 hours'],
    [2 * day, '2 days'],
    [13 * day, '13 days'],
    [14 * day, '2 weeks'],
    [59 * day, '8 weeks'],
    [60 * day, '2 months'],
    [729 * day, '24 months'],
    [730 * day, '2 years'],
  ] as const) {
    test(`${ms} ms: ${text}`, () => assert.equal(humanDuration(ms), text));
  }
});

describe('the status text', () => {
  const now = Date.parse('2026-01-02T03:06:07Z');
  for (const [container, text] of [
    [containerRecord(), 'Created'],
    [runningRecord({ state: { startedAt: '2026-01-02T03:06:02Z' } }), 'Up 5 seconds'],
    [stopped, 'Exited (3) 2 minutes ago'],
    [containerRecord({ state: { status: 'dead' } }), 'Dead'],
  ] as const) {
    test(`of ${container.state.status} is ${text}`, () => assert.equal(statusText(container, now), text));
  }
});

describe('an entry of the list', () => {
  const show = (container: ContainerRecord) =>
    toDockerSummary(
      fakeEngine({ containers: [container], endpoints: [endpointRecord()] }),
      container,
      [],
      NEWEST,
    );

  test('has every field that clients read', () => {
    const entry = show(
      runningRecord({
        config: { exposedPorts: ['80/tcp', '53/udp'], labels: { a: 'b' } },
        host: { binds: [{ source: '/a', destination: '/b', readonly: true, text: '/a:/b:ro' }] },
        path: 'sh',
        args: ['-c', 'echo "hi there"'],
      }),
    );
    assert.match(entry.Status, /^Up /);
    assert.deepEqual(
      { ...entry, Status: '', NetworkSettings: { Networks: Object.keys(entry.NetworkSettings.Networks) } },
      {
        Id: containerId,
        Names: ['/web'],
        Image: 'busybox',
        ImageID: imageId,
        Command: `sh -c 'echo "hi there"'`,
        Created: 1767323045,
        Ports: [
          { PrivatePort: 80, Type: 'tcp' },
          { PrivatePort: 53, Type: 'udp' },
        ],
        Labels: { a: 'b' },
        State: 'running',
        Status: '',
        HostConfig: { NetworkMode: 'bridge' },
        NetworkSettings: { Networks: ['bridge'] },
        Mounts: [
          {
            Type: 'bind',
            Source: '/a',
            Destination: '/b',
            Mode: 'ro',
            RW: false,
            Propagation: 'rprivate',
          },
        ],
      },
    );
  });

  test('tells volumes, folders of the host and memory apart', () => {
    const common = { readonly: false, mode: '' };
    const { Mounts } = show(
      containerRecord({
        mounts: [
          { type: 'volume', volume: 'data', destination: '/d', readonly: true, mode: 'ro' },
          { type: 'bind', source: '/a', destination: '/b', propagation: 'rslave', ...common },
          { type: 'tmpfs', destination: '/t', options: ['size=1'], ...common },
        ],
        // What was asked for is no longer looked at.
        host: { binds: [{ source: '/x', destination: '/y', readonly: false, text: '/x:/y' }] },
      }),
    );
    assert.deepEqual(Mounts, [
      {
        Type: 'volume',
        Name: 'data',
        Source: '/volumes/data/_data',
        Destination: '/d',
        Driver: 'local',
        Mode: 'ro',
        RW: false,
        Propagation: '',
      },
      { Type: 'bind', Source: '/a', Destination: '/b', Mode: '', RW: true, Propagation: 'rslave' },
      { Type: 'tmpfs', Source: '', Destination: '/t', Mode: '', RW: true, Propagation: '' },
    ]);
  });

  test('names the image by its id where the name means another image by now', () => {
    assert.equal(show(containerRecord({ config: { image: 'moved' } })).Image, imageId);
  });

  test('has where the host answers for its ports', () => {
    const { Ports } = show(
      runningRecord({
        config: { exposedPorts: ['80/tcp', '53/udp', '80/udp'] },
        publishedPorts: [
          { port: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080 },
          { port: 80, protocol: 'tcp', hostAddress: '::', hostPort: 8080 },
          { port: 53, protocol: 'udp', hostAddress: '127.0.0.1', hostPort: 53 },
        ],
      } as object),
    );
    assert.deepEqual(Ports, [
      { PrivatePort: 80, Type: 'udp' },
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { IP: '127.0.0.1', PrivatePort: 53, PublicPort: 53, Type: 'udp' },
    ]);
  });

  test('has ports only while there is a network namespace of its own on a network', () => {
    const ports = { exposedPorts: ['80/tcp'] };
    const modes = {
      host: { networkMode: { kind: 'host' }, networkModeText: 'host' },
      none: { networkMode: { kind: 'none' }, networkModeText: 'none' },
      joined: { networkMode: { kind: 'container', container: 'x' }, networkModeText: 'container:x' },
    } as const;
    assert.deepEqual(show(containerRecord({ config: ports })).Ports, []);
    for (const host of Object.values(modes)) {
      assert.deepEqual(show(runningRecord({ config: ports, host })).Ports, [], host.networkModeText);
    }
  });
});

describe('inspect', () => {
  test('shows the state in the words of Docker', () => {
    assert.deepEqual(inspect(stopped).State, {
      Status: 'exited',
      Running: false,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: 0,
      ExitCode: 3,
      Error: '',
      StartedAt: '2026-01-02T03:04:06Z',
      FinishedAt: '2026-01-02T03:04:07Z',
    });
    const { State } = inspect(runningRecord());
    assert.deepEqual([State.Status, State.Running, State.Pid], ['running', true, 42]);
    const failed = inspect(containerRecord({ state: { exitCode: 127, error: 'no such file' } }));
    assert.deepEqual([failed.State.ExitCode, failed.State.Error], [127, 'no such file']);
  });

  test('has what the request said and what the image added', () => {
    const shown = inspect(
      containerRecord({
        config: {
          domainname: 'example',
          user: '1',
          env: ['A=1'],
          entrypoint: ['x'],
          workingDir: '/w',
          labels: { a: 'b' },
          exposedPorts: ['80/tcp'],
          stopSignal: 'SIGINT',
          stopTimeoutSeconds: 0,
        },
      }),
    );
    assert.equal(shown.Id, containerId);
    assert.equal(shown.Name, '/web');
    assert.equal(shown.Created, '2026-01-02T03:04:05.678901234Z');
    assert.equal(shown.Image, imageId);
    assert.deepEqual([shown.Path, shown.Args], ['httpd', ['-f']]);
    assert.equal(shown.LogPath, `/logs/${containerId}`);
    assert.deepEqual(shown.Config, {
      Hostname: containerId.slice(0, 12),
      Domainname: 'example',
      User: '1',
      AttachStdin: false,
      AttachStdout: false,
      AttachStderr: false,
      ExposedPorts: { '80/tcp': {} },
      Tty: false,
      OpenStdin: false,
      StdinOnce: false,
      Env: ['A=1'],
      Cmd: ['httpd', '-f'],
      Image: 'busybox',
      Volumes: null,
      WorkingDir: '/w',
      Entrypoint: ['x'],
      OnBuild: null,
      Labels: { a: 'b' },
      StopSignal: 'SIGINT',
      StopTimeout: 0,
    });
    const plain = inspect(containerRecord()).Config;
    assert.ok(!('ExposedPorts' in plain) && !('StopTimeout' in plain));
  });

  test('shows the host configuration with null for empty lists, as Docker does', () => {
    const { HostConfig: plain } = inspect(containerRecord());
    for (const name of [
      'Binds',
      'CapAdd',
      'CapDrop',
      'ExtraHosts',
      'GroupAdd',
      'SecurityOpt',
      'Links',
    ] as const) {
      assert.equal(plain[name], null, name);
    }
    assert.ok(!('Tmpfs' in plain) && !('Sysctls' in plain));
    const { HostConfig: full } = inspect(
      containerRecord({
        host: {
          binds: [{ source: '/a', destination: '/b', readonly: false, text: '/a:/b' }],
          tmpfs: { '/t': '' },
          sysctls: { a: '1' },
          capAdd: ['NET_ADMIN'],
          rlimits: [{ name: 'nofile', soft: 1, hard: 2 }],
          utsMode: 'host',
          resources: { memoryBytes: 1, memorySwapBytes: 2, nanoCpus: 3, pidsLimit: 4, cpusetCpus: '0' },
          autoRemove: true,
          publishAllPorts: true,
          portBindings: [
            { port: 80, protocol: 'tcp', hostAddress: '::1', hostPortFirst: 8000, hostPortLast: 8002 },
          ],
        },
      }),
    );
    assert.deepEqual(
      {
        Binds: full.Binds,
        Tmpfs: full.Tmpfs,
        Sysctls: full.Sysctls,
        CapAdd: full.CapAdd,
        Ulimits: full.Ulimits,
        UTSMode: full.UTSMode,
        Memory: full.Memory,
        MemorySwap: full.MemorySwap,
        NanoCpus: full.NanoCpus,
        PidsLimit: full.PidsLimit,
        CpusetCpus: full.CpusetCpus,
        AutoRemove: full.AutoRemove,
        PublishAllPorts: full.PublishAllPorts,
        PortBindings: full.PortBindings,
      },
      {
        Binds: ['/a:/b'],
        Tmpfs: { '/t': '' },
        Sysctls: { a: '1' },
        CapAdd: ['NET_ADMIN'],
        Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
        UTSMode: 'host',
        Memory: 1,
        MemorySwap: 2,
        NanoCpus: 3,
        PidsLimit: 4,
        CpusetCpus: '0',
        AutoRemove: true,
        PublishAllPorts: true,
        PortBindings: { '80/tcp': [{ HostIp: '::1', HostPort: '8000-8002' }] },
      },
    );
  });

  test('shows records of versions that could not publish', () => {
    const { portBindings: _, publishAllPorts: __, ...host } = containerRecord().host;
    const { HostConfig: shown } = inspect({ ...containerRecord(), host } as ContainerRecord);
    assert.deepEqual([shown.PortBindings, shown.PublishAllPorts], [{}, false]);
  });

  test('has paths of network files from the first start on', () => {
    assert.equal(inspect(containerRecord()).HostsPath, '');
    for (const container of [runningRecord(), stopped]) {
      const { HostsPath, HostnamePath, ResolvConfPath } = inspect(container);
      assert.deepEqual(
        [HostsPath, HostnamePath, ResolvConfPath],
        ['/f/hosts', '/f/hostname', '/f/resolv.conf'],
      );
    }
  });
});

const onBridge = {
  IPAMConfig: null,
  Links: null,
  Aliases: null,
  MacAddress: '02:42:ac:11:00:02',
  DriverOpts: null,
  GwPriority: 0,
  NetworkID: bridgeId,
  EndpointID: 'e'.repeat(64),
  Gateway: '172.17.0.1',
  IPAddress: '172.17.0.2',
  IPPrefixLen: 16,
  IPv6Gateway: '',
  GlobalIPv6Address: '',
  GlobalIPv6PrefixLen: 0,
  DNSNames: null,
};
const notConnected = {
  ...onBridge,
  MacAddress: '',
  NetworkID: '',
  EndpointID: '',
  Gateway: '',
  IPAddress: '',
  IPPrefixLen: 0,
};
const flat = {
  Bridge: '',
  HairpinMode: false,
  LinkLocalIPv6Address: '',
  LinkLocalIPv6PrefixLen: 0,
  SecondaryIPAddresses: null,
  SecondaryIPv6Addresses: null,
  EndpointID: 'e'.repeat(64),
  Gateway: '172.17.0.1',
  GlobalIPv6Address: '',
  GlobalIPv6PrefixLen: 0,
  IPAddress: '172.17.0.2',
  IPPrefixLen: 16,
  IPv6Gateway: '',
  MacAddress: '02:42:ac:11:00:02',
};
const flatEmpty = { ...flat, EndpointID: '', Gateway: '', IPAddress: '', IPPrefixLen: 0, MacAddress: '' };

test('a MAC address that was asked for is shown for the whole container before 1.52', () => {
  const bridge = { ...containerRecord().networks.bridge!, macAddress: '02:42:00:00:00:01' };
  const shown = (version: number) => inspect(containerRecord({ networks: { bridge } }), version).Config;
  assert.equal((shown(151) as { MacAddress?: string }).MacAddress, '02:42:00:00:00:01');
  assert.ok(!('MacAddress' in shown(152)));
  assert.ok(!('MacAddress' in inspect(runningRecord(), 151).Config), 'one that was chosen is none');
});

test('links are shown by the names of both ends, those to removed containers not at all', () => {
  const db = containerRecord({ id: '5'.repeat(64), name: 'db' });
  const links = [
    { target: db.id, alias: 'store' },
    { target: '6'.repeat(64) as ContainerRecord['id'], alias: 'gone' },
  ];
  assert.deepEqual(inspect(containerRecord({ links }), NEWEST, [db]).HostConfig.Links, ['/db:/web/store']);
  assert.equal(inspect(containerRecord({ links })).HostConfig.Links, null);
  const entry = toDockerSummary(fakeEngine(), db, ['web/store'], NEWEST);
  assert.deepEqual(entry.Names, ['/db', '/web/store']);
});

describe('the network settings', () => {
  test('of a running container on the default bridge', () => {
    assert.deepEqual(inspect(runningRecord({ config: { exposedPorts: ['80/tcp'] } })).NetworkSettings, {
      SandboxID: 's'.repeat(64),
      SandboxKey: '/run/netns/sandbox',
      Ports: { '80/tcp': null },
      Networks: { bridge: onBridge },
      ...flat,
    });
  });

  test('repeat the default bridge at the top for versions before 1.52 only', () => {
    assert.deepEqual(inspect(runningRecord(), 152).NetworkSettings, {
      SandboxID: 's'.repeat(64),
      SandboxKey: '/run/netns/sandbox',
      Ports: {},
      Networks: { bridge: onBridge },
    });
  });

  test('say where the host answers for its ports, for each address', () => {
    const published = runningRecord({
      config: { exposedPorts: ['80/tcp', '53/udp', '9/sctp'] },
      publishedPorts: [
        { port: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 32768 },
        { port: 80, protocol: 'tcp', hostAddress: '::', hostPort: 32768 },
        { port: 80, protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 80 },
        { port: 53, protocol: 'udp', hostAddress: '::1', hostPort: 5353 },
      ],
    } as object);
    assert.deepEqual(inspect(published).NetworkSettings.Ports, {
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: '32768' },
        { HostIp: '::', HostPort: '32768' },
        { HostIp: '127.0.0.1', HostPort: '80' },
      ],
      '53/udp': [{ HostIp: '::1', HostPort: '5353' }],
      '9/sctp': null,
    });
  });

  test('tell ports of routed networks without a port of the host', () => {
    const container = runningRecord({
      config: { exposedPorts: ['80/tcp'] },
      publishedPorts: [
        { port: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080 },
        { port: 80, protocol: 'tcp', hostAddress: '::', hostPort: 0 },
      ],
    } as object);
    assert.deepEqual(inspect(container).NetworkSettings.Ports, {
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: '8080' },
        { HostIp: '::', HostPort: '' },
      ],
    });
    const engine = fakeEngine({ containers: [container], endpoints: [endpointRecord()] });
    assert.deepEqual(toDockerSummary(engine, container, [], NEWEST).Ports, [
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { IP: '::', PrivatePort: 80, Type: 'tcp' },
    ]);
  });

  test('of a container that no network leads out of have no ports', () => {
    const container = runningRecord({ config: { exposedPorts: ['80/tcp'] } });
    const show = (networks: NetworkRecord[], endpoints: EndpointRecord[]) => {
      const engine = fakeEngine({ containers: [container], networks, endpoints });
      return toDockerInspect(engine, container, NEWEST).NetworkSettings.Ports;
    };
    const outside = networkRecord({ id: 'c'.repeat(64) as NetworkRecord['id'], name: 'out' });
    const inside = networkRecord({ internal: true });
    assert.deepEqual(show([inside], [endpointRecord()]), {});
    assert.deepEqual(show([networkRecord()], []), {}, 'it was taken off all');
    assert.deepEqual(show([inside, outside], [endpointRecord(), endpointRecord({ networkId: outside.id })]), {
      '80/tcp': null,
    });
  });

  test('of a stopped container keep what was asked for and the network, and nothing else', () => {
    assert.deepEqual(inspect(stopped).NetworkSettings, {
      SandboxID: '',
      SandboxKey: '',
      Ports: {},
      Networks: { bridge: { ...notConnected, NetworkID: bridgeId } },
      ...flatEmpty,
    });
  });

  test('of a container that never ran name no network yet', () => {
    assert.deepEqual(inspect(containerRecord()).NetworkSettings.Networks, { bridge: notConnected });
  });

  test('of host and none modes have that one network and no ports', () => {
    for (const kind of ['host', 'none'] as const) {
      const settings = inspect(
        runningRecord({
          host: { networkMode: { kind }, networkModeText: kind },
          config: { exposedPorts: ['80/tcp'] },
          networks: { [kind]: noEndpointSettings },
        }),
      ).NetworkSettings;
      assert.deepEqual(Object.keys(settings.Networks), [kind]);
      assert.deepEqual(settings.Ports, {});
      assert.equal(settings.IPAddress, '');
    }
  });

  test('of a container in container mode are empty, and the hostname and files are the other one’s', () => {
    const joins = (name: string, other: string) =>
      runningRecord({
        id: name.padEnd(64, '0') as ContainerRecord['id'] & string,
        name,
        host: { networkMode: { kind: 'container', container: other }, networkModeText: `container:${other}` },
        networks: {},
      } as object);
    const owner = runningRecord({ config: { hostname: 'box' } });
    const first = joins('first', containerId);
    const second = joins('second', first.id);
    for (const container of [first, second]) {
      const shown = inspect(container, NEWEST, [owner, first]);
      assert.equal(shown.Config.Hostname, 'box');
      assert.equal(shown.HostsPath, '/f/hosts');
      assert.deepEqual(shown.NetworkSettings, {
        SandboxID: '',
        SandboxKey: '',
        Ports: {},
        Networks: {},
        ...flatEmpty,
      });
    }
    assert.equal(inspect(joins('lonely', 'gone')).Config.Hostname, '');
    assert.equal(inspect(joins('ring', 'ring')).Config.Hostname, '', 'a ring has no owner');
  });

  test('the hostname is the short id, and the host’s in host mode', () => {
    assert.equal(inspect(containerRecord()).Config.Hostname, containerId.slice(0, 12));
    const host = { networkMode: { kind: 'host' }, networkModeText: 'host' } as const;
    assert.equal(inspect(containerRecord({ host })).Config.Hostname, hostname());
  });

  describe('on a network that a user made', () => {
    const shop = networkRecord({
      id: '9'.repeat(64) as NetworkRecord['id'],
      name: 'shop',
      subnets: [
        { subnet: '192.0.2.0/24', gateway: '192.0.2.1' },
        { subnet: '2001:db8::/64', gateway: '2001:db8::1' },
      ],
    });
    const container = runningRecord({
      config: { hostname: 'box' },
      host: { networkMode: { kind: 'network', network: 'shop' }, networkModeText: 'shop' },
      networks: {
        shop: {
          aliases: ['db'],
          links: ['a:b'],
          driverOptions: { x: 'y' },
          gatewayPriority: 7,
          ipv4Address: '192.0.2.9',
        },
      },
    });
    const endpoint = endpointRecord({
      networkId: shop.id,
      ipv4Address: '192.0.2.9',
      ipv6Address: '2001:db8::9',
    });
    const shown = (version: number) =>
      toDockerInspect(
        fakeEngine({ containers: [container], networks: [shop], endpoints: [endpoint] }),
        container,
        version,
      ).NetworkSettings;

    test('both families and all settings are shown, and nothing at the top', () => {
      const settings = shown(NEWEST);
      assert.deepEqual(settings.Networks.shop, {
        ...onBridge,
        IPAMConfig: { IPv4Address: '192.0.2.9' },
        Links: ['a:b'],
        Aliases: ['db'],
        DriverOpts: { x: 'y' },
        GwPriority: 7,
        NetworkID: shop.id,
        Gateway: '192.0.2.1',
        IPAddress: '192.0.2.9',
        IPPrefixLen: 24,
        IPv6Gateway: '2001:db8::1',
        GlobalIPv6Address: '2001:db8::9',
        GlobalIPv6PrefixLen: 64,
        DNSNames: ['web', 'db', containerId.slice(0, 12), 'box'],
      });
      assert.equal(settings.IPAddress, '');
    });

    test('before 1.45 the aliases include the short id and the hostname, before 1.44 there are no DNS names', () => {
      const automatic = ['db', containerId.slice(0, 12), 'box'];
      assert.deepEqual(shown(144).Networks.shop?.Aliases, automatic);
      assert.ok('DNSNames' in (shown(144).Networks.shop ?? {}));
      assert.deepEqual(shown(143).Networks.shop?.Aliases, automatic);
      assert.ok(!('DNSNames' in (shown(143).Networks.shop ?? {})));
    });
  });

  test('name networks that are not there any more', () => {
    const container = containerRecord({
      networks: { gone: { aliases: [], links: [], driverOptions: {}, gatewayPriority: 0 } },
    });
    const { Networks } = toDockerInspect(
      fakeEngine({ networks: [hostNetwork] }),
      container,
      NEWEST,
    ).NetworkSettings;
    assert.deepEqual(Networks, { gone: notConnected });
  });
});
