/**
 * Tar archives on their way in: compression is recognised by the first bytes, digests are computed while streaming.
 * Failures are sorted here: what is wrong with the archive or its sender is `invalid`, what is wrong with our disk
 * or programs is `internal`.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { EngineError, internal, invalid, messageOf } from '../base/errors.ts';
import { filterThrough, ProgramError, runProgram } from './programs.ts';

export type Bytes = AsyncIterable<Uint8Array>;

/** What was read of a stream. */
export interface Measure {
  /** `sha256:` of the bytes. */
  readonly digest: string;
  readonly sizeBytes: number;
}

/** A step of a pipeline that lets everything through and can tell afterwards what it was. */
export function meter(): { step(chunks: Bytes): AsyncGenerator<Uint8Array>; result(): Measure } {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  return {
    async *step(chunks) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        yield chunk;
      }
    },
    result: () => ({ digest: `sha256:${hash.digest('hex')}`, sizeBytes }),
  };
}

/**
 * Unpacks an uploaded archive into `folder` for us to read: nothing in it keeps an owner or a special mode. GNU tar
 * refuses names with `..` and sets symbolic links last, so nothing is written outside.
 */
export async function unpackUpload(source: Bytes, folder: string): Promise<void> {
  const args = [
    '--extract',
    '--no-same-owner',
    '--no-same-permissions',
    '--delay-directory-restore',
    '--file=-',
  ];
  try {
    await runProgram('tar', args, { cwd: folder, input: decompress(source) });
  } catch (error) {
    throw archiveError(error);
  }
}

/** The magic numbers that files of each kind begin with. Source: magic(5). */
const compressions = [
  { name: 'gzip', magic: [0x1f, 0x8b], open: (source) => throughStream(source, createGunzip()) },
  {
    name: 'zstd',
    magic: [0x28, 0xb5, 0x2f, 0xfd],
    open: (source) => throughStream(source, createZstdDecompress()),
  },
  { name: 'bzip2', magic: [0x42, 0x5a, 0x68], open: (source) => filterThrough('bzip2', ['-dc'], source) },
  {
    name: 'xz',
    magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
    open: (source) => filterThrough('xz', ['-dc'], source),
  },
] as const satisfies readonly {
  name: string;
  magic: readonly number[];
  open: (source: Bytes) => Bytes;
}[];

const MAGIC_BYTES = 6;

/** The same bytes, uncompressed when they are compressed. */
export async function* decompress(source: Bytes): AsyncGenerator<Uint8Array> {
  const { compression, all } = await recognise(source);
  yield* compression ? compression.open(all) : all;
}

/** What the stream is compressed with, and all of it. */
export async function recognise(source: Bytes) {
  const { head, all } = await peek(fromSender(source), MAGIC_BYTES);
  const compression = compressions.find(({ magic }) => magic.every((byte, index) => head[index] === byte));
  return { compression, all };
}

/** Whatever stops the sender is no fault of ours: said once here, where it can still be told from a disk's error. */
async function* fromSender(source: Bytes): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw invalid('upload-interrupted', `the archive ended early: ${messageOf(error)}`, {}, error);
  }
}

async function* throughStream(source: Bytes, transform: NodeJS.ReadWriteStream): AsyncGenerator<Uint8Array> {
  const input = Readable.from(source, { objectMode: false });
  const feeding = pipeline(input, transform);
  // Awaited below; the loop sees the same failure first.
  feeding.catch(() => {});
  try {
    yield* transform as AsyncIterable<Uint8Array>;
    await feeding;
  } catch (error) {
    // The sender's failure is the cause of the decompressor's.
    throw input.errored ?? error;
  } finally {
    input.destroy();
  }
}

/** The first bytes (fewer when there are no more), and the whole as if nothing had been read. */
async function peek(
  source: AsyncGenerator<Uint8Array>,
  count: number,
): Promise<{ head: Buffer; all: Bytes }> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < count) {
    const next = await source.next();
    if (next.done) break;
    chunks.push(next.value);
    length += next.value.length;
  }
  const all = async function* (): AsyncGenerator<Uint8Array> {
    yield* chunks;
    yield* source;
  };
  return { head: Buffer.concat(chunks), all: all() };
}

/** Kernel errors that are about the disk and not about what is written to it. */
const diskErrors: ReadonlySet<string> = new Set([
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EIO',
  'EACCES',
  'EMFILE',
  'ENFILE',
]);
const diskMessages = /no space left on device|disk quota exceeded|read-only file system|input\/output error/i;

/** Sorts a failure of reading, unpacking or storing an archive. */
export function archiveError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  if (error instanceof ProgramError) {
    const disk = diskMessages.exec(error.stderr)?.[0];
    if (disk)
      return internal('image-store-failed', `cannot store the image: ${disk.toLowerCase()}`, {}, error);
    return invalid('invalid-archive', `Error processing tar file: ${reasonOf(error)}`, {}, error);
  }
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (diskErrors.has(code) || code === 'ENOENT') {
    return internal('image-store-failed', `cannot store the image: ${messageOf(error)}`, {}, error);
  }
  return invalid('invalid-archive', `Error processing tar file: ${messageOf(error)}`, {}, error);
}

/** Programs say the reason last, umoci with a cross before it and tar with an empty phrase after it. */
function reasonOf(error: ProgramError): string {
  const lines = error.stderr.split('\n').filter((line) => !/Exiting with failure status/.test(line));
  return (lines.at(-1) ?? '').replace(/^[^\w]*/, '') || error.message;
}
