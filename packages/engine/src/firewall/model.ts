/**
 * The firewall as data: nf_tables tables whose rules never change in number; networks are elements of their sets.
 * Pure: the result is a list of commands in libnftables' JSON form (libnftables-json(5)).
 *
 * The table `inet seaway` filters and translates what is routed. What two containers of one network say to each
 * other is bridged and gets there only with br_netfilter; where a network forbids that (`icc=false`) the table
 * `bridge seaway` does it. It exists only while there is such a network, because it would cost every bridged packet
 * something. Links of the default bridge open single ports there, and in the first table too.
 *
 * Known gap: the administrator's own chain is not modelled yet.
 */

import type {
  NftCommand,
  NftElement,
  NftExpression,
  NftFamily,
  NftSetType,
} from '@seaway/linux/nftables-json';
import type { Family } from '../base/address.ts';
import type { ContainerRecord } from '../model/container.ts';
import type { EndpointRecord, NetworkRecord } from '../model/network.ts';
import { addChain, addRule, concat, field, match, meta, tableName } from './nft.ts';
import {
  addOpenings,
  addPorts,
  type FirewallOpening,
  type FirewallPort,
  hasPorts,
  loopback,
  openingKey,
  openingSets,
  portChains,
  portMapNames,
  relayedSets,
} from './ports.ts';
import { sourceElements, sourceMapNames, sourceRule } from './sources.ts';

