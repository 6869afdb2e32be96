/**
 * Reads the log files that conmon writes (its `k8s-file` driver): one line of text per chunk of output,
 * `2026-08-01T12:00:00.123456789+00:00 stdout F the text`. `F` ends a line of output; `P` is a part of one, whose
 * newline has not come yet. Bytes are handed on exactly as the container wrote them.
 * Only reads; conmon owns the file. Source: conmon(8), "--log-path", and the Kubernetes CRI log format.
 */
import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';

export interface LogEntry {
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds, in UTC: `2026-08-01T12:00:00.123456789Z`. */
  readonly timestamp: string;
  /** What was written; ends in a newline when the container wrote one. */
  readonly data: Uint8Array;
}

export interface ReadLogsOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Only the last so many lines. @default all */
  readonly tail?: number;
  /** Nanoseconds since 1970; older entries are left out. */
  readonly sinceNs?: bigint;
  /** Nanoseconds since 1970; younger entries are left out, and following ends with the first of them. */
  readonly untilNs?: bigint;
  /** Stay and hand out what is written from now on. */
  readonly follow?: FollowOptions;
}

export interface FollowOptions {
  /** The reader has gone: stop at once. */
  readonly signal: AbortSignal;
  /** Settles when the container has ended and conmon has written everything; what remains is read before the end. */
  readonly ended: Promise<unknown>;
}

/** One parsed line of the file. `data` has no newline yet. */
export interface LogLine {
  readonly stream: 'stdout' | 'stderr';
  readonly timestamp: string;
  readonly isPartial: boolean;
  readonly data: Uint8Array;
}

const NEWLINE = 0x0a;
const SPACE = 0x20;
const BLOCK_BYTES = 64 * 1024;

/** Parses one line (without its newline). Undefined for anything that is not a complete log line. */
export function parseLogLine(line: Uint8Array): LogLine | undefined {
  const afterTime = line.indexOf(SPACE);
  const afterStream = line.indexOf(SPACE, afterTime + 1);
  if (afterTime < 0 || afterStream < 0) return undefined;
  const timestamp = toUtc(ascii(line, 0, afterTime));
  const stream = ascii(line, afterTime + 1, afterStream);
  const tag = line[afterStream + 1];
  const isTagAlone = afterStream + 2 === line.length;
  if (timestamp === undefined || (stream !== 'stdout' && stream !== 'stderr')) return undefined;
  if (tag !== 0x46 && tag !== 0x50) return undefined;
  if (!isTagAlone && line[afterStream + 2] !== SPACE) return undefined;
  return { stream, timestamp, isPartial: tag === 0x50, data: line.subarray(afterStream + 3) };
}

/**
 * Nanoseconds since 1970 of an RFC 3339 time, or undefined when it is none.
 * JavaScript's dates stop at milliseconds; people pass on the nanoseconds they saw in a log.
 */
export function parseTimestampNs(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!match) return undefined;
  const ms = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}

/**
 * The entries of a log in the order they were written, from its older parts (`PATH.1`, and before that `PATH.2` and so
 * on) to the file itself. A file that does not exist is an empty log, also to a follower: open it after conmon has
 * started (conmon creates the file before it runs anything).
 * A chunk without newline is handed out as it is, so that a prompt appears while it waits for its answer.
 */
export async function* readLogs(path: string, options: ReadLogsOptions): AsyncGenerator<LogEntry, void> {
  const filter = new EntryFilter(options);
  const parts = await openParts(path);
  try {
    const starts = await findStarts(parts, options.tail, filter);
    for (const [index, { file, start }] of starts.entries()) {
      const isNewest = index === starts.length - 1;
      yield* readFrom(file, path, start, filter, isNewest ? options.follow : undefined);
    }
  } finally {
    await Promise.all(parts.map((file) => file.close()));
  }
}

/** The files of a log, the oldest first. */
async function openParts(path: string): Promise<FileHandle[]> {
  const newest = await openIfExists(path);
  if (!newest) return [];
  const parts = [newest];
  for (let number = 1; ; number += 1) {
    const older = await openIfExists(`${path}.${number}`);
    if (!older) return parts;
    parts.unshift(older);
  }
}

