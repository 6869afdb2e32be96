/** Neighbours (ARP, NDP) and the forwarding tables of bridges and VXLANs, which share RTM_*NEIGH. */
import { familyOf, ipAddress, linkLayerAddress } from '../addresses.ts';
import { attributeTable, i32, messageCodec, struct, u8, u16, u16be, u32, type ValueOf } from '../codec.ts';
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../message.ts';
import { defined } from './defined.ts';

/** Message types. Source: linux/rtnetlink.h. */
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;

const AF_BRIDGE = 7;

/** States. Source: linux/neighbour.h, NUD_*. */
const states = {
  none: 0,
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noArp: 0x40,
  permanent: 0x80,
} as const;

export type NeighbourState = keyof typeof states;

/** Flags. Source: linux/neighbour.h. */
const NTF_SELF = 0x02;
const NTF_MASTER = 0x04;
const NTF_PROXY = 0x08;

/** struct ndmsg. Source: linux/neighbour.h. */
const neighbourHeader = struct(12, {
  family: [0, u8],
  index: [4, i32],
  state: [8, u16],
  flags: [10, u8],
  type: [11, u8],
});

/** NDA_*. Source: linux/neighbour.h. */
const neighbourAttributes = attributeTable({
  destination: { id: 1, as: ipAddress }, // NDA_DST: the neighbour, or in a VXLAN's FDB the remote end
  lladdr: { id: 2, as: linkLayerAddress }, // NDA_LLADDR
  probes: { id: 4, as: u32 }, // NDA_PROBES
  vlan: { id: 5, as: u16 }, // NDA_VLAN
  port: { id: 6, as: u16be }, // NDA_PORT
  vni: { id: 7, as: u32 }, // NDA_VNI
  outIndex: { id: 8, as: u32 }, // NDA_IFINDEX: the link that a VXLAN entry's packets leave by
  master: { id: 9, as: u32 }, // NDA_MASTER
});

export const neighbourMessage = messageCodec(neighbourHeader, neighbourAttributes);
export type NeighbourMessage = ValueOf<typeof neighbourMessage>;

/** A request about neighbours; plain data. */
export interface NeighbourRequest {
  readonly message: 'neighbour';
  readonly type: number;
  readonly flags: number;
  readonly description: string;
  readonly header: Partial<NeighbourMessage['header']>;
  readonly attributes: NeighbourMessage['attributes'];
}

/** An entry of the neighbour table: this IP address has that MAC address. */
export interface NeighbourKey {
  /** Index of the link. */
  readonly index: number;
  readonly bridgeFdb?: false;
  readonly address: string;
  /** Answer for this address on behalf of its owner (proxy ARP, proxy NDP). @default false */
  readonly proxy?: boolean;
}

/** An entry of a forwarding table: frames to this MAC address leave by that port or for that remote end. */
export interface FdbKey {
  /** Index of the bridge's port, or of the VXLAN. */
  readonly index: number;
  readonly bridgeFdb: true;
  readonly lladdr: string;
  /** VXLAN: the remote end's address. */
  readonly destination?: string;
  readonly vlan?: number;
  /** VXLAN: the remote end's UDP port and network identifier, where they differ from the link's. */
  readonly port?: number;
  readonly vni?: number;
  /** Whose table: the port's bridge (`master`) or the link's own (`self`). @default 'self' with a destination, else 'master' */
  readonly table?: 'master' | 'self';
}

interface NewEntry {
  /** @default 'permanent' */
  readonly state?: NeighbourState;
  /** Change an entry with the same key, instead of failing with EEXIST. @default false */
  readonly replace?: boolean;
  /** VXLAN: one more remote end for the same address (the all-zero one floods to all of them). @default false */
  readonly append?: boolean;
}

export type NewNeighbour = ((NeighbourKey & { readonly lladdr?: string }) | FdbKey) & NewEntry;

