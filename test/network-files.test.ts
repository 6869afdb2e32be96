/**
 * /etc/hosts, /etc/hostname and /etc/resolv.conf, row by row: every mode and kind of network, with the options that
 * change them, at start, while networks come and go, and over restarts. The lab's host has a nameserver 198.51.100.2
 * and a search domain (see holder.sh).
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, before, describe, test } from 'node:test';
import { Lab, labHostname } from './lab/lab.ts';
import { image, inspect, openStory } from './lab/story.ts';

const lab = await openStory();

interface Files {
  readonly hostname: string;
  readonly hosts: string;
  readonly resolv: string;
}

/** The files of a container that runs, as its processes see them. */
async function filesOf(container: string, where = lab): Promise<Files> {
  const { HostnamePath, HostsPath, ResolvConfPath } = await inspect(where, container);
  const [hostname = '', hosts = '', resolv = ''] = await Promise.all(
    [HostnamePath, HostsPath, ResolvConfPath].map((path) => readFile(where.pathInside(path), 'utf8')),
  );
  return { hostname, hosts, resolv };
}

async function run(name: string, ...options: string[]): Promise<void> {
  await lab.docker(['run', '-d', '--name', name, ...options, image, 'sleep', '600']);
}

const removeAll = async (where: Lab) => {
  const all = await where.dockerOutput('ps -aq');
  if (all !== '') await where.docker(['rm', '-f', ...all.split('\n')]);
};
afterEach(() => removeAll(lab));

before(async () => {
  const networks = {
    four: '--subnet 10.4.0.0/24',
    dual: '--ipv6 --subnet 10.6.0.0/24 --subnet fd00:6::/64',
    six: '--ipv4=false --ipv6 --subnet fd00:66::/64',
    later: '--ipv6 --subnet 10.7.0.0/24 --subnet fd00:7::/64',
  };
  for (const [name, options] of Object.entries(networks))
    await lab.docker(`network create ${options} ${name}`);
});

const ipv6Lines = [
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];
const loopback = ['127.0.0.1\tlocalhost'];
const bothLoopbacks = [...loopback, ...ipv6Lines];
const hostResolv = ['nameserver 198.51.100.2', 'search lab.example'];
const embedded = ['nameserver 127.0.0.11', 'search lab.example', 'options ndots:0'];
const extra = ['--add-host', 'db:192.0.2.7', '--add-host', 'v6:2001:db8::7', '--add-host', 'gw:host-gateway'];

/** A row: the options, and the lines of hosts and resolv.conf without comments. */
const rows: readonly [options: string, hosts: readonly string[], resolv: readonly string[]][] = [
  ['--net bridge', [...loopback, '172.17.0.2\tbox'], hostResolv],
  ['--net bridge --domainname d.org', [...loopback, '172.17.0.2\tbox.d.org box'], hostResolv],
  [
    `--net bridge ${extra.join(' ')}`,
    [...loopback, '192.0.2.7\tdb', '172.17.0.1\tgw', '172.17.0.2\tbox'],
    hostResolv,
  ],
  ['--net four', [...loopback, '10.4.0.2\tbox'], embedded],
  ['--net dual', [...bothLoopbacks, '10.6.0.2\tbox', 'fd00:6::2\tbox'], embedded],
  ['--net six', [...bothLoopbacks, 'fd00:66::2\tbox'], embedded],
  [
    `--net dual ${extra.join(' ')}`,
    [
      ...bothLoopbacks,
      ...['192.0.2.7\tdb', '2001:db8::7\tv6', '172.17.0.1\tgw', '10.6.0.2\tbox', 'fd00:6::2\tbox'],
    ],
    embedded,
  ],
  // The client sends networks in the order of their names.
  ['--net four --net dual', [...bothLoopbacks, '10.6.0.2\tbox', 'fd00:6::2\tbox', '10.4.0.2\tbox'], embedded],
  ['--net none', loopback, hostResolv],
  ['--net none --add-host db:192.0.2.7', [...loopback, '192.0.2.7\tdb'], hostResolv],
  ['--net host', ['127.0.0.1\tlocalhost', '198.51.100.1\tlab-host'], hostResolv],
  ['--net host --add-host db:192.0.2.7', [...bothLoopbacks, '192.0.2.7\tdb'], hostResolv],
  [
    '--net bridge --dns 192.0.2.53',
    [...loopback, '172.17.0.2\tbox'],
    ['nameserver 192.0.2.53', hostResolv[1]!],
  ],
  [
    '--net bridge --dns-search a.example --dns-search b.example --dns-option ndots:3 --dns-option rotate',
    [...loopback, '172.17.0.2\tbox'],
    [hostResolv[0]!, 'search a.example b.example', 'options ndots:3 rotate'],
  ],
  ['--net bridge --dns-search .', [...loopback, '172.17.0.2\tbox'], [hostResolv[0]!]],
  [
    '--net four --dns 192.0.2.53 --dns-search a.example',
    [...loopback, '10.4.0.2\tbox'],
    [embedded[0]!, 'search a.example', 'options ndots:0'],
  ],
  [
    '--net four --dns-search . --dns-option ndots:2',
    [...loopback, '10.4.0.2\tbox'],
    [embedded[0]!, 'options ndots:2'],
  ],
  ['--net none --dns 192.0.2.53', loopback, ['nameserver 192.0.2.53', hostResolv[1]!]],
  [
    '--net host --dns 127.0.0.1',
    ['127.0.0.1\tlocalhost', '198.51.100.1\tlab-host'],
    ['nameserver 127.0.0.1', hostResolv[1]!],
  ],
];

