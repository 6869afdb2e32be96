/**
 * Published ports as users of the docker client meet them: where the host answers, what is shown of it, who has the
 * ports, and what becomes of all that over the lives of container, daemon and keeper.
 */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { expectSameInventory, processes, takeInventory } from './lab/inventory.ts';
import { engineUnderTest, hostAddress, hostAddress6, Lab, outsideAddress } from './lab/lab.ts';
import { ask, canTake, type Place, type Protocol, serveUdp, takePort } from './lab/neighbours.ts';
import { eventually, image, inspect, openStory } from './lab/story.ts';

const lab = await openStory();
const peer = engineUnderTest === 'dockerd';
const aboutOurs = { skip: peer && 'about our daemon alone' };

/** Answers every connection to port 80 with the container's host name. */
const serveName = ['nc', '-ll', '-p', '80', '-e', 'hostname'];

/** Starts a container under its name, which its server on port 80 answers. @returns its id */
async function run(where: Lab, name: string, options: string[], command = serveName): Promise<string> {
  const named = ['run', '-d', '--name', name, '--hostname', name];
  return await where.dockerOutput([...named, ...options, image, ...command]);
}

/** Takes a part of a story down, also when it failed. */
async function removeAll(where = lab): Promise<void> {
  const containers = (await where.dockerOutput('ps -aq')).split('\n').filter(Boolean);
  if (containers.length > 0) await where.docker(['rm', '-f', ...containers]);
  const networks = (await where.dockerOutput('network ls -q --filter type=custom'))
    .split('\n')
    .filter(Boolean);
  if (networks.length > 0) await where.docker(['network', 'rm', ...networks]);
}

afterEach(() => removeAll());

/** What `docker port` says, sorted. */
async function ports(container: string, ...more: string[]): Promise<string[]> {
  return (await lab.dockerOutput(['port', container, ...more])).split('\n').filter(Boolean).sort();
}

async function inspectPorts(where: Lab, container: string) {
  return (await inspect(where, container)).NetworkSettings.Ports as Record<
    string,
    readonly { readonly HostIp: string; readonly HostPort: string }[] | null
  >;
}

/** The number of the one host port of a container's port. */
async function hostPort(container: string, port = '80/tcp'): Promise<number> {
  const bindings = (await inspectPorts(lab, container))[port] ?? [];
  const numbers = new Set(bindings.map(({ HostPort }) => HostPort));
  assert.equal(numbers.size, 1, JSON.stringify(bindings));
  return Number([...numbers][0]);
}

/** The server in a container may need a moment to begin. */
async function answers(expected: string, port: number, address = hostAddress, place: Place = 'outside') {
  await eventually(async () => {
    assert.equal(await ask(lab, place, { address, port }), expected, `${address}:${port} from ${place}`);
  });
}

/** Sees that the port is let go: at the host nothing is in its place. With dockerd's proxies that takes a moment. */
async function isFree(port: number, protocols: readonly Protocol[] = ['tcp']): Promise<void> {
  const check = async () => {
    for (const protocol of protocols) {
      for (const address of ['0.0.0.0', '::']) {
        assert.equal(canTake(lab, protocol, address, port), 'yes', `${protocol} ${address} ${port}`);
      }
    }
    assert.doesNotMatch(await rules(), new RegExp(`\\b${port}\\b`));
  };
  await (peer ? eventually(check) : check());
}

async function rules(): Promise<string> {
  return (await lab.run('nft --numeric list ruleset')).stdout;
}

function isTaken(port: number, protocol: Protocol = 'tcp'): void {
  for (const address of ['0.0.0.0', '127.0.0.1', hostAddress, '::', '::1']) {
    assert.equal(canTake(lab, protocol, address, port), 'EADDRINUSE', `${protocol} ${address} ${port}`);
  }
}

