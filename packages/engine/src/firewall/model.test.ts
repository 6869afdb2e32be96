import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addNetwork, compileRuleset, type FirewallNetwork, removeNetwork } from './model.ts';

const network = (n: number): FirewallNetwork => ({
  device: `br-${n}`,
  subnets: [`172.${n}.0.0/16`],
  masquerade: true,
  interContainer: true,
});

const countRules = (networks: FirewallNetwork[]) =>
  compileRuleset({ networks, dropOtherForwarding: false }).filter((c) => 'rule' in Object(c.add)).length;

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
    const added = addNetwork(network(17)).map((command) => command.add);
    assert.deepEqual(
      removeNetwork(network(17)).map((command) => command.delete),
      added,
    );
    assert.equal(added.length, 4);
  });

  it('leaves out what a network does not want', () => {
    const names = addNetwork({ ...network(17), masquerade: false, interContainer: false }).map(
      (command) => (command.add as { element: { name: string } }).element.name,
    );
    assert.deepEqual(names, ['bridges']);
  });
});
