/**
 * /etc/hosts, /etc/hostname and /etc/resolv.conf as containers of each mode find them. The lab's host has a
 * nameserver 198.51.100.2, a search domain, and a hosts file of its own (see holder.sh).
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { labHostname } from './lab/lab.ts';
import { image, openStory, removeContainers } from './lab/story.ts';

const lab = await openStory();

const separator = '-----';
const script = `cat /etc/hostname; echo ${separator}; cat /etc/hosts; echo ${separator}; cat /etc/resolv.conf`;

async function filesOf(
  ...options: string[]
): Promise<{ hostname: string; hosts: string[]; resolv: string[] }> {
  const { stdout } = await lab.docker(['run', '--rm', ...options, image, 'sh', '-c', script]);
  const [hostname = '', hosts = '', resolv = ''] = stdout.split(`${separator}\n`);
  const lines = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return { hostname, hosts: lines(hosts), resolv: lines(resolv) };
}

describe('bridge mode', () => {
  test('hosts has localhost and the own address, hostname the own name, resolv.conf is that of the host', async () => {
    const { hostname, hosts, resolv } = await filesOf('-h', 'box');
    assert.equal(hostname, 'box\n');
    assert.equal(hosts[0], '127.0.0.1\tlocalhost');
    assert.match(hosts.at(-1) ?? '', /^172\.17\.0\.\d+\tbox$/);
    assert.deepEqual(resolv.sort(), ['nameserver 198.51.100.2', 'search lab.example']);
  });

  test('a domain name comes first in hosts and stays out of hostname', async () => {
    const joined = await filesOf('-h', 'box', '--domainname', 'example.org');
    assert.equal(joined.hostname, 'box\n');
    assert.match(joined.hosts.at(-1) ?? '', /^172\.17\.0\.\d+\tbox\.example\.org box$/);
    const dotted = await filesOf('-h', 'box.example.org');
    assert.equal(dotted.hostname, 'box.example.org\n');
    assert.match(dotted.hosts.at(-1) ?? '', /^172\.17\.0\.\d+\tbox\.example\.org box$/);
  });

  test('--add-host adds lines in the order given, before the own address', async () => {
    const { hosts } = await filesOf(
      '-h',
      'box',
      '--add-host',
      'db:192.0.2.7',
      '--add-host',
      'other:192.0.2.6',
    );
    const given = hosts.filter((line) => /\t(db|other)$/.test(line));
    assert.deepEqual(given, ['192.0.2.7\tdb', '192.0.2.6\tother']);
    assert.match(hosts.at(-1) ?? '', /\tbox$/);
  });

  test('--add-host with host-gateway is the address of the bridge', async () => {
    const { hosts } = await filesOf('--add-host', 'gw:host-gateway');
    assert.ok(hosts.includes('172.17.0.1\tgw'), hosts.join('\n'));
  });

  test('--dns, --dns-search and --dns-option replace what the host has', async () => {
    const { resolv } = await filesOf('--dns=192.0.2.53', '--dns-search=a.example', '--dns-option=ndots:3');
    assert.deepEqual(resolv.sort(), ['nameserver 192.0.2.53', 'options ndots:3', 'search a.example']);
    const none = await filesOf('--dns-search=.');
    assert.deepEqual(none.resolv, ['nameserver 198.51.100.2']);
  });

  test('the container may change its files, which are new at the next start', async () => {
    const change = 'grep -c changed /etc/hosts; echo 192.0.2.9 changed >> /etc/hosts; tail -n 1 /etc/hosts';
    await lab.docker(['create', '--name', 'editor', image, 'sh', '-c', change]);
    for (const _ of [1, 2]) {
      await lab.docker('start editor');
      await lab.docker('wait editor');
    }
    assert.equal(await lab.dockerOutput('logs editor'), '0\n192.0.2.9 changed\n0\n192.0.2.9 changed');
    await removeContainers(lab, 'editor');
  });
});

test('none mode: hosts without an own address', async () => {
  const { hostname, hosts, resolv } = await filesOf('--net=none', '-h', 'box');
  assert.equal(hostname, 'box\n');
  assert.equal(hosts[0], '127.0.0.1\tlocalhost');
  assert.deepEqual(
    hosts.filter((line) => line.includes('box')),
    [],
  );
  assert.ok(resolv.includes('nameserver 198.51.100.2'));
});

describe('host mode', () => {
  test('the files are copies of those of the host', async () => {
    const { hostname, hosts, resolv } = await filesOf('--net=host');
    assert.equal(hostname, `${labHostname}\n`);
    assert.deepEqual(hosts, ['127.0.0.1\tlocalhost', '198.51.100.1\tlab-host']);
    assert.deepEqual(resolv.sort(), ['nameserver 198.51.100.2', 'search lab.example']);
  });

  test('a hostname may be given; with --add-host the hosts file is generated', async () => {
    assert.equal((await filesOf('--net=host', '-h', 'other')).hostname, 'other\n');
    const { hosts } = await filesOf('--net=host', '--add-host', 'db:192.0.2.7');
    assert.ok(hosts.includes('192.0.2.7\tdb'));
    assert.ok(!hosts.includes('198.51.100.1\tlab-host'));
  });

  test('changing them changes nothing on the host', async () => {
    await lab.docker(['run', '--rm', '--net=host', image, 'sh', '-c', 'echo 192.0.2.9 x >> /etc/hosts']);
    assert.doesNotMatch((await lab.run('cat /etc/hosts')).stdout, /192\.0\.2\.9/);
  });
});

test('container mode: the very files of the other, seen to change', async () => {
  await lab.docker(`run -d --name owner -h box ${image} sleep 600`);
  const shared = await filesOf('--net=container:owner');
  assert.equal(shared.hostname, 'box\n');
  assert.match(shared.hosts.at(-1) ?? '', /\tbox$/);
  await lab.docker([
    'run',
    '--rm',
    '--net=container:owner',
    image,
    'sh',
    '-c',
    'echo 192.0.2.9 x >> /etc/hosts',
  ]);
  assert.equal((await filesOf('--net=container:owner')).hosts.at(-1), '192.0.2.9 x');
  await removeContainers(lab, 'owner');
});