describe('a published port', () => {
  test('is answered by the container, at every address of the host and for everybody', async () => {
    await run(lab, 'web', ['-p', '8080:80']);
    await answers('web', 8080);
    for (const address of ['127.0.0.1', '127.1.2.3', hostAddress, '172.17.0.1']) {
      await answers('web', 8080, address, 'host');
    }
    assert.equal(await ask(lab, 'outside', { address: hostAddress, port: 80 }), 'ECONNREFUSED');
    assert.equal(await ask(lab, 'host', { address: outsideAddress, port: 8080 }), 'ECONNREFUSED');
  });

  test('over IPv6 leads to the IPv6 address of the container', aboutOurs, async () => {
    await lab.docker('network create --ipv6 six');
    await run(lab, 'web', ['--network', 'six', '-p', '8080:80']);
    await answers('web', 8080, hostAddress6);
    await answers('web', 8080, hostAddress6, 'host');
    await answers('web', 8080, hostAddress);
  });

  test('over IPv6 is passed on to a container that has IPv4 alone', async () => {
    await run(lab, 'web', ['-p', '8080:80', '-p', '8053:53/udp']);
    await answers('web', 8080, hostAddress6);
    await answers('web', 8080, hostAddress6, 'host');
    using _server = await serveUdp(lab, 'web', 53);
    const question = { protocol: 'udp', address: hostAddress6, port: 8053 } as const;
    assert.equal(await ask(lab, 'outside', question), 'web');
  });

  test('is answered at the IPv6 loopback of the host', aboutOurs, async () => {
    await lab.docker('network create --ipv6 six');
    await run(lab, 'web', ['-p', '8080:80', '-p', '8053:53/udp']);
    await run(lab, 'six', ['--network', 'six', '-p', '8081:80', '-p', '[::1]:8082:80']);
    await answers('web', 8080, '::1', 'host');
    await answers('six', 8081, '::1', 'host');
    await answers('six', 8082, '::1', 'host');
    using _server = await serveUdp(lab, 'web', 53);
    assert.equal(await ask(lab, 'host', { protocol: 'udp', address: '::1', port: 8053 }), 'web');
  });

  test('of UDP is answered too, and has numbers of its own', async () => {
    await run(lab, 'web', ['-p', '8080:80', '-p', '8080:53/udp']);
    using _server = await serveUdp(lab, 'web', 53);
    for (const [place, address] of [
      ['outside', hostAddress],
      ['host', hostAddress],
      ['host', '127.0.0.1'],
    ] as const) {
      assert.equal(
        await ask(lab, place, { protocol: 'udp', address, port: 8080 }),
        'web',
        `${place} ${address}`,
      );
    }
    await answers('web', 8080);
    assert.deepEqual(await ports('web'), [
      '53/udp -> 0.0.0.0:8080',
      '53/udp -> [::]:8080',
      '80/tcp -> 0.0.0.0:8080',
      '80/tcp -> [::]:8080',
    ]);
  });

  test(
    'of UDP is answered to clients that go on asking while it comes, moves and goes',
    aboutOurs,
    async () => {
      const clients = [
        { place: 'outside', address: hostAddress },
        { place: 'host', address: '127.0.0.1' },
      ] as const;
      const answersAre = async (pattern: RegExp, when: string) => {
        for (const { place, address } of clients) {
          const question = { protocol: 'udp', address, port: 8053, fromPort: 4053 } as const;
          assert.match(await ask(lab, place, question), pattern, `${place}, ${when}`);
        }
      };
      await answersAre(/ECONNREFUSED/, 'before');
      await lab.docker('network create zzz');
      await lab.docker('network create aaa');
      await run(lab, 'web', ['--network', 'zzz', '-p', '8053:53/udp']);
      {
        using _server = await serveUdp(lab, 'web', 53);
        await answersAre(/web/, 'as soon as it is published');
        await lab.docker('network connect aaa web');
        await lab.docker('network disconnect zzz web');
        await answersAre(/web/, 'on another network');
      }
      await lab.docker('rm -f web');
      await answersAre(/ECONNREFUSED/, 'afterwards');
    },
  );

  test('is shown by port, ps and inspect', async () => {
    await run(lab, 'web', ['-p', '8080:80', '-p', '127.0.0.1:5353:53/udp', '--expose', '443']);
    assert.deepEqual(await ports('web'), [
      '53/udp -> 127.0.0.1:5353',
      '80/tcp -> 0.0.0.0:8080',
      '80/tcp -> [::]:8080',
    ]);
    assert.deepEqual(await ports('web', '80'), ['0.0.0.0:8080', '[::]:8080']);
    assert.deepEqual(await ports('web', '53/udp'), ['127.0.0.1:5353']);
    const none = await lab.docker('port web 443', { allowFailure: true });
    assert.match(none.stderr, /No public port '443' published for web/);
    const shown = await lab.dockerOutput(['ps', '--format', '{{.Ports}}']);
    assert.deepEqual(shown.split(', ').sort(), [
      '0.0.0.0:8080->80/tcp',
      '127.0.0.1:5353->53/udp',
      '443/tcp',
      '[::]:8080->80/tcp',
    ]);
    assert.deepEqual(await inspectPorts(lab, 'web'), {
      '443/tcp': null,
      '53/udp': [{ HostIp: '127.0.0.1', HostPort: '5353' }],
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: '8080' },
        { HostIp: '::', HostPort: '8080' },
      ],
    });
    for (const [filter, found] of [
      ['publish=8080', 'web'],
      ['publish=80', ''],
      ['expose=443', 'web'],
    ] as const) {
      assert.equal(await lab.dockerOutput(`ps --filter ${filter} --format {{.Names}}`), found, filter);
    }
  });

  test('cannot be had by a program of the host as long as the container runs', async () => {
    await run(lab, 'web', ['-p', '8080:80', '-p', '8081:81/udp']);
    isTaken(8080);
    isTaken(8081, 'udp');
    assert.equal(canTake(lab, 'udp', '0.0.0.0', 8080), 'yes');
    await lab.docker('stop -t 0 web');
    assert.deepEqual(await inspectPorts(lab, 'web'), {});
    assert.deepEqual(await ports('web'), []);
    await isFree(8080);
    await isFree(8081, ['udp']);
    await lab.docker('start web');
    isTaken(8080);
    await answers('web', 8080);
  });
});

