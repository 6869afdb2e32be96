/** Links: the wire form of RTM_*LINK, requests that make, change and delete them, and how they read. */

import { familyOf, ipAddress, linkLayerAddress } from '../addresses.ts';
import {
  attributeTable,
  bool8,
  cString,
  type Decoded,
  i32,
  messageCodec,
  named,
  namedData,
  struct,
  u8,
  u16,
  u16be,
  u32,
  u64,
  type ValueOf,
} from '../codec.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../message.ts';
import { defined } from './defined.ts';

/** Message types. Source: linux/rtnetlink.h. */
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;

/** Device flags. Source: linux/if.h, enum net_device_flags. */
export const IFF_UP = 0x1;
export const IFF_LOOPBACK = 0x8;
export const IFF_RUNNING = 0x40;
export const IFF_PROMISC = 0x100;

/** struct ifinfomsg. Source: linux/rtnetlink.h. */
export const linkHeader = struct(16, {
  family: [0, u8],
  /** ARPHRD_*: 1 is Ethernet, 772 the loopback. */
  type: [2, u16],
  index: [4, i32],
  flags: [8, u32],
  /** Which bits of `flags` a request changes. */
  change: [12, u32],
});

/** Interface names have 15 bytes and a NUL. Source: linux/if.h, IFNAMSIZ. */
const interfaceName = cString(16);

/** struct rtnl_link_stats64. Source: linux/if_link.h. Newer kernels append fields, older ones have fewer at the end. */
const statistics = struct(64, {
  rxPackets: [0, u64],
  txPackets: [8, u64],
  rxBytes: [16, u64],
  txBytes: [24, u64],
  rxErrors: [32, u64],
  txErrors: [40, u64],
  rxDropped: [48, u64],
  txDropped: [56, u64],
});

/** Traffic counters of a link since it was made. */
export interface LinkStatistics {
  readonly rxPackets: number;
  readonly txPackets: number;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxErrors: number;
  readonly txErrors: number;
  readonly rxDropped: number;
  readonly txDropped: number;
}

/** IFLA_BR_*. Times are in hundredths of a second, as the kernel takes them. */
export const bridgeAttributes = attributeTable({
  forwardDelay: { id: 1, as: u32 },
  helloTime: { id: 2, as: u32 },
  maxAge: { id: 3, as: u32 },
  ageingTime: { id: 4, as: u32 },
  stpState: { id: 5, as: u32 },
  priority: { id: 6, as: u16 },
  vlanFiltering: { id: 7, as: bool8 },
  groupForwardMask: { id: 9, as: u16 },
  multicastRouter: { id: 22, as: u8 },
  multicastSnooping: { id: 23, as: bool8 },
  multicastQuerier: { id: 25, as: bool8 },
  nfCallIptables: { id: 36, as: bool8 },
  nfCallIp6tables: { id: 37, as: bool8 },
  nfCallArptables: { id: 38, as: bool8 },
  vlanDefaultPvid: { id: 39, as: u16 },
});

/** IFLA_BRPORT_*: what a bridge keeps for each link attached to it. */
export const bridgePortAttributes = attributeTable({
  state: { id: 1, as: named(u8, { disabled: 0, listening: 1, learning: 2, forwarding: 3, blocking: 4 }) },
  priority: { id: 2, as: u16 },
  cost: { id: 3, as: u32 },
  hairpin: { id: 4, as: bool8 }, // IFLA_BRPORT_MODE
  guard: { id: 5, as: bool8 },
  protect: { id: 6, as: bool8 },
  fastLeave: { id: 7, as: bool8 },
  learning: { id: 8, as: bool8 },
  unicastFlood: { id: 9, as: bool8 },
  proxyArp: { id: 10, as: bool8 },
  multicastFlood: { id: 27, as: bool8 },
  broadcastFlood: { id: 30, as: bool8 },
  neighbourSuppression: { id: 32, as: bool8 },
  isolated: { id: 33, as: bool8 },
});

