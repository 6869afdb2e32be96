/**
 * What a DNS query is answered with: a pure function over the raw packet, called for every lookup of every container,
 * so it allocates little and trusts nothing that it reads.
 *
 * It answers for the names of the sandbox's networks; everything else is to be forwarded. Sources: RFC 1035 section 4
 * (messages), RFC 6891 (EDNS), RFC 3596 (AAAA).
 */
import type { NameEntry, SandboxNames } from './names.ts';

/** Results of `answerQuery` that are no length. */
export const IGNORE = 0;
export const FORWARD = -1;

/** Largest reply over UDP that we make ourselves, and what we offer to take (RFC 6891 section 6.2.5). */
export const MAX_UDP_REPLY = 4096;
/** Over UDP without EDNS: RFC 1035 section 2.3.4. */
const PLAIN_UDP_REPLY = 512;

export const HEADER_BYTES = 12;
const OPT_BYTES = 11;
const TTL_SECONDS = 600;

/** Record types and classes: RFC 1035 section 3.2, RFC 3596, RFC 6891. */
const TYPE_A = 1;
const TYPE_PTR = 12;
const TYPE_MX = 15;
const TYPE_AAAA = 28;
const TYPE_OPT = 41;
const CLASS_IN = 1;

/** Response codes: RFC 1035 section 4.1.1, RFC 6891 section 9. */
export const NOERROR = 0;
export const FORMERR = 1;
export const SERVFAIL = 2;
export const NOTIMP = 4;
export const REFUSED = 5;
const BADVERS = 16;

/** Bits of the third and fourth byte of the header. */
const QR = 0x80;
const OPCODE = 0x78;
const TC = 0x02;
const RD = 0x01;
const RA = 0x80;
/** The first bit of the flags in an OPT record: wants DNSSEC records (RFC 3225). */
const DO = 0x80;

/** What `readQuery` finds in a packet. */
export interface Query {
  /** The name in lower case without the trailing dot; undefined when it cannot be the name of a host. */
  name: string | undefined;
  type: number;
  class: number;
  /** Where the question ends. */
  questionEnd: number;
  hasEdns: boolean;
  /** What the client takes over UDP, in bytes, as it says. */
  udpSize: number;
  ednsVersion: number;
  wantsDnssec: boolean;
}

/** How long a name may be: 255 bytes with a length before each label (RFC 1035 section 2.3.4) leave this as text. */
const MAX_NAME_TEXT = 253;
const nameBytes = Buffer.alloc(MAX_NAME_TEXT);

/** An empty query to read into. */
export function newQuery(): Query {
  return {
    name: undefined,
    type: 0,
    class: 0,
    questionEnd: 0,
    hasEdns: false,
    udpSize: PLAIN_UDP_REPLY,
    ednsVersion: 0,
    wantsDnssec: false,
  };
}

/** Each thread does one at a time. */
const scratch = newQuery();

/**
 * Answers one query.
 * @param packet what was received: its first `length` bytes
 * @param out takes the reply; over UDP at least MAX_UDP_REPLY bytes, over TCP 65535 make the best of it
 * @returns the reply's length, IGNORE for what deserves none, FORWARD for what other servers know
 */
export function answerQuery(
  packet: Uint8Array,
  length: number,
  names: SandboxNames,
  out: Uint8Array,
  overTcp: boolean,
): number {
  if (length < HEADER_BYTES || (packet[2]! & QR) !== 0) return IGNORE;
  if ((packet[2]! & OPCODE) !== 0) return writeHeader(packet, NOTIMP, out);
  const query = scratch;
  if (!readQuery(packet, length, query)) return writeHeader(packet, FORMERR, out);
  if (query.hasEdns && query.ednsVersion !== 0) return writeEmpty(packet, query, BADVERS, out);
  const { name, type } = query;
  if (query.class !== CLASS_IN || name === undefined) return FORWARD;
  switch (type) {
    case TYPE_A:
    case TYPE_AAAA: {
      const entry = names.find(name);
      if (entry !== undefined) return writeAddresses(packet, query, entry, out, overTcp);
      if (names.hasExplicitNdots && !name.includes('.')) return writeEmpty(packet, query, NOERROR, out);
      return FORWARD;
    }
    case TYPE_MX:
      return names.find(name) === undefined ? FORWARD : writeEmpty(packet, query, NOERROR, out);
    case TYPE_PTR: {
      const target = names.findPointer(name);
      return target === undefined ? FORWARD : writePointer(packet, query, target, out, overTcp);
    }
    default:
      return FORWARD;
  }
}

