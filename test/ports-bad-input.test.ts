/**
 * Ports that cannot be published: Docker's text and status, and nothing left behind.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { expectSameInventory, takeInventory } from './lab/inventory.ts';
import { hostAddress, Lab } from './lab/lab.ts';
import { canTake, type Protocol, takePort } from './lab/neighbours.ts';
import { RawApi, type Refusal, testRefusals } from './lab/raw-api.ts';
import { image, openStory } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);

// Everything an engine makes only once exists from here on.
await api.run('stays', 'bridge', { HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '7000' }] } } });

/** A pattern that is this text. */
const literal = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');

type Bindings = Readonly<Record<string, unknown>>;

/** A create request that publishes. */
function create(what: string, bindings: Bindings, message: Refusal['message'], more: object = {}): Refusal {
  const HostConfig = { PortBindings: bindings, ...more };
  const body = { Image: image, Cmd: ['true'], HostConfig };
  return { what, path: '/containers/create', body, status: 400, message };
}

const one = (HostPort: string, HostIp = '') => ({ '80/tcp': [{ HostIp, HostPort }] });
const spec = (text: string) => `invalid port specification: "${text}"`;
const joined = { NetworkMode: 'container:stays' };
const publishing = 'conflicting options: port publishing and the container type network mode';

testRefusals(lab, 'create', [
  ...[
    '99999',
    '65536',
    '-1',
    'a',
    '80a',
    '8.0',
    '0x50',
    ' 80',
    '80 ',
    '1-',
    '-',
    '3-2',
    '0-5',
    '1-70000',
    '1-2-3',
    '80/tcp',
  ].map((text) => create(`host port ${JSON.stringify(text)}`, one(text), spec(text))),
  ...[
    '0/tcp',
    '65536/tcp',
    '80/icmp',
    '80/',
    '/tcp',
    '',
    'http/tcp',
    '80-81/tcp',
    '-80/tcp',
    '80/tcp/udp',
  ].map((text) => create(`port ${JSON.stringify(text)}`, { [text]: [{ HostPort: '8080' }] }, spec(text))),
  ...['1.2.3', 'localhost', '256.0.0.1', '::g', '[::1]', '10.0.0.0/8', 'fe80::1%eth0', ' 127.0.0.1'].map(
    (text) =>
      create(
        `host address ${JSON.stringify(text)}`,
        one('8080', text),
        new RegExp(`invalid.*${literal(text)}`, 'i'),
      ),
  ),
  create('a binding that is no object', { '80/tcp': ['8080'] }, /./),
  create('bindings that are no list', { '80/tcp': { HostPort: '8080' } }, /./),
  create('a host port that is a number', { '80/tcp': [{ HostPort: 8080 }] }, /./),
  create('publishing in the network of another container', one('8080'), publishing, joined),
  create('publishing all in the network of another container', {}, publishing, {
    ...joined,
    PublishAllPorts: true,
  }),
  {
    what: 'exposing in the network of another container',
    path: '/containers/create',
    body: { Image: image, Cmd: ['true'], ExposedPorts: { '80/tcp': {} }, HostConfig: joined },
    status: 400,
    message: 'conflicting options: port exposing and the container type network mode',
  },
]);

describe('the client refuses', () => {
  for (const [option, complaint] of [
    ['8000:80-82', /invalid ranges specified for container and host Ports: 80-82 and 8000/],
    ['8000-8001:80-82', /invalid ranges specified for container and host Ports: 80-82 and 8000-8001/],
    ['a:80', /invalid hostPort: a/],
    ['70000:80', /invalid hostPort: 70000/],
    ['8002-8000:80', /invalid hostPort: 8002-8000/],
    ['80:a', /invalid containerPort: a/],
    ['80/foo', /invalid proto: foo/],
    ['1.2.3:80:80', /invalid IP address: 1\.2\.3/],
    ['localhost:80:80', /invalid IP address: localhost/],
    ['', /no port specified: <empty>/],
    ['8080:', /no port specified: 8080:<empty>/],
  ] as const) {
    test(`-p '${option}'`, async () => {
      for (const client of [lab.docker.bind(lab), lab.seaway.bind(lab)]) {
        const result = await client(['create', '-p', option, image, 'true'], { allowFailure: true });
        assert.match(result.stderr, complaint);
        assert.equal(result.code, 125);
      }
    });
  }
});

/** What cannot be published shows when the container starts. */
interface StartCase {
  readonly what: string;
  /** What a program of the host has. */
  readonly taken?: readonly [Protocol, address: string, port: number];
  readonly bindings: Bindings;
  /** What comes behind Docker's words on the endpoint. */
  readonly reason: RegExp;
}

