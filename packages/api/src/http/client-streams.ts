/** The client's side of a process's streams: output in Docker's framing at the client's pace, and its input. */
import type { Socket } from 'node:net';
import type { Duplex, Writable } from 'node:stream';
import { type AttachSession, invalid, isHungUp } from '@seaway/engine';
import { DetachScanner, parseDetachKeys } from './detach-keys.ts';
import { encodeFrame } from './frames.ts';
import type { ApiVersion } from './version.ts';

const MULTIPLEXED_TYPE_SINCE = 142;

export type Encode = (stream: 'stdout' | 'stderr', data: Uint8Array) => Uint8Array;

/** With a terminal both streams are one, and go unframed. */
export function encoding(
  tty: boolean,
  version: ApiVersion,
): { readonly encode: Encode; readonly contentType: string } {
  const isMultiplexed = !tty && version >= MULTIPLEXED_TYPE_SINCE;
  return {
    encode: tty ? (_stream, data) => data : encodeFrame,
    contentType: isMultiplexed
      ? 'application/vnd.docker.multiplexed-stream'
      : 'application/vnd.docker.raw-stream',
  };
}

/**
 * @param kind how Docker calls the keys where it complains about them
 * @throws invalid for keys that do not exist
 */
export function wantedDetachKeys(text: string, kind: 'detach' | 'escape'): readonly number[] {
  const keys = parseDetachKeys(text);
  if (!keys) throw invalid('invalid-detach-keys', `Invalid ${kind} keys (${text}) provided`, { keys: text });
  return keys;
}

/** Which of the streams a client wants. */
export interface WantedStreams {
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** How output gets to a client; the promise is open while the client has not taken what it got. */
export function outputTo(
  client: Duplex,
  wanted: WantedStreams,
  encode: Encode,
): (stream: 'stdout' | 'stderr', data: Uint8Array) => void | Promise<void> {
  let draining: Promise<void> | undefined;
  return (stream, data) => {
    if (!wanted[stream] || client.destroyed || client.write(encode(stream, data))) return;
    draining ??= drained(client).then(() => {
      draining = undefined;
    });
    return draining;
  };
}

/** What becomes of the bytes that a client sends. */
export interface ClientInput {
  /** Whether they go to the process; else they are read and dropped. */
  readonly isWanted: boolean;
  /** Keys that end the client's stay, where it types at a terminal. */
  readonly detachKeys?: readonly number[];
  readonly onDetach?: () => void;
}

/** Joins a client to a process's input, if it may have that, and takes its leave when it goes away. */
export function joinClient(client: Duplex, socket: Socket, session: AttachSession, input: ClientInput): void {
  if (input.isWanted) forwardInput(client, session, input);
  // Listening, and not only reading on, so that what arrives is taken from HTTP.
  else client.on('data', () => {});
  client.once('close', () => void session.close());
  // Clients close their own half when they have no input, and still read.
  client.once('end', () => destroyOnceHungUp(client, socket));
}

/** Hands the client's bytes on no faster than the process takes them. */
function forwardInput(client: Duplex, session: AttachSession, input: ClientInput): void {
  const scanner = input.detachKeys && new DetachScanner(input.detachKeys);
  let isDetached = false;
  client.on('data', (typed: Buffer) => {
    if (isDetached) return;
    const { data, isDetached: isLeaving } = scanner?.scan(typed) ?? { data: typed, isDetached: false };
    isDetached = isLeaving;
    client.pause();
    const written = data.length > 0 ? session.write(data) : Promise.resolve();
    void written.finally(() => {
      client.resume();
      if (isLeaving) leave(client, session, input);
    });
  });
  client.once('end', () => {
    if (!isDetached) void session.endInput();
  });
}

/** The client goes, and the process goes on. */
function leave(client: Duplex, session: AttachSession, { onDetach }: ClientInput): void {
  onDetach?.();
  void session.close().then(() => client.end());
}

const HANG_UP_LOOK_MS = 1000;

/** To a half-closed connection nothing tells that the client has gone altogether until there is something to write. */
function destroyOnceHungUp(client: Duplex, socket: Socket): void {
  const timer = setInterval(() => {
    const { fd } = (socket as Socket & { _handle?: { fd?: number } | null })._handle ?? {};
    if (fd !== undefined && fd >= 0 && isHungUp(fd)) client.destroy();
  }, HANG_UP_LOOK_MS).unref();
  client.once('close', () => clearInterval(timer));
}

/**
 * After the head of an answer nothing but the connection's end can tell of a failure: without that the client would
 * wait for ever.
 */
export function closeOnFailure(out: Writable): Disposable & { keep(): void } {
  let isKept = false;
  return {
    keep: () => {
      isKept = true;
    },
    [Symbol.dispose]: () => {
      if (!isKept) out.destroy();
    },
  };
}

/** Resolves when the client has taken what was written, or is gone. */
export function drained(out: Writable): Promise<void> {
  return new Promise((resolve) => {
    const goOn = () => {
      out.off('drain', goOn).off('close', goOn);
      resolve();
    };
    if (out.destroyed) resolve();
    else out.on('drain', goOn).on('close', goOn);
  });
}
