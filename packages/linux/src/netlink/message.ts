/**
 * Netlink framing: `struct nlmsghdr` around every message, and the messages that all families share.
 * Source: linux/netlink.h, netlink(7).
 */
import {
  attributeTable,
  cString,
  type Decoded,
  i32,
  MalformedMessageError,
  u32,
  type Writer,
} from './codec.ts';

export const NLMSG_HEADER = 16;

/** Message types below NLMSG_MIN_TYPE belong to netlink itself. */
export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;

/** Flags of requests. */
export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
/** The dump was not taken at one moment: something changed between two of its parts. */
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
/** Flags of NLMSG_ERROR: the request is not echoed; attributes follow. */
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

/** One framed message inside `view`; its body is `start` to `end`. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** The port of the socket that it is for. */
  readonly port: number;
  readonly start: number;
  readonly end: number;
}

/** Writes one message; `body` writes what follows the header. */
export function writeMessage(
  writer: Writer,
  type: number,
  flags: number,
  sequence: number,
  body: (writer: Writer) => void,
): void {
  const start = writer.reserve(NLMSG_HEADER);
  body(writer);
  const { view } = writer;
  view.setUint32(start, writer.position - start, true);
  view.setUint16(start + 4, type, true);
  view.setUint16(start + 6, flags, true);
  view.setUint32(start + 8, sequence, true);
  writer.align();
}

/** The messages in the first `length` bytes of a datagram. Throws MalformedMessageError. */
export function* frames(view: DataView, length: number): Generator<Frame> {
  let at = 0;
  while (at < length) {
    if (length - at < NLMSG_HEADER) throw new MalformedMessageError('a message header is cut short');
    const size = view.getUint32(at, true);
    if (size < NLMSG_HEADER || at + size > length) {
      throw new MalformedMessageError(`a message of ${size} bytes where ${length - at} are left`);
    }
    yield {
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      port: view.getUint32(at + 12, true),
      start: at + NLMSG_HEADER,
      end: at + size,
    };
    at += (size + 3) & ~3;
  }
}

/** What the kernel adds to an error. Source: linux/netlink.h, enum nlmsgerr_attrs. */
const extendedAckAttributes = attributeTable({
  message: { id: 1, as: cString(4096) }, // NLMSGERR_ATTR_MSG
  offset: { id: 2, as: u32 }, // NLMSGERR_ATTR_OFFS, from the start of the request's header
  missingType: { id: 5, as: u32 }, // NLMSGERR_ATTR_MISS_TYPE
  missingNest: { id: 6, as: u32 }, // NLMSGERR_ATTR_MISS_NEST
});

export interface Acknowledgement {
  /** 0: done. Otherwise the error number, positive. */
  readonly errno: number;
  readonly extended: Decoded<typeof extendedAckAttributes>;
}

/** Reads an NLMSG_ERROR, or the NLMSG_DONE that ends a dump and has the same beginning. */
export function readAcknowledgement(view: DataView, frame: Frame): Acknowledgement {
  const errno = -i32.read(view, frame.start, frame.end);
  let at = frame.start + 4;
  if (frame.type === NLMSG_ERROR) {
    const echoed = frame.flags & NLM_F_CAPPED ? NLMSG_HEADER : u32.read(view, at, frame.end);
    at += (Math.max(echoed, NLMSG_HEADER) + 3) & ~3;
    if (at > frame.end) throw new MalformedMessageError('an acknowledgement is cut short');
  }
  const extended = frame.flags & NLM_F_ACK_TLVS ? extendedAckAttributes.read(view, at, frame.end) : {};
  return { errno: errno === 0 ? 0 : errno, extended };
}