/** Which files to read and from where on, for the last lines of all of them together. */
async function findStarts(
  parts: readonly FileHandle[],
  tail: number | undefined,
  filter: EntryFilter,
): Promise<{ file: FileHandle; start: number }[]> {
  if (tail === undefined) return parts.map((file) => ({ file, start: 0 }));
  const starts = [];
  let missing = tail;
  for (const file of parts.toReversed()) {
    const { position, lines } = await findTail(file, missing, filter);
    starts.unshift({ file, start: position });
    missing -= lines;
    if (missing <= 0) break;
  }
  return starts;
}

/** Decides which lines of the file the reader asked for. */
class EntryFilter {
  readonly #options: ReadLogsOptions;

  constructor(options: ReadLogsOptions) {
    this.#options = options;
  }

  accepts(line: LogLine): boolean {
    if (!this.#options[line.stream]) return false;
    const { sinceNs } = this.#options;
    if (sinceNs === undefined) return !this.isPast(line);
    return (parseTimestampNs(line.timestamp) ?? 0n) >= sinceNs && !this.isPast(line);
  }

  /** True for a line younger than the reader wants; times in one file never fall, so all after it are too. */
  isPast(line: LogLine): boolean {
    const { untilNs } = this.#options;
    return untilNs !== undefined && (parseTimestampNs(line.timestamp) ?? 0n) > untilNs;
  }
}

/** Splits what it is fed into lines; keeps what has no newline yet. */
class LineSplitter {
  #rest: Uint8Array = new Uint8Array();

  *push(chunk: Uint8Array): Generator<Uint8Array> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = chunk.subarray(start, end);
      yield this.#rest.length > 0 ? Buffer.concat([this.#rest, line]) : line;
      this.#rest = new Uint8Array();
      start = end + 1;
    }
    // Copied, because the caller reads the next block into the same buffer.
    if (start < chunk.length) this.#rest = Buffer.concat([this.#rest, chunk.subarray(start)]);
  }
}

async function* readFrom(
  first: FileHandle,
  path: string,
  start: number,
  filter: EntryFilter,
  follow: FollowOptions | undefined,
): AsyncGenerator<LogEntry, void> {
  using changes = follow ? new FileChanges(path, follow) : undefined;
  await using current = new CurrentFile(first, path);
  const splitter = new LineSplitter();
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  for (let position = start; ; ) {
    if (follow?.signal.aborted) return;
    // Asked before reading: what was written before the end was announced is then surely read below.
    const isLastRound = !changes || changes.hasEnded;
    const { bytesRead } = await current.file.read(block, 0, block.length, position);
    position += bytesRead;
    for (const bytes of splitter.push(block.subarray(0, bytesRead))) {
      const line = parseLogLine(bytes);
      if (!line) continue;
      if (filter.isPast(line)) return;
      if (filter.accepts(line)) yield toEntry(line);
    }
    if (bytesRead > 0) continue;
    if (changes && (await current.next())) {
      changes.watch();
      position = 0;
      continue;
    }
    if (isLastRound) return;
    await changes.next();
  }
}

/** The file that a follower reads: another one once the log has been rotated. */
class CurrentFile implements AsyncDisposable {
  readonly #first: FileHandle;
  readonly #path: string;
  file: FileHandle;

  constructor(first: FileHandle, path: string) {
    this.#first = first;
    this.#path = path;
    this.file = first;
  }