const inUse = (port: string) =>
  new RegExp(`^failed to bind host port ${literal(port)}: address already in use$`);
const allocated = (port: string) =>
  new RegExp(`^Bind for ${literal(port)} failed: port is already allocated by container stays$`);

const startCases: readonly StartCase[] = [
  { what: 'every address of another container', bindings: one('7000'), reason: allocated('0.0.0.0:7000') },
  {
    what: 'one address of another container',
    bindings: one('7000', '127.0.0.1'),
    reason: allocated('127.0.0.1:7000'),
  },
  {
    what: 'an IPv6 address of another container',
    bindings: one('7000', '::1'),
    reason: allocated('[::1]:7000'),
  },
  {
    what: 'a range of which another container has all',
    bindings: { '80/tcp': [{ HostPort: '7000-7000' }] },
    reason: /port is already allocated/,
  },
  {
    what: 'one port for two ports of the container',
    bindings: { '80/tcp': [{ HostPort: '8080' }], '81/tcp': [{ HostPort: '8080' }] },
    reason: /^Bind for 0\.0\.0\.0:8080 failed: port is already allocated$/,
  },
  {
    what: 'more ports than a range has',
    bindings: {
      '80/tcp': [{ HostPort: '8080-8081' }],
      '81/tcp': [{ HostPort: '8080-8081' }],
      '82/tcp': [{ HostPort: '8080-8081' }],
    },
    reason: /^all ports are allocated$/,
  },
  {
    what: 'tcp, every address',
    taken: ['tcp', '0.0.0.0', 8080],
    bindings: one('8080'),
    reason: inUse('0.0.0.0:8080/tcp'),
  },
  {
    what: 'tcp, one address of all',
    taken: ['tcp', '127.0.0.1', 8080],
    bindings: one('8080'),
    reason: inUse('0.0.0.0:8080/tcp'),
  },
  {
    what: 'tcp, all of one address',
    taken: ['tcp', '0.0.0.0', 8080],
    bindings: one('8080', '127.0.0.1'),
    reason: inUse('127.0.0.1:8080/tcp'),
  },
  {
    what: 'tcp over IPv6',
    taken: ['tcp', '::', 8080],
    bindings: one('8080'),
    reason: inUse('[::]:8080/tcp'),
  },
  {
    what: 'tcp at an IPv6 address',
    taken: ['tcp', '::1', 8080],
    bindings: one('8080', '::1'),
    reason: inUse('[::1]:8080/tcp'),
  },
  {
    what: 'udp',
    taken: ['udp', '0.0.0.0', 8080],
    bindings: { '53/udp': [{ HostPort: '8080' }] },
    reason: inUse('0.0.0.0:8080/udp'),
  },
  {
    what: 'the only one of a range',
    taken: ['tcp', '0.0.0.0', 8080],
    bindings: one('8080-8080'),
    reason: inUse('0.0.0.0:8080/tcp'),
  },
  {
    what: 'an address that the host does not have',
    bindings: one('8080', '203.0.113.9'),
    reason: /^failed to bind host port 203\.0\.113\.9:8080\/tcp: cannot assign requested address$/,
  },
  {
    what: 'an IPv6 address that the host does not have',
    bindings: one('8080', '2001:db8::99'),
    reason: /^failed to bind host port \[2001:db8::99\]:8080\/tcp: cannot assign requested address$/,
  },
  {
    what: 'a random port at such an address',
    bindings: one('', '203.0.113.9'),
    reason: /^failed to bind host port 203\.0\.113\.9:\d+\/tcp: cannot assign requested address$/,
  },
];

describe('a start fails with 500, and leaves nothing, where a port is wanted:', () => {
  for (const { what, taken, bindings, reason } of startCases) {
    test(`${taken ? 'of a program of the host: ' : ''}${what}`, async () => {
      const before = await takeInventory(lab, lab.engine);
      // One more port, which could be had.
      const PortBindings = { ...bindings, '90/tcp': [{ HostIp: '127.0.0.1', HostPort: '8090' }] };
      using _taken = taken && takePort(lab, ...taken);
      const id = await api.createContainer('web', 'bridge', { HostConfig: { PortBindings } });
      const answer = await api.send('POST', `/containers/${id}/start`);
      const [, text = ''] =
        /^driver failed programming external connectivity on endpoint web \([0-9a-f]{64}\): (.*)$/s.exec(
          answer.json.message ?? '',
        ) ?? [];
      assert.match(text, reason, answer.text);
      assert.equal(answer.status, 500);
      const { State, NetworkSettings } = await api.inspect(id);
      assert.deepEqual([State.Status, State.ExitCode, State.Error], ['created', 128, answer.json.message]);
      assert.deepEqual(NetworkSettings.Ports, {});
      assert.equal(canTake(lab, 'tcp', '127.0.0.1', 8090), 'yes');
      await api.removeContainers(id);
      await expectSameInventory(lab, before, lab.engine);
    });
  }
});