/** What the firewall needs to know of a network. */
export interface FirewallNetwork {
  readonly device: string;
  /** Nothing gets out or in. */
  readonly internal: boolean;
  /** Whether containers of the network may talk to each other. */
  readonly interContainer: boolean;
  /** Families whose traffic to elsewhere leaves with the host's address as its source. */
  readonly masquerade: readonly Family[];
  /** The same with an address that was chosen for the network. */
  readonly sources: Readonly<Partial<Record<Family, string>>>;
  /** Families in which every host that routes to the containers reaches all their ports; other networks do not. */
  readonly open: readonly Family[];
  /** Families that are routed and not translated: ICMP and published ports reach the containers. */
  readonly routed: readonly Family[];
  /** Interfaces from which published ports are reached at the containers' own addresses. */
  readonly trusted: readonly string[];
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
  readonly ports: readonly FirewallPort[];
  readonly openings: readonly FirewallOpening[];
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
  const { device, interContainer, masquerade, sourceAddresses: sources = {}, trustedInterfaces } = bridge;
  const translated = families.filter((family) => masquerade && !internal && mode(family).startsWith('nat'));
  return {
    device,
    internal,
    interContainer,
    masquerade: translated.filter((family) => sources[family] === undefined),
    sources: Object.fromEntries(
      translated.flatMap((family) => (sources[family] === undefined ? [] : [[family, sources[family]]])),
    ),
    open: families.filter((family) => !internal && mode(family) === 'nat-unprotected'),
    routed: families.filter((family) => !internal && mode(family) === 'routed'),
    trusted: internal ? [] : (trustedInterfaces ?? []).filter((name) => name !== device),
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
  /** Interfaces, each paired with a bridge whose network trusts it. */
  trusted: set('trusted', ['ifname', 'ifname']),
  /** Ports of containers, by address, that are reached there from everywhere or from trusted interfaces. */
  opened: {
    ipv4: set(openingSets.ipv4, ['ipv4_addr', 'inet_proto', 'inet_service']),
    ipv6: set(openingSets.ipv6, ['ipv6_addr', 'inet_proto', 'inet_service']),
  },
  /** Ports of the host, on every address and on one, that the keeper passes on. */
  relayed4: set(relayedSets.ipv4.every, ['inet_proto', 'inet_service']),
  relayed4At: set(relayedSets.ipv4.one, ['ipv4_addr', 'inet_proto', 'inet_service']),
  relayed6: set(relayedSets.ipv6.every, ['inet_proto', 'inet_service']),
  relayed6At: set(relayedSets.ipv6.one, ['ipv6_addr', 'inet_proto', 'inet_service']),
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

/**
 * Commands that put everything in place of what was there, in one transaction.
 * The maps must exist, see {@link mapDefinitions}.
 */
export function compileRuleset(model: FirewallModel): NftCommand[] {
  const table = { family: 'inet', table: tableName } as const;
  return [
    // The table itself stays, for the sake of its maps.
    { flush: { table: { family: 'inet', name: tableName } } },
    ...inetSets.flatMap((shape): NftCommand[] => [
      addSet(shape),
      { flush: { set: { ...table, name: shape.name } } },
    ]),
    ...[...portMapNames, ...sourceMapNames].map(
      (name): NftCommand => ({ flush: { map: { ...table, name } } }),
    ),
    ...inetChains(model.dropOtherForwarding),
    ...removeBridgeTable(),
    ...model.networks.flatMap(addNetwork),
    ...addPorts(model.ports),
    ...addOpenings(model.openings),
    ...compileBridgeTable(model),
  ];
}

/** Commands in the language of nft(8) that delete every table of ours, whether or not it is there. */
export const removalText: string = ['inet', 'bridge']
  .flatMap((family) => [`add table ${family} ${tableName}`, `delete table ${family} ${tableName}`])
  .join('\n');

function addTable(family: NftFamily): NftCommand {
  return { add: { table: { family, name: tableName } } };
}

/** Adding before deleting makes the deletion succeed whether or not the table was there. */
function removeTable(family: NftFamily): NftCommand[] {
  return [addTable(family), { delete: { table: { family, name: tableName } } }];
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
      addRule('inet', 'forward', `${family}: open to other hosts that route here`, [
        of(family),
        inSet(oifname, sets.open[family]),
        match(iifname, '!=', `@${sets.bridges.name}`),
        { accept: null },
      ]),
      addRule('inet', 'forward', `${family}: routed networks open their published ports`, [
        hasPorts,
        inSet(oifname, sets.routed[family]),
        inSet(openingKey(family), sets.opened[family]),
        { accept: null },
      ]),
      addRule('inet', 'forward', `${family}: routed networks answer pings`, [
        match(meta('l4proto'), '==', icmp[family]),
        inSet(oifname, sets.routed[family]),
        { accept: null },
      ]),
      addRule('inet', 'forward', `${family}: published ports, from interfaces that the network trusts`, [
        hasPorts,
        inSet(concat(iifname, oifname), sets.trusted),
        inSet(openingKey(family), sets.opened[family]),
        { accept: null },
      ]),
    ]),
    addRule('inet', 'forward', 'to published ports', [
      inSet(oifname, sets.bridges),
      match({ ct: { key: 'status' } }, 'in', 'dnat'),
      { accept: null },
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
    ...families.map((family) => sourceRule(family, `@${sets.home.name}`)),
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
    // Without this the answer would go straight to the neighbour, from an address that it never asked.
    addRule('inet', 'postrouting', 'to a published port of the own network', [
      inSet(concat(iifname, oifname), sets.home),
      match({ ct: { key: 'status' } }, 'in', 'dnat'),
      { masquerade: null },
    ]),
    // With br_netfilter such packets are bridged, and the interface that they came by is not known here. It is not of
    // those that the host itself sends either.
    addRule('inet', 'postrouting', 'the same, bridged', [
      match(meta('iif'), '==', 0),
      inSet(oifname, sets.bridges),
      match({ ct: { key: 'status' } }, 'in', 'dnat'),
      match({ fib: { result: 'type', flags: ['saddr'] } }, '!=', 'local'),
      { masquerade: null },
    ]),
    addRule('inet', 'postrouting', 'from 127.0.0.1 of the host to a published port', [
      inSet(oifname, sets.bridges),
      match(field('ip', 'saddr'), '==', loopback),
      { masquerade: null },
    ]),
    ...portChains(`@${sets.bridges.name}`, `@${sets.internal.name}`),
  ];
}

function compileBridgeTable({ endpoints, links }: FirewallModel): NftCommand[] {
  const silent = endpoints.filter(({ interContainer }) => !interContainer);
  if (silent.length === 0 && links.length === 0) return [];
  return [...ensureBridgeTable(), ...silent.map(addSilentPort), ...addLinks(links)];
}

/**
 * A bit of the packet's mark that says, from one table to the other, that it belongs to a published port. The mark is
 * gone when the packet leaves for the container's namespace.
 */
const publishedMark = 0x1000_0000;
/** Only there beside the second table; before all rules that accept. */
const markingChain = 'bridged';

/** The second table, or what is missing of it: sets keep their elements, the chain gets its rules anew. */
function ensureBridgeTable(): NftCommand[] {
  const family = 'bridge';
  const isSilent = match(meta('iifname'), '==', `@${silentPorts.name}`);
  const isLinked = (key: NftExpression) => match(key, '==', `@${linkedPorts.name}`);
  return [
    addTable(family),
    addSet(silentPorts),
    addSet(linkedPorts),
    addChain('inet', markingChain, 'filter', 'forward', -1),
    { flush: { chain: { family: 'inet', table: tableName, name: markingChain } } },
    // With br_netfilter they come by here, and then by the second table, which knows nothing of translation.
    addRule('inet', markingChain, 'to a published port of the own network and back', [
      match(concat(meta('iifname'), meta('oifname')), '==', `@${sets.home.name}`),
      match({ ct: { key: 'status' } }, 'in', 'dnat'),
      { mangle: { key: meta('mark'), value: { '|': [meta('mark'), publishedMark] } } },
    ]),
    // Behind br_netfilter, which is at 0; linux/netfilter_bridge.h, NF_BR_PRI_FILTER_OTHER.
    addChain(family, 'forward', 'filter', 'forward', 200),
    { flush: { chain: { family, table: tableName, name: 'forward' } } },
    addRule(family, 'forward', 'translated: to a published port and back', [
      isSilent,
      match({ '&': [meta('mark'), publishedMark] }, '==', publishedMark),
      { accept: null },
    ]),
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

/** Elements of one network; adding them twice changes nothing. */
export function addNetwork(network: FirewallNetwork): NftCommand[] {
  return networkElements(network, 'add').map((element) => ({ add: { element } }));
}

/** Takes back what {@link addNetwork} added. */
export function removeNetwork(network: FirewallNetwork): NftCommand[] {
  return networkElements(network, 'delete').map((element) => ({ delete: { element } }));
}

function networkElements(network: FirewallNetwork, purpose: 'add' | 'delete'): NftElement[] {
  const { device, internal, interContainer, masquerade, sources, open, routed, trusted } = network;
  const itself = concat(device, device);
  const of = (families: readonly Family[], shapes: Readonly<Record<Family, SetShape>>) =>
    families.map((family) => element(shapes[family], device));
  return [
    element(sets.bridges, device),
    element(sets.home, itself),
    ...(interContainer ? [element(sets.talkative, itself)] : []),
    ...(internal ? [element(sets.internal, device)] : []),
    ...of(masquerade, sets.masqueraded),
    ...sourceElements(device, sources, purpose),
    ...of(open, sets.open),
    ...of(routed, sets.routed),
    ...trusted.map((name) => element(sets.trusted, concat(name, device))),
  ];
}

/** What an endpoint needs; nothing for most. */
export function addEndpoint({ port, interContainer }: FirewallEndpoint): NftCommand[] {
  if (interContainer) return [];
  return [...ensureBridgeTable(), addSilentPort({ port })];
}

function addSilentPort({ port }: Pick<FirewallEndpoint, 'port'>): NftCommand {
  return { add: { element: element(silentPorts, port) } };
}

/** Takes back what {@link addEndpoint} added. */
export function removeEndpoint({ port, interContainer }: FirewallEndpoint): NftCommand[] {
  return interContainer ? [] : [{ delete: { element: element(silentPorts, port) } }];
}

/** Takes the second table away with what prepares for it in the first, when the last endpoint that needs it has gone. */
export function removeBridgeTable(): NftCommand[] {
  const chain = { family: 'inet', table: tableName, name: markingChain } as const;
  return [
    ...removeTable('bridge'),
    addChain('inet', markingChain, 'filter', 'forward', -1),
    { flush: { chain } },
    { delete: { chain } },
  ];
}

/** Opens what these links ask for, and nothing else any more. */
export function setLinks(links: readonly FirewallLink[]): NftCommand[] {
  return [
    ...ensureBridgeTable(),
    ...[sets.linked, linkedPorts].map(
      ({ family, name }): NftCommand => ({ flush: { set: { family, table: tableName, name } } }),
    ),
    ...addLinks(links),
  ];
}

function addLinks(links: readonly FirewallLink[]): NftCommand[] {
  const elem = links.map(({ from, to, protocol, port }) => concat(from, to, protocol, port));
  if (elem.length === 0) return [];
  return [sets.linked, linkedPorts].map(({ family, name }) => ({
    add: { element: { family, table: tableName, name, elem } },
  }));
}

function element({ family, name }: SetShape, elem: NftExpression): NftElement {
  return { family, table: tableName, name, elem: [elem] };
}