describe('-p', () => {
  /** What is asked for, and where the host answers; `*` is a random port. */
  const forms: readonly [options: string[], bindings: Record<string, string[]>][] = [
    [['-p', '80'], { '80/tcp': ['0.0.0.0:*', '[::]:*'] }],
    [['-p', ':80'], { '80/tcp': ['0.0.0.0:*', '[::]:*'] }],
    [['-p', '0:80'], { '80/tcp': ['0.0.0.0:*', '[::]:*'] }],
    [['-p', ':8080:80'], { '80/tcp': ['0.0.0.0:8080', '[::]:8080'] }],
    [['-p', '127.0.0.1:8080:80'], { '80/tcp': ['127.0.0.1:8080'] }],
    [['-p', '127.0.0.1::80'], { '80/tcp': ['127.0.0.1:*'] }],
    [['-p', '0.0.0.0:8080:80'], { '80/tcp': ['0.0.0.0:8080'] }],
    [['-p', '[::]:8080:80'], { '80/tcp': ['[::]:8080'] }],
    [['-p', '[::1]:8080:80'], { '80/tcp': ['[::1]:8080'] }],
    [['-p', '::1:8080:80'], { '80/tcp': ['[::1]:8080'] }],
    [['-p', '[2001:db8::1]:8080:80/udp'], { '80/udp': ['[2001:db8::1]:8080'] }],
    [['-p', '8080:80/UDP'], { '80/udp': ['0.0.0.0:8080', '[::]:8080'] }],
    [['-p', '8080:80/sctp'], { '80/sctp': ['0.0.0.0:8080', '[::]:8080'] }],
    [
      ['-p', '127.0.0.1:8000-8002:80-82'],
      { '80/tcp': ['127.0.0.1:8000'], '81/tcp': ['127.0.0.1:8001'], '82/tcp': ['127.0.0.1:8002'] },
    ],
    [['-p', '127.0.0.1::80-81'], { '80/tcp': ['127.0.0.1:*'], '81/tcp': ['127.0.0.1:*'] }],
    [
      ['-p', '8080:80', '-p', '127.0.0.1:8081:80'],
      { '80/tcp': ['0.0.0.0:8080', '127.0.0.1:8081', '[::]:8080'] },
    ],
    [['-p', '8080:80', '-p', '8080:80'], { '80/tcp': ['0.0.0.0:8080', '[::]:8080'] }],
    [
      ['-p', '127.0.0.1:8080:80', '-p', '127.0.0.2:8080:80'],
      { '80/tcp': ['127.0.0.1:8080', '127.0.0.2:8080'] },
    ],
    [['--expose', '80-81'], { '80/tcp': [], '81/tcp': [] }],
    [
      ['-P', '--expose', '81', '--expose', '53/udp', '-p', '8080:80'],
      {
        '80/tcp': ['0.0.0.0:8080', '[::]:8080'],
        '81/tcp': ['0.0.0.0:*', '[::]:*'],
        '53/udp': ['0.0.0.0:*', '[::]:*'],
      },
    ],
  ];
  for (const [options, bindings] of forms) {
    const isNew = options.includes('8080:80/sctp') || new Set(options).size < options.length - 1;
    test(options.join(' '), { skip: peer && isNew && 'newer than dockerd 20.10' }, async () => {
      await run(lab, 'web', options);
      const shown = await inspectPorts(lab, 'web');
      const random = (text: string) => (Number(text) >= 32768 ? '*' : text);
      const readable = Object.entries(shown).map(([port, list]) => [
        port,
        (list ?? [])
          .map(
            ({ HostIp, HostPort }) => `${HostIp.includes(':') ? `[${HostIp}]` : HostIp}:${random(HostPort)}`,
          )
          .sort(),
      ]);
      assert.deepEqual(Object.fromEntries(readable), bindings);
      for (const [port, list] of Object.entries(shown)) {
        const [, protocol] = port.split('/') as [string, Protocol | 'sctp'];
        for (const { HostIp, HostPort } of list ?? []) {
          if (protocol !== 'sctp')
            assert.equal(canTake(lab, protocol, HostIp, Number(HostPort)), 'EADDRINUSE');
        }
      }
    });
  }

  test(
    'with a range of the host for one port takes the first that is free, and goes on from there',
    aboutOurs,
    async () => {
      await run(lab, 'one', ['-p', '8000-8002:80']);
      await run(lab, 'two', ['-p', '8000-8002:80']);
      assert.deepEqual([await hostPort('one'), await hostPort('two')], [8000, 8001]);
      await answers('one', 8000);
      await answers('two', 8001);
      using _taken = takePort(lab, 'tcp', '127.0.0.1', 8002);
      await lab.docker('rm -f one');
      await run(lab, 'three', ['-p', '8000-8002:80']);
      assert.equal(await hostPort('three'), 8000, 'past the one that a program of the host has');
    },
  );

  test('at one address answers there alone', async () => {
    await run(lab, 'web', ['-p', `${hostAddress}:8080:80`, '-p', '127.0.0.1:8081:80']);
    await answers('web', 8080);
    await answers('web', 8080, hostAddress, 'host');
    assert.equal(await ask(lab, 'host', { address: '127.0.0.1', port: 8080 }), 'ECONNREFUSED');
    await answers('web', 8081, '127.0.0.1', 'host');
    assert.equal(await ask(lab, 'outside', { address: hostAddress, port: 8081 }), 'ECONNREFUSED');
    assert.equal(canTake(lab, 'tcp', '127.0.0.2', 8081), 'yes');
  });

  test('publishes one port of the container many times, and one number for several containers', async () => {
    await run(lab, 'one', ['-p', '127.0.0.1:8080:80', '-p', '8081:80']);
    await run(lab, 'two', ['-p', `${hostAddress}:8080:80`]);
    await answers('one', 8080, '127.0.0.1', 'host');
    await answers('two', 8080);
    await answers('one', 8081);
  });
});

