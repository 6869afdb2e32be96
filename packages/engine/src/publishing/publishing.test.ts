import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NftCommand } from '@seaway/linux/nftables-json';
import { EngineError } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import type { HeldPort, PortFailure, PortHolder } from '../keeper/protocol.ts';
import type { ContainerRecord } from '../model/container.ts';
import type { Attachment } from '../model/gateways.ts';
import type { PortRequest } from '../model/ports.ts';
import { attachment } from './fixtures.ts';
import { Publishing, type PublishingParts } from './publishing.ts';

const bridge = attachment({ name: 'bridge', ipv4Address: '172.17.0.2' });
const shop = attachment({ name: 'a-shop', ipv4Address: '172.18.0.2' });
const inner = attachment({ name: 'inner', ipv4Address: '172.19.0.2', internal: true });

function request(port: number, hostPort: number, hostAddress = '0.0.0.0'): PortRequest {
  return { port, protocol: 'tcp', hostAddress, hostPortFirst: hostPort, hostPortLast: hostPort };
}

const shownPort = ({ protocol, address, port }: HeldPort) => `${protocol} ${address} ${port}`;

/** The parts that publishing leans on; they keep what they are told, in order. */
class House {
  readonly containers = new Map<string, ContainerRecord>();
  readonly networks = new Map<string, Attachment[]>();
  /** What is in the kernel: `add 0.0.0.0 ...` in the order of the commands. */
  readonly log: string[] = [];
  readonly held = new Map<string, string[]>();
  /** What programs of the host have, and the answer to who wants it. */
  readonly refused = new Map<string, string>();
  failing: string | undefined;

  readonly parts: PublishingParts = {
    store: {
      containers: {
        get: (id) => this.containers.get(id),
        put: (container) => {
          this.containers.set(container.id, container);
          return container;
        },
        all: () => this.containers.values(),
      },
    },
    endpoints: { attachments: (id) => this.networks.get(id) ?? [] },
    firewall: { change: async (commands) => this.#changeFirewall(commands) },
    keeper: {
      hold: async (holder) => this.#hold(holder),
      letGo: async (id) => {
        this.log.push(`let go ${id}`);
        this.held.delete(id);
      },
    },
    kernel: {
      changes: { run: this.#runInKernel.bind(this) as PublishingParts['kernel']['changes']['run'] },
      deletions: { run: this.#runInKernel.bind(this) as PublishingParts['kernel']['deletions']['run'] },
    },
    log: silentLog,
  };

  async #runInKernel(operation: string): Promise<unknown> {
    return operation === 'localPorts' ? { range: [32768, 32770], reserved: new Set() } : undefined;
  }

  #changeFirewall(commands: readonly NftCommand[]): void {
    if (this.failing === 'firewall') throw new Error('no firewall');
    for (const command of commands) {
      const [verb, change] = Object.entries(command)[0] as [
        string,
        { element: { name: string; elem: unknown[] } },
      ];
      if (/^(published|opened)/.test(change.element.name))
        this.log.push(`${verb} ${JSON.stringify(change.element.elem)}`);
    }
  }

  #hold({ id, ports }: PortHolder): PortFailure[] {
    if (this.failing === 'keeper') throw new Error('no keeper');
    const failures = ports.flatMap((port) => {
      const code = this.refused.get(shownPort(port));
      return code === undefined ? [] : [{ holder: id, port, code }];
    });
    this.log.push(`hold ${id}`);
    this.held.set(
      id,
      ports.map(shownPort).filter((port) => !this.refused.has(port)),
    );
    return failures;
  }

  /** A container that is about to start, or runs. */
  add(name: string, portBindings: readonly PortRequest[], ...attachments: Attachment[]): ContainerId {
    const id = name as ContainerId;
    const record = { id, name, config: { exposedPorts: [] }, host: { portBindings, publishAllPorts: false } };
    this.containers.set(id, record as unknown as ContainerRecord);
    this.networks.set(id, attachments);
    return id;
  }

  async open(options: { readonly defaultBindAddress?: string } = {}): Promise<Publishing> {
    const publishing = new Publishing(this.parts, options);
    await publishing.restore();
    return publishing;
  }

  published(id: ContainerId): string[] | undefined {
    return this.containers
      .get(id)
      ?.publishedPorts?.map(({ hostAddress, hostPort, port }) => `${hostAddress}:${hostPort} ${port}`);
  }
}

const translation = (hostPort: number, address: string, port: number) =>
  JSON.stringify([[{ concat: ['tcp', hostPort] }, { concat: [address, port] }]]);

