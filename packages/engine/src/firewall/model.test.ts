import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NftCommand, NftElement, NftRule } from '@seaway/linux/nftables-json';
import type { NetworkId } from '../base/ids.ts';
import type { ContainerRecord } from '../model/container.ts';
import type { EndpointRecord, GatewayMode, NetworkRecord } from '../model/network.ts';
import {
  addEndpoint,
  addNetwork,
  compileRuleset,
  type FirewallModel,
  type FirewallNetwork,
  openedByLinks,
  removeEndpoint,
  removeNetwork,
  setLinks,
  toFirewallNetwork,
} from './model.ts';
import { addOpenings, addPorts, mapDefinitions, removeOpenings, removePorts } from './ports.ts';

const network = (n: number): FirewallNetwork => ({
  device: `br-${n}`,
  internal: false,
  interContainer: true,
  masquerade: ['ipv4'],
  sources: {},
  open: [],
  routed: [],
  trusted: [],
});

const model = (changes: Partial<FirewallModel> = {}): FirewallModel => ({
  networks: [],
  endpoints: [],
  ports: [],
  openings: [],
  links: [],
  dropOtherForwarding: [],
  ...changes,
});

const elementOf = (command: NftCommand): NftElement => {
  const change = 'add' in command ? command.add : 'delete' in command ? command.delete : {};
  assert.ok('element' in change);
  return change.element as NftElement;
};

const setsOf = (commands: readonly NftCommand[]) => commands.map((command) => elementOf(command).name);

const countRules = (networks: FirewallNetwork[]) =>
  compileRuleset(model({ networks })).filter((command) => 'add' in command && 'rule' in command.add).length;

