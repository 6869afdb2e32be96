/**
 * The kernel's table of tracked connections: what it holds about some addresses and ports, and how to make it forget.
 * A forgotten connection is judged and translated anew from its next packet on, which cuts or moves it.
 *
 * Sources: linux/netfilter/nfnetlink_conntrack.h, libnetfilter_conntrack for the bits of CTA_FILTER.
 */
import { isErrno } from './errno.ts';
import { familyOf, formatIp, ipAddress, parseIp } from './netlink/addresses.ts';
import { attributeTable, type Decoded, messageCodec, struct, u8, u16be, u32 } from './netlink/codec.ts';
import { defined } from './netlink/route/defined.ts';
import { type NetlinkRequest, NetlinkSocket, type NetlinkSocketOptions } from './netlink/socket.ts';

const NETLINK_NETFILTER = 12;
const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_NEW = 0;
const IPCTNL_MSG_CT_GET = 1;
const IPCTNL_MSG_CT_DELETE = 2;

/** linux/netlink.h: where the kernel parses strictly it wants to see this on attributes that hold others. */
const NLA_F_NESTED = 0x8000;

const families = { ipv4: 2, ipv6: 10 } as const;
const protocols = { tcp: 6, udp: 17, sctp: 132 } as const;

export type ConntrackFamily = keyof typeof families;
export type ConntrackProtocol = keyof typeof protocols;

/**
 * Which connections are meant: those to which all that is given applies. The original side is the packet that began
 * the connection, before any translation; replies are as they come from whoever really answers. So `replySource` finds
 * the connections to an address, also those that came to it by a published port, and `originalSource` those from it.
 */
export interface ConntrackSelection {
  readonly family: ConntrackFamily;
  readonly protocol?: ConntrackProtocol;
  readonly originalSource?: string;
  readonly originalDestination?: string;
  /** Needs a protocol. */
  readonly originalDestinationPort?: number;
  readonly replySource?: string;
  /** Needs a protocol. */
  readonly replySourcePort?: number;
}

/** One direction of a connection. Ports only where the protocol has some. */
export interface ConntrackTuple {
  readonly source: string;
  readonly destination: string;
  /** Its number: 6 is TCP, 17 is UDP. */
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
}

export interface ConntrackEntry {
  readonly original: ConntrackTuple;
  readonly reply: ConntrackTuple;
}

/** struct nfgenmsg. Source: linux/netfilter/nfnetlink.h. */
const header = struct(4, { family: [0, u8], version: [1, u8], resource: [2, u16be] });

/** CTA_TUPLE_*, CTA_IP_*, CTA_PROTO_*. What ICMP has in place of ports stays `unknown` and is sent back as it came. */
const tupleAttributes = attributeTable({
  ip: {
    id: 1,
    as: attributeTable({
      sourceV4: { id: 1, as: ipAddress },
      destinationV4: { id: 2, as: ipAddress },
      sourceV6: { id: 3, as: ipAddress },
      destinationV6: { id: 4, as: ipAddress },
    }),
  },
  proto: {
    id: 2,
    as: attributeTable({
      number: { id: 1, as: u8 },
      sourcePort: { id: 2, as: u16be },
      destinationPort: { id: 3, as: u16be },
    }),
  },
  zone: { id: 3, as: u16be },
});
type TupleAttributes = Decoded<typeof tupleAttributes>;

const conntrackMessage = messageCodec(
  header,
  attributeTable({
    original: { id: 1, as: tupleAttributes }, // CTA_TUPLE_ORIG
    reply: { id: 2, as: tupleAttributes }, // CTA_TUPLE_REPLY
    id: { id: 12, as: u32 }, // CTA_ID
    zone: { id: 18, as: u16be }, // CTA_ZONE
    filter: {
      id: 25 | NLA_F_NESTED, // CTA_FILTER
      as: attributeTable({
        original: { id: 1, as: u32 }, // CTA_FILTER_ORIG_FLAGS
        reply: { id: 2, as: u32 }, // CTA_FILTER_REPLY_FLAGS
      }),
    },
  }),
);
type ConntrackMessage = ReturnType<typeof conntrackMessage.read>;