describe('random ports', () => {
  test('are the next ones each time the container starts; chosen ones stay', async () => {
    await run(lab, 'web', ['-p', '80', '-p', '8081:81']);
    const first = await hostPort('web');
    await lab.docker('restart -t 0 web');
    const second = await hostPort('web');
    assert.equal(second, first + 1);
    assert.equal(await hostPort('web', '81/tcp'), 8081);
    await answers('web', second);
    await isFree(first);
  });

  test('pass over those that programs of the host have', aboutOurs, async () => {
    await run(lab, 'one', ['-p', '80']);
    const next = (await hostPort('one')) + 1;
    using _4 = takePort(lab, 'tcp', '0.0.0.0', next);
    using _6 = takePort(lab, 'tcp', '::', next);
    using _another = takePort(lab, 'tcp', '::', next + 1);
    await run(lab, 'two', ['-p', '80', '-p', '81']);
    const given = [await hostPort('two'), await hostPort('two', '81/tcp')];
    assert.deepEqual(given.sort(), [next + 2, next + 3]);
  });

  test('are never those that are reserved on this host', aboutOurs, async () => {
    await using other = await Lab.create();
    await other.run(['sysctl', '-qw', 'net.ipv4.ip_local_port_range=40000 40003']);
    await other.run('sysctl -qw net.ipv4.ip_local_reserved_ports=40001-40002');
    await other.startEngine();
    await other.importBusybox();
    await run(other, 'web', ['-p', '80', '-p', '81']);
    const shown = Object.values(await inspectPorts(other, 'web')).flatMap(
      (list) => list?.[0]?.HostPort ?? [],
    );
    assert.deepEqual(shown.sort(), ['40000', '40003']);
    const result = await other.docker(['run', '-d', '-p', '80', image, 'true'], { allowFailure: true });
    assert.match(result.stderr, /all ports are allocated/);
  });
});