describe('the firewall', () => {
  it('has the same number of rules for one network as for many', () => {
    assert.equal(countRules([network(17), network(18), network(19)]), countRules([]));
    assert.ok(countRules([]) > 0);
  });

  it('empties everything before it fills it, so that nothing of before is left', () => {
    const commands = compileRuleset(model());
    const words = commands.map((command) => JSON.stringify(command));
    assert.match(words[0]!, /"flush":\{"table"/);
    const added = words.flatMap((word) => word.match(/"add":\{"set":.*"name":"(\w+)"/)?.[1] ?? []);
    const flushed = words.flatMap(
      (word) => word.match(/"flush":\{"(?:set|map)":.*"name":"(\w+)"/)?.[1] ?? [],
    );
    const maps = mapDefinitions.match(/(?<=add map inet seaway )\w+/g) ?? [];
    assert.ok(added.length > 0 && maps.length === 6);
    assert.deepEqual(flushed.toSorted(), [...added, ...maps].toSorted());
  });

  it('forwards for others only where the host already did, for each family by itself', () => {
    const dropped = (families: FirewallModel['dropOtherForwarding']) =>
      [
        ...JSON.stringify(compileRuleset(model({ dropOtherForwarding: families }))).matchAll(
          /"comment":"(ipv\d): this host was no router before"/g,
        ),
      ].map((found) => found[1]);
    assert.deepEqual(dropped([]), []);
    assert.deepEqual(dropped(['ipv6']), ['ipv6']);
    assert.deepEqual(dropped(['ipv4', 'ipv6']), ['ipv4', 'ipv6']);
  });

  it('removes exactly the elements that it added', () => {
    const added = addNetwork(network(17)).map(elementOf);
    assert.deepEqual(removeNetwork(network(17)).map(elementOf), added);
    assert.deepEqual(
      added.map(({ name }) => name),
      ['bridges', 'home', 'talkative', 'masqueraded4'],
    );
  });

  it('leads from a bridge to the address that was chosen for it, and takes the bridge out again', () => {
    const chosen = { ...network(17), masquerade: [], sources: { ipv4: '192.0.2.9', ipv6: 'fd00::9' } };
    const elements = (commands: readonly NftCommand[]) =>
      commands
        .map(elementOf)
        .filter(({ name }) => /^source|^masquerade/.test(name))
        .map(({ name, elem }) => [name, elem]);
    assert.deepEqual(elements(addNetwork(chosen)), [
      ['source4', [['br-17', '192.0.2.9']]],
      ['source6', [['br-17', 'fd00::9']]],
    ]);
    assert.deepEqual(elements(removeNetwork(chosen)), [
      ['source4', ['br-17']],
      ['source6', ['br-17']],
    ]);
  });

  it('pairs each trusted interface with the bridge', () => {
    const trusting = { ...network(17), trusted: ['eth1', 'eth2'] };
    for (const commands of [addNetwork(trusting), removeNetwork(trusting)]) {
      const pairs = commands.map(elementOf).filter(({ name }) => name === 'trusted');
      assert.deepEqual(
        pairs.map(({ elem }) => elem),
        [[{ concat: ['eth1', 'br-17'] }], [{ concat: ['eth2', 'br-17'] }]],
      );
    }
  });

  it('leaves out what a network does not want', () => {
    const quiet = { ...network(17), masquerade: [], interContainer: false };
    assert.deepEqual(setsOf(addNetwork(quiet)), ['bridges', 'home']);
  });

  it('knows the gateway modes of both families', () => {
    const modes = { ...network(17), masquerade: [], open: ['ipv4'], routed: ['ipv6'] } as const;
    assert.deepEqual(setsOf(addNetwork(modes)), ['bridges', 'home', 'talkative', 'open4', 'routed6']);
  });

  it('opens ports of containers in the set of their family, and closes the same', () => {
    const openings = [
      { address: '10.0.0.2', protocol: 'tcp', port: 80 },
      { address: 'fd00::2', protocol: 'udp', port: 53 },
    ] as const;
    assert.deepEqual(addOpenings([]), []);
    const added = addOpenings(openings).map(elementOf);
    assert.deepEqual(
      added.map(({ name, elem }) => [name, elem]),
      [
        ['opened4', [{ concat: ['10.0.0.2', 'tcp', 80] }]],
        ['opened6', [{ concat: ['fd00::2', 'udp', 53] }]],
      ],
    );
    assert.deepEqual(removeOpenings(openings).map(elementOf), added);
    const compiled = compileRuleset(model({ openings })).map((command) => JSON.stringify(command));
    for (const command of addOpenings(openings)) assert.ok(compiled.includes(JSON.stringify(command)));
  });

  it('keeps ports that the keeper passes on apart from those that it translates', () => {
    const port = { protocol: 'tcp', hostPort: 8080, containerPort: 80 } as const;
    const ports = [
      { ...port, hostAddress: '0.0.0.0', containerAddress: '10.0.0.2' },
      { ...port, hostAddress: '::' },
      { ...port, hostAddress: '2001:db8::1' },
      { ...port, hostAddress: '198.51.100.1' },
    ];
    const elements = (commands: readonly NftCommand[]) =>
      commands.map(elementOf).map(({ name, elem }) => [name, elem]);
    const relayed = [
      ['relayed6', [{ concat: ['tcp', 8080] }]],
      ['relayed6_at', [{ concat: ['2001:db8::1', 'tcp', 8080] }]],
      ['relayed4_at', [{ concat: ['198.51.100.1', 'tcp', 8080] }]],
    ];
    const [key, value] = [{ concat: ['tcp', 8080] }, { concat: ['10.0.0.2', 80] }];
    assert.deepEqual(elements(addPorts(ports)), [['published4', [[key, value]]], ...relayed]);
    assert.deepEqual(elements(removePorts(ports)), [['published4', [key]], ...relayed]);
  });

  it('tells the rules of the bridge table once, however many containers there are', () => {
    const silent = (port: string) => ({ port, interContainer: false });
    const rules = (...endpoints: ReturnType<typeof silent>[]) =>
      compileRuleset(model({ endpoints })).filter(
        (command) =>
          'add' in command && 'rule' in command.add && (command.add.rule as NftRule).family === 'bridge',
      ).length;
    assert.equal(rules(), 0);
    assert.ok(rules(silent('veth1')) > 0);
    assert.equal(rules(silent('veth1'), silent('veth2')), rules(silent('veth1')));
  });

  it('filters what is bridged only where containers may not talk to each other', () => {
    assert.deepEqual(addEndpoint({ port: 'veth1', interContainer: true }), []);
    assert.deepEqual(removeEndpoint({ port: 'veth1', interContainer: true }), []);
    const added = addEndpoint({ port: 'veth1', interContainer: false });
    assert.deepEqual(elementOf(added.at(-1)!).elem, ['veth1']);
    assert.deepEqual(
      removeEndpoint({ port: 'veth1', interContainer: false }).map(elementOf),
      added.slice(-1).map(elementOf),
    );
  });
});

describe('links where containers may not talk to each other', () => {
  const container = (id: string, exposedPorts: string[], ...targets: string[]) =>
    ({
      id,
      config: { exposedPorts },
      links: targets.map((target) => ({ target, alias: `to-${target}` })),
    }) as unknown as ContainerRecord;
  const endpoint = (containerId: string, ipv4Address: string) =>
    ({ containerId, ipv4Address }) as EndpointRecord;
  const db = container('db', ['80/tcp', '53/udp']);
  const web = container('web', ['8080/tcp'], 'db');
  const endpoints = [endpoint('db', '172.17.0.2'), endpoint('web', '172.17.0.3')];

  it('open the exposed ports to the linking container', () => {
    assert.deepEqual(openedByLinks([db, web], endpoints), [
      { from: '172.17.0.3', to: '172.17.0.2', protocol: 'tcp', port: 80 },
      { from: '172.17.0.3', to: '172.17.0.2', protocol: 'udp', port: 53 },
    ]);
  });

  it('open everything once for two aliases, and nothing while one of the two is down', () => {
    const twice = container('web', [], 'db', 'db');
    assert.equal(openedByLinks([db, twice], endpoints).length, 2);
    for (const up of endpoints) assert.deepEqual(openedByLinks([db, web], [up]), []);
  });

  it('replace what was open before', () => {
    const link = { from: '172.17.0.3', to: '172.17.0.2', protocol: 'tcp', port: 80 };
    const commands = setLinks([link]);
    const changed = commands.flatMap((command) =>
      'flush' in command && 'set' in command.flush
        ? `flush ${command.flush.set.family}`
        : 'add' in command && 'element' in command.add
          ? `add ${command.add.element.family}`
          : [],
    );
    assert.deepEqual(changed, ['flush inet', 'flush bridge', 'add inet', 'add bridge']);
    assert.deepEqual(elementOf(commands.at(-1)!).elem, [{ concat: [link.from, link.to, 'tcp', 80] }]);
    assert.equal(
      setLinks([]).some((command) => 'add' in command && 'element' in command.add),
      false,
      'an empty list of elements would be refused',
    );
  });
});

describe("the firewall's view of a network", () => {
  const record = (
    modes: Record<'ipv4' | 'ipv6', GatewayMode>,
    changes: Partial<NetworkRecord> = {},
  ): NetworkRecord => ({
    id: 'n'.repeat(64) as NetworkId,
    name: 'shop',
    driver: 'bridge',
    createdAt: '',
    internal: false,
    attachable: false,
    enableIpv4: true,
    enableIpv6: true,
    subnets: [],
    options: {},
    labels: {},
    configOnly: false,
    bridge: {
      device: 'br-shop',
      masquerade: true,
      interContainer: true,
      interfacePrefix: 'eth',
      gatewayModes: modes,
      inhibitIpv4: false,
    },
    ...changes,
  });

  const cases: readonly [string, NetworkRecord, Partial<FirewallNetwork>][] = [
    ['nat', record({ ipv4: 'nat', ipv6: 'nat' }), { masquerade: ['ipv4', 'ipv6'], open: [], routed: [] }],
    [
      'nat-unprotected and routed',
      record({ ipv4: 'nat-unprotected', ipv6: 'routed' }),
      { masquerade: ['ipv4'], open: ['ipv4'], routed: ['ipv6'] },
    ],
    [
      'internal',
      record({ ipv4: 'nat-unprotected', ipv6: 'isolated' }, { internal: true }),
      { internal: true, masquerade: [], open: [], routed: [] },
    ],
    [
      'IPv6 alone',
      record({ ipv4: 'nat', ipv6: 'nat' }, { enableIpv4: false }),
      { masquerade: ['ipv6'], open: [], routed: [] },
    ],
  ];
  const sourceAddresses = { ipv4: '192.0.2.9', ipv6: 'fd00::9' };
  const trustedInterfaces = ['eth1', 'br-shop'];
  const chosen = (modes: Parameters<typeof record>[0], changes: Partial<NetworkRecord> = {}) => {
    const plain = record(modes, changes);
    return { ...plain, bridge: { ...plain.bridge!, sourceAddresses, trustedInterfaces } };
  };
  const nat = { ipv4: 'nat', ipv6: 'nat' } as const;
  const chosenCases: typeof cases = [
    ['chosen addresses', chosen(nat), { masquerade: [], sources: sourceAddresses, trusted: ['eth1'] }],
    [
      'chosen addresses where one family is routed',
      chosen({ ipv4: 'nat', ipv6: 'routed' }),
      { masquerade: [], sources: { ipv4: '192.0.2.9' }, routed: ['ipv6'] },
    ],
    [
      'chosen addresses where one family is off',
      chosen(nat, { enableIpv6: false }),
      { masquerade: [], sources: { ipv4: '192.0.2.9' } },
    ],
    [
      'chosen addresses of an internal network',
      chosen(nat, { internal: true }),
      { masquerade: [], sources: {}, trusted: [] },
    ],
    [
      'chosen addresses where nothing is masqueraded',
      { ...chosen(nat), bridge: { ...chosen(nat).bridge, masquerade: false } },
      { masquerade: [], sources: {} },
    ],
  ];
  for (const [name, given, expected] of [...cases, ...chosenCases]) {
    it(name, () => {
      const seen = toFirewallNetwork(given)!;
      assert.deepEqual({ ...seen, ...expected }, seen);
    });
  }

  it('is none for networks without a bridge', () => {
    const { bridge: _, ...hostNetwork } = record({ ipv4: 'nat', ipv6: 'nat' });
    assert.equal(toFirewallNetwork(hostNetwork), undefined);
  });
});
