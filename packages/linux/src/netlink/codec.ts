/**
 * The declarative codec for netlink: one table per message encodes it, decodes it and gives it its type.
 *
 * An attribute is `u16 length, u16 type, payload, padding to 4` (RFC 3549 section 2.2, linux/netlink.h).
 * Attributes that a table does not name are kept as bytes under `unknown`, so that nothing the kernel
 * says is lost and a decoded message encodes to an equal one. Numbers are in host order, which is
 * little-endian on every machine we run on (x86-64, arm64), unless a codec says otherwise.
 */

/** The bytes are not a message of the expected shape: cut short, or a length inside them is impossible. */
export class MalformedMessageError extends Error {
  override name = 'MalformedMessageError';
}

/** Growing output. One is reused for many messages: `reset` starts over, `bytes()` shows what was written. */
export class Writer {
  #bytes = new Uint8Array(4096);
  view: DataView<ArrayBuffer> = new DataView(this.#bytes.buffer);
  position = 0;

  reset(): void {
    this.position = 0;
  }

  /** What was written; valid until the next write. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.position);
  }

  /** Takes `length` zeroed bytes and returns where they start. `view` may be a new one afterwards. */
  reserve(length: number): number {
    const start = this.position;
    const end = start + length;
    if (end > this.#bytes.length) this.#grow(end);
    this.#bytes.fill(0, start, end);
    this.position = end;
    return start;
  }

  put(data: Uint8Array): void {
    const start = this.reserve(data.length);
    this.#bytes.set(data, start);
  }

  /** Zero bytes up to the next multiple of four. */
  align(): void {
    this.reserve(-this.position & 3);
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

/** How one kind of value is laid out. `read` gets exactly the payload: `start` to `end` in `view`. */
export interface Codec<T> {
  write(writer: Writer, value: T): void;
  /** Throws MalformedMessageError when the payload is too short for the type. */
  read(view: DataView, start: number, end: number): T;
}

/** A codec whose values always take `size` bytes: a number, or a struct of them. */
export interface FixedCodec<T> extends Codec<T> {
  readonly size: number;
}

/** The type that a codec encodes and decodes. */
export type ValueOf<C> = C extends { read(view: DataView, start: number, end: number): infer T } ? T : never;

function fixed<T>(
  size: number,
  set: (view: DataView, at: number, value: T) => void,
  get: (view: DataView, at: number) => T,
): FixedCodec<T> {
  return {
    size,
    write(writer, value) {
      const at = writer.reserve(size);
      set(writer.view, at, value);
    },
    read(view, start, end) {
      if (end - start < size) throw new MalformedMessageError(`${end - start} bytes where ${size} belong`);
      return get(view, start);
    },
  };
}

export const u8: FixedCodec<number> = fixed(
  1,
  (view, at, value) => view.setUint8(at, value),
  (view, at) => view.getUint8(at),
);

export const u16: FixedCodec<number> = fixed(
  2,
  (view, at, value) => view.setUint16(at, value, true),
  (view, at) => view.getUint16(at, true),
);

/** Network byte order: ports. */
export const u16be: FixedCodec<number> = fixed(
  2,
  (view, at, value) => view.setUint16(at, value),
  (view, at) => view.getUint16(at),
);

export const u32: FixedCodec<number> = fixed(
  4,
  (view, at, value) => view.setUint32(at, value, true),
  (view, at) => view.getUint32(at, true),
);

/** Network byte order: numbers of nf_tables. */
export const u32be: FixedCodec<number> = fixed(
  4,
  (view, at, value) => view.setUint32(at, value),
  (view, at) => view.getUint32(at),
);

export const i32: FixedCodec<number> = fixed(
  4,
  (view, at, value) => view.setInt32(at, value, true),
  (view, at) => view.getInt32(at, true),
);

/** A counter. Exact up to 2^53; beyond that (9 petabytes) the last digits are rounded. */
export const u64: FixedCodec<number> = fixed(
  8,
  (view, at, value) => view.setBigUint64(at, BigInt(value), true),
  (view, at) => view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32,
);

/** A byte that is a switch. */
export const bool8: FixedCodec<boolean> = fixed(
  1,
  (view, at, value) => view.setUint8(at, value ? 1 : 0),
  (view, at) => view.getUint8(at) !== 0,
);

/** Bytes as they are. Decoding copies them: receive buffers are reused. */
export const bytes: Codec<Uint8Array> = {
  write: (writer, value) => writer.put(value),
  read: (view, start, end) => new Uint8Array(view.buffer, view.byteOffset + start, end - start).slice(),
};

const utf8 = new TextDecoder();

/** Text ended by NUL. `limit` is the kernel's buffer size, which counts the NUL: 16 for an interface name. */
export function cString(limit: number): Codec<string> {
  return {
    write(writer, value) {
      const text = Buffer.from(value);
      if (text.length >= limit || text.includes(0)) {
        throw new RangeError(`not text of at most ${limit - 1} bytes: ${JSON.stringify(value)}`);
      }
      writer.put(text);
      writer.reserve(1);
    },
    read(view, start, end) {
      let stop = start;
      while (stop < end && view.getUint8(stop) !== 0) stop += 1;
      if (stop - start > 24)
        return utf8.decode(new Uint8Array(view.buffer, view.byteOffset + start, stop - start));
      return readShortText(view, start, stop);
    },
  };
}

/** Names are short and nearly always ASCII: joining their characters is faster than a TextDecoder. */
function readShortText(view: DataView, start: number, stop: number): string {
  let text = '';
  for (let at = start; at < stop; at += 1) {
    const byte = view.getUint8(at);
    if (byte > 0x7f) return utf8.decode(new Uint8Array(view.buffer, view.byteOffset + start, stop - start));
    text += String.fromCharCode(byte);
  }
  return text;
}

/** One of a few named numbers. A number without a name stays a number. */
export function named<const Names extends Readonly<Record<string, number>>>(
  base: Codec<number>,
  names: Names,
): Codec<(keyof Names & string) | number> {
  const byNumber = new Map(Object.entries(names).map(([name, number]) => [number, name]));
  return {
    write: (writer, value) => base.write(writer, typeof value === 'number' ? value : names[value]!),
    read(view, start, end) {
      const number = base.read(view, start, end);
      return byNumber.get(number) ?? number;
    },
  };
}

/** Fields of a C struct, each at its offset; bytes between them are padding. */
export type StructFields = Readonly<Record<string, readonly [offset: number, as: FixedCodec<number>]>>;

/** Values of a struct. */
export type StructOf<Fields extends StructFields> = { readonly [Name in keyof Fields]: number };

/** A struct as a codec: all its fields are read, but writing may leave out those that are zero. */
export interface StructCodec<T> extends FixedCodec<T> {
  write(writer: Writer, value: Partial<T>): void;
}

/** A C struct of numbers. Fields that are not given are zero. */
export function struct<const Fields extends StructFields>(
  size: number,
  fields: Fields,
): StructCodec<StructOf<Fields>> {
  const list = Object.entries(fields);
  return {
    size,
    write(writer, value) {
      const start = writer.reserve(size);
      const after = writer.position;
      for (const [name, [offset, as]] of list) {
        const field = value[name];
        if (field === undefined || field === 0) continue;
        writer.position = start + offset;
        as.write(writer, field);
      }
      writer.position = after;
    },
    read(view, start, end) {
      if (end - start < size)
        throw new MalformedMessageError(`${end - start} bytes where a struct of ${size} belongs`);
      const value: Record<string, number> = {};
      for (const [name, [offset, as]] of list) {
        value[name] = as.read(view, start + offset, start + offset + as.size);
      }
      return value as StructOf<Fields>;
    },
  };
}

/** An attribute that no table names, as it came: `id` includes the flag bits NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
export interface UnknownAttribute {
  readonly id: number;
  readonly data: Uint8Array;
}

/** Attributes by our name: the kernel's number, and how the payload is laid out. */
// biome-ignore lint/suspicious/noExplicitAny: a table holds codecs of many types; Decoded recovers each.
export type AttributeFields = Readonly<Record<string, { readonly id: number; readonly as: Codec<any> }>>;

/** The values of a table's attributes, all optional, and those that it does not name. */
export type DecodedFields<Fields extends AttributeFields> = {
  readonly [Name in keyof Fields]?: ValueOf<Fields[Name]['as']> | undefined;
} & { readonly unknown?: readonly UnknownAttribute[] | undefined };

/** A list of attributes as a value: the codec of a nested attribute and of the end of every message. */
export type AttributeTable<Fields extends AttributeFields> = Codec<DecodedFields<Fields>> & {
  readonly fields: Fields;
};

/** The TypeScript type of what a table decodes to. */
export type Decoded<Table> = ValueOf<Table>;

const NLA_HEADER = 4;
/** The upper two bits of an attribute's type are flags. Source: linux/netlink.h, NLA_TYPE_MASK. */
const NLA_TYPE_MASK = 0x3fff;

/** Makes the codec of a list of attributes. An attribute that occurs twice decodes to its last value, as in the kernel. */
export function attributeTable<const Fields extends AttributeFields>(fields: Fields): AttributeTable<Fields> {
  const byId: ([name: string, as: Codec<unknown>] | undefined)[] = [];
  for (const [name, { id, as }] of Object.entries(fields)) byId[id] = [name, as];
  return {
    fields,
    write(writer, values) {
      const given: Record<string, unknown> = values;
      for (const name in given) {
        const value = given[name];
        const field = fields[name];
        if (value === undefined || field === undefined) continue;
        writeAttribute(writer, field.id, field.as, value);
      }
      for (const { id, data } of values.unknown ?? []) writeAttribute(writer, id, bytes, data);
    },
    read(view, start, end) {
      const values: Record<string, unknown> = {};
      let unknown: UnknownAttribute[] | undefined;
      eachAttribute(view, start, end, (id, from, to) => {
        const known = byId[id & NLA_TYPE_MASK];
        if (known !== undefined) {
          values[known[0]] = known[1].read(view, from, to);
        } else {
          unknown ??= [];
          unknown.push({ id, data: bytes.read(view, from, to) });
        }
      });
      if (unknown !== undefined) values.unknown = unknown;
      return values as DecodedFields<Fields>;
    },
  };
}

/** An attribute that says by a name how the data in another one, which follows it, is laid out. */
export interface NamedData {
  /** The number and our name of the attribute with the name. */
  readonly tag: readonly [id: number, property: string];
  /** The same of the one with the data; it stays bytes under a name that is not among the layouts. */
  readonly data: readonly [id: number, property: string];
  /** By the name: our property for the data, and its codec. */
  // biome-ignore lint/suspicious/noExplicitAny: as in AttributeFields.
  readonly layouts: Readonly<Record<string, readonly [property: string, as: Codec<any>]>>;
}

/** The kernel's names of kinds of links and of rules' expressions are shorter. */
const tagName = cString(64);

/** Makes the codec of a list of such pairs of attributes; others are passed over. */
export function namedData<Value extends object>(pairs: readonly NamedData[]): Codec<Value> {
  return {
    write(writer, value) {
      const given = value as Readonly<Record<string, unknown>>;
      const write = (id: number, as: Codec<unknown>, property: string) => {
        if (given[property] !== undefined) writeAttribute(writer, id, as, given[property]);
      };
      for (const { tag, data, layouts } of pairs) {
        write(tag[0], tagName, tag[1]);
        for (const [property, as] of Object.values(layouts)) write(data[0], as, property);
        write(data[0], bytes, data[1]);
      }
    },
    read(view, start, end) {
      const value: Record<string, unknown> = {};
      eachAttribute(view, start, end, (id, from, to) => {
        for (const { tag, data, layouts } of pairs) {
          if (id === tag[0]) value[tag[1]] = tagName.read(view, from, to);
          if (id !== data[0]) continue;
          const name = String(value[tag[1]]);
          const [property, as] = Object.hasOwn(layouts, name) ? layouts[name]! : [data[1], bytes];
          value[property] = as.read(view, from, to);
        }
      });
      return value as Value;
    },
  };
}

/** Writes one attribute: header, payload, padding. */
export function writeAttribute<T>(writer: Writer, id: number, as: Codec<T>, value: T): void {
  const start = writer.reserve(NLA_HEADER);
  as.write(writer, value);
  const length = writer.position - start;
  if (length > 0xffff) throw new RangeError(`attribute ${id} is longer than 65535 bytes`);
  writer.view.setUint16(start, length, true);
  writer.view.setUint16(start + 2, id, true);
  writer.align();
}

/** Walks the attributes between `start` and `end`. Throws MalformedMessageError on a length that cannot be. */
export function eachAttribute(
  view: DataView,
  start: number,
  end: number,
  visit: (id: number, from: number, to: number) => void,
): void {
  let at = start;
  while (at < end) {
    if (end - at < NLA_HEADER) throw new MalformedMessageError('an attribute header is cut short');
    const length = view.getUint16(at, true);
    if (length < NLA_HEADER || at + length > end) {
      throw new MalformedMessageError(`an attribute of ${length} bytes where ${end - at} are left`);
    }
    visit(view.getUint16(at + 2, true), at + NLA_HEADER, at + length);
    at += (length + 3) & ~3;
  }
}

/** A header struct followed by attributes: every rtnetlink message, and a veth peer inside one. */
export interface Message<Header, Attributes> {
  readonly header: Header;
  readonly attributes: Attributes;
}

/** The codec of a message. As with structs, header fields that are zero may be left out when writing. */
export interface MessageCodec<Header, Attributes> extends Codec<Message<Header, Attributes>> {
  write(writer: Writer, value: Message<Partial<Header>, Attributes>): void;
}

export function messageCodec<Header, Attributes>(
  header: StructCodec<Header>,
  attributes: Codec<Attributes>,
): MessageCodec<Header, Attributes> {
  return {
    write(writer, value) {
      header.write(writer, value.header);
      writer.align();
      attributes.write(writer, value.attributes);
    },
    read(view, start, end) {
      const aligned = Math.min(end, start + ((header.size + 3) & ~3));
      return { header: header.read(view, start, end), attributes: attributes.read(view, aligned, end) };
    },
  };
}
