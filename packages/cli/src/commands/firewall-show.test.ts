import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FirewallAnswer, FirewallPort } from '../client/types.ts';
import { FakeContext, FakeDaemon, routes } from '../testing/fake-daemon.ts';
import { spec } from './firewall-show.ts';
import { parseCommand } from './spec.ts';

const port = (changes: Partial<FirewallPort> = {}): FirewallPort => ({
  HostIp: '0.0.0.0',
  HostPort: 8080,
  Protocol: 'tcp',
  ContainerName: 'web',
  ContainerIp: '172.17.0.2',
  ContainerPort: 80,
  ServedBy: ['kernel'],
  ...changes,
});

const firewall: FirewallAnswer = {
  Networks: [
    {
      Name: 'shop',
      Bridge: 'br-0123456789ab',
      Internal: false,
      InterContainer: false,
      TrustedInterfaces: [],
      Subnets: [
        {
          Family: 'ipv4',
          Subnet: '10.60.0.0/24',
          GatewayMode: 'nat',
          Outbound: 'masquerade',
          SourceAddress: '',
        },
        { Family: 'ipv6', Subnet: 'fd60::/64', GatewayMode: 'routed', Outbound: 'direct', SourceAddress: '' },
      ],
    },
    {
      Name: 'a-name-that-is-far-too-long',
      Bridge: 'br-vault',
      Internal: true,
      InterContainer: true,
      TrustedInterfaces: [],
      Subnets: [
        { Family: 'ipv4', Subnet: '10.61.0.0/24', GatewayMode: 'nat', Outbound: 'none', SourceAddress: '' },
      ],
    },
  ],
  Ports: [port()],
  Ruleset: 'table inet seaway {\n\tset bridges {\n\t\ttype ifname\n\t}\n}\n',
  InSync: true,
  Missing: [],
  Foreign: [],
  Warnings: [],
};

async function show(changes: Partial<FirewallAnswer> = {}, ...argv: string[]) {
  await using daemon = await FakeDaemon.open(routes({ 'GET /seaway/firewall': { ...firewall, ...changes } }));
  using context = new FakeContext(daemon);
  const { options } = parseCommand(spec, argv);
  const code = await spec.run(context, [], options);
  return { code, stdout: context.stdout, stderr: context.stderr };
}

const portLines = async (...ports: FirewallPort[]) =>
  (await show({ Ports: ports }, '--model')).stdout.split('\n\n')[1]!.trimEnd().split('\n').slice(1);