/** A request that adds an entry. Throws RangeError for addresses that are none. */
export function newNeighbour(entry: NewNeighbour): NeighbourRequest {
  const { state = 'permanent', replace, append } = entry;
  const key = encodeKey(entry);
  const mode = append ? NLM_F_APPEND : replace ? NLM_F_REPLACE : NLM_F_EXCL;
  return {
    message: 'neighbour',
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | mode,
    description: `add ${describe(entry)}`,
    header: { ...key.header, state: states[state] },
    attributes: { ...key.attributes, lladdr: entry.lladdr },
  };
}

/** A request that deletes an entry. */
export function deleteNeighbour(entry: NeighbourKey | FdbKey): NeighbourRequest {
  const key = encodeKey(entry);
  return {
    message: 'neighbour',
    type: RTM_DELNEIGH,
    flags: 0,
    description: `delete ${describe(entry)}`,
    ...key,
  };
}

function encodeKey(entry: NeighbourKey | FdbKey): Pick<NeighbourRequest, 'header' | 'attributes'> {
  if (!entry.bridgeFdb) {
    return {
      header: { family: familyOf(entry.address), index: entry.index, flags: entry.proxy ? NTF_PROXY : 0 },
      attributes: { destination: entry.address },
    };
  }
  const { index, lladdr, destination, vlan, port, vni } = entry;
  const table = entry.table ?? (destination === undefined ? 'master' : 'self');
  return {
    header: { family: AF_BRIDGE, index, flags: table === 'self' ? NTF_SELF : NTF_MASTER },
    attributes: { destination, lladdr, vlan, port, vni },
  };
}

function describe(entry: NeighbourKey | FdbKey): string {
  return entry.bridgeFdb
    ? `forwarding entry ${entry.lladdr} on link ${entry.index}`
    : `neighbour ${entry.address} on link ${entry.index}`;
}

export interface NeighbourFilter {
  /** Only those of this link. */
  readonly index?: number;
  /** Only those of ports of this bridge. */
  readonly master?: number;
  /** `bridge` lists forwarding tables. @default both IPv4 and IPv6 */
  readonly family?: 4 | 6 | 'bridge';
}

const families = { 4: 2, 6: 10, bridge: AF_BRIDGE } as const;

export function dumpNeighbours({ index, master, family }: NeighbourFilter = {}): NeighbourRequest {
  const isBridge = family === 'bridge';
  return {
    message: 'neighbour',
    type: RTM_GETNEIGH,
    flags: 0,
    description: isBridge ? 'list forwarding entries' : 'list neighbours',
    // The kernel wants the link of a forwarding table in the header, and that of neighbours in an attribute.
    header: {
      family: family === undefined ? 0 : families[family],
      ...(isBridge && index !== undefined ? { index } : {}),
    },
    attributes: { master, ...(isBridge || index === undefined ? {} : { outIndex: index }) },
  };
}

/** A neighbour, or an entry of a forwarding table (`family` is then `bridge`). */
export interface Neighbour {
  readonly index: number;
  readonly family: 4 | 6 | 'bridge';
  /** The neighbour's IP address; in a forwarding table the remote end of a VXLAN. */
  readonly address?: string;
  readonly lladdr?: string;
  readonly state: NeighbourState | number;
  /** NTF_* bits. */
  readonly flags: number;
  readonly proxy: boolean;
  readonly vlan?: number;
  readonly port?: number;
  readonly vni?: number;
  /** Index of the bridge that has the entry. */
  readonly master?: number;
}

const stateNames = new Map(Object.entries(states).map(([name, n]) => [n as number, name as NeighbourState]));

export function toNeighbour({ header, attributes }: NeighbourMessage): Neighbour {
  const { destination, lladdr, vlan, port, vni, master } = attributes;
  return defined({
    index: header.index,
    family:
      header.family === AF_BRIDGE ? ('bridge' as const) : header.family === 2 ? (4 as const) : (6 as const),
    address: destination,
    lladdr,
    state: stateNames.get(header.state) ?? header.state,
    flags: header.flags,
    proxy: (header.flags & NTF_PROXY) !== 0,
    vlan,
    port,
    vni,
    master,
  });
}