  /** Goes on to the file that now has the log's name, if that is another one. */
  async next(): Promise<boolean> {
    const [ours, named] = await Promise.all([this.file.stat(), stat(this.#path).catch(() => undefined)]);
    if (!named || named.ino === ours.ino) return false;
    const file = await openIfExists(this.#path);
    if (!file) return false;
    await this[Symbol.asyncDispose]();
    this.file = file;
    return true;
  }

  /** The first one is its opener's. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.file !== this.#first) await this.file.close();
  }
}

/** Copies the bytes out of the shared read buffer and puts back the newline that the format took off. */
function toEntry(line: LogLine): LogEntry {
  const data = Buffer.allocUnsafe(line.data.length + (line.isPartial ? 0 : 1));
  data.set(line.data);
  if (!line.isPartial) data[line.data.length] = NEWLINE;
  return { stream: line.stream, timestamp: line.timestamp, data };
}

/** Wakes a reader when the file has grown, the container has ended or the reader has gone. */
class FileChanges implements Disposable {
  readonly #path: string;
  #watcher: FSWatcher | undefined;
  readonly #signal: AbortSignal;
  #pending = false;
  #wake: (() => void) | undefined;
  hasEnded = false;

  constructor(path: string, follow: FollowOptions) {
    this.#signal = follow.signal;
    this.#path = path;
    this.watch();
    this.#signal.addEventListener('abort', this.#notify);
    const end = (): void => {
      this.hasEnded = true;
      this.#notify();
    };
    follow.ended.then(end, end);
  }

  /** Watches the file that has the name now. */
  watch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    try {
      this.#watcher = watch(this.#path, { persistent: false }, this.#notify);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    // The file may be removed under us together with its container; `ended` or the signal says so.
    this.#watcher?.on('error', this.#notify);
    // What came before it was watched.
    this.#notify();
  }

  /** Resolves at the first change since the last call, at once when there was one already. */
  async next(): Promise<void> {
    if (!this.#pending && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#pending = false;
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener('abort', this.#notify);
    this.#watcher?.close();
  }

  readonly #notify = (): void => {
    this.#pending = true;
    this.#wake?.();
    this.#wake = undefined;
  };
}

/**
 * The position in the file where its last `count` wanted lines begin, found by reading blocks from the end, and how many
 * they are.
 * A run of parts with the line that completes them counts as one line, as do parts left without completion.
 */
async function findTail(
  file: FileHandle,
  count: number,
  filter: EntryFilter,
): Promise<{ readonly position: number; readonly lines: number }> {
  const { size } = await file.stat();
  let lines = 0;
  let found = size;
  // Whether the part nearest to the end, of each stream, belongs to a line already counted.
  const isCounted = { stdout: false, stderr: false };
  for await (const { position, bytes } of linesFromEnd(file, size)) {
    const line = parseLogLine(bytes);
    if (!line || !filter.accepts(line)) continue;
    if (!line.isPartial || !isCounted[line.stream]) {
      if (lines === count) return { position: found, lines };
      lines += 1;
    }
    isCounted[line.stream] = true;
    found = position;
  }
  return { position: found, lines };
}

/** The complete lines before `size`, last first, each with the position of its first byte. */
async function* linesFromEnd(
  file: FileHandle,
  size: number,
): AsyncGenerator<{ position: number; bytes: Uint8Array }> {
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  // Bytes of a line whose beginning has not been read yet, in file order. Undefined: no newline seen yet.
  let tail: Uint8Array[] | undefined;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - BLOCK_BYTES);
    const { bytesRead } = await file.read(block, 0, end - start, start);
    const chunk = block.subarray(0, bytesRead);
    let lineEnd = bytesRead;
    for (let at = lastNewline(chunk, lineEnd); at >= 0; at = lastNewline(chunk, lineEnd)) {
      if (tail) {
        yield {
          position: start + at + 1,
          bytes: Buffer.concat([chunk.subarray(at + 1, lineEnd), ...tail]),
        };
      }
      tail = [];
      lineEnd = at;
    }
    tail?.unshift(Buffer.from(chunk.subarray(0, lineEnd)));
    end = start;
  }
  if (tail && tail.length > 0) yield { position: 0, bytes: Buffer.concat(tail) };
}

function lastNewline(chunk: Uint8Array, before: number): number {
  return before === 0 ? -1 : chunk.lastIndexOf(NEWLINE, before - 1);
}

/** A container that never started has no log, which is the same as an empty one. */
async function openIfExists(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** conmon writes local time with its offset; the API speaks UTC. Undefined when it is not a time. */
function toUtc(text: string): string | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?\d*(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!match) return undefined;
  const fraction = (match[2] ?? '.').padEnd(10, '0');
  if (match[3] === 'Z' || match[3] === '+00:00') return `${match[1]}${fraction}Z`;
  const ms = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(ms)) return undefined;
  return `${new Date(ms).toISOString().slice(0, 19)}${fraction}Z`;
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}
