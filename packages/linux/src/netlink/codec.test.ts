import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp, ipAddress, linkLayerAddress, parseIp, parseMac, parsePrefix } from './addresses.ts';
import {
  attributeTable,
  bool8,
  bytes,
  type Codec,
  cString,
  eachAttribute,
  i32,
  MalformedMessageError,
  messageCodec,
  named,
  struct,
  u8,
  u16,
  u16be,
  u32,
  u64,
  Writer,
} from './codec.ts';

function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer();
  codec.write(writer, value);
  return writer.bytes().slice();
}

function decode<T>(codec: Codec<T>, data: Uint8Array): T {
  return codec.read(new DataView(data.buffer, data.byteOffset, data.byteLength), 0, data.byteLength);
}

const nested = attributeTable({ deep: { id: 1, as: u8 }, word: { id: 2, as: cString(200) } });
const table = attributeTable({
  byte: { id: 1, as: u8 },
  port: { id: 2, as: u16be },
  count: { id: 3, as: u32 },
  total: { id: 4, as: u64 },
  name: { id: 5, as: cString(16) },
  on: { id: 6, as: bool8 },
  mode: { id: 7, as: named(u8, { first: 1, second: 2 }) },
  address: { id: 8, as: ipAddress },
  mac: { id: 9, as: linkLayerAddress },
  inner: { id: 10, as: nested },
  raw: { id: 11, as: bytes },
  signed: { id: 12, as: i32 },
});
const header = struct(8, { family: [0, u8], kind: [2, u16], index: [4, i32] });
const message = messageCodec(header, table);

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomAttributes(next: (below: number) => number) {
  const data = (length: number) => Uint8Array.from({ length }, () => next(256));
  const word = (length: number) =>
    Array.from({ length }, () => String.fromCharCode(0x61 + next(26))).join('');
  const all = {
    byte: next(256),
    port: next(65536),
    count: next(2 ** 32),
    total: next(2 ** 32) * 2 ** 21 + next(2 ** 21),
    name: word(next(16)),
    on: next(2) === 1,
    mode: (['first', 'second', 77] as const)[next(3)]!,
    address: formatIp(data(next(2) ? 4 : 16)),
    mac: [...data(6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
    inner: { deep: next(256), word: word(next(100)) },
    raw: data(next(40)),
    signed: next(2 ** 32) - 2 ** 31,
    unknown: [{ id: 900, data: data(next(20)) }],
  };
  return Object.fromEntries(Object.entries(all).filter(() => next(3) > 0)) as Partial<typeof all>;
}

test('what was encoded decodes to the same values, whatever they are', () => {
  const next = random(20260101);
  for (let round = 0; round < 500; round += 1) {
    const value = {
      header: { family: next(256), kind: next(65536), index: next(2 ** 31) },
      attributes: randomAttributes(next),
    };
    const data = encode(message, value);
    assert.equal(data.length % 4, 0);
    assert.deepEqual(decode(message, data), value);
    assert.deepEqual(encode(message, decode(message, data)).length, data.length);
  }
});

test('a message cut short at any length throws, or loses whole attributes, but never hangs', () => {
  const next = random(7);
  for (let round = 0; round < 40; round += 1) {
    const value = { header: { family: 1, kind: 2, index: 3 }, attributes: randomAttributes(next) };
    const data = encode(message, value);
    for (let length = 0; length < data.length; length += 1) {
      try {
        const got = decode(message, data.slice(0, length));
        const kept = Object.keys(got.attributes).length;
        assert.ok(kept <= Object.keys(value.attributes).length, 'attributes do not appear from nowhere');
      } catch (error) {
        assert.ok(error instanceof MalformedMessageError, String(error));
      }
    }
  }
});

test('random bytes never do worse than throw MalformedMessageError', () => {
  const next = random(99);
  for (let round = 0; round < 3000; round += 1) {
    const data = Uint8Array.from({ length: next(120) }, () => (next(3) === 0 ? next(256) : next(14)));
    try {
      decode(message, data);
    } catch (error) {
      assert.ok(error instanceof MalformedMessageError, String(error));
    }
  }
});

test('the layout is that of the kernel: length, type, payload, padding', () => {
  assert.deepEqual(
    [...encode(table, { byte: 5, port: 0x1234, name: 'lo' })],
    [5, 0, 1, 0, 5, 0, 0, 0, 6, 0, 2, 0, 0x12, 0x34, 0, 0, 7, 0, 5, 0, 0x6c, 0x6f, 0, 0],
  );
});

test('attributes that no table names are kept with their flag bits and encode again to equal bytes', () => {
  const data = Uint8Array.of(6, 0, 0x63, 0x80, 1, 2, 0, 0);
  const value = decode(table, data);
  assert.deepEqual(value, { unknown: [{ id: 0x8063, data: Uint8Array.of(1, 2) }] });
  assert.deepEqual(encode(table, value), data);
});

test('the nested flag on a known attribute does not hide it', () => {
  assert.deepEqual(decode(table, Uint8Array.of(5, 0, 1, 0x80, 9, 0, 0, 0)), { byte: 9 });
});

test('an attribute length that cannot be is refused', () => {
  for (const length of [0, 3, 9, 0xffff]) {
    const data = Uint8Array.of(length & 0xff, length >> 8, 1, 0, 9, 0, 0, 0);
    assert.throws(() => decode(table, data), MalformedMessageError, `length ${length}`);
  }
  assert.throws(() => eachAttribute(new DataView(new ArrayBuffer(3)), 0, 3, () => {}), MalformedMessageError);
});

test('text that does not fit its buffer in the kernel is refused before it is sent', () => {
  assert.throws(() => encode(table, { name: 'sixteen-letters-' }), RangeError);
  assert.throws(() => encode(table, { name: 'nul\0inside' }), RangeError);
  assert.equal(decode(cString(16), encode(cString(16), 'grün')), 'grün');
});

test('struct fields that are left out are zero', () => {
  const writer = new Writer();
  header.write(writer, { index: -2 });
  assert.deepEqual([...writer.bytes()], [0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff]);
});

test('a writer grows over its first size and keeps what it holds', () => {
  const writer = new Writer();
  for (let i = 0; i < 3000; i += 1) u32.write(writer, i);
  const view = new DataView(writer.bytes().slice().buffer);
  for (let i = 0; i < 3000; i += 1) assert.equal(view.getUint32(4 * i, true), i);
});

test('IP addresses are written as RFC 5952 asks', () => {
  const canonical: [string, string][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['fe80::', 'fe80::'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ];
  for (const [text, expected] of canonical) assert.equal(formatIp(parseIp(text)), expected);
});

test('text that is no address is refused', () => {
  for (const text of ['', '1.2.3', '1.2.3.256', ':::', '2001:db8', 'fe80::1%eth0', 'host', '1.2.3.4/24']) {
    assert.throws(() => parseIp(text), RangeError, text);
  }
  for (const text of ['', '02:42', '02:42:ac:11:00:0g', '02-42-ac-11-00-02', '02:42:ac:11:00:02:03']) {
    assert.throws(() => parseMac(text), RangeError, text);
  }
  for (const text of [
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    'fd00::/129',
    '/8',
    '10.0.0.0/1.5',
  ]) {
    assert.throws(() => parsePrefix(text), RangeError, text);
  }
  assert.deepEqual(parsePrefix('10.0.0.0/8'), { address: '10.0.0.0', length: 8, family: 2 });
  assert.deepEqual(parsePrefix('fd00::1'), { address: 'fd00::1', length: 128, family: 10 });
});