const lines = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('at start', () => {
  for (const [options, hosts, resolv] of rows) {
    test(options, async () => {
      await run('box', '-h', 'box', ...options.split(' '));
      const files = await filesOf('box');
      assert.equal(files.hostname, 'box\n');
      assert.deepEqual(lines(files.hosts), hosts);
      assert.deepEqual(lines(files.resolv), resolv);
      assert.equal(await lab.dockerOutput('exec box cat /etc/hosts'), files.hosts.trim());

      // Another start makes all three anew.
      const { HostnamePath, HostsPath, ResolvConfPath } = await inspect(lab, 'box');
      for (const path of [HostnamePath, HostsPath, ResolvConfPath]) {
        await writeFile(lab.pathInside(path), 'changed\n');
      }
      assert.equal(await lab.dockerOutput('exec box cat /etc/hostname'), 'changed');
      await lab.docker('restart -t 0 box');
      assert.deepEqual(await filesOf('box'), files);
    });
  }

  test('hostname: the own id, or that of the host, or what was given, dots and all', async () => {
    await run('plain');
    await run('hosted', '--net', 'host');
    await run('dotted', '-h', 'a.b.org');
    const { Id } = await inspect(lab, 'plain');
    assert.equal((await filesOf('plain')).hostname, `${Id.slice(0, 12)}\n`);
    assert.equal((await filesOf('hosted')).hostname, `${labHostname}\n`);
    const { hostname, hosts } = await filesOf('dotted');
    assert.equal(hostname, 'a.b.org\n');
    assert.match(hosts, /\ta\.b\.org a\n$/);
  });

  test('in container mode: the very files of the other', async () => {
    await run('owner', '-h', 'box', '--net', 'dual');
    await run('guest', '--net', 'container:owner');
    const paths = ({ HostnamePath, HostsPath, ResolvConfPath }: Awaited<ReturnType<typeof inspect>>) => [
      HostnamePath,
      HostsPath,
      ResolvConfPath,
    ];
    assert.deepEqual(paths(await inspect(lab, 'guest')), paths(await inspect(lab, 'owner')));
    await lab.docker('network connect later owner');
    assert.match(await lab.dockerOutput('exec guest cat /etc/hosts'), /^10\.7\.0\.2\tbox\nfd00:7::2\tbox$/m);
  });

  test('resolv.conf says in comments where it comes from', async () => {
    await run('box', '--net', 'four', '--dns', '192.0.2.53');
    const { resolv } = await filesOf('box');
    assert.match(resolv, /^# Based on host file: '\/etc\/resolv\.conf' \(internal resolver\)$/m);
    assert.match(resolv, /^# ExtServers: \[192\.0\.2\.53\]$/m);
    assert.match(resolv, /^# Overrides: \[nameservers\]$/m);
  });
});

describe('while it runs', () => {
  test('networks bring and take their own lines, and leave those that a user wrote', async () => {
    await run('box', '-h', 'box', '--net', 'four', '--add-host', 'v6:2001:db8::7');
    await lab.docker(['exec', 'box', 'sh', '-c', 'echo "192.0.2.9 mine" >> /etc/hosts']);
    const before = await filesOf('box');
    await lab.docker('network connect dual box');
    const connected = lines((await filesOf('box')).hosts);
    assert.deepEqual(connected, [
      ...[...bothLoopbacks, '2001:db8::7\tv6', '10.4.0.2\tbox', '192.0.2.9 mine'],
      ...['10.6.0.2\tbox', 'fd00:6::2\tbox'],
    ]);
    assert.equal((await filesOf('box')).resolv, before.resolv);
    await lab.docker('network disconnect four box');
    assert.deepEqual(
      lines((await filesOf('box')).hosts),
      connected.filter((line) => line !== '10.4.0.2\tbox'),
    );
    await lab.docker('network disconnect dual box');
    await lab.docker('network connect four box');
    assert.deepEqual(lines((await filesOf('box')).hosts), [
      ...[...bothLoopbacks, '2001:db8::7\tv6', '192.0.2.9 mine', '10.4.0.2\tbox'],
    ]);
  });

  test('the first network of a user brings the embedded server, unless the user has changed resolv.conf', async () => {
    await run('box');
    await run('edited');
    await lab.docker(['exec', 'edited', 'sh', '-c', 'echo "# mine" >> /etc/resolv.conf']);
    for (const name of ['box', 'edited']) await lab.docker(`network connect four ${name}`);
    assert.deepEqual(lines((await filesOf('box')).resolv), embedded);
    assert.match(
      (await filesOf('edited')).resolv,
      /^nameserver 198\.51\.100\.2\nsearch lab\.example\n# mine\n$/,
    );
    await lab.docker('restart -t 0 edited');
    assert.deepEqual(lines((await filesOf('edited')).resolv), embedded);
  });

  test('the files are the same ones all the time', async () => {
    await run('box', '--net', 'four');
    const inode = () =>
      lab.dockerOutput(['exec', 'box', 'stat', '-c', '%i', '/etc/hosts', '/etc/resolv.conf']);
    const before = await inode();
    await lab.docker('network connect dual box');
    await lab.docker('network disconnect four box');
    assert.equal(await inode(), before);
    await lab.docker('restart -t 0 box');
    assert.equal(await inode(), before);
  });
});

test("the daemon's own options hold where the container gives none", async () => {
  await using other = await Lab.create();
  await other.startEngine({
    args: [
      ...['--dns', '192.0.2.1', '--dns-search', 'daemon.example', '--dns-opt', 'attempts:1'],
      ...['--host-gateway-ip', '192.0.2.254', '--host-gateway-ip', '2001:db8::fe'],
    ],
  });
  await other.importBusybox();
  const start = (name: string, ...options: string[]) =>
    other.docker(['run', '-d', '--name', name, '-h', 'box', ...options, image, 'sleep', '600']);
  await other.docker('network create --ipv6 --subnet 10.6.0.0/24 --subnet fd00:6::/64 dual');
  await start('plain', '--add-host', 'gw:host-gateway');
  assert.deepEqual(lines((await filesOf('plain', other)).resolv), [
    ...['nameserver 192.0.2.1', 'search daemon.example', 'options attempts:1'],
  ]);
  assert.deepEqual(lines((await filesOf('plain', other)).hosts), [
    ...[...loopback, '192.0.2.254\tgw', '172.17.0.2\tbox'],
  ]);
  await start('own', '--net', 'dual', '--dns', '192.0.2.2', '--add-host', 'gw:host-gateway');
  const { hosts, resolv } = await filesOf('own', other);
  assert.deepEqual(lines(hosts), [
    ...[...bothLoopbacks, '192.0.2.254\tgw', '2001:db8::fe\tgw', '10.6.0.2\tbox', 'fd00:6::2\tbox'],
  ]);
  assert.deepEqual(lines(resolv), [
    ...['nameserver 127.0.0.11', 'search daemon.example', 'options attempts:1 ndots:0'],
  ]);
  assert.match(resolv, /^# ExtServers: \[192\.0\.2\.2\]$/m);
});

test("a host's servers that containers cannot reach are left out, and public ones asked when none is left", async () => {
  await using other = await Lab.create();
  const servers = (...addresses: string[]) => addresses.map((address) => `nameserver ${address}`);
  const write = (...text: string[]) =>
    other.run(['sh', '-c', `printf '${text.join('\\n')}\\n' > /etc/resolv.conf`]);
  await write(...servers('127.0.0.1', '2001:db8::53', '192.0.2.53'));
  await other.startEngine();
  await other.importBusybox();
  const start = async (name: string, ...options: string[]) => {
    await other.docker(['run', '-d', '--name', name, ...options, image, 'sleep', '600']);
    return lines((await filesOf(name, other)).resolv);
  };
  assert.deepEqual(await start('one'), servers('192.0.2.53'));
  assert.deepEqual(
    await start('hosted', '--net', 'host'),
    servers('127.0.0.1', '2001:db8::53', '192.0.2.53'),
  );
  await write(...servers('127.0.0.1'));
  assert.deepEqual(await start('two'), servers('8.8.8.8', '8.8.4.4'));
  assert.deepEqual(
    await start('three', '--dns', '127.0.0.1'),
    servers('127.0.0.1'),
    'what was asked for stays',
  );
  // The stub of systemd-resolved, whose file with the real servers is taken instead.
  await write(...servers('127.0.0.53'));
  await other.run('mkdir -p /run/systemd/resolve');
  await other.run(['sh', '-c', 'echo nameserver 192.0.2.99 > /run/systemd/resolve/resolv.conf']);
  assert.deepEqual(await start('four'), servers('192.0.2.99'));
  assert.deepEqual(await start('five', '--net', 'host'), servers('127.0.0.53'));
});

test('host-gateway means nothing where there is no default bridge', async () => {
  await using other = await Lab.create();
  await other.startEngine({ args: ['--bridge', 'none'] });
  await other.importBusybox();
  const { stderr } = await other.docker(
    ['run', '--rm', '--net', 'none', '--add-host', 'gw:host-gateway', image, 'true'],
    { allowFailure: true },
  );
  assert.match(stderr, /unable to derive the IP value for host-gateway/);
});