/** IFLA_VXLAN_*. */
export const vxlanAttributes = attributeTable({
  id: { id: 1, as: u32 },
  group: { id: 2, as: ipAddress },
  link: { id: 3, as: u32 },
  local: { id: 4, as: ipAddress },
  ttl: { id: 5, as: u8 },
  tos: { id: 6, as: u8 },
  learning: { id: 7, as: bool8 },
  ageing: { id: 8, as: u32 },
  proxy: { id: 11, as: bool8 },
  rsc: { id: 12, as: bool8 },
  l2miss: { id: 13, as: bool8 },
  l3miss: { id: 14, as: bool8 },
  port: { id: 15, as: u16be },
  group6: { id: 16, as: ipAddress },
  local6: { id: 17, as: ipAddress },
  udpChecksum: { id: 18, as: bool8 },
});

/** IFLA_MACVLAN_*. Source of the modes: linux/if_link.h, enum macvlan_mode. */
export const macvlanAttributes = attributeTable({
  mode: { id: 1, as: named(u32, { private: 1, vepa: 2, bridge: 4, passthru: 8, source: 16 }) },
  flags: { id: 2, as: u16 },
});

/** What a veth's peer is given when the pair is made: a link message of its own inside VETH_INFO_PEER. */
const peerAttributes = attributeTable({
  address: { id: 1, as: linkLayerAddress }, // IFLA_ADDRESS
  name: { id: 3, as: interfaceName }, // IFLA_IFNAME
  mtu: { id: 4, as: u32 }, // IFLA_MTU
  namespaceFd: { id: 28, as: u32 }, // IFLA_NET_NS_FD
});

const vethPeer = messageCodec(linkHeader, peerAttributes);

const vethAttributes = attributeTable({
  peer: { id: 1, as: vethPeer }, // VETH_INFO_PEER
});

/** The kind of a link with its options, `data` in the form that the kind has; other kinds keep their bytes. */
export interface LinkInfo {
  readonly kind?: string | undefined;
  readonly bridge?: Decoded<typeof bridgeAttributes> | undefined;
  readonly veth?: Decoded<typeof vethAttributes> | undefined;
  readonly vxlan?: Decoded<typeof vxlanAttributes> | undefined;
  readonly macvlan?: Decoded<typeof macvlanAttributes> | undefined;
  /** IFLA_INFO_DATA of a kind that we have no table for. */
  readonly data?: Uint8Array | undefined;
  /** The kind of the master that this link is a port of, and its options there. */
  readonly portKind?: string | undefined;
  readonly bridgePort?: Decoded<typeof bridgePortAttributes> | undefined;
  readonly portData?: Uint8Array | undefined;
}

/** IFLA_LINKINFO: IFLA_INFO_KIND and IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND and IFLA_INFO_SLAVE_DATA. Source: linux/if_link.h. */
const linkInfo = namedData<LinkInfo>([
  {
    tag: [1, 'kind'],
    data: [2, 'data'],
    layouts: {
      bridge: ['bridge', bridgeAttributes],
      veth: ['veth', vethAttributes],
      vxlan: ['vxlan', vxlanAttributes],
      macvlan: ['macvlan', macvlanAttributes],
    },
  },
  { tag: [4, 'portKind'], data: [5, 'portData'], layouts: { bridge: ['bridgePort', bridgePortAttributes] } },
]);

/** IFLA_AF_SPEC of AF_INET6: IFLA_INET6_*. */
const inet6Attributes = attributeTable({
  addressGeneration: { id: 8, as: named(u8, { eui64: 0, none: 1, stablePrivacy: 2, random: 3 }) },
});

const familySpecific = attributeTable({
  inet6: { id: 10, as: inet6Attributes }, // AF_INET6
});

