import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NftCommand, NftObject } from '@seaway/linux/nftables-json';
import { compareRulesets, isSameRuleset } from './comparison.ts';
import { compileRuleset, type FirewallModel } from './model.ts';

const model: FirewallModel = {
  networks: [
    {
      device: 'docker0',
      internal: false,
      interContainer: true,
      masquerade: ['ipv4'],
      sources: { ipv6: 'fd00::9' },
      open: [],
      routed: [],
      trusted: ['eth1'],
    },
  ],
  endpoints: [{ port: 'veth1', interContainer: false }],
  ports: [1, 2, 3, 4, 5].map((n) => ({
    protocol: 'tcp',
    hostAddress: '::',
    hostPort: n,
    containerAddress: 'fd00::102:304',
    containerPort: 80,
  })),
  openings: [],
  links: [],
  dropOtherForwarding: [],
};
type Listed = Readonly<Record<string, Record<string, unknown> | undefined>>;

const wanted = compileRuleset(model);

/** What the kernel lists when it has done as it was told: elements inside their sets and maps. */
function listing(commands: readonly NftCommand[]): Listed[] {
  const maps = commands.flatMap((command) =>
    'flush' in command && 'map' in command.flush ? [{ map: { ...command.flush.map } }] : [],
  );
  const added = commands.flatMap((command) => ('add' in command ? [structuredClone(command.add)] : []));
  const objects = [{ table: { family: 'inet', name: 'seaway' } }, ...maps, ...added] as Listed[];
  for (const { element } of objects) {
    if (!element) continue;
    const holder = objects
      .map(({ set, map }) => set ?? map)
      .find((part) => part?.family === element.family && part?.name === element.name)!;
    holder.elem = [...((holder.elem as unknown[]) ?? []), ...(element.elem as unknown[])];
  }
  // The chain `bridged` is deleted and made again.
  return objects.filter(({ element }) => !element);
}

const compare = (change: (objects: Listed[]) => unknown[]) =>
  compareRulesets(wanted, change(listing(wanted)) as NftObject[]);

const find = (objects: Listed[], kind: string, name: string, family = 'inet') =>
  objects.find((object) => object[kind]?.name === name && object[kind]?.family === family)![kind]!;

describe('the comparison of rulesets', () => {
  it('finds nothing where the kernel has what it was told', () => {
    const difference = compare((objects) => objects);
    assert.deepEqual(difference, { missing: [], foreign: [] });
    assert.ok(isSameRuleset(difference));
  });

  it('takes two ways to write an IPv6 address for one', () => {
    const difference = compare((objects) => {
      const map = find(objects, 'map', 'published6');
      map.elem = JSON.parse(JSON.stringify(map.elem).replaceAll('fd00::102:304', 'fd00::1.2.3.4'));
      return objects;
    });
    assert.deepEqual(difference, { missing: [], foreign: [] });
  });

  it('tells a missing table and none of what was in it', () => {
    assert.deepEqual(compareRulesets(wanted, []), {
      missing: ['table inet seaway', 'table bridge seaway'],
      foreign: [],
    });
    const withoutBridge = compare((objects) =>
      objects.filter((object) => Object.values(object).every((part) => part?.family !== 'bridge')),
    );
    assert.deepEqual(withoutBridge.missing, ['table bridge seaway']);
    assert.ok(!isSameRuleset(withoutBridge));
  });

  it('tells missing rules, chains, sets and elements', () => {
    const { missing, foreign } = compare((objects) => {
      find(objects, 'set', 'bridges').elem = [];
      return objects.filter(
        ({ rule, set, chain }) =>
          rule?.comment !== 'replies' &&
          set?.name !== 'talkative' &&
          chain?.name !== 'input' &&
          rule?.chain !== 'input',
      );
    });
    assert.deepEqual(foreign, []);
    assert.deepEqual(missing.toSorted(), [
      'chain input of inet seaway',
      'element docker0 in set bridges of inet seaway',
      'rule "replies" in chain forward of inet seaway',
      'set talkative of inet seaway',
    ]);
  });

  it('tells an element that leads elsewhere on both sides', () => {
    const difference = compare((objects) => {
      const map = find(objects, 'map', 'published6');
      map.elem = (map.elem as unknown[]).with(0, [{ concat: ['tcp', 1] }, { concat: ['fd00::9', 80] }]);
      return objects;
    });
    assert.deepEqual(difference, {
      missing: ['element tcp . 1 : fd00::102:304 . 80 in map published6 of inet seaway'],
      foreign: ['element tcp . 1 : fd00::9 . 80 in map published6 of inet seaway'],
    });
  });

  it('tells missing source addresses and trusted interfaces, and other addresses', () => {
    const difference = compare((objects) => {
      find(objects, 'set', 'trusted').elem = [];
      find(objects, 'map', 'source6').elem = [['docker0', 'fd00::a']];
      return objects;
    });
    assert.deepEqual(difference, {
      missing: [
        'element eth1 . docker0 in set trusted of inet seaway',
        'element docker0 : fd00::9 in map source6 of inet seaway',
      ],
      foreign: ['element docker0 : fd00::a in map source6 of inet seaway'],
    });
    const same = compare((objects) => {
      find(objects, 'map', 'source6').elem = [['docker0', 'fd00:0::9']];
      return objects;
    });
    assert.ok(isSameRuleset(same));
  });

  it('names a few of many and counts the rest', () => {
    const { missing } = compare((objects) => {
      find(objects, 'map', 'published6').elem = [];
      return objects;
    });
    assert.equal(missing.length, 4);
    assert.equal(missing.at(-1), '2 more in map published6 of inet seaway');
  });

  it('tells foreign things in our tables: chains, rules twice or without a comment', () => {
    const rule = { family: 'inet', table: 'seaway', chain: 'forward', expr: [] };
    const { missing, foreign } = compare((objects) => [
      ...objects,
      { chain: { family: 'inet', table: 'seaway', name: 'mine' } },
      { rule },
      { rule: { ...rule, comment: 'replies' } },
      { set: { family: 'inet', table: 'seaway', name: 'kept', elem: ['x'] } },
    ]);
    assert.deepEqual(missing, []);
    assert.deepEqual(foreign.toSorted(), [
      'a rule without a comment in chain forward of inet seaway',
      'chain mine of inet seaway',
      'rule "replies" in chain forward of inet seaway',
      'set kept of inet seaway',
    ]);
  });
});