describe('a port that somebody has', () => {
  /** A start that must fail, with what Docker says then. */
  async function refused(name: string, options: string[], complaint: RegExp): Promise<void> {
    const argv = ['run', '-d', '--name', name, '--hostname', name, ...options, image, ...serveName];
    const result = await lab.docker(argv, { allowFailure: true });
    assert.match(result.stderr, complaint);
    assert.equal(result.code, 125);
    const { State } = await inspect(lab, name);
    assert.deepEqual([State.Status, State.ExitCode], ['created', 128]);
    assert.match(State.Error, complaint);
  }

  test('of another container: none of the ports is published, and all can be once it is gone', async () => {
    await run(lab, 'one', ['-p', '8080:80']);
    await refused(
      'two',
      ['-p', '8079:80', '-p', '8080:81', '-p', '90'],
      /driver failed programming external connectivity on endpoint two \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:8080 failed: port is already allocated/,
    );
    await isFree(8079);
    await answers('one', 8080);
    await lab.docker('stop -t 0 one');
    await lab.docker('start two');
    await answers('two', 8079);
    const start = await lab.docker('start one', { allowFailure: true });
    assert.match(start.stderr, /Bind for 0\.0\.0\.0:8080 failed: port is already allocated/);
  });

  test('of a program of the host: the same', aboutOurs, async () => {
    const taken = takePort(lab, 'tcp', '0.0.0.0', 8080);
    await refused(
      'web',
      ['-p', '8079:80', '-p', '8080:81', '-p', '90'],
      /driver failed programming external connectivity on endpoint web \([0-9a-f]{64}\): failed to bind host port 0\.0\.0\.0:8080\/tcp: address already in use/,
    );
    await isFree(8079);
    taken[Symbol.dispose]();
    await lab.docker('start web');
    await answers('web', 8079);
    isTaken(8080);
  });

  test('of a container that is run with --rm leaves no container', async () => {
    await run(lab, 'one', ['-p', '8080:80']);
    const before = await takeInventory(lab, lab.engine);
    const result = await lab.docker(['run', '--rm', '-p', '8080:80', '-p', '8081:81', image, 'true'], {
      allowFailure: true,
    });
    assert.match(result.stderr, /port is already allocated/);
    await expectSameInventory(lab, before, lab.engine);
    await isFree(8081);
  });

  test('is free again after a program that cannot be run', async () => {
    const result = await lab.docker(['run', '-p', '8080:80', '-p', '8081:53/udp', image, 'nope'], {
      allowFailure: true,
    });
    assert.equal(result.code, 127);
    await isFree(8080);
    await isFree(8081, ['udp']);
    await run(lab, 'web', ['-p', '8080:80', '-p', '8081:53/udp']);
    await answers('web', 8080);
  });
});

describe('nothing is left of the ports of a container', () => {
  for (const [what, options, end] of [
    ['that is removed while it runs', [], 'rm -f web'],
    ['that is killed', [], 'kill web'],
    ['that is removed when it ends', ['--rm'], 'stop -t 0 web'],
  ] as const) {
    test(what, async () => {
      await run(lab, 'first', []);
      const before = await takeInventory(lab, lab.engine);
      await run(lab, 'web', [...options, '-p', '8080:80', '-p', '8080:80/udp', '-p', '127.0.0.1:8081:81']);
      isTaken(8080);
      await lab.docker(end);
      await isFree(8080, ['tcp', 'udp']);
      await isFree(8081);
      await run(lab, 'heir', ['-p', '8080:80', '-p', '8080:80/udp', '-p', '127.0.0.1:8081:81']);
      await answers('heir', 8080);
      await lab.docker('rm -f heir');
      if (end === 'kill web') await lab.docker('rm web');
      await eventually(async () => assert.equal(await lab.dockerOutput('ps -aq --filter name=web'), ''));
      await expectSameInventory(lab, before, lab.engine);
    });
  }
});

