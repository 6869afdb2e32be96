/**
 * The firewall as data: nf_tables tables whose rules never change in number; networks are elements of their sets.
 * Pure: the result is a list of commands in libnftables' JSON form (libnftables-json(5)).
 *
 * The table `inet seaway` filters and translates what is routed. What two containers of one network say to each
 * other is bridged and gets there only with br_netfilter; where a network forbids that (`icc=false`) the table
 * `bridge seaway` does it. It exists only while there is such a network, because it would cost every bridged packet
 * something. Links of the default bridge open single ports there, and in the first table too.
 *
 * Known gap: published ports and the administrator's own chain are not modelled yet.
 */

import type {
  NftChain,
  NftCommand,
  NftElement,
  NftExpression,
  NftFamily,
  NftOperator,
  NftSetType,
  NftStatement,
} from '@seaway/linux/nftables-json';
import type { Family } from '../base/address.ts';
import type { ContainerRecord } from '../model/container.ts';
import type { EndpointRecord, NetworkRecord } from '../model/network.ts';

export const tableName = 'seaway';

/** What the firewall needs to know of a network. */
export interface FirewallNetwork {
  readonly device: string;
  /** Nothing gets out or in. */
  readonly internal: boolean;
  /** Whether containers of the network may talk to each other. */
  readonly interContainer: boolean;
  /** Families whose traffic to elsewhere leaves with the host's address as its source. */
  readonly masquerade: readonly Family[];
  /** Families in which everybody who routes to the containers reaches all their ports. */
  readonly open: readonly Family[];
  /** Families that are routed and not translated: ICMP reaches the containers. */
  readonly routed: readonly Family[];
}

/** What the firewall needs to know of an endpoint. */
export interface FirewallEndpoint {
  /** The interface's end on the bridge. */
  readonly port: string;
  readonly interContainer: boolean;
}

/** A port that one container may reach at another, though their network keeps its containers apart. */
export interface FirewallLink {
  /** IPv4 addresses: the default bridge, where alone there are such links, has no IPv6. */
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly port: number;
}

export interface FirewallModel {
  readonly networks: readonly FirewallNetwork[];
  readonly endpoints: readonly FirewallEndpoint[];
  readonly links: readonly FirewallLink[];
  /** Where Seaway itself turned the host into a router, it forwards nothing but its networks' traffic. */
  readonly dropOtherForwarding: readonly Family[];
}

/** The firewall's view of a network; undefined where it has no bridge. */
export function toFirewallNetwork(network: NetworkRecord): FirewallNetwork | undefined {
  const { bridge, internal } = network;
  if (!bridge) return undefined;
  const families: Family[] = [
    ...(network.enableIpv4 ? ['ipv4' as const] : []),
    ...(network.enableIpv6 ? ['ipv6' as const] : []),
  ];
  const mode = (family: Family) => bridge.gatewayModes[family];
  const { device, interContainer, masquerade } = bridge;
  return {
    device,
    internal,
    interContainer,
    masquerade: families.filter((family) => masquerade && !internal && mode(family).startsWith('nat')),
    open: families.filter((family) => !internal && mode(family) === 'nat-unprotected'),
    routed: families.filter((family) => !internal && mode(family) === 'routed'),
  };
}

/**
 * What links open on their network: each exposed port of a running container to those that are linked to it.
 * @param endpoints those of the network
 */
export function openedByLinks(
  containers: readonly ContainerRecord[],
  endpoints: readonly EndpointRecord[],
): FirewallLink[] {
  const addresses = new Map(endpoints.map(({ containerId, ipv4Address }) => [containerId, ipv4Address]));
  const ports = new Map(containers.map(({ id, config }) => [id, config.exposedPorts]));
  return containers.flatMap(({ id, links = [] }) =>
    // Two aliases of one container open the same.
    [...new Set(links.map(({ target }) => target))].flatMap((target) => {
      const [from, to] = [addresses.get(id), addresses.get(target)];
      if (from === undefined || to === undefined) return [];
      return (ports.get(target) ?? []).map((text) => {
        const [port, protocol = 'tcp'] = text.split('/');
        return { from, to, protocol, port: Number(port) };
      });
    }),
  );
}

const meta = (key: string): NftExpression => ({ meta: { key } });
const match = (left: NftExpression, op: NftOperator, right: NftExpression): NftStatement => ({
  match: { op, left, right },
});
const concat = (...parts: NftExpression[]): NftExpression => ({ concat: parts });
const field = (protocol: string, name: string): NftExpression => ({ payload: { protocol, field: name } });