/** Link attributes. Source: linux/if_link.h (v6.12), enum IFLA_*. */
export const linkAttributes = attributeTable({
  address: { id: 1, as: linkLayerAddress }, // IFLA_ADDRESS
  broadcast: { id: 2, as: linkLayerAddress }, // IFLA_BROADCAST
  name: { id: 3, as: interfaceName }, // IFLA_IFNAME
  mtu: { id: 4, as: u32 }, // IFLA_MTU, bytes
  link: { id: 5, as: u32 }, // IFLA_LINK: the peer of a veth, the parent of a macvlan
  queueingDiscipline: { id: 6, as: interfaceName }, // IFLA_QDISC
  master: { id: 10, as: u32 }, // IFLA_MASTER; 0 detaches
  txQueueLength: { id: 13, as: u32 }, // IFLA_TXQLEN
  operationalState: {
    id: 16, // IFLA_OPERSTATE, RFC 2863
    as: named(u8, { unknown: 0, notPresent: 1, down: 2, lowerLayerDown: 3, testing: 4, dormant: 5, up: 6 }),
  },
  info: { id: 18, as: linkInfo }, // IFLA_LINKINFO
  alias: { id: 20, as: cString(256) }, // IFLA_IFALIAS
  statistics: { id: 23, as: statistics }, // IFLA_STATS64
  familySpecific: { id: 26, as: familySpecific }, // IFLA_AF_SPEC
  group: { id: 27, as: u32 }, // IFLA_GROUP
  namespaceFd: { id: 28, as: u32 }, // IFLA_NET_NS_FD
  extendedMask: { id: 29, as: u32 }, // IFLA_EXT_MASK
  promiscuity: { id: 30, as: u32 }, // IFLA_PROMISCUITY
  carrier: { id: 33, as: bool8 }, // IFLA_CARRIER
  peerNamespaceId: { id: 37, as: i32 }, // IFLA_LINK_NETNSID
  newNamespaceId: { id: 45, as: i32 }, // IFLA_NEW_NETNSID
});

export const linkMessage = messageCodec(linkHeader, linkAttributes);

/** RTM_NEWLINK as it is on the wire. */
export type LinkMessage = ValueOf<typeof linkMessage>;

/** A request about links; plain data. `execute` of a RouteSocket encodes it. */
export interface LinkRequest {
  readonly message: 'link';
  readonly type: number;
  /** NLM_F_* beside NLM_F_REQUEST and NLM_F_ACK. */
  readonly flags: number;
  /** What is attempted, for errors: `create bridge docker0`. */
  readonly description: string;
  readonly header: Partial<LinkMessage['header']>;
  readonly attributes: LinkMessage['attributes'];
}

/** Which link is meant. An index is exact; a name may have come to mean another link. */
export type LinkReference = { readonly index: number } | { readonly name: string };

/** Options of a bridge. Times are in hundredths of a second. The kernel's defaults apply to what is left out. */
export type BridgeOptions = Omit<Decoded<typeof bridgeAttributes>, 'unknown'>;

/** Options of a bridge's port. */
export type BridgePortOptions = Omit<Decoded<typeof bridgePortAttributes>, 'unknown' | 'state'>;

/** Options of a VXLAN tunnel. */
export interface VxlanOptions {
  /** The network identifier (VNI), 24 bits. */
  readonly id: number;
  /** UDP destination port. @default 4789, the assigned one (RFC 7348) */
  readonly port?: number;
  /** Source address of the outer packets. */
  readonly local?: string;
  /** The one remote end, or the multicast group of all of them. Left out: only what the FDB names is reached. */
  readonly remote?: string;
  /** Index of the link that outer packets leave by. */
  readonly link?: number;
  readonly ttl?: number;
  /** Whether source addresses of what arrives go into the FDB. @default true (the kernel's) */
  readonly learning?: boolean;
  /** Seconds after which learned FDB entries are forgotten. */
  readonly ageing?: number;
  /** Answer ARP and neighbour discovery from the neighbour table. */
  readonly proxy?: boolean;
  /** Report lookups that find no FDB entry (l2) or no neighbour (l3) to monitors. */
  readonly l2miss?: boolean;
  readonly l3miss?: boolean;
  readonly udpChecksum?: boolean;
}