/** Which parts of a tuple count. */
const F_IP_SRC = 1 << 0;
const F_IP_DST = 1 << 1;
const F_PROTO_NUM = 1 << 3;
const F_PROTO_SRC_PORT = 1 << 4;
const F_PROTO_DST_PORT = 1 << 5;

/** What is asked of one direction. */
interface Side {
  readonly source?: string | undefined;
  readonly destination?: string | undefined;
  readonly sourcePort?: number | undefined;
  readonly destinationPort?: number | undefined;
}

/** Whether the kernel can delete by a selection itself (since Linux 6.11); unknown until it was asked once. */
let kernelSelects: boolean | undefined;

/**
 * Deletes the entries that any of the selections means. None there is fine. The work grows with the size of the whole
 * table, on the calling thread: about half a millisecond where it is small.
 * Throws NetlinkError; RangeError, before anything is deleted, for a selection that names no address and no port, or
 * whose parts do not fit together.
 */
export function deleteConntrack(
  selections: ConntrackSelection | readonly ConntrackSelection[],
  options: NetlinkSocketOptions = {},
): void {
  const list = [selections].flat();
  for (const selection of list) sides(selection);
  if (list.length === 0) return;
  using socket = openConntrack(options);
  for (const selection of list) {
    if (!deleteAtOnce(socket, selection)) deleteEach(socket, selection);
  }
}

/** Leaves it to the kernel; false where that cannot be done. */
function deleteAtOnce(socket: NetlinkSocket, selection: ConntrackSelection): boolean {
  if (kernelSelects === false || !isSelectedByKernel(selection)) return false;
  const content = selectionMessage(selection);
  try {
    socket.execute([request(IPCTNL_MSG_CT_DELETE, 'delete tracked connections', content)]);
    kernelSelects = true;
    return true;
  } catch (error) {
    // Earlier kernels miss the rest of the tuple, or say that they cannot.
    if (kernelSelects || !isErrno(error, 'EINVAL', 'EOPNOTSUPP')) throw error;
    kernelSelects = false;
    return false;
  }
}

/**
 * Asked for an IPv6 address, kernels find the connections of all others: they take the result of a comparison the wrong
 * way round (ctnetlink_filter_match_tuple, seen in Linux 6.18). So they are not asked.
 */
function isSelectedByKernel({ family }: ConntrackSelection): boolean {
  return family === 'ipv4';
}

/** The entries that a selection means, in no order. Throws NetlinkError, RangeError as `deleteConntrack`. */
export function listConntrack(
  selection: ConntrackSelection,
  options: NetlinkSocketOptions = {},
): ConntrackEntry[] {
  using socket = openConntrack(options);
  return select(socket, selection).map(({ attributes: { original, reply } }) => ({
    original: toTuple(original),
    reply: toTuple(reply),
  }));
}

/**
 * Deletes entries one by one, which works with every kernel. Exported for tests on those that need it not.
 * Throws NetlinkError, RangeError as `deleteConntrack`.
 */