describe('publishing', () => {
  it('holds, commits and translates', async () => {
    const house = new House();
    const publishing = await house.open();
    const id = house.add('web', [request(80, 8080)], bridge);
    await publishing.publish(id);
    assert.deepEqual(house.published(id), ['0.0.0.0:8080 80']);
    assert.deepEqual(house.held.get(id), ['tcp 0.0.0.0 8080']);
    assert.deepEqual(house.log, ['hold web', `add ${translation(8080, '172.17.0.2', 80)}`]);
    assert.deepEqual(publishing.holders(), [
      { id, ports: [{ protocol: 'tcp', address: '0.0.0.0', port: 8080 }] },
    ]);
    assert.deepEqual(
      publishing.firewallPorts().map(({ containerAddress }) => containerAddress),
      ['172.17.0.2'],
    );
  });

  it('does nothing for containers without ports, and for those without a way out', async () => {
    const house = new House();
    const publishing = await house.open();
    for (const id of [house.add('plain', [], bridge), house.add('lonely', [request(80, 8080)], inner)]) {
      await publishing.publish(id);
      assert.equal(house.published(id), undefined);
      await publishing.withdraw(id, []);
    }
    assert.deepEqual(house.log, []);
    assert.deepEqual(publishing.holders(), []);
  });

  it('asks for one number at every address where a binding names none', async () => {
    const house = new House();
    const id = house.add('web', [request(80, 0, '')], bridge);
    await (await house.open()).publish(id);
    assert.deepEqual(house.published(id), ['0.0.0.0:32768 80', ':::32768 80']);
  });

  it('goes by the network, then by the daemon, for the address of such a binding', async () => {
    const house = new House();
    const publishing = await house.open({ defaultBindAddress: '2001:DB8:0::7' });
    const bound = attachment({
      name: 'bound',
      ipv4Address: '172.18.0.3',
      bridge: { hostBindingIpv4: '127.0.0.1' },
    });
    const [one, two] = [
      house.add('one', [request(80, 81, '')], bound),
      house.add('two', [request(80, 82, '')], bridge),
    ];
    await publishing.publish(one);
    await publishing.publish(two);
    assert.deepEqual(house.published(one), ['127.0.0.1:81 80']);
    assert.deepEqual(house.published(two), ['2001:db8::7:82 80']);
  });

  it('gives nobody what a container had when the engine was opened', async () => {
    const house = new House();
    const first = house.add('first', [request(80, 0)], bridge);
    await (await house.open()).publish(first);
    const publishing = await house.open();
    const second = house.add('second', [request(80, 32768)], bridge);
    await assert.rejects(
      publishing.publish(second),
      /32768 failed: port is already allocated by container first/,
    );
  });

  it('is an error before the engine is open', async () => {
    const house = new House();
    const id = house.add('web', [request(80, 8080)], bridge);
    const publishing = new Publishing(house.parts, {});
    await assert.rejects(publishing.publish(id), { code: 'not-restored' });
  });
});