export interface MacvlanOptions {
  /** Index of the parent link. */
  readonly link: number;
  /** @default 'bridge' */
  readonly mode?: 'private' | 'vepa' | 'bridge' | 'passthru' | 'source';
}

/**
 * The other end of a veth pair. It is made down: the kernel cannot set it up before the pair is joined
 * (veth_open gives ENOTCONN), so that takes a request of its own, from inside the peer's namespace.
 */
export interface VethPeer {
  readonly name: string;
  /** Descriptor of the namespace that the peer is made in. @default that of the socket */
  readonly namespaceFd?: number;
  readonly address?: string;
  readonly mtu?: number;
}

/** Properties that a link may have when it is made and may be given later. */
interface LinkProperties {
  /** Bytes. */
  readonly mtu?: number;
  /** MAC address. */
  readonly address?: string;
  /** Index of the bridge that it is attached to; 0 detaches. */
  readonly master?: number;
  /** Descriptor of the namespace that the link is made in or moved to. */
  readonly namespaceFd?: number;
  readonly txQueueLength?: number;
  /** Links of one group can be changed and deleted together. @default 0, where the kernel puts new ones */
  readonly group?: number;
}

interface NewLinkBase extends LinkProperties {
  readonly name: string;
  /** Set it up at once. @default false */
  readonly up?: boolean;
  /** Fail with EEXIST when a link has this name; otherwise that one is changed. @default true */
  readonly exclusive?: boolean;
}

export type NewLink = NewLinkBase &
  (
    | { readonly kind: 'bridge'; readonly bridge?: BridgeOptions }
    | { readonly kind: 'veth'; readonly peer?: VethPeer }
    | { readonly kind: 'vxlan'; readonly vxlan: VxlanOptions }
    | { readonly kind: 'macvlan'; readonly macvlan: MacvlanOptions }
  );

/** A request that makes a link. */
export function newLink(link: NewLink): LinkRequest {
  const { name, kind, up, exclusive = true } = link;
  return {
    message: 'link',
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | (exclusive ? NLM_F_EXCL : 0),
    description: `create ${kind} ${name}`,
    header: up ? { flags: IFF_UP, change: IFF_UP } : {},
    attributes: {
      name,
      ...properties(link),
      ...(link.kind === 'macvlan' ? { link: link.macvlan.link } : {}),
      info: newLinkInfo(link),
    },
  };
}

function newLinkInfo(link: NewLink): LinkInfo {
  switch (link.kind) {
    case 'bridge':
      return { kind: 'bridge', bridge: link.bridge };
    case 'veth':
      return { kind: 'veth', veth: link.peer && { peer: encodePeer(link.peer) } };
    case 'vxlan':
      return { kind: 'vxlan', vxlan: encodeVxlan(link.vxlan) };
    case 'macvlan':
      return { kind: 'macvlan', macvlan: { mode: link.macvlan.mode ?? 'bridge' } };
  }
}

function encodePeer(attributes: VethPeer): ValueOf<typeof vethPeer> {
  return { header: { family: 0, type: 0, index: 0, flags: 0, change: 0 }, attributes };
}

/** Addresses go into one attribute for IPv4 and another for IPv6. */
function encodeVxlan({ remote, local, port = 4789, ...rest }: VxlanOptions): LinkInfo['vxlan'] {
  return {
    ...rest,
    port,
    ...(remote === undefined ? {} : familyOf(remote) === 2 ? { group: remote } : { group6: remote }),
    ...(local === undefined ? {} : familyOf(local) === 2 ? { local } : { local6: local }),
  };
}

function properties(link: LinkProperties): LinkMessage['attributes'] {
  const { mtu, address, master, namespaceFd, txQueueLength, group } = link;
  return { mtu, address, master, namespaceFd, txQueueLength, group };
}