interface SetShape {
  readonly family: NftFamily;
  readonly name: string;
  readonly type: NftSetType;
}

function set(name: string, type: NftSetType, family: NftFamily = 'inet'): SetShape {
  return { family, name, type };
}

const sets = {
  /** The bridges of all networks. */
  bridges: set('bridges', 'ifname'),
  /** Each bridge paired with itself: traffic that stays in its network. */
  home: set('home', ['ifname', 'ifname']),
  /** The same, of networks whose containers may talk to each other. */
  talkative: set('talkative', ['ifname', 'ifname']),
  /** The same as {@link linkedPorts}: with br_netfilter, what is bridged comes by here too. */
  linked: set('linked', ['ipv4_addr', 'ipv4_addr', 'inet_proto', 'inet_service']),
  internal: set('internal', 'ifname'),
  masqueraded: { ipv4: set('masqueraded4', 'ifname'), ipv6: set('masqueraded6', 'ifname') },
  open: { ipv4: set('open4', 'ifname'), ipv6: set('open6', 'ifname') },
  routed: { ipv4: set('routed4', 'ifname'), ipv6: set('routed6', 'ifname') },
} as const;

const inetSets: readonly SetShape[] = Object.values(sets).flatMap((entry) =>
  'name' in entry ? [entry] : Object.values(entry),
);

/** Ports whose containers may talk to nobody on their bridge but the host. */
const silentPorts = set('silent', 'ifname', 'bridge');
/** What links open between them: from, to, protocol, port. */
const linkedPorts = set('linked', ['ipv4_addr', 'ipv4_addr', 'inet_proto', 'inet_service'], 'bridge');
const linkedKey = (from: 'saddr' | 'daddr', to: 'saddr' | 'daddr', port: 'sport' | 'dport') =>
  concat(field('ip', from), field('ip', to), field('ip', 'protocol'), field('th', port));

/** Commands that put all tables in place, replacing what was there, in one transaction. */
export function compileRuleset(model: FirewallModel): NftCommand[] {
  return [
    ...replaceTable('inet'),
    ...inetSets.map(addSet),
    ...inetChains(model.dropOtherForwarding),
    ...removeTable('bridge'),
    ...model.networks.flatMap(addNetwork),
    ...model.endpoints.flatMap(addEndpoint),
    ...(model.links.length > 0 ? setLinks(model.links) : []),
  ];
}

function addTable(family: NftFamily): NftCommand {
  return { add: { table: { family, name: tableName } } };
}

/** Adding before deleting makes the deletion succeed whether or not the table was there. */
function removeTable(family: NftFamily): NftCommand[] {
  return [addTable(family), { delete: { table: { family, name: tableName } } }];
}

function replaceTable(family: NftFamily): NftCommand[] {
  return [...removeTable(family), addTable(family)];
}

function addSet({ family, name, type }: SetShape): NftCommand {
  return { add: { set: { family, table: tableName, name, type } } };
}

function inetChains(dropOtherForwarding: readonly Family[]): NftCommand[] {
  const iifname = meta('iifname');
  const oifname = meta('oifname');
  const inSet = (what: NftExpression, { name }: SetShape) => match(what, '==', `@${name}`);
  const of = (family: Family) => match(meta('nfproto'), '==', family);
  const icmp = { ipv4: 'icmp', ipv6: 'ipv6-icmp' } as const;
  const families = ['ipv4', 'ipv6'] as const;
  return [
    addChain('inet', 'forward', 'filter', 'forward', 0),
    addRule('inet', 'forward', 'replies', [
      match({ ct: { key: 'state' } }, 'in', ['established', 'related']),
      { accept: null },
    ]),
    addRule('inet', 'forward', 'within a network', [
      inSet(concat(iifname, oifname), sets.talkative),
      { accept: null },
    ]),
    addRule('inet', 'forward', 'to the port of a linked container', [
      inSet(concat(iifname, oifname), sets.home),
      inSet(linkedKey('saddr', 'daddr', 'dport'), sets.linked),
      { accept: null },
    ]),
    addRule('inet', 'forward', 'internal: no way out', [
      inSet(iifname, sets.internal),
      { counter: null },
      { drop: null },
    ]),
    ...families.flatMap((family) => [
      addRule('inet', 'forward', `${family}: open to all who route here`, [
        of(family),
        inSet(oifname, sets.open[family]),
        { accept: null },
      ]),
      addRule('inet', 'forward', `${family}: routed networks answer pings`, [
        match(meta('l4proto'), '==', icmp[family]),
        inSet(oifname, sets.routed[family]),
        { accept: null },
      ]),
    ]),
    addRule('inet', 'forward', 'nothing was published: no way in', [
      inSet(oifname, sets.bridges),
      { counter: null },
      { drop: null },
    ]),
    addRule('inet', 'forward', 'the way out', [inSet(iifname, sets.bridges), { accept: null }]),
    ...dropOtherForwarding.map((family) =>
      addRule('inet', 'forward', `${family}: this host was no router before`, [
        of(family),
        { counter: null },
        { drop: null },
      ]),
    ),
    addChain('inet', 'postrouting', 'nat', 'postrouting', 100),
    ...families.map((family) =>
      addRule('inet', 'postrouting', `${family}: to elsewhere with the address of the host`, [
        of(family),
        // The interface that a packet came by is known here since Linux 5.7.
        inSet(iifname, sets.masqueraded[family]),
        match(concat(iifname, oifname), '!=', `@${sets.home.name}`),
        { counter: null },
        { masquerade: null },
      ]),
    ),
  ];
}