describe('a port that cannot be had', () => {
  const isUnavailable = (reason: RegExp) => (error: unknown) => {
    assert.ok(error instanceof EngineError);
    assert.equal(error.code, 'port-unavailable');
    assert.match(
      error.message,
      /^driver failed programming external connectivity on endpoint web \(endpoint-bridge\): /,
    );
    assert.match(error.message, reason);
    return true;
  };

  it('leaves none of the others taken', async () => {
    const house = new House();
    const publishing = await house.open();
    const id = house.add('web', [request(80, 8080), request(81, 8081), request(82, 0)], bridge);
    house.refused.set('tcp 0.0.0.0 8081', 'EADDRINUSE');
    await assert.rejects(
      publishing.publish(id),
      isUnavailable(/: failed to bind host port 0\.0\.0\.0:8081\/tcp: address already in use$/),
    );
    assert.equal(house.published(id), undefined);
    assert.deepEqual([...house.held], []);
    house.refused.clear();
    await publishing.publish(id);
    assert.deepEqual(house.published(id), ['0.0.0.0:8080 80', '0.0.0.0:8081 81', '0.0.0.0:32769 82']);
  });

  it('because another container or another binding has it, is not asked of the keeper', async () => {
    const house = new House();
    const publishing = await house.open();
    await publishing.publish(house.add('db', [request(80, 8080)], bridge));
    const id = house.add('web', [request(79, 8079), request(80, 8080, '127.0.0.1')], bridge);
    const text = /: Bind for 127\.0\.0\.1:8080 failed: port is already allocated by container db$/;
    await assert.rejects(publishing.publish(id), isUnavailable(text));
    await publishing.withdraw('db' as ContainerId, [bridge]);
    await publishing.publish(id);
    const twice = house.add('web', [request(1, 9000), request(2, 9000)], bridge);
    await assert.rejects(
      publishing.publish(twice),
      isUnavailable(/0\.0\.0\.0:9000 failed: port is already allocated$/),
    );
  });

  it('is passed over where any would do, also when both of its addresses fail', async () => {
    const house = new House();
    const publishing = await house.open();
    const id = house.add('web', [request(80, 0, '')], bridge);
    for (const address of ['0.0.0.0', '::']) house.refused.set(`tcp ${address} 32768`, 'EADDRINUSE');
    await publishing.publish(id);
    assert.deepEqual(house.published(id), ['0.0.0.0:32769 80', ':::32769 80']);
    assert.deepEqual(house.held.get(id), ['tcp 0.0.0.0 32769', 'tcp :: 32769']);
    const full = house.add('web', [request(80, 0), request(81, 0), request(82, 0)], bridge);
    await assert.rejects(publishing.publish(full), isUnavailable(/all ports are allocated$/));
  });

  it('because there is no keeper, is not committed', async () => {
    const house = new House();
    const publishing = await house.open();
    const id = house.add('web', [request(80, 8080)], bridge);
    house.failing = 'keeper';
    await assert.rejects(publishing.publish(id), /no keeper/);
    assert.equal(house.published(id), undefined);
    house.failing = undefined;
    await publishing.publish(id);
    assert.deepEqual(house.published(id), ['0.0.0.0:8080 80']);
  });
});

describe('withdrawing', () => {
  it('cuts what leads to the container, then lets the ports go; doing so twice is harmless', async () => {
    const house = new House();
    const publishing = await house.open();
    const id = house.add('web', [request(80, 8080)], bridge);
    await publishing.publish(id);
    house.log.length = 0;
    await publishing.withdraw(id, [bridge]);
    await publishing.withdraw(id, [bridge]);
    await publishing.withdraw('nobody' as ContainerId, []);
    assert.deepEqual(house.log, [`delete ${JSON.stringify([{ concat: ['tcp', 8080] }])}`, 'let go web']);
    assert.equal(house.published(id), undefined);
    await publishing.publish(house.add('heir', [request(80, 8080)], bridge));
  });

  it('lets go of the ports though the firewall fails, and says so', async () => {
    const house = new House();
    const publishing = await house.open();
    const id = house.add('web', [request(80, 8080)], bridge);
    await publishing.publish(id);
    house.failing = 'firewall';
    await assert.rejects(publishing.withdraw(id, [bridge]), /no firewall/);
    house.failing = undefined;
    assert.equal(house.held.has(id), false);
    await publishing.publish(house.add('heir', [request(80, 8080)], bridge));
  });
});

