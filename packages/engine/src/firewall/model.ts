/**
 * The firewall as data: one nf_tables table whose rules never change in number; networks are elements of its sets.
 * Pure: the result is a list of commands in libnftables' JSON form (libnftables-json(5)).
 *
 * Known gap: published ports, internal networks and the administrator's own chain are not modelled yet.
 */

import type {
  NftChain,
  NftCommand,
  NftElement,
  NftExpression,
  NftOperator,
  NftSetType,
  NftStatement,
} from '@seaway/linux/nftables-json';

export const tableName = 'seaway';
const family = 'inet';

/** What the firewall needs to know of a network. */
export interface FirewallNetwork {
  readonly device: string;
  /** IPv4 subnets in CIDR form. */
  readonly subnets: readonly string[];
  /** Whether traffic to elsewhere leaves with the host's address as its source. */
  readonly masquerade: boolean;
  /** Whether containers of the network may talk to each other. */
  readonly interContainer: boolean;
}

export interface FirewallModel {
  readonly networks: readonly FirewallNetwork[];
  /** When Seaway itself turned the host into a router, it forwards nothing but its networks' traffic. */
  readonly dropOtherForwarding: boolean;
}

const meta = (key: string): NftExpression => ({ meta: { key } });
const match = (left: NftExpression, op: NftOperator, right: NftExpression): NftStatement => ({
  match: { op, left, right },
});
const concat = (...parts: NftExpression[]): NftExpression => ({ concat: parts });

interface SetShape {
  readonly name: string;
  readonly type: NftSetType;
  readonly interval: boolean;
}

const sets = {
  /** The bridges of all networks. */
  bridges: { name: 'bridges', type: 'ifname', interval: false },
  /** Bridges whose containers may talk to each other, each paired with itself. */
  talkative: { name: 'talkative', type: ['ifname', 'ifname'], interval: false },
  /** Subnets that leave by NAT. */
  masqueraded: { name: 'masqueraded', type: 'ipv4_addr', interval: true },
  /** Each such subnet with its own bridge, where NAT does not apply. */
  home: { name: 'home', type: ['ipv4_addr', 'ifname'], interval: true },
} as const satisfies Record<string, SetShape>;

/** Commands that put the whole table in place, replacing what was there, in one transaction. */
export function compileRuleset(model: FirewallModel): NftCommand[] {
  return [
    // Adding before deleting makes the deletion succeed whether or not the table was there.
    { add: { table: { family, name: tableName } } },
    { delete: { table: { family, name: tableName } } },
    { add: { table: { family, name: tableName } } },
    ...Object.values(sets).map(addSet),
    ...chains(model.dropOtherForwarding ? 'drop' : 'accept'),
    ...model.networks.flatMap(addNetwork),
  ];
}

function addSet({ name, type, interval }: SetShape): NftCommand {
  return {
    add: { set: { family, table: tableName, name, type, ...(interval ? { flags: ['interval'] } : {}) } },
  };
}

function chains(forwardPolicy: 'accept' | 'drop'): NftCommand[] {
  const iifname = meta('iifname');
  const oifname = meta('oifname');
  const saddr = { payload: { protocol: 'ip', field: 'saddr' } };
  return [
    addChain('forward', 'filter', 'forward', 0, forwardPolicy),
    addRule('forward', 'replies', [
      match({ ct: { key: 'state' } }, 'in', ['established', 'related']),
      { accept: null },
    ]),
    addRule('forward', 'within a network', [
      match(concat(iifname, oifname), '==', `@${sets.talkative.name}`),
      { accept: null },
    ]),
    addRule('forward', 'nothing was published: no way in', [
      match(oifname, '==', `@${sets.bridges.name}`),
      { counter: null },
      { drop: null },
    ]),
    addRule('forward', 'the way out', [match(iifname, '==', `@${sets.bridges.name}`), { accept: null }]),
    addChain('postrouting', 'nat', 'postrouting', 100, 'accept'),
    addRule('postrouting', 'to elsewhere with the address of the host', [
      match(saddr, '==', `@${sets.masqueraded.name}`),
      match(concat(saddr, oifname), '!=', `@${sets.home.name}`),
      { counter: null },
      { masquerade: null },
    ]),
  ];
}

function addChain(
  name: string,
  type: NftChain['type'],
  hook: NftChain['hook'],
  prio: number,
  policy: NftChain['policy'],
): NftCommand {
  const chain: NftChain = { family, table: tableName, name, type, hook, prio, policy };
  return { add: { chain } };
}

function addRule(chain: string, comment: string, expr: NftStatement[]): NftCommand {
  return { add: { rule: { family, table: tableName, chain, comment, expr } } };
}

/** Elements of one network; adding them twice changes nothing. */
export function addNetwork(network: FirewallNetwork): NftCommand[] {
  return networkElements(network).map((element) => ({ add: { element } }));
}

/** Takes back what {@link addNetwork} added. */
export function removeNetwork(network: FirewallNetwork): NftCommand[] {
  return networkElements(network).map((element) => ({ delete: { element } }));
}

function networkElements({ device, subnets, masquerade, interContainer }: FirewallNetwork): NftElement[] {
  const prefixes = subnets.map((subnet): NftExpression => {
    const [addr = '', length] = subnet.split('/');
    return { prefix: { addr, len: Number(length) } };
  });
  return [
    elements(sets.bridges.name, [device]),
    ...(interContainer ? [elements(sets.talkative.name, [concat(device, device)])] : []),
    ...(masquerade && prefixes.length > 0
      ? [
          elements(sets.masqueraded.name, prefixes),
          elements(
            sets.home.name,
            prefixes.map((prefix) => concat(prefix, device)),
          ),
        ]
      : []),
  ];
}

function elements(name: string, elem: NftExpression[]): NftElement {
  return { family, table: tableName, name, elem };
}