/** The largest reply that a client takes over UDP. */
export function udpLimit(query: Query): number {
  return query.hasEdns ? Math.max(PLAIN_UDP_REPLY, query.udpSize) : PLAIN_UDP_REPLY;
}

/** Reads a packet of at least 12 bytes into `query`; false when it is not one question and well-formed records. */
export function readQuery(packet: Uint8Array, length: number, query: Query): boolean {
  if (u16(packet, 4) !== 1) return false;
  const nameEnd = readName(packet, length, query);
  if (nameEnd < 0 || nameEnd + 4 > length) return false;
  query.type = u16(packet, nameEnd);
  query.class = u16(packet, nameEnd + 2);
  query.questionEnd = nameEnd + 4;
  return readEdns(packet, length, query);
}

/** Reads the question's name; returns where it ends, -1 when it is malformed. It cannot be compressed: nothing precedes it. */
function readName(packet: Uint8Array, length: number, query: Query): number {
  let at = HEADER_BYTES;
  let written = 0;
  let isPlain = true;
  for (;;) {
    if (at >= length) return -1;
    const size = packet[at++]!;
    if (size === 0) break;
    // The upper two bits mark a pointer or what was never standardized (RFC 1035 section 4.1.4).
    if (size > 63 || at + size > length) return -1;
    if (written > 0) nameBytes[written++] = 0x2e;
    if (written + size > MAX_NAME_TEXT) return -1;
    for (const end = at + size; at < end; at++) {
      const byte = packet[at]!;
      if (byte <= 0x20 || byte >= 0x7f || byte === 0x2e) isPlain = false;
      nameBytes[written++] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    }
  }
  query.name = isPlain && written > 0 ? nameBytes.toString('latin1', 0, written) : undefined;
  return at;
}

/** Walks the records behind the question and reads the OPT record among them; false when they are malformed. */
function readEdns(packet: Uint8Array, length: number, query: Query): boolean {
  query.hasEdns = false;
  const before = u16(packet, 6) + u16(packet, 8);
  const count = before + u16(packet, 10);
  let at = query.questionEnd;
  for (let index = 0; index < count; index++) {
    const start = skipName(packet, length, at);
    if (start < 0 || start + 10 > length) return false;
    const end = start + 10 + u16(packet, start + 8);
    if (end > length) return false;
    if (u16(packet, start) === TYPE_OPT) {
      // One, at the root, among the additional records (RFC 6891 section 6.1.1).
      if (query.hasEdns || index < before || start !== at + 1) return false;
      query.hasEdns = true;
      query.udpSize = u16(packet, start + 2);
      query.ednsVersion = packet[start + 5]!;
      query.wantsDnssec = (packet[start + 6]! & DO) !== 0;
    }
    at = end;
  }
  return true;
}

/** Where a record's name ends, -1 when it is malformed. Pointers are not followed, so none can lead in circles. */
function skipName(packet: Uint8Array, length: number, at: number): number {
  for (let next = at; next < length; ) {
    const size = packet[next]!;
    if (size === 0) return next + 1;
    if (size >= 0xc0) return next + 2;
    if (size > 63) return -1;
    next += size + 1;
  }
  return -1;
}

/** A reply without records: the question, and an OPT record for a client that sent one. Returns its length. */
export function writeEmpty(
  packet: Uint8Array,
  query: Query,
  code: number,
  out: Uint8Array,
  flags = 0,
): number {
  const at = writeQuestion(packet, query, code, out);
  out[2]! |= flags;
  return writeEdns(query, code, out, at);
}