describe('following the networks of a container', () => {
  it('moves the ports with its way out, under the same numbers', async () => {
    const house = new House();
    const publishing = await house.open();
    const id = house.add('web', [request(80, 0)], bridge);
    await publishing.publish(id);
    house.log.length = 0;
    house.networks.set(id, [bridge, shop]);
    await publishing.follow(id, [bridge]);
    assert.deepEqual(house.log, [
      `delete ${JSON.stringify([{ concat: ['tcp', 32768] }])}`,
      `add ${translation(32768, '172.18.0.2', 80)}`,
      'hold web',
    ]);
    assert.deepEqual(house.published(id), ['0.0.0.0:32768 80']);
    house.log.length = 0;
    house.networks.set(id, [bridge, shop, inner]);
    await publishing.follow(id, [bridge, shop]);
    assert.deepEqual(house.log, [], 'nothing is done where the way stays the same');
  });

  it('takes a network at its word that wants every address, whatever the daemon says', async () => {
    const house = new House();
    const publishing = await house.open({ defaultBindAddress: '127.0.0.1' });
    const open = attachment({
      name: 'open',
      ipv4Address: '172.20.0.2',
      bridge: { hostBindingIpv4: '0.0.0.0' },
    });
    const id = house.add('web', [request(80, 8080, '')], open);
    await publishing.publish(id);
    assert.deepEqual(house.published(id), ['0.0.0.0:8080 80', ':::8080 80']);
    const shy = house.add('shy', [request(80, 8081, '')], bridge);
    await publishing.publish(shy);
    assert.deepEqual(house.published(shy), ['127.0.0.1:8081 80']);
  });

  it('opens the ports on routed networks, and has none of the host for these', async () => {
    const house = new House();
    const publishing = await house.open();
    const routed = attachment({
      name: 'routed',
      ipv4Address: '172.20.0.2',
      bridge: { gatewayModes: { ipv4: 'routed', ipv6: 'nat' } },
    });
    const opening = JSON.stringify([{ concat: ['172.20.0.2', 'tcp', 80] }]);
    const id = house.add('web', [request(80, 8080)], routed);
    await publishing.publish(id);
    assert.deepEqual(house.log, [`add ${opening}`]);
    assert.deepEqual(publishing.openings(), [{ address: '172.20.0.2', protocol: 'tcp', port: 80 }]);
    house.log.length = 0;
    house.networks.set(id, [bridge, routed]);
    await publishing.follow(id, [routed]);
    assert.deepEqual(house.log, [
      'hold web',
      `delete ${opening}`,
      `add ${translation(8080, '172.17.0.2', 80)}`,
      `add ${opening}`,
    ]);
    house.log.length = 0;
    house.networks.set(id, [bridge]);
    await publishing.follow(id, [bridge, routed]);
    assert.ok(house.log.includes(`delete ${opening}`));
    assert.deepEqual(publishing.openings(), []);
    assert.deepEqual(house.published(id), ['0.0.0.0:8080 80']);
    house.networks.set(id, []);
    await publishing.follow(id, [bridge]);
    assert.deepEqual([...house.held], []);
  });

  const half = attachment({
    name: 'a-half',
    ipv4Address: '172.21.0.2',
    ipv6Address: 'fd21::2',
    bridge: { gatewayModes: { ipv4: 'routed', ipv6: 'nat' } },
  });
  const dual = attachment({ name: 'dual', ipv4Address: '172.22.0.2', ipv6Address: 'fd22::2' });

  it('gives ports up in a family that is routed from now on, and takes them again under the same number', async () => {
    const house = new House();
    const publishing = await house.open();
    const id = house.add('web', [request(80, 0, ''), request(81, 8081), request(82, 8082, '::')], dual);
    await publishing.publish(id);
    const whole = ['0.0.0.0:8081 81', ':::8082 82', '0.0.0.0:32768 80', ':::32768 80'];
    assert.deepEqual(house.published(id), whole);
    house.networks.set(id, [half, dual]);
    await publishing.follow(id, [dual]);
    assert.deepEqual(house.published(id), [':::8082 82', ':::32768 80']);
    assert.deepEqual(house.held.get(id), ['tcp :: 8082', 'tcp :: 32768']);
    const other = house.add('other', [request(80, 8081)], bridge);
    await publishing.publish(other);
    assert.deepEqual(house.published(other), ['0.0.0.0:8081 80'], 'others can have what was given up');
    await publishing.withdraw(other, [bridge]);
    house.networks.set(id, [dual]);
    await publishing.follow(id, [half, dual]);
    assert.deepEqual(house.published(id)?.toSorted(), whole.toSorted());
    assert.deepEqual(house.held.get(id)?.length, 4);
  });

  it('goes on without ports that somebody else has by the time they could come back', async () => {
    const house = new House();
    const publishing = await house.open();
    const id = house.add('web', [request(80, 8080, '')], half);
    await publishing.publish(id);
    assert.deepEqual(house.published(id), [':::8080 80']);
    const other = house.add('other', [request(80, 8080)], bridge);
    await publishing.publish(other);
    house.networks.set(id, [dual]);
    await publishing.follow(id, [half]);
    assert.deepEqual(house.published(id), [':::8080 80']);
    assert.deepEqual(house.held.get(id), ['tcp :: 8080']);
    assert.deepEqual(house.published(other), ['0.0.0.0:8080 80']);
  });

  it('publishes when there is a way out, and withdraws when there is none', async () => {
    const house = new House();
    const publishing = await house.open();
    const id = house.add('web', [request(80, 8080)], inner);
    await publishing.publish(id);
    house.networks.set(id, [inner, bridge]);
    await publishing.follow(id, [inner]);
    assert.deepEqual(house.published(id), ['0.0.0.0:8080 80']);
    house.networks.set(id, [inner]);
    await publishing.follow(id, [inner, bridge]);
    assert.equal(house.published(id), undefined);
    assert.deepEqual([...house.held], []);
  });
});
