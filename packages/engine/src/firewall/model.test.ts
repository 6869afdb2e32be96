import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NftCommand, NftElement } from '@seaway/linux/nftables-json';
import { addNetwork, compileRuleset, type FirewallNetwork, removeNetwork } from './model.ts';

const network = (n: number): FirewallNetwork => ({
  device: `br-${n}`,
  subnets: [`172.${n}.0.0/16`],
  masquerade: true,
  interContainer: true,
});

const elementOf = (command: NftCommand): NftElement => {
  const change = 'add' in command ? command.add : 'delete' in command ? command.delete : {};
  assert.ok('element' in change);
  return change.element as NftElement;
};

const countRules = (networks: FirewallNetwork[]) =>
  compileRuleset({ networks, dropOtherForwarding: false }).filter(
    (command) => 'add' in command && 'rule' in command.add,
  ).length;

describe('the firewall', () => {
  it('has the same number of rules for one network as for many', () => {
    assert.equal(countRules([network(17), network(18), network(19)]), countRules([]));
    assert.ok(countRules([]) > 0);
  });

  it('replaces the table as a whole, whether or not it was there', () => {
    const verbs = compileRuleset({ networks: [], dropOtherForwarding: false })
      .slice(0, 3)
      .map((command) => Object.keys(command)[0]);
    assert.deepEqual(verbs, ['add', 'delete', 'add']);
  });

  it('forwards for others only where the host already did', () => {
    const policy = (dropOtherForwarding: boolean) =>
      JSON.stringify(compileRuleset({ networks: [], dropOtherForwarding })).match(
        /"hook":"forward","prio":0,"policy":"(\w+)"/,
      )?.[1];
    assert.equal(policy(true), 'drop');
    assert.equal(policy(false), 'accept');
  });

  it('removes exactly the elements that it added', () => {
    const added = addNetwork(network(17)).map(elementOf);
    assert.deepEqual(removeNetwork(network(17)).map(elementOf), added);
    assert.equal(added.length, 4);
  });

  it('leaves out what a network does not want', () => {
    const names = addNetwork({ ...network(17), masquerade: false, interContainer: false }).map(
      (command) => elementOf(command).name,
    );
    assert.deepEqual(names, ['bridges']);
  });
});
