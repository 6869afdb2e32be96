import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NftChain, NftObject } from '@seaway/linux/nftables-json';
import { describeDroppingChain, describeObstacles, droppingChains, translatesElsewhere } from './others.ts';

const chain = (changes: Partial<NftChain>): NftObject => ({
  chain: {
    family: 'ip',
    table: 'filter',
    name: 'FORWARD',
    type: 'filter',
    hook: 'forward',
    prio: 0,
    policy: 'drop',
    ...changes,
  },
});

describe("other programs' chains", () => {
  it('are told where they drop what is forwarded', () => {
    const found = droppingChains([
      { table: { family: 'ip', name: 'filter' } },
      chain({}),
      chain({ family: 'inet', table: 'firewalld', name: 'filter_FORWARD' }),
      chain({ family: 'bridge', table: 'walls', name: 'between' }),
    ]);
    assert.deepEqual(found, [
      { family: 'ip', table: 'filter', chain: 'FORWARD' },
      { family: 'inet', table: 'firewalld', chain: 'filter_FORWARD' },
      { family: 'bridge', table: 'walls', chain: 'between' },
    ]);
    assert.deepEqual(found.map(describeDroppingChain), [
      'chain FORWARD of the table ip filter drops forwarded IPv4 packets that no rule of its own accepts: those of containers too',
      'chain filter_FORWARD of the table inet firewalld drops forwarded packets that no rule of its own accepts: those of containers too',
      'chain between of the table bridge walls drops forwarded packets within a network that no rule of its own accepts: those of containers too',
    ]);
  });

  it('are not told where they accept, watch another way, are nobody’s base or our own', () => {
    const { chain: plain } = chain({ name: 'DOCKER' }) as { chain: NftChain };
    const { hook: _, policy: __, ...withoutHook } = plain;
    assert.deepEqual(
      droppingChains([
        chain({ policy: 'accept' }),
        chain({ name: 'INPUT', hook: 'input' }),
        { chain: withoutHook },
        chain({ family: 'inet', table: 'seaway', name: 'forward' }),
        chain({ family: 'arp' }),
      ]),
      [],
    );
  });
});

describe('a chain that lets through by policy', () => {
  const base = chain({ family: 'inet', table: 'firewalld', name: 'filter_FORWARD', policy: 'accept' });
  const rule = (expr: readonly object[], more: object = {}): NftObject => ({
    rule: { family: 'inet', table: 'firewalld', chain: 'filter_FORWARD', expr, ...more },
  });
  const reject = { reject: { type: 'icmpx', expr: 'admin-prohibited' } };
  const invalid = { match: { op: 'in', left: { ct: { key: 'state' } }, right: 'invalid' } };
  const isTold = (...rules: NftObject[]) => droppingChains([base, ...rules]).length === 1;

  it('is told where its last rule stops everything', () => {
    assert.ok(isTold(rule([invalid, { drop: null }]), rule([{ counter: null }, reject])));
    assert.ok(isTold(rule([{ log: null }, { drop: null }])));
  });

  it('is not told where that rule has a condition, is not the last, or is of another chain', () => {
    assert.ok(!isTold());
    assert.ok(!isTold(rule([invalid, { drop: null }])));
    assert.ok(!isTold(rule([reject]), rule([{ accept: null }])));
    assert.ok(!isTold(rule([reject], { table: 'other' })));
    assert.ok(!isTold(rule([reject], { chain: 'filter_INPUT' })));
  });
});

describe('what Seaway itself keeps out', () => {
  const nat = chain({
    table: 'nat',
    name: 'POSTROUTING',
    type: 'nat',
    hook: 'postrouting',
    policy: 'accept',
  });
  it('is told where another program may miss it', () => {
    assert.match(
      describeObstacles([nat], true).join(),
      /^chain forward .* drops what is forwarded for others/,
    );
    assert.deepEqual([describeObstacles([nat], false), describeObstacles([], true)], [[], []]);
    assert.equal(describeObstacles([chain({}), nat], true).length, 2);
  });
});

describe("another program's translation of what leaves the host", () => {
  const nat = { table: 'nat', name: 'POSTROUTING', type: 'nat', hook: 'postrouting' } as const;
  it('is seen, and told from filters, other hooks and our own', () => {
    assert.ok(translatesElsewhere([chain({}), chain(nat)]));
    const others = [chain({ ...nat, table: 'seaway' }), chain({ ...nat, hook: 'prerouting' })];
    assert.ok(!translatesElsewhere([...others, chain({ ...nat, type: 'filter' }), chain({})]));
  });
});