describe('networks that come and go', () => {
  test('move the way in with the way out', aboutOurs, async () => {
    await lab.docker('network create aaa');
    await lab.docker('network create zzz');
    await run(lab, 'web', ['--network', 'zzz', '-p', '8080:80', '-p', '81']);
    const random = await hostPort('web', '81/tcp');
    await answers('web', 8080);
    /** The networks whose address of the container the ports lead to. */
    const target = async () => {
      const listing = await rules();
      const { Networks } = (await inspect(lab, 'web')).NetworkSettings;
      const isThere = ({ IPAddress }: { readonly IPAddress: string }) =>
        listing.includes(`: ${IPAddress} . 80`);
      return Object.keys(Networks).filter((name) => isThere(Networks[name]!));
    };
    assert.deepEqual(await target(), ['zzz']);
    await lab.docker('network connect aaa web');
    await answers('web', 8080);
    await answers('web', 8080, '127.0.0.1', 'host');
    assert.deepEqual(await target(), ['aaa']);
    assert.equal(await hostPort('web', '81/tcp'), random, 'nobody is asked to learn another number');
    await lab.docker('network disconnect aaa web');
    await answers('web', 8080);
    await answers('web', 8080, '127.0.0.1', 'host');
    assert.deepEqual(await target(), ['zzz']);
    isTaken(8080);
  });

  test('that lead nowhere publish nothing, until another one comes', aboutOurs, async () => {
    await lab.docker('network create --internal inner');
    await run(lab, 'web', ['--network', 'inner', '-p', '8080:80']);
    assert.deepEqual(await inspectPorts(lab, 'web'), {});
    await isFree(8080);
    await lab.docker('network connect bridge web');
    await answers('web', 8080);
    isTaken(8080);
    assert.equal(await hostPort('web'), 8080);
    await lab.docker('network disconnect bridge web');
    await isFree(8080);
    assert.deepEqual(await inspectPorts(lab, 'web'), {});
  });

  test('cannot bring a port that somebody has: the container stays as it was', aboutOurs, async () => {
    await lab.docker('network create --internal inner');
    await run(lab, 'web', ['--network', 'inner', '-p', '8080:80', '-p', '8081:81']);
    const taken = takePort(lab, 'tcp', '0.0.0.0', 8081);
    const before = await takeInventory(lab, lab.engine);
    const result = await lab.docker('network connect bridge web', { allowFailure: true });
    assert.match(result.stderr, /failed to bind host port 0\.0\.0\.0:8081\/tcp: address already in use/);
    await expectSameInventory(lab, before, lab.engine);
    await isFree(8080);
    taken[Symbol.dispose]();
    await lab.docker('network connect bridge web');
    await answers('web', 8080);
  });

  test('all of them gone, the ports are free', async () => {
    await run(lab, 'web', ['-p', '8080:80']);
    await lab.docker('network disconnect bridge web');
    await isFree(8080);
    await lab.docker('network connect bridge web');
    await answers('web', 8080);
  });
});

