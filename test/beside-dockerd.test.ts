/**
 * Seaway and a real dockerd on one host, with containers of both: as docs/firewall.md says it works, in both orders, and
 * with either of them gone. Needs Debian's docker.io and iptables.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { LabEngine } from './lab/engine.ts';
import { apiRequest } from './lab/http.ts';
import { hostAddress, Lab, outsideAddress } from './lab/lab.ts';
import { serve, type Target } from './lab/probes.ts';
import type { ShownContainer } from './lab/raw-api.ts';
import { eventually, image } from './lab/story.ts';
import { expectWays, type Way } from './lab/ways.ts';

const page = readFileSync(new URL('../docs/firewall.md', import.meta.url), 'utf8');
const seawayArgs = ['--bridge', 'seaway0', '--bip', '10.90.0.1/24'];
const tcp = (address: string, port: number): Target => ({ protocol: 'tcp', address, port });
const silencedInPart =
  'chain FORWARD of the table ip filter drops forwarded IPv4 packets that no rule of its own accepts: those of containers too';

/** A container, whose port 80 is published. */
interface Guest {
  readonly name: string;
  readonly namespace: string;
  readonly address: string;
  readonly hostPort: number;
}

/** A lab with two engines. */
class SharedHost implements AsyncDisposable {
  readonly lab: Lab;
  seaway!: LabEngine;
  dockerd!: LabEngine;
  readonly host: string;
  readonly outside: string;

  private constructor(lab: Lab) {
    this.lab = lab;
    this.host = `/proc/${lab.holderPid}/ns/net`;
    this.outside = lab.pathInside('/run/netns/outside');
  }

  static async open(forwards: '0' | '1'): Promise<SharedHost> {
    const lab = await Lab.create();
    const made = new SharedHost(lab);
    await lab.run(`sysctl -qw net.ipv4.ip_forward=${forwards}`);
    await serve(made.outside, tcp(outsideAddress, 5432));
    return made;
  }

  async startSeaway(...more: string[]): Promise<void> {
    this.seaway = await this.lab.startDaemon({ name: 'seaway', args: [...seawayArgs, ...more] });
  }

  async startDockerd(): Promise<void> {
    this.dockerd = await this.lab.startDockerd({ name: 'dockerd' });
  }