/** What may change. The kernel ignores an alias and address generation in the request that makes a link. */
export interface LinkChanges extends LinkProperties {
  /** A note for people, at most 255 bytes. */
  readonly alias?: string;
  /** How IPv6 makes the link-local address; `none` makes no address. */
  readonly ipv6AddressGeneration?: 'eui64' | 'none' | 'stablePrivacy' | 'random';
  /** A new name; the link must then be referred to by its index. */
  readonly name?: string;
  readonly up?: boolean;
  /** The same as `up: false`. */
  readonly down?: boolean;
  readonly promiscuous?: boolean;
  /** Send frames back out of the port they came in by. The link must already be a bridge's port. */
  readonly hairpin?: boolean;
  /** Other options of the port; likewise. */
  readonly bridgePort?: BridgePortOptions;
  /** Options of a link that is itself a bridge. */
  readonly bridge?: BridgeOptions;
}

/** A request that changes a link. Throws TypeError for a new name without an index. */
export function setLink(where: LinkReference, changes: LinkChanges): LinkRequest {
  const { name, alias, ipv6AddressGeneration, bridge } = changes;
  if (name !== undefined && !('index' in where)) {
    throw new TypeError('renaming a link needs its index: the message has room for one name');
  }
  const port =
    changes.hairpin === undefined ? changes.bridgePort : { ...changes.bridgePort, hairpin: changes.hairpin };
  return {
    message: 'link',
    type: RTM_NEWLINK,
    flags: 0,
    description: `change ${describe(where)}`,
    header: { ...referenceHeader(where), ...changedFlags(changes) },
    attributes: {
      ...referenceAttributes(where),
      ...(name === undefined ? {} : { name }),
      ...properties(changes),
      alias,
      ...(ipv6AddressGeneration === undefined
        ? {}
        : { familySpecific: { inet6: { addressGeneration: ipv6AddressGeneration } } }),
      ...(port === undefined && bridge === undefined
        ? {}
        : {
            info: {
              ...(bridge === undefined ? {} : { kind: 'bridge', bridge }),
              ...(port === undefined ? {} : { portKind: 'bridge', bridgePort: port }),
            },
          }),
    },
  };
}

/** A request that changes all links of a group, as they are then. That there is none is no error. */
export function setLinkGroup(group: number, changes: Omit<LinkChanges, 'name' | 'group'>): LinkRequest {
  // Without an index and a name the kernel goes by the group.
  return {
    ...setLink({ index: 0 }, { ...changes, group }),
    description: `change the links of group ${group}`,
  };
}

function changedFlags({ up, down, promiscuous }: LinkChanges): { flags: number; change: number } {
  const wantUp = up ?? (down === undefined ? undefined : !down);
  return {
    flags: (wantUp ? IFF_UP : 0) | (promiscuous ? IFF_PROMISC : 0),
    change: (wantUp === undefined ? 0 : IFF_UP) | (promiscuous === undefined ? 0 : IFF_PROMISC),
  };
}

/** A request that deletes a link (with its peer, if it is a veth). The kernel sleeps over it: use a KernelThread. */
export function deleteLink(where: LinkReference): LinkRequest {
  return {
    message: 'link',
    type: RTM_DELLINK,
    flags: 0,
    description: `delete ${describe(where)}`,
    header: referenceHeader(where),
    attributes: referenceAttributes(where),
  };
}

/**
 * A request that deletes all links of a group at once. The kernel waits for its readers once and not for each link,
 * so that many veth pairs go in the time of one; bridges in less than half of theirs. ENODEV when there is none.
 */
export function deleteLinkGroup(group: number): LinkRequest {
  return {
    message: 'link',
    type: RTM_DELLINK,
    flags: 0,
    description: `delete the links of group ${group}`,
    header: {},
    attributes: { group },
  };
}

/** A request for one link. */
export function getLink(where: LinkReference): LinkRequest {
  return {
    message: 'link',
    type: RTM_GETLINK,
    flags: 0,
    description: `read ${describe(where)}`,
    header: referenceHeader(where),
    attributes: referenceAttributes(where),
  };
}

