import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NftObject } from '@seaway/linux/nftables-json';
import { silentLog } from '../base/log.ts';
import type { MetaRecord } from '../store/store.ts';
import { Forwarding } from './forwarding.ts';

/** A kernel of one switch, and a store, that write down in which order they were asked. */
function world({ boot = 'one', isOn = false, chains = [] as NftObject[], hasIpv6 = true } = {}) {
  const facts = new Map<string, MetaRecord>();
  const done: string[] = [];
  const state = { boot, isOn };
  const operations: Record<string, (argument: never) => unknown> = {
    bootId: () => state.boot,
    hostChains: () => chains,
    forwardingState: (family: number) =>
      family === 6 && !hasIpv6
        ? undefined
        : { isOn: state.isOn, settings: [['net/ipv4/ip_forward', state.isOn ? '1' : '0']] },
    turnForwardingOn: (family: number) => {
      done.push(`on ${family}`);
      state.isOn = true;
    },
    putForwardingBack: ({ family, before }: { family: number; before: unknown }) => {
      done.push(`back ${family} ${JSON.stringify(before)}`);
      return true;
    },
  };
  const meta = {
    get: (id: string) => facts.get(id),
    put: (fact: MetaRecord) => {
      done.push(`commit ${fact.id}`);
      facts.set(fact.id, fact);
      return fact;
    },
    delete: (id: string) => void facts.delete(id),
  };
  const kernel = { changes: { run: async (name: string, argument: never) => operations[name]!(argument) } };
  const parts = { store: { meta }, kernel, log: silentLog } as unknown as ConstructorParameters<
    typeof Forwarding
  >[0];
  const open = async (isAllowed = true) => {
    const forwarding = new Forwarding(parts, isAllowed);
    await forwarding.open();
    return forwarding;
  };
  return { open, done, state, facts };
}

describe('forwarding', () => {
  it('commits what was before it is changed, and puts just that back once', async () => {
    const { open, done, facts } = world();
    const forwarding = await open();
    assert.deepEqual(forwarding.turnedOn(), []);
    assert.equal(await forwarding.enable('ipv4'), true);
    assert.deepEqual(done, ['commit forwarding-ipv4', 'on 4']);
    assert.deepEqual(forwarding.turnedOn(), ['ipv4']);
    assert.equal(await forwarding.enable('ipv4'), false);
    assert.equal(await forwarding.putBack(), true);
    assert.deepEqual(done.slice(2), ['back 4 [["net/ipv4/ip_forward","0"]]']);
    assert.equal(await forwarding.putBack(), false);
    assert.equal(facts.size, 0);
  });

  it('knows after a crash what it has done, but not in another boot of the machine', async () => {
    const { open, state } = world();
    await (await open()).enable('ipv4');
    assert.deepEqual((await open()).turnedOn(), ['ipv4']);
    state.boot = 'two';
    const forwarding = await open();
    assert.deepEqual(forwarding.turnedOn(), []);
    assert.equal(await forwarding.putBack(), false);
  });

  it('forgets what it has done where it may not do so any more', async () => {
    const { open, facts, done } = world();
    await (await open()).enable('ipv4');
    const forwarding = await open(false);
    assert.deepEqual([forwarding.turnedOn(), facts.size], [[], 0]);
    assert.equal(await forwarding.putBack(), false);
    assert.equal(await (await open()).enable('ipv4'), false);
    assert.deepEqual(done, ['commit forwarding-ipv4', 'on 4']);
  });

  it('does nothing where it may not, need not, or the kernel lacks the family', async () => {
    const cases = [
      [world(), false, 'ipv4'],
      [world({ isOn: true }), true, 'ipv4'],
      [world({ hasIpv6: false }), true, 'ipv6'],
    ] as const;
    for (const [{ open, done }, isAllowed, family] of cases) {
      assert.equal(await (await open(isAllowed)).enable(family), false);
      assert.deepEqual(done, []);
    }
  });

  it('stays on while another program translates addresses', async () => {
    const chain = { family: 'ip', table: 'nat', name: 'POSTROUTING', type: 'nat', hook: 'postrouting' };
    const { open } = world({ chains: [{ chain }] });
    const forwarding = await open();
    await forwarding.enable('ipv4');
    assert.equal(await forwarding.putBack(), false);
    assert.deepEqual(forwarding.turnedOn(), ['ipv4']);
  });
});
