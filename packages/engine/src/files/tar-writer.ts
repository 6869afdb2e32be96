/**
 * Writes tar archives to a descriptor, one entry after another, no faster than they are read. Made here and not by a
 * library, because those that there are take names and attributes for text, and files are named by bytes. What the
 * plain header has no room for goes into an extended one before it. Source: pax(1), "ustar Interchange Format" and
 * "pax Interchange Format".
 */
import { writeSync } from 'node:fs';
import type { Header } from 'tar-stream';

export interface EntryHeader {
  readonly name: Buffer;
  readonly type: Exclude<Header['type'], 'contiguous-file'>;
  /** Permissions alone. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly sizeBytes?: number;
  readonly linkname?: Buffer;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly attributes?: ReadonlyMap<string, Buffer>;
}

const BLOCK_BYTES = 512;

const typeFlags: Readonly<Record<EntryHeader['type'] | 'extended', string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
  extended: 'x',
};

/** What fits into the fields of the plain header. */
const MAX_NAME_BYTES = 100;
const MAX_ID = 0o7777777;
const MAX_LONG = 0o77777777777;

export class TarWriter {
  readonly #fd: number;

  /** @param fd a blocking descriptor */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** @param content exactly as many bytes as the header says; of files alone */
  add(header: EntryHeader, content: Iterable<Buffer> = []): void {
    const records = extendedRecords(header);
    if (records.length > 0) {
      const extension = Buffer.concat(records);
      this.#write(encodeHeader({ ...plainest, type: 'extended', sizeBytes: extension.length }));
      this.#write(extension);
      this.#pad(extension.length);
    }
    this.#write(encodeHeader(header));
    for (const chunk of content) this.#write(chunk);
    this.#pad(header.sizeBytes ?? 0);
  }

  end(): void {
    this.#write(Buffer.alloc(2 * BLOCK_BYTES));
  }

  #pad(bytes: number): void {
    this.#write(Buffer.alloc((BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES));
  }

  #write(chunk: Buffer): void {
    for (let written = 0; written < chunk.length; ) written += writeSync(this.#fd, chunk, written);
  }
}

/** What an extended header says of itself. */
const plainest = { name: Buffer.from('PaxHeader'), mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 0 };

type PlainHeader = Omit<EntryHeader, 'type'> & { readonly type: keyof typeof typeFlags };

/** Offsets and lengths are those of the ustar header. */
function encodeHeader(header: PlainHeader): Buffer {
  const { name, linkname, device } = header;
  const block = Buffer.alloc(BLOCK_BYTES);
  block.set(name.subarray(0, MAX_NAME_BYTES), 0);
  writeOctal(block, header.mode, 100, 8);
  writeOctal(block, Math.min(header.uid, MAX_ID), 108, 8);
  writeOctal(block, Math.min(header.gid, MAX_ID), 116, 8);
  writeOctal(block, Math.min(header.sizeBytes ?? 0, MAX_LONG), 124, 12);
  writeOctal(block, Math.max(0, Math.min(header.mtimeSeconds, MAX_LONG)), 136, 12);
  // The checksum counts its own field as blanks.
  block.write('        ', 148, 'latin1');
  block.write(typeFlags[header.type], 156, 'latin1');
  block.set((linkname ?? Buffer.alloc(0)).subarray(0, MAX_NAME_BYTES), 157);
  block.write('ustar\u000000', 257, 'latin1');
  if (device) {
    writeOctal(block, Math.min(device.major, MAX_ID), 329, 8);
    writeOctal(block, Math.min(device.minor, MAX_ID), 337, 8);
  }
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function writeOctal(block: Buffer, value: number, offset: number, length: number): void {
  block.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1');
}

/** What the plain header of an entry cannot say. */
export function extendedRecords(header: EntryHeader): Buffer[] {
  const { name, linkname, uid, gid, mtimeSeconds, sizeBytes = 0, attributes } = header;
  const number = (key: string, value: number): Buffer => record(key, Buffer.from(String(value)));
  return [
    ...(isPlain(name) ? [] : [record('path', name)]),
    ...(linkname === undefined || isPlain(linkname) ? [] : [record('linkpath', linkname)]),
    ...(uid > MAX_ID ? [number('uid', uid)] : []),
    ...(gid > MAX_ID ? [number('gid', gid)] : []),
    ...(sizeBytes > MAX_LONG ? [number('size', sizeBytes)] : []),
    ...(mtimeSeconds < 0 || mtimeSeconds > MAX_LONG ? [number('mtime', mtimeSeconds)] : []),
    ...[...(attributes ?? [])].map(([key, value]) => record(`SCHILY.xattr.${key}`, value)),
  ];
}

function isPlain(name: Buffer): boolean {
  return name.length <= MAX_NAME_BYTES && name.every((byte) => byte < 0x80);
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits. */
function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
