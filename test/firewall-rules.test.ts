/**
 * Seaway's rules beside those of others: the examples of the page on the firewall, rules that are taken away, and other
 * programs' firewalls that are in the way.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno, Nftables } from '@seaway/linux';
import { hostAddress, hostAddress6, outsideAddress } from './lab/lab.ts';
import { type Outcome, type Target as ProbeTarget, serve } from './lab/probes.ts';
import { RawApi } from './lab/raw-api.ts';
import { eventually, openStory } from './lab/story.ts';
import { expectWays, type Way } from './lab/ways.ts';

const lab = await openStory();
const api = new RawApi(lab);
const page = readFileSync(new URL('../docs/firewall.md', import.meta.url), 'utf8');

const host = `/proc/${lab.holderPid}/ns/net`;
const outside = lab.pathInside('/run/netns/outside');
/** Another host, beyond the one that the lab's host is joined to. */
const stranger = '203.0.113.5';
await lab.outside(`ip address add ${stranger}/32 dev eth0`);

const jobsBridge = { 'com.docker.network.bridge.name': 'br-jobs' };
await api.createNetwork('jobs', {
  EnableIPv6: true,
  Options: jobsBridge,
  IPAM: { Config: [{ Subnet: '10.60.0.0/24' }, { Subnet: 'fd60::/64' }] },
});
const silent = { 'com.docker.network.bridge.enable_icc': 'false' };
await api.createNetwork('apart', { Options: silent, IPAM: { Config: [{ Subnet: '10.61.0.0/24' }] } });
await api.run('web', 'jobs', {
  HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }], '81/tcp': [{ HostPort: '8081' }] } },
});
await api.run('lonely', 'apart');
const container = lab.pathInside(`/proc/${(await api.inspect('web')).State.Pid}/ns/net`);
const lonely = lab.pathInside(`/proc/${(await api.inspect('lonely')).State.Pid}/ns/net`);

const tcp = (address: string, port: number, from?: string): ProbeTarget => ({
  protocol: 'tcp',
  address,
  port,
  ...(from ? { from } : {}),
});
for (const address of ['10.60.0.2', 'fd60::2']) {
  for (const port of [80, 81]) await serve(container, tcp(address, port));
}
for (const port of [22, 9000]) await serve(host, tcp(hostAddress, port));
for (const port of [5432, 80]) await serve(outside, tcp(outsideAddress, port));

const fromOutside = (expected: Outcome['kind']): Way => [
  'published port',
  outside,
  tcp(hostAddress, 8080),
  expected,
];

/** Loads one of the page's examples. */
async function load(table: string): Promise<void> {
  const examples = [...page.matchAll(/```nft\n(.*?)```/gs)].map(([, text = '']) => text);
  const example = examples.find((text) => text.startsWith(`table inet ${table} {`));
  assert.ok(example, `the page has no example ${table}`);
  await lab.run('nft -f -', { input: example });
}

describe('the page on the firewall', () => {
  test('names every set, map and chain that there is', async () => {
    const { stdout } = await lab.run('nft -j list table inet seaway');
    const { nftables } = JSON.parse(stdout) as { nftables: Record<string, { name?: string }>[] };
    const there = (...kinds: string[]) =>
      nftables.flatMap((object) => kinds.flatMap((kind) => object[kind]?.name ?? [])).sort();
    const [, sets = ''] = page.split('| set or map | holds |');
    const [, chains = ''] = page.split('| chain | hook and priority | does |');
    const named = (table: string) =>
      table
        .split('\n\n')[0]!
        .split('\n')
        .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name))
        .sort();
    assert.deepEqual(named(sets), there('set', 'map'));
    // The last one is explained with the second table.
    assert.deepEqual([...named(chains), 'bridged'].sort(), there('chain'));
  });
});