describe('the address that answers when none is named', () => {
  const binding = '-o com.docker.network.bridge.host_binding_ipv4';

  test('is what the network says', async () => {
    await lab.docker(`network create ${binding}=127.0.0.1 private`);
    await run(lab, 'web', ['--network', 'private', '-p', '8080:80', '-p', `${hostAddress}:8081:80`]);
    assert.deepEqual(
      await ports('web'),
      [`80/tcp -> 127.0.0.1:8080`, `80/tcp -> ${hostAddress}:8081`].sort(),
    );
    await answers('web', 8080, '127.0.0.1', 'host');
    await answers('web', 8081);
    assert.equal(await ask(lab, 'outside', { address: hostAddress, port: 8080 }), 'ECONNREFUSED');
  });

  test(
    'else what the daemon says; another one changes nothing for containers that run',
    aboutOurs,
    async () => {
      await using other = await Lab.create();
      await other.startEngine({
        name: 'first',
        args: ['--ip', '127.0.0.1'],
        dataRoot: '/run/lab/data',
        execRoot: '/run/lab/exec',
      });
      await other.importBusybox();
      await run(other, 'web', ['-p', '8080:80']);
      const shown = await inspectPorts(other, 'web');
      assert.deepEqual(shown, { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }] });
      assert.equal(await ask(other, 'outside', { address: hostAddress, port: 8080 }), 'ECONNREFUSED');
      const reaches = () => ask(other, 'host', { address: '127.0.0.1', port: 8080 });
      await eventually(async () => assert.equal(await reaches(), 'web'));

      await other.engine.stop();
      await other.startEngine({
        name: 'second',
        args: ['--ip', hostAddress],
        dataRoot: '/run/lab/data',
        execRoot: '/run/lab/exec',
      });
      assert.deepEqual(await inspectPorts(other, 'web'), shown);
      assert.equal(await reaches(), 'web');
      await other.docker('restart -t 0 web');
      assert.deepEqual(await inspectPorts(other, 'web'), {
        '80/tcp': [{ HostIp: hostAddress, HostPort: '8080' }],
      });
      await eventually(async () =>
        assert.equal(await ask(other, 'outside', { address: hostAddress, port: 8080 }), 'web'),
      );
      assert.equal(await reaches(), 'ECONNREFUSED');
      await removeAll(other);
    },
  );
});

describe('containers that share a network', () => {
  test('serve the ports of the one that has it, also after that one has restarted', aboutOurs, async () => {
    await run(lab, 'owner', ['-p', '8080:80', '-p', '81'], ['sleep', '600']);
    await lab.docker(['run', '-d', '--name', 'member', '--network', 'container:owner', image, ...serveName]);
    await answers('owner', 8080);
    assert.deepEqual(await inspectPorts(lab, 'member'), {});
    const random = await hostPort('owner', '81/tcp');
    await lab.docker('stop -t 0 owner');
    await isFree(8080);
    await lab.docker('start owner');
    await answers('owner', 8080);
    assert.equal(await hostPort('owner', '81/tcp'), random + 1);
    await lab.docker('rm -f member');
    isTaken(8080);
  });
});

describe('the daemon', aboutOurs, () => {
  const keeperPid = () => {
    const found = processes(lab).find(({ command }) => command.includes('keeper'));
    assert.ok(found, 'there is a keeper');
    return found.pid;
  };

  test('is killed: all ports go on and stay reserved; it comes back and nothing changes', async () => {
    await run(lab, 'web', ['-p', '8080:80', '-p', '81', '-p', '8053:53/udp']);
    await answers('web', 8080);
    using _server = await serveUdp(lab, 'web', 53);
    const shown = await inspectPorts(lab, 'web');
    const elements = await rules();
    const asBefore = async () => {
      await answers('web', 8080);
      await answers('web', 8080, '127.0.0.1', 'host');
      assert.equal(await ask(lab, 'outside', { protocol: 'udp', address: hostAddress, port: 8053 }), 'web');
      isTaken(8080);
      isTaken(8053, 'udp');
    };
    await lab.engine.kill('SIGKILL');
    await asBefore();
    await lab.engine.start();
    await asBefore();
    assert.deepEqual(await inspectPorts(lab, 'web'), shown);
    assert.equal(withoutCounters(await rules()), withoutCounters(elements));
    await lab.engine.restart();
    await asBefore();
    const random = await hostPort('web', '81/tcp');
    const other = await lab.docker(['run', '--rm', '-p', `${random}:80`, image, 'true'], {
      allowFailure: true,
    });
    assert.match(other.stderr, /port is already allocated/, 'it remembers what it gave out');
    await lab.docker('stop -t 0 web');
    await isFree(8080);
    await isFree(random);
    await isFree(8053, ['udp']);
  });

  test('is away while a container ends: its ports are free when it is back', async () => {
    await run(lab, 'web', ['-p', '8080:80']);
    const { Pid } = (await inspect(lab, 'web')).State;
    await lab.engine.kill('SIGKILL');
    await lab.run(`kill -9 ${Pid}`);
    await lab.engine.start();
    await eventually(() => isFree(8080));
    await lab.docker('start web');
    await answers('web', 8080);
  });

  test('replaces a killed keeper: the kernel goes on translating, and the ports are reserved anew', async () => {
    await run(lab, 'web', ['-p', '8080:80', '-p', '8053:53/udp']);
    await answers('web', 8080);
    const pid = keeperPid();
    await lab.run(`kill -9 ${pid}`);
    assert.equal(await ask(lab, 'outside', { address: hostAddress, port: 8080 }), 'web');
    await eventually(() => {
      assert.notEqual(keeperPid(), pid);
      isTaken(8080);
      isTaken(8053, 'udp');
    }, 1000);
    await answers('web', 8080);
    await lab.docker('stop -t 0 web');
    await isFree(8080);
    await isFree(8053, ['udp']);
  });
});