  async ask<T>(engine: LabEngine, method: string, path: string, body?: object): Promise<T> {
    const answer = await apiRequest<T>(engine.socket, method, `/v1.41${path}`, body);
    assert.ok(answer.status < 300, `${engine.kind}: ${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  /** Starts a container of the engine that was started last. */
  async run(name: string, hostPort: number, network = 'bridge'): Promise<Guest> {
    const { engine } = this.lab;
    const images = await this.ask<unknown[]>(engine, 'GET', '/images/json');
    if (images.length === 0) await this.lab.importBusybox();
    await this.ask(engine, 'POST', `/containers/create?name=${name}`, {
      Image: image,
      Cmd: ['sleep', '600'],
      ExposedPorts: { '80/tcp': {} },
      HostConfig: { NetworkMode: network, PortBindings: { '80/tcp': [{ HostPort: String(hostPort) }] } },
    });
    await this.ask(engine, 'POST', `/containers/${name}/start`);
    const { State, NetworkSettings } = await this.ask<ShownContainer>(
      engine,
      'GET',
      `/containers/${name}/json`,
    );
    const namespace = this.lab.pathInside(`/proc/${State.Pid}/ns/net`);
    await serve(namespace, tcp('0.0.0.0', 80));
    return { name, namespace, address: NetworkSettings.Networks[network]?.IPAddress ?? '', hostPort };
  }

  /** To the container by its published port, and out of it. */
  ways({ name, namespace, hostPort }: Guest, expected: Way[3] = 'answered'): Way[] {
    return [
      [`outside to ${name}`, this.outside, tcp(hostAddress, hostPort), expected],
      [`${name} to the outside`, namespace, tcp(outsideAddress, 5432), expected],
    ];
  }

  /** From the host itself, which no rule for forwarded packets can harm. */
  waysOfHost({ name, hostPort }: Guest): Way[] {
    return [
      [`host to ${name}`, this.host, tcp(hostAddress, hostPort), 'answered'],
      [`host to ${name} by 127.0.0.1`, this.host, tcp('127.0.0.1', hostPort), 'answered'],
    ];
  }

  /** All that works where nothing is in the way. */
  async everythingWorks(guests: readonly Guest[]): Promise<void> {
    const between = guests.flatMap((client) =>
      guests.map(
        (server): Way => [
          `${client.name} to the port of ${server.name}`,
          client.namespace,
          tcp(hostAddress, server.hostPort),
          'answered',
        ],
      ),
    );
    await expectWays([
      ...guests.flatMap((guest) => [...this.ways(guest), ...this.waysOfHost(guest)]),
      ...between,
    ]);
  }

  /** What dockerd has in the kernel: every rule, without what is counted. */
  async rulesOfDockerd(): Promise<string[]> {
    const { stdout } = await this.lab.run('iptables-save');
    return stdout
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      .map((line) => line.replace(/ \[\d+:\d+\]$/, ''));
  }

  async rulesOfSeaway(): Promise<string[]> {
    const { stdout } = await this.lab.run('nft --stateless list table inet seaway');
    return stdout.split('\n').sort();
  }

  async firewallShow(): Promise<{ stdout: string; code: number }> {
    const env = { SEAWAY_HOST: `unix://${this.seaway.socket}` };
    return this.lab.seaway('firewall show', { allowFailure: true, env });
  }

  async warnings(): Promise<readonly string[] | null> {
    const info = await this.ask<{ Warnings: readonly string[] | null }>(this.seaway, 'GET', '/info');
    return info.Warnings;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.lab.close();
  }
}

/** Runs the block of the page's shell commands that contains a text. */
async function runFromPage(lab: Lab, text: string): Promise<void> {
  const blocks = [...page.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block);
  const block = blocks.find((one) => one.includes(text));
  assert.ok(block, `the page has no commands with ${text}`);
  await lab.run(['sh', '-ec', block]);
}

/** Opens a host for one story, and shows what both engines logged when it fails. */
async function tell(forwards: '0' | '1', story: (shared: SharedHost) => Promise<void>): Promise<void> {
  await using shared = await SharedHost.open(forwards);
  try {
    await story(shared);
  } catch (error) {
    for (const engine of [shared.seaway, shared.dockerd] as (LabEngine | undefined)[]) {
      if (engine) process.stdout.write(`log of ${engine.kind}:\n${engine.log()}\n`);
    }
    throw error;
  }
}

describe('Seaway beside dockerd', { concurrency: true }, () => {
  test('on a host that was a router before: both work whoever comes first, stay when the other one goes, and touch nothing of each other', () =>
    tell('1', async (shared) => {
      // Seaway first.
      await shared.startSeaway();
      const sea = await shared.run('sea', 8080);
      assert.deepEqual(
        await shared.rulesOfDockerd(),
        [''],
        'Seaway has no rules where dockerd keeps its own',
      );
      const ours = await shared.rulesOfSeaway();
      await shared.startDockerd();
      const dock = await shared.run('dock', 8081);
      const theirs = await shared.rulesOfDockerd();
      assert.ok(theirs.some((line) => line.includes('--dport 8081 -j DNAT')));
      await shared.everythingWorks([sea, dock]);
      assert.deepEqual(await shared.rulesOfSeaway(), ours, 'dockerd has changed nothing of Seaway');
      assert.equal(await shared.warnings(), null);
      const shown = await shared.firewallShow();
      assert.deepEqual([shown.code, /^Warning/m.test(shown.stdout)], [0, false], shown.stdout);

      // Seaway goes and comes back.
      await shared.seaway.stop();
      await shared.everythingWorks([sea, dock]);
      await shared.seaway.start();
      await shared.everythingWorks([sea, dock]);
      assert.deepEqual(await shared.rulesOfDockerd(), theirs, 'Seaway has changed nothing of dockerd');

      // dockerd goes: its process for 127.0.0.1 ends with it.
      await shared.dockerd.stop();
      await shared.everythingWorks([sea]);
      await expectWays(shared.ways(dock));
      await shared.dockerd.start();
      await shared.everythingWorks([sea, dock]);

      // Both go, and dockerd comes first.
      await Promise.all([shared.seaway.stop(), shared.dockerd.stop()]);
      await expectWays([...shared.ways(sea), ...shared.ways(dock)]);
      await shared.dockerd.start();
      await shared.seaway.start();
      await shared.everythingWorks([sea, dock]);
      assert.deepEqual(await shared.rulesOfSeaway(), ours);

      // The end of Seaway's containers, and of Seaway.
      await shared.ask(shared.seaway, 'DELETE', '/containers/sea?force=1');
      await shared.seaway.stop();
      await shared.everythingWorks([dock]);
      assert.deepEqual((await shared.rulesOfDockerd()).toSorted(), theirs.toSorted());
      assert.equal((await shared.lab.run('sysctl -n net.ipv4.ip_forward')).stdout, '1\n');
    }));

  test('on a host that dockerd has turned into a router: its FORWARD drops what is forwarded for Seaway, which says so; and the page knows the remedy', () =>
    tell('0', async (shared) => {
      await shared.startDockerd();
      const dock = await shared.run('dock', 8081);
      const theirs = await shared.rulesOfDockerd();
      assert.ok(theirs.includes(':FORWARD DROP'));

      await shared.startSeaway();
      const sea = await shared.run('sea', 8080);
      await shared.ask(shared.seaway, 'POST', '/networks/create', {
        Name: 'shop',
        Options: { 'com.docker.network.bridge.name': 'seaway-shop' },
      });
      const shop = await shared.run('shop', 8082, 'shop');
      const till = await shared.run('till', 8083, 'shop');
      const withinShop: Way = ['till to shop', till.namespace, tcp(shop.address, 80), 'answered'];
      await expectWays([
        ...shared.ways(dock),
        ...[dock, sea, shop].flatMap((guest) => shared.waysOfHost(guest)),
        ...[sea, shop].flatMap((guest) => shared.ways(guest, 'dropped')),
        // dockerd has turned bridge-nf-call-iptables on: packets that a bridge passes on are forwarded ones too.
        ['till to shop', till.namespace, tcp(shop.address, 80), 'dropped'],
      ]);
      assert.deepEqual(await shared.rulesOfDockerd(), theirs, 'Seaway has changed nothing of dockerd');
      assert.ok(shared.seaway.log().includes(silencedInPart));
      assert.deepEqual(await shared.warnings(), [`WARNING: ${silencedInPart}`]);
      assert.ok((await shared.firewallShow()).stdout.includes(`Warning: ${silencedInPart}`));

      await runFromPage(shared.lab, 'iptables -I DOCKER-USER');
      await shared.everythingWorks([dock, sea, shop, till]);
      await expectWays([
        withinShop,
        ['dock past the port of sea', dock.namespace, tcp(sea.address, 80), 'dropped'],
      ]);
      await shared.dockerd.restart();
      await shared.seaway.restart();
      await shared.everythingWorks([dock, sea, shop]);
    }));

  test('on a host that Seaway has turned into a router: what is forwarded for dockerd is dropped, as Seaway says, until the host is a router by itself', () =>
    tell('0', async (shared) => {
      await shared.startSeaway();
      const sea = await shared.run('sea', 8080);
      await shared.startDockerd();
      const dock = await shared.run('dock', 8081);
      await expectWays([
        ...shared.ways(sea),
        ...[sea, dock].flatMap((guest) => shared.waysOfHost(guest)),
        ...shared.ways(dock, 'dropped'),
      ]);
      const sentence = /drops what is forwarded for others/;
      await eventually(() => assert.match(shared.seaway.log(), sentence));
      assert.match((await shared.warnings())?.join() ?? '', sentence);
      assert.match((await shared.firewallShow()).stdout, sentence);

      await shared.seaway.stop();
      await runFromPage(shared.lab, 'sysctl -w net.ipv4.ip_forward=1');
      await shared.startSeaway('--ip-forward=false');
      await shared.everythingWorks([sea, dock]);
      assert.equal(await shared.warnings(), null);
      await shared.seaway.stop();
      await shared.startSeaway();
      await shared.everythingWorks([sea, dock]);
    }));
});