describe('rules of the administrator', () => {
  afterEach(async () => {
    const { stdout } = await lab.run('nft list tables');
    for (const [, table] of stdout.matchAll(/^table (.*)$/gm)) {
      if (!table?.endsWith(' seaway')) await lab.run(`nft delete table ${table}`);
    }
    await expectWays([fromOutside('answered')]);
  });

  test('an allow-list in front of a published port', async () => {
    const strange: Way = ['from elsewhere', outside, tcp(hostAddress, 8080, stranger), 'answered'];
    await expectWays([strange]);
    await load('doorman');
    await expectWays([
      fromOutside('answered'),
      ['from elsewhere', outside, tcp(hostAddress, 8080, stranger), 'dropped'],
      ['over IPv6', outside, tcp(hostAddress6, 8080), 'dropped'],
      ['another port from elsewhere', outside, tcp(hostAddress, 8081, stranger), 'answered'],
      ['from the host', host, tcp(hostAddress, 8080), 'answered'],
      ['from the host over loopback', host, tcp('127.0.0.1', 8080), 'answered'],
    ]);
  });

  test('a host firewall in front of published ports and services alike', async () => {
    await expectWays([['a service before', outside, tcp(hostAddress, 9000), 'answered']]);
    await load('wall');
    await expectWays([
      fromOutside('answered'),
      ['over IPv6', outside, tcp(hostAddress6, 8080), 'answered'],
      ['a published port that is not on the list', outside, tcp(hostAddress, 8081), 'dropped'],
      ['the same over IPv6', outside, tcp(hostAddress6, 8081), 'dropped'],
      ['a service on the list', outside, tcp(hostAddress, 22), 'answered'],
      ['a service that is not', outside, tcp(hostAddress, 9000), 'dropped'],
      ['a container to the outside', container, tcp(outsideAddress, 5432), 'answered'],
      ['a container to a port that is not on the list', lonely, tcp(hostAddress, 8081), 'answered'],
      ['the host to a port that is not on the list', host, tcp(hostAddress, 8081), 'answered'],
    ]);
  });

  test('a firewall of forwarded packets that lets a published port through', async () => {
    await load('router');
    await expectWays([
      fromOutside('answered'),
      ['over IPv6', outside, tcp(hostAddress6, 8080), 'answered'],
      ['another published port', outside, tcp(hostAddress, 8081), 'dropped'],
      ['a container to the outside', container, tcp(outsideAddress, 5432), 'answered'],
    ]);
  });

  test('no way out for a network', async () => {
    await load('curfew');
    await expectWays([
      fromOutside('answered'),
      ['the port on the list', container, tcp(outsideAddress, 5432), 'answered'],
      ['another port', container, tcp(outsideAddress, 80), 'dropped'],
      ['another network', lonely, tcp(outsideAddress, 80), 'answered'],
    ]);
  });
});

/**
 * Rules are harmed and looked at in this process: to start a program takes so long on a busy machine that the daemon
 * has put everything back before anybody has seen that it was gone.
 */
const nft = Nftables.open({ namespace: host });
after(() => nft[Symbol.dispose]());

