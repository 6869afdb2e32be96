/** Addresses as codecs: text at the API, bytes on the wire. */
import { isIPv4, isIPv6 } from 'node:net';
import { type Codec, MalformedMessageError } from './codec.ts';

/** Encodes an IP address: 4 bytes or 16, in network order. Throws RangeError for text that is none (or has a zone). */
export function parseIp(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (isIPv6(text) && !text.includes('%')) return parseIpv6(text);
  throw new RangeError(`not an IP address: ${JSON.stringify(text)}`);
}

function parseIpv6(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const before = parseGroups(head);
  const after = parseGroups(tail ?? '');
  const result = new Uint8Array(16);
  result.set(before);
  result.set(after, 16 - after.length);
  return result;
}

/** Colon-separated groups; the last may be a dotted IPv4 address (RFC 4291 section 2.2). */
function parseGroups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** The canonical text of an address of 4 or 16 bytes (RFC 5952). Throws RangeError. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`);
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${bytes.subarray(12).join('.')}`;
  }
  const [start, length] = longestZeroRun(groups);
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  if (length < 2) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

/** The first of the longest runs of zero groups. */
function longestZeroRun(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let start = 0;
  for (let i = 0; i <= groups.length; i += 1) {
    if (i < groups.length && groups[i] === 0) continue;
    if (i - start > best[1]) best = [start, i - start];
    start = i + 1;
  }
  return best;
}

/** The family of an address in text: AF_INET or AF_INET6. Throws RangeError. */
export function familyOf(text: string): 2 | 10 {
  if (isIPv4(text)) return 2;
  if (isIPv6(text)) return 10;
  throw new RangeError(`not an IP address: ${JSON.stringify(text)}`);
}

/** `address/length`, or an address alone, which is a prefix of full length. Throws RangeError. */
export function parsePrefix(text: string): { address: string; length: number; family: 2 | 10 } {
  const [address = '', digits, ...rest] = text.split('/');
  const family = familyOf(address);
  const full = family === 2 ? 32 : 128;
  const length = digits === undefined ? full : Number(digits);
  if (rest.length > 0 || digits === '' || !Number.isInteger(length) || length < 0 || length > full) {
    throw new RangeError(`not an address prefix: ${JSON.stringify(text)}`);
  }
  return { address, length, family };
}

/** An IP address of either family. */
export const ipAddress: Codec<string> = {
  write: (writer, value) => writer.put(parseIp(value)),
  read(view, start, end) {
    const length = end - start;
    if (length !== 4 && length !== 16) throw new MalformedMessageError(`an IP address of ${length} bytes`);
    return formatIp(new Uint8Array(view.buffer, view.byteOffset + start, length));
  },
};

/** `02:42:ac:11:00:02` as six bytes. Throws RangeError. */
export function parseMac(text: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) {
    throw new RangeError(`not a MAC address: ${JSON.stringify(text)}`);
  }
  return Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
}

const hexPairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** A link-layer address. Those of Ethernet have six bytes; what other links have is shown in the same way. */
export const linkLayerAddress: Codec<string> = {
  write: (writer, value) => writer.put(parseMac(value)),
  read(view, start, end) {
    let text = '';
    for (let at = start; at < end; at += 1) text += (at === start ? '' : ':') + hexPairs[view.getUint8(at)];
    return text;
  },
};