/** A reply that says no more than that its records did not fit. Returns its length. */
export function writeTruncated(packet: Uint8Array, query: Query, out: Uint8Array): number {
  return writeEmpty(packet, query, NOERROR, out, TC);
}

/** A reply to what has no question that could be echoed. */
export function writeHeader(packet: Uint8Array, code: number, out: Uint8Array): number {
  out[0] = packet[0]!;
  out[1] = packet[1]!;
  out[2] = QR | (packet[2]! & (OPCODE | RD));
  out[3] = RA | (code & 15);
  out.fill(0, 4, HEADER_BYTES);
  return HEADER_BYTES;
}

/** Header and question, in the client's own spelling. */
function writeQuestion(packet: Uint8Array, query: Query, code: number, out: Uint8Array): number {
  writeHeader(packet, code, out);
  out[5] = 1;
  for (let at = HEADER_BYTES; at < query.questionEnd; at++) out[at] = packet[at]!;
  return query.questionEnd;
}

/** As many addresses as fit, each reply beginning with another one. */
function writeAddresses(
  packet: Uint8Array,
  query: Query,
  entry: NameEntry,
  out: Uint8Array,
  overTcp: boolean,
): number {
  const isIpv4 = query.type === TYPE_A;
  const size = isIpv4 ? 4 : 16;
  const data = isIpv4 ? entry.ipv4 : entry.ipv6;
  const count = data.length / size;
  let at = writeQuestion(packet, query, NOERROR, out);
  if (count === 0) return writeEdns(query, NOERROR, out, at);
  const room = replyLimit(query, out, overTcp) - (query.hasEdns ? OPT_BYTES : 0) - at;
  const fitting = Math.min(count, Math.floor(room / (12 + size)));
  entry.turn = (entry.turn + 1) % count;
  for (let index = 0; index < fitting; index++) {
    at = writeRecordHead(query.type, size, out, at);
    const from = ((entry.turn + index) % count) * size;
    for (let byte = 0; byte < size; byte++) out[at++] = data[from + byte]!;
  }
  setU16(out, 6, fitting);
  if (fitting < count) out[2]! |= TC;
  return writeEdns(query, NOERROR, out, at);
}

function writePointer(
  packet: Uint8Array,
  query: Query,
  target: Uint8Array,
  out: Uint8Array,
  overTcp: boolean,
): number {
  let at = writeQuestion(packet, query, NOERROR, out);
  const needed = at + 12 + target.length + (query.hasEdns ? OPT_BYTES : 0);
  if (needed > replyLimit(query, out, overTcp)) {
    out[2]! |= TC;
    return writeEdns(query, NOERROR, out, at);
  }
  at = writeRecordHead(TYPE_PTR, target.length, out, at);
  out.set(target, at);
  setU16(out, 6, 1);
  return writeEdns(query, NOERROR, out, at + target.length);
}

function replyLimit(query: Query, out: Uint8Array, overTcp: boolean): number {
  return overTcp ? out.length : Math.min(out.length, MAX_UDP_REPLY, udpLimit(query));
}

/** A record up to its data; its name is a pointer to the question's. */
function writeRecordHead(type: number, dataLength: number, out: Uint8Array, at: number): number {
  out[at] = 0xc0;
  out[at + 1] = HEADER_BYTES;
  setU16(out, at + 2, type);
  setU16(out, at + 4, CLASS_IN);
  setU16(out, at + 6, 0);
  setU16(out, at + 8, TTL_SECONDS);
  setU16(out, at + 10, dataLength);
  return at + 12;
}

/** Ends a reply: with our OPT record, if the client sent one. The response code's upper bits live in it. */
function writeEdns(query: Query, code: number, out: Uint8Array, at: number): number {
  if (!query.hasEdns) return at;
  out[at] = 0;
  setU16(out, at + 1, TYPE_OPT);
  setU16(out, at + 3, MAX_UDP_REPLY);
  out[at + 5] = code >> 4;
  out[at + 6] = 0;
  out[at + 7] = query.wantsDnssec ? DO : 0;
  out[at + 8] = 0;
  setU16(out, at + 9, 0);
  out[11] = 1;
  return at + OPT_BYTES;
}

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 0xff;
}