describe('firewall show', () => {
  test('shows networks, ports, live rules and that they agree', async () => {
    assert.deepEqual(await show(), {
      code: 0,
      stderr: '',
      stdout: `# Networks

NETWORK                BRIDGE            SUBNET         MODE       OUTBOUND     ICC
a-name-that-is-far-…   br-vault          10.61.0.0/24   internal   none         yes
shop                   br-0123456789ab   10.60.0.0/24   nat        masquerade   no
                                         fd60::/64      routed     direct

# Published ports

HOST               CONTAINER   LEADS TO        SERVED BY
0.0.0.0:8080/tcp   web         172.17.0.2:80   kernel

# Seaway's rules in the kernel

table inet seaway {
    set bridges { type ifname; }
}

In sync: the kernel has every rule and port that it should have, and no others of ours.
`,
    });
  });

  test('shows chosen source addresses, and trusted interfaces where there are any', async () => {
    const [shop, vault] = firewall.Networks;
    const [ipv4, ipv6] = shop!.Subnets;
    const trusting = {
      ...shop!,
      TrustedInterfaces: ['eth1', 'vxlan0'],
      Subnets: [{ ...ipv4!, Outbound: 'snat', SourceAddress: '198.51.100.9' }, ipv6!],
    };
    const { stdout } = await show({ Networks: [trusting, vault!] }, '--model');
    assert.equal(
      stdout.split('\n\n')[0],
      `NETWORK                BRIDGE            SUBNET         MODE       OUTBOUND       ICC       TRUSTS
a-name-that-is-far-…   br-vault          10.61.0.0/24   internal   none           yes
shop                   br-0123456789ab   10.60.0.0/24   nat        198.51.100.9   no        eth1, vxlan0
                                         fd60::/64      routed     direct`,
    );
  });

  test('shows one half', async () => {
    assert.equal(
      (await show({}, '--live')).stdout,
      'table inet seaway {\n    set bridges { type ifname; }\n}\n',
    );
    const { stdout } = await show({}, '--model');
    assert.match(stdout, /^NETWORK .*\n[\s\S]*\n\nHOST .*\n0\.0\.0\.0:8080\/tcp .*\n$/);
    assert.equal((await show({}, '--live', '--model')).stdout, (await show()).stdout);
  });

  test('says what is amiss, and fails', async () => {
    const wrong = { Ruleset: '', InSync: false, Missing: ['table inet seaway'], Foreign: ['chain mine'] };
    const { code, stdout } = await show({ ...wrong, Warnings: ['chain FORWARD drops'] });
    assert.equal(code, 1);
    assert.ok(
      stdout.endsWith(`
# Seaway's rules in the kernel

None: Seaway's tables are not there.

Not in sync: the kernel does not have what it should have.
  missing: table inet seaway
  not ours: chain mine
Seaway puts its rules back within a second. Where it cannot, its log says why.
Warning: chain FORWARD drops
`),
      stdout,
    );
    const half = await show(wrong, '--model');
    assert.equal(half.stderr, "seaway: the kernel's rules are not what they should be\n");
    assert.equal(half.code, 1);
  });

  test('does without networks and ports', async () => {
    const { stdout } = await show({ Networks: [], Ports: [] }, '--model');
    assert.equal(stdout, 'No networks with a bridge.\n\nNo published ports.\n');
  });

  test('is JSON for machines, or a template', async () => {
    assert.deepEqual(JSON.parse((await show({}, '--format', 'json')).stdout), firewall);
    assert.equal((await show({}, '-f', '{{.InSync}} {{len .Ports}}')).stdout, 'true 1\n');
  });

  test('puts ports that follow one another on one line', async () => {
    const ports = Array.from({ length: 300 }, (_, n) =>
      port({ HostPort: 9299 - n, ContainerPort: 1299 - n }),
    );
    const lines = await portLines(...ports, port({ HostPort: 9300, ContainerPort: 7 }));
    assert.deepEqual(
      lines.map((line) => line.replaceAll(/ {2,}/g, '  ')),
      [
        '0.0.0.0:9000-9299/tcp  web  172.17.0.2:1000-1299  kernel',
        '0.0.0.0:9300/tcp  web  172.17.0.2:7  kernel',
      ],
    );
  });

  test('tells who serves a port', async () => {
    const lines = await portLines(
      port({ ContainerName: 'a', HostIp: '::', ContainerIp: 'fd60::2', ServedBy: ['kernel', 'relay'] }),
      port({ ContainerName: 'b', HostIp: '::', ServedBy: ['relay'] }),
      port({ ContainerName: 'c', HostIp: '::', Protocol: 'sctp', ContainerIp: '', ServedBy: [] }),
      port({ ContainerName: 'd', HostIp: '', HostPort: 0, ServedBy: [] }),
      port({ ContainerName: 'd', HostIp: '', HostPort: 0, ContainerPort: 81, ServedBy: [] }),
    );
    assert.deepEqual(
      lines.map((line) => line.split(/ {2,}/)),
      [
        ['[::]:8080/tcp', 'a', '[fd60::2]:80', 'kernel; keeper for ::1'],
        ['[::]:8080/tcp', 'b', '172.17.0.2:80', 'keeper'],
        ['[::]:8080/sctp', 'c', '-', 'nothing, kept free'],
        ['-', 'd', '172.17.0.2:80-81/tcp', 'routing'],
      ],
    );
  });
});
