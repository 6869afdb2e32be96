/**
 * Writes tar archives (POSIX ustar, pax(1)) in memory; just enough to make images for tests.
 */

export type TarEntry =
  | { readonly kind: 'file'; readonly path: string; readonly data: Uint8Array; readonly mode?: number }
  | { readonly kind: 'directory'; readonly path: string; readonly mode?: number }
  | { readonly kind: 'symlink' | 'hardlink'; readonly path: string; readonly target: string }
  | { readonly kind: 'device'; readonly path: string; readonly major: number; readonly minor: number };

const BLOCK_BYTES = 512;
const typeFlags = { file: '0', hardlink: '1', symlink: '2', device: '3', directory: '5' } as const;

/** Encodes entries in the given order. Paths are relative and shorter than 100 bytes; owner is root. */
export function encodeTar(entries: readonly TarEntry[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    parts.push(encodeHeader(entry));
    if (entry.kind === 'file') {
      parts.push(entry.data, Buffer.alloc(-entry.data.byteLength & (BLOCK_BYTES - 1)));
    }
  }
  parts.push(Buffer.alloc(2 * BLOCK_BYTES)); // end of archive
  return Buffer.concat(parts);
}

function encodeHeader(entry: TarEntry): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES);
  const mode =
    entry.kind === 'symlink'
      ? 0o777
      : (('mode' in entry ? entry.mode : undefined) ?? (entry.kind === 'directory' ? 0o755 : 0o644));
  const size = entry.kind === 'file' ? entry.data.byteLength : 0;
  writeText(header, entry.kind === 'directory' ? `${entry.path}/` : entry.path, 0, 100);
  writeOctal(header, mode, 100, 8);
  writeOctal(header, 0, 108, 8); // uid
  writeOctal(header, 0, 116, 8); // gid
  writeOctal(header, size, 124, 12);
  writeOctal(header, 1_700_000_000, 136, 12); // a fixed time, so that equal input gives equal bytes
  header.write('        ', 148); // the checksum counts its own field as spaces
  header.write(typeFlags[entry.kind], 156);
  if ('target' in entry) writeText(header, entry.target, 157, 100);
  if (entry.kind === 'device') {
    writeOctal(header, entry.major, 329, 8);
    writeOctal(header, entry.minor, 337, 8);
  }
  header.write('ustar\u000000', 257);
  const checksum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

function writeText(header: Buffer, text: string, offset: number, length: number): void {
  if (Buffer.byteLength(text) >= length) throw new RangeError(`too long for a tar header: ${text}`);
  header.write(text, offset);
}

function writeOctal(header: Buffer, value: number, offset: number, length: number): void {
  header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset);
}