/** Does harm, if there is still what it harms. */
function harmRules(command: string): void {
  try {
    nft.run(command);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** The ruleset without what counts; how elements are ordered is the kernel's choice. */
function ruleset(): string[] {
  const objects = nft.list({ kind: 'ruleset' }) as Record<string, Record<string, unknown>>[];
  return objects
    .flatMap((object) =>
      Object.entries(object).map(([kind, { handle: _, elem, ...rest }]) => {
        const elements = Array.isArray(elem) ? elem.map((one) => JSON.stringify(one)).sort() : [];
        return JSON.stringify([kind, rest, elements]).replace(/"(packets|bytes)":\d+/g, '"$1":0');
      }),
    )
    .sort();
}

describe('seaway firewall show', () => {
  const show = (...argv: string[]) => lab.seaway(['firewall', 'show', ...argv], { allowFailure: true });

  test('shows networks, ports and rules, and that the kernel has what it should have', async () => {
    const { stdout, code } = await show();
    assert.equal(code, 0, stdout);
    assert.match(
      stdout,
      /^jobs +br-jobs +10\.60\.0\.0\/24 +nat +masquerade +yes\n {2,}fd60::\/64 +nat +masquerade\n/m,
    );
    assert.match(stdout, /^apart +br-\w{12} +10\.61\.0\.0\/24 +nat +masquerade +no$/m);
    assert.match(stdout, /^0\.0\.0\.0:8080-8081\/tcp +web +10\.60\.0\.2:80-81 +kernel$/m);
    assert.match(stdout, /^\[::\]:8080-8081\/tcp +web +\[fd60::2\]:80-81 +kernel; keeper for ::1$/m);
    assert.match(stdout, /^In sync: /m);
    assert.deepEqual(
      stdout.split('\n').filter((line) => line.length > 100),
      [],
    );
  });

  test('shows rules that nft reads back, and tells machines the same', async () => {
    const { stdout } = await show('--live');
    assert.match(stdout, /^table bridge seaway \{$/m);
    await lab.run('nft -c -f -', { input: stdout });
    const answer = JSON.parse((await show('--format', 'json')).stdout);
    assert.deepEqual([answer.InSync, answer.Missing, answer.Foreign, answer.Warnings], [true, [], [], []]);
    assert.equal(answer.Networks.length, 3);
    assert.equal(answer.Ports.length, 4);
    assert.match(answer.Ruleset, /tcp \. 8080 : 10\.60\.0\.2 \. 80/);
  });

  test('says what somebody has taken away or brought in, as long as it is so', async () => {
    const harm = 'flush set inet seaway talkative; delete table bridge seaway; add chain inet seaway mine';
    await eventually(async () => {
      // The chain stays until we take it away; the rest is put back any moment.
      harmRules(harm);
      const { InSync, Missing, Foreign } = await api.get<Record<string, unknown>>('/seaway/firewall');
      const talkative = 'in set talkative of inet seaway';
      assert.deepEqual(
        { InSync, Missing: (Missing as string[]).toSorted(), Foreign },
        {
          InSync: false,
          Missing: [
            `element br-jobs . br-jobs ${talkative}`,
            `element docker0 . docker0 ${talkative}`,
            'table bridge seaway',
          ],
          Foreign: ['chain mine of inet seaway'],
        },
      );
    }, 20_000);
    const { stdout, code } = await show();
    assert.match(stdout, /^Not in sync: [\s\S]*^ {2}not ours: chain mine of inet seaway$/m);
    assert.equal(code, 1);
    await lab.run('nft delete chain inet seaway mine');
    await eventually(async () => assert.equal((await show('--model')).code, 0));
  });
});

describe('rules that somebody takes away', () => {
  const mine =
    'table inet mine { set kept { type ipv4_addr; elements = { 192.0.2.1 } }; chain idle { drop; }; }';
  const harm: readonly [what: string, command: string, keepsOthers: boolean][] = [
    ['the whole ruleset', 'flush ruleset', false],
    ['the rules of the table', 'flush table inet seaway', true],
    ['the table', 'delete table inet seaway', true],
    ['the table of bridged packets', 'delete table bridge seaway', true],
    ['a bridge', 'delete element inet seaway bridges { "br-jobs" }', true],
    ['a published port', 'delete element inet seaway published4 { tcp . 8080 }', true],
    ['a rule', 'flush chain inet seaway postrouting', true],
  ];
  for (const [what, command, keepsOthers] of harm) {
    test(`${what}: back within a second, and nothing else is touched`, async () => {
      await lab.run('nft -f -', { input: mine });
      const before = ruleset();
      const lines = engineLog().length;
      const wanted = keepsOthers ? before : before.filter((line) => !line.includes('"mine"'));
      const attempts: number[] = [];
      // The best of a few, for the daemon of a busy machine may have to wait for a processor.
      while (attempts.length < 5 && !(Math.min(...attempts) < 1000)) {
        await eventually(() => {
          harmRules(command);
          assert.notDeepEqual(ruleset(), wanted, 'it was taken away');
        });
        const harmedAt = performance.now();
        await eventually(() => assert.deepEqual(ruleset(), wanted));
        attempts.push(performance.now() - harmedAt);
      }
      assert.ok(Math.min(...attempts) < 1000, `${attempts} ms`);
      await expectWays([fromOutside('answered')]);
      const told = engineLog()
        .slice(lines)
        .map(({ msg }) => msg);
      assert.deepEqual([...new Set(told)], ['somebody has changed the firewall of Seaway: it is put back']);
      await lab.run(['sh', '-c', 'nft delete table inet mine 2> /dev/null || :']);
    });
  }

  test('rules of others that come and go are no reason to touch anything', async () => {
    const lines = engineLog().length;
    await lab.run('nft -f -', { input: mine });
    await sleep(600);
    await lab.run('nft delete table inet mine');
    await sleep(600);
    assert.deepEqual(engineLog().slice(lines), []);
  });
});

/** Warnings that the daemon wrote. */
function engineLog(): { readonly level: number; readonly msg: string }[] {
  return lab.engine
    .log()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { level: number; msg: string })
    .filter(({ level }) => level >= 40);
}

describe("another program's firewall that drops what is forwarded", () => {
  const warning =
    'chain FORWARD of the table ip filter drops forwarded IPv4 packets that no rule of its own accepts: those of containers too';
  const info = async () => (await api.get<{ Warnings: readonly string[] | null }>('/info')).Warnings;

  test('is told in the log when it comes and at the start of the daemon, and in docker info while it is there', async () => {
    assert.equal(await info(), null);
    const told = () => engineLog().filter(({ msg }) => msg === warning).length;
    await lab.run('nft -f -', {
      input: 'table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }',
    });
    await expectWays([fromOutside('dropped'), ['over IPv6', outside, tcp(hostAddress6, 8080), 'answered']]);
    assert.deepEqual(await info(), [`WARNING: ${warning}`]);
    assert.match((await lab.docker('info')).stderr, new RegExp(warning));
    await eventually(() => assert.equal(told(), 1));
    await lab.engine.restart();
    assert.equal(told(), 2);
    await lab.run('nft delete table ip filter');
    assert.equal(await info(), null);
    await expectWays([fromOutside('answered')]);
  });

  test("is told of firewalld's too, which lets through by policy and rejects by its last rule", async () => {
    const firewalld =
      'chain filter_FORWARD of the table inet firewalld drops forwarded packets that no rule of its own accepts: those of containers too';
    await lab.run('nft -f -', {
      input: `table inet firewalld {
        chain filter_FORWARD {
          type filter hook forward priority filter + 10; policy accept;
          ct state { established, related } accept
          iifname "lo" accept
          ct state invalid drop
          reject with icmpx admin-prohibited
        }
      }`,
    });
    await expectWays([fromOutside('unreachable')]);
    assert.deepEqual(await info(), [`WARNING: ${firewalld}`]);
    await eventually(() => assert.ok(engineLog().some(({ msg }) => msg === firewalld)));
    await lab.run([
      'nft',
      'add chain inet firewalld filter_FORWARD { policy drop; }; insert rule inet firewalld filter_FORWARD accept',
    ]);
    await expectWays([fromOutside('answered')]);
    await lab.run('nft delete table inet firewalld');
    assert.equal(await info(), null);
  });
});