describe('ports are given to nobody, without an error,', () => {
  const bindings = { PortBindings: one('8080'), PublishAllPorts: true };

  test('in host mode, with a warning', async () => {
    const body = { Image: image, Cmd: ['sleep', '60'], HostConfig: { NetworkMode: 'host', ...bindings } };
    const created = await api.ask<{ Id: string; Warnings: string[] }>(
      'POST',
      '/containers/create?name=web',
      body,
    );
    assert.deepEqual(created.Warnings, ['Published ports are discarded when using host network mode']);
    await api.start(created.Id);
    assert.deepEqual((await api.inspect('web')).NetworkSettings.Ports, {});
    assert.equal(canTake(lab, 'tcp', '0.0.0.0', 8080), 'yes');
    await api.removeContainers('web');
  });

  test('in mode none, and on an internal network', async () => {
    const internal = await api.createNetwork('inner', { Internal: true });
    for (const mode of ['none', 'inner']) {
      await api.run('web', mode, { HostConfig: bindings });
      assert.deepEqual((await api.inspect('web')).NetworkSettings.Ports, {}, mode);
      assert.equal(canTake(lab, 'tcp', '0.0.0.0', 8080), 'yes');
      await api.removeContainers('web');
    }
    await api.removeNetworks(internal);
  });
});

describe('forms that are fine', () => {
  for (const [what, bindings, HostPort] of [
    ['no list', { '80/tcp': null }, '*'],
    ['an empty list', { '80/tcp': [] }, '*'],
    ['an empty binding', { '80/tcp': [{}] }, '*'],
    ['port 0', one('0'), '*'],
    ['a range of one', one('8080-8080'), '8080'],
    ['no protocol', { '80': [{ HostPort: '8080' }] }, '8080'],
    ['a protocol in capitals', { '80/TCP': [{ HostPort: '8080' }] }, '8080'],
    ['leading zeros', one('08080'), '8080'],
    ['a port of the privileged ones', one('1'), '1'],
    ['the last port', one('65535'), '65535'],
  ] as const) {
    test(what, async () => {
      await api.run('web', 'bridge', { HostConfig: { PortBindings: bindings } });
      const { Ports } = (await api.inspect('web')).NetworkSettings as {
        Ports: Record<string, { HostIp: string; HostPort: string }[]>;
      };
      assert.deepEqual(Object.keys(Ports), ['80/tcp']);
      assert.deepEqual(
        Ports['80/tcp']!.map(({ HostIp, HostPort: shown }) => [
          HostIp,
          Number(shown) > 32767 && shown !== HostPort ? '*' : shown,
        ]),
        ['0.0.0.0', '::'].map((address) => [address, HostPort]),
      );
      await api.removeContainers('web');
    });
  }

  test('an IPv4 address in the form of an IPv6 one is an IPv4 address', async () => {
    await api.run('web', 'bridge', { HostConfig: { PortBindings: one('8080', `::ffff:${hostAddress}`) } });
    assert.deepEqual((await api.inspect('web')).NetworkSettings.Ports, {
      '80/tcp': [{ HostIp: hostAddress, HostPort: '8080' }],
    });
    await api.removeContainers('web');
  });
});

test('a host without IPv6 publishes over IPv4 alone', async () => {
  await using other = await Lab.create();
  await other.run([
    'sysctl',
    '-qw',
    'net.ipv6.conf.all.disable_ipv6=1',
    'net.ipv6.conf.default.disable_ipv6=1',
  ]);
  await other.startDaemon();
  await other.importBusybox();
  const speaker = new RawApi(other);
  await speaker.run('web', 'bridge', { HostConfig: { PortBindings: one('8080') } });
  const { Ports } = (await speaker.inspect('web')).NetworkSettings as {
    Ports: Record<string, { HostIp: string }[]>;
  };
  assert.ok(Ports['80/tcp']?.some(({ HostIp }) => HostIp === '0.0.0.0'));
  assert.equal(canTake(other, 'tcp', hostAddress, 8080), 'EADDRINUSE');
  await speaker.removeContainers('web');
});

test('a daemon does not start with a default address that is none', async () => {
  await using other = await Lab.create();
  for (const address of ['nowhere', '1.2.3', '10.0.0.0/8', 'fe80::1%eth0']) {
    await assert.rejects(other.startDaemon({ args: ['--ip', address] }), /it should be an IP address/);
  }
});