test('a daemon that is to have no default bridge leaves it to those that run there', aboutOurs, async () => {
  await using other = await Lab.create();
  const folders = { dataRoot: '/run/lab/data', execRoot: '/run/lab/exec' };
  await other.startEngine({ name: 'first', ...folders });
  await other.importBusybox();
  await run(other, 'web', ['-p', '8080:80']);
  await other.engine.stop();
  await other.startEngine({ name: 'second', ...folders, args: ['--bridge', 'none'] });
  await eventually(async () =>
    assert.equal(await ask(other, 'outside', { address: hostAddress, port: 8080 }), 'web'),
  );
  await other.docker('rm -f web');
  assert.equal(canTake(other, 'tcp', '0.0.0.0', 8080), 'yes');
  await other.engine.restart();
  assert.doesNotMatch(await other.dockerOutput('network ls'), /bridge/);
});

test('a bridge that somebody deletes and Seaway makes anew serves ports as before', aboutOurs, async () => {
  await run(lab, 'web', ['-p', '8080:80']);
  const itself = ['exec', 'web', 'timeout', '2', 'nc', hostAddress, '8080'];
  const asBefore = async () => {
    await answers('web', 8080);
    await answers('web', 8080, '127.0.0.1', 'host');
    assert.equal(
      (await lab.docker(itself, { allowFailure: true })).stdout,
      'web\n',
      'the container reaches itself',
    );
  };
  await asBefore();
  await lab.run('ip link delete docker0');
  await run(lab, 'another', []);
  await asBefore();
  await lab.run('ip link delete docker0');
  await lab.engine.restart();
  await asBefore();
});

function withoutCounters(listing: string): string {
  return listing.replaceAll(/packets \d+ bytes \d+/g, '');
}

test(
  'containers that start at the same time get different ports, and one of them what all want',
  aboutOurs,
  async () => {
    const names = Array.from({ length: 6 }, (_, index) => `at-once-${index}`);
    const create = (name: string, port: string) =>
      lab.docker(['create', '--name', name, '--hostname', name, '-p', port, '-p', '81', image, ...serveName]);
    await Promise.all(names.map((name) => create(name, '80')));
    await Promise.all(names.map((name) => lab.docker(`start ${name}`)));
    const given = await Promise.all(
      names.map(async (name) => [await hostPort(name), await hostPort(name, '81/tcp')]),
    );
    assert.equal(new Set(given.flat()).size, 2 * names.length);
    for (const [index, [port]] of given.entries()) await answers(names[index]!, port!);

    await lab.docker(['rm', '-f', ...names]);
    await Promise.all(names.map((name) => create(name, '8080:80')));
    const started = await Promise.all(
      names.map((name) => lab.docker(`start ${name}`, { allowFailure: true })),
    );
    const winners = names.filter((_, index) => started[index]!.code === 0);
    assert.equal(winners.length, 1);
    for (const { code, stderr } of started) if (code !== 0) assert.match(stderr, /port is already allocated/);
    await answers(winners[0]!, 8080);
  },
);

test('500 ports of one container', async () => {
  await run(lab, 'web', ['-p', '20000-20498:10000-10498', '-p', '20499:80']);
  assert.equal((await ports('web')).length, 1000);
  await answers('web', 20499);
  isTaken(20000);
  isTaken(20498);
  await lab.docker('stop -t 0 web');
  await isFree(20000);
  await isFree(20499);
  await lab.docker('start web');
  await answers('web', 20499);
});