export function deleteEach(socket: NetlinkSocket, selection: ConntrackSelection): void {
  const requests = select(socket, selection).map(({ header: { family }, attributes }) =>
    request(IPCTNL_MSG_CT_DELETE, 'delete a tracked connection', {
      header: { family },
      // With its id, which a later connection between the same ports does not have.
      attributes: { original: attributes.original, zone: attributes.zone, id: attributes.id },
    }),
  );
  try {
    socket.execute(requests);
  } catch (error) {
    // Some have ended by themselves.
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** Opens the socket that `deleteEach` takes. Throws LinuxError. */
export function openConntrack(options: NetlinkSocketOptions = {}): NetlinkSocket {
  return NetlinkSocket.open(NETLINK_NETFILTER, options);
}

/** Older kernels (before Linux 5.8) list all; what is listed is looked at in any case. */
function select(socket: NetlinkSocket, selection: ConntrackSelection): ConntrackMessage[] {
  const { original, reply } = sides(selection);
  const { family, protocol } = selection;
  const content = isSelectedByKernel(selection)
    ? selectionMessage(selection)
    : { header: { family: families[family] }, attributes: {} };
  return socket.dump(
    request(IPCTNL_MSG_CT_GET, 'list tracked connections', content),
    (view, { type, start, end }) => {
      if (type !== messageType(IPCTNL_MSG_CT_NEW)) return undefined;
      const message = conntrackMessage.read(view, start, end);
      const isMeant =
        fits(toTuple(message.attributes.original), original, protocol) &&
        fits(toTuple(message.attributes.reply), reply, protocol);
      return isMeant ? message : undefined;
    },
  );
}

function fits(tuple: ConntrackTuple, side: Side, protocol: ConntrackProtocol | undefined): boolean {
  const wanted = { ...side, protocol: protocol && protocols[protocol] };
  return (Object.keys(wanted) as (keyof typeof wanted)[]).every(
    (name) => wanted[name] === undefined || wanted[name] === tuple[name],
  );
}

function messageType(message: number): number {
  return (NFNL_SUBSYS_CTNETLINK << 8) | message;
}

function request(
  message: number,
  description: string,
  content: Parameters<typeof conntrackMessage.write>[1],
): NetlinkRequest {
  return {
    type: messageType(message),
    flags: 0,
    description,
    body: (writer) => conntrackMessage.write(writer, content),
  };
}

/** What the kernel is to select, of IPv4. */
function selectionMessage(selection: ConntrackSelection): Parameters<typeof conntrackMessage.write>[1] {
  const { original, reply } = sides(selection);
  const number = selection.protocol && protocols[selection.protocol];
  const isSelected = (side: Side) => Object.values(side).some((value) => value !== undefined);
  const filter = {
    original: isSelected(original) ? flagsOf(original, number) : undefined,
    reply: isSelected(reply) ? flagsOf(reply, number) : undefined,
  };
  return {
    header: { family: families[selection.family] },
    attributes: {
      original: filter.original === undefined ? undefined : toAttributes(original, number),
      reply: filter.reply === undefined ? undefined : toAttributes(reply, number),
      filter,
    },
  };
}

/** Throws RangeError for what would mean every connection, and for parts that do not fit together. */
function sides(selection: ConntrackSelection): { readonly original: Side; readonly reply: Side } {
  const { family, protocol, originalSource, originalDestination, replySource } = selection;
  const { originalDestinationPort, replySourcePort } = selection;
  const addresses = [originalSource, originalDestination, replySource].filter((text) => text !== undefined);
  const ports = [originalDestinationPort, replySourcePort].filter((port) => port !== undefined);
  const wrong = addresses.find((text) => familyOf(text) !== families[family]);
  if (wrong !== undefined) throw new RangeError(`not an address of ${family}: ${wrong}`);
  if (ports.length > 0 && protocol === undefined) throw new RangeError(`port ${ports[0]} of which protocol`);
  if (addresses.length + ports.length === 0)
    throw new RangeError('which connections: no address and no port');
  return {
    original: {
      source: canonical(originalSource),
      destination: canonical(originalDestination),
      destinationPort: originalDestinationPort,
    },
    reply: { source: canonical(replySource), sourcePort: replySourcePort },
  };
}

/** As the kernel's answers are read. */
function canonical(address: string | undefined): string | undefined {
  return address && formatIp(parseIp(address));
}

function flagsOf(side: Side, protocol: number | undefined): number {
  return (
    (side.source === undefined ? 0 : F_IP_SRC) |
    (side.destination === undefined ? 0 : F_IP_DST) |
    (protocol === undefined ? 0 : F_PROTO_NUM) |
    (side.sourcePort === undefined ? 0 : F_PROTO_SRC_PORT) |
    (side.destinationPort === undefined ? 0 : F_PROTO_DST_PORT)
  );
}

function toAttributes(side: Side, protocol: number | undefined): TupleAttributes {
  const { source, destination, sourcePort, destinationPort } = side;
  return {
    ip: { sourceV4: source, destinationV4: destination },
    proto: { number: protocol, sourcePort, destinationPort },
  };
}

function toTuple({ ip, proto }: TupleAttributes = {}): ConntrackTuple {
  return defined({
    source: ip?.sourceV4 ?? ip?.sourceV6 ?? '',
    destination: ip?.destinationV4 ?? ip?.destinationV6 ?? '',
    protocol: proto?.number ?? 0,
    sourcePort: proto?.sourcePort,
    destinationPort: proto?.destinationPort,
  });
}