export interface LinkFilter {
  /** Only ports of this master. */
  readonly master?: number;
  /** Only links of this kind. */
  readonly kind?: string;
}

/** A request for all links, or for those that match (the kernel filters). */
export function dumpLinks({ master, kind }: LinkFilter = {}): LinkRequest {
  return {
    message: 'link',
    type: RTM_GETLINK,
    flags: 0,
    description: 'list links',
    header: {},
    attributes: { master, ...(kind === undefined ? {} : { info: { kind } }) },
  };
}

const referenceHeader = (where: LinkReference) => ('index' in where ? { index: where.index } : {});
const referenceAttributes = (where: LinkReference) => ('index' in where ? {} : { name: where.name });
const describe = (where: LinkReference) => ('index' in where ? `link ${where.index}` : where.name);

/** A network interface. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** `bridge`, `veth`, ...; absent for hardware and the loopback. */
  readonly kind?: string;
  /** Link-layer address; empty for links that have none. */
  readonly address: string;
  /** Bytes. */
  readonly mtu: number;
  /** IFF_* bits. */
  readonly flags: number;
  /** It is set up (by us). */
  readonly up: boolean;
  /** It is up and has its carrier. */
  readonly running: boolean;
  readonly loopback: boolean;
  readonly operationalState?: string | number;
  /** Index of the bridge that it is a port of. */
  readonly master?: number;
  /** Index of the veth's peer or the macvlan's parent, in the namespace that `peerNamespaceId` names or this one. */
  readonly linkIndex?: number;
  /** The kernel's number for the peer's namespace, as seen from this one. -1: it has none yet. */
  readonly peerNamespaceId?: number;
  readonly alias?: string;
  readonly promiscuity: number;
  readonly queueingDiscipline?: string;
  readonly statistics: LinkStatistics;
  readonly bridge?: Decoded<typeof bridgeAttributes>;
  readonly bridgePort?: Decoded<typeof bridgePortAttributes>;
  readonly vxlan?: Decoded<typeof vxlanAttributes> & { readonly remote?: string };
  readonly macvlan?: Decoded<typeof macvlanAttributes>;
}

const noStatistics: LinkStatistics = {
  rxPackets: 0,
  txPackets: 0,
  rxBytes: 0,
  txBytes: 0,
  rxErrors: 0,
  txErrors: 0,
  rxDropped: 0,
  txDropped: 0,
};

/** What an RTM_NEWLINK or RTM_DELLINK of the kernel says about the link. */
export function toLink({ header, attributes }: LinkMessage): Link {
  const { info = {} } = attributes;
  return defined({
    index: header.index,
    name: attributes.name ?? '',
    kind: info.kind,
    address: attributes.address ?? '',
    mtu: attributes.mtu ?? 0,
    flags: header.flags,
    up: (header.flags & IFF_UP) !== 0,
    running: (header.flags & IFF_RUNNING) !== 0,
    loopback: (header.flags & IFF_LOOPBACK) !== 0,
    operationalState: attributes.operationalState,
    master: attributes.master,
    linkIndex: attributes.link,
    peerNamespaceId: attributes.peerNamespaceId,
    alias: attributes.alias,
    promiscuity: attributes.promiscuity ?? 0,
    queueingDiscipline: attributes.queueingDiscipline,
    statistics: attributes.statistics ?? noStatistics,
    bridge: info.bridge,
    bridgePort: info.bridgePort,
    vxlan: info.vxlan && toVxlan(info.vxlan),
    macvlan: info.macvlan,
  });
}

/** One name for what the wire splits by address family. */
function toVxlan(wire: Decoded<typeof vxlanAttributes>): NonNullable<Link['vxlan']> {
  const remote = wire.group ?? wire.group6;
  const local = wire.local ?? wire.local6;
  return { ...wire, ...(remote === undefined ? {} : { remote }), ...(local === undefined ? {} : { local }) };
}