/** The second table, or what is missing of it: sets keep their elements, the chain gets its rules anew. */
function ensureBridgeTable(): NftCommand[] {
  const family = 'bridge';
  const isSilent = match(meta('iifname'), '==', `@${silentPorts.name}`);
  const isLinked = (key: NftExpression) => match(key, '==', `@${linkedPorts.name}`);
  return [
    addTable(family),
    addSet(silentPorts),
    addSet(linkedPorts),
    addChain(family, 'forward', 'filter', 'forward', 0),
    { flush: { chain: { family, table: tableName, name: 'forward' } } },
    addRule(family, 'forward', 'to the port of a linked container', [
      isSilent,
      isLinked(linkedKey('saddr', 'daddr', 'dport')),
      { accept: null },
    ]),
    addRule(family, 'forward', 'answers of a linked container', [
      isSilent,
      isLinked(linkedKey('daddr', 'saddr', 'sport')),
      { accept: null },
    ]),
    addRule(family, 'forward', 'containers of this network do not talk to each other', [
      isSilent,
      match(field('ether', 'type'), '!=', 'arp'),
      { counter: null },
      { drop: null },
    ]),
  ];
}

function addChain(
  family: NftFamily,
  name: string,
  type: NftChain['type'],
  hook: NftChain['hook'],
  prio: number,
): NftCommand {
  const chain: NftChain = { family, table: tableName, name, type, hook, prio, policy: 'accept' };
  return { add: { chain } };
}

function addRule(family: NftFamily, chain: string, comment: string, expr: NftStatement[]): NftCommand {
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

function networkElements(network: FirewallNetwork): NftElement[] {
  const { device, internal, interContainer, masquerade, open, routed } = network;
  const itself = concat(device, device);
  const of = (families: readonly Family[], shapes: Readonly<Record<Family, SetShape>>) =>
    families.map((family) => element(shapes[family], device));
  return [
    element(sets.bridges, device),
    element(sets.home, itself),
    ...(interContainer ? [element(sets.talkative, itself)] : []),
    ...(internal ? [element(sets.internal, device)] : []),
    ...of(masquerade, sets.masqueraded),
    ...of(open, sets.open),
    ...of(routed, sets.routed),
  ];
}

/** What an endpoint needs; nothing for most. */
export function addEndpoint({ port, interContainer }: FirewallEndpoint): NftCommand[] {
  if (interContainer) return [];
  return [...ensureBridgeTable(), { add: { element: element(silentPorts, port) } }];
}

/** Takes back what {@link addEndpoint} added. */
export function removeEndpoint({ port, interContainer }: FirewallEndpoint): NftCommand[] {
  return interContainer ? [] : [{ delete: { element: element(silentPorts, port) } }];
}

/** Takes the second table away, when the last endpoint that needs it has gone. */
export function removeBridgeTable(): NftCommand[] {
  return removeTable('bridge');
}

/** Opens what these links ask for, and nothing else any more. */
export function setLinks(links: readonly FirewallLink[]): NftCommand[] {
  const elem = links.map(({ from, to, protocol, port }) => concat(from, to, protocol, port));
  return [
    ...ensureBridgeTable(),
    ...[sets.linked, linkedPorts].flatMap(({ family, name }): NftCommand[] => [
      { flush: { set: { family, table: tableName, name } } },
      ...(elem.length > 0 ? [{ add: { element: { family, table: tableName, name, elem } } }] : []),
    ]),
  ];
}

function element({ family, name }: SetShape, elem: NftExpression): NftElement {
  return { family, table: tableName, name, elem: [elem] };
}
