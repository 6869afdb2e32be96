/** A container's output and input over HTTP: attach and logs, in Docker's framing. */
import type { Duplex, Writable } from 'node:stream';
import { type AttachSession, type Engine, invalid, isHungUp, messageOf } from '@seaway/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { encodeFrame } from '../http/frames.ts';
import { clientSignal, hijack, openStream } from '../http/hijack.ts';
import { type Query, queryFlag, queryText } from '../http/query.ts';
import { parseTimeNs } from '../http/time.ts';

const MULTIPLEXED_TYPE_SINCE = 142;

type Encode = (stream: 'stdout' | 'stderr', data: Uint8Array) => Uint8Array;

/** With a terminal both streams are one, and go unframed. */
function encoding(tty: boolean, version: number): { readonly encode: Encode; readonly contentType: string } {
  const isMultiplexed = !tty && version >= MULTIPLEXED_TYPE_SINCE;
  return {
    encode: tty ? (_stream, data) => data : encodeFrame,
    contentType: isMultiplexed
      ? 'application/vnd.docker.multiplexed-stream'
      : 'application/vnd.docker.raw-stream',
  };
}

type ByIdRequest = FastifyRequest<{ Params: { id: string } }>;

/** POST /containers/ID/attach: joins the client's connection to the container's streams. */
export async function attachContainer(
  engine: Engine,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { id } = (request as ByIdRequest).params;
  const query = request.query as Query;
  const container = engine.containers.resolve(id);
  const { tty, openStdin } = container.config;
  const wanted = { stdout: queryFlag(query, 'stdout'), stderr: queryFlag(query, 'stderr') };
  const wantsStdin = queryFlag(query, 'stdin') && openStdin;
  const { encode, contentType } = encoding(tty, request.apiVersion);

  const { stream: client } = hijack(request, reply, contentType);
  client.on('error', () => client.destroy());
  using connection = closeOnFailure(client);
  let draining: Promise<void> | undefined;
  const write = (stream: 'stdout' | 'stderr', data: Uint8Array): void | Promise<void> => {
    if (!wanted[stream] || client.destroyed || client.write(encode(stream, data))) return;
    draining ??= drained(client).then(() => {
      draining = undefined;
    });
    return draining;
  };
  if (queryFlag(query, 'logs')) {
    for await (const { stream, data } of engine.containers.logs(container.id, wanted))
      await write(stream, data);
  }
  connection.keep();
  if (!queryFlag(query, 'stream')) {
    client.end();
    return;
  }
  const session = attachOrTell(() =>
    engine.containers.attach(container.id, { onData: write, onEnd: () => client.end() }),
  );
  if (typeof session === 'string') {
    // The connection speaks HTTP no more: the reason goes where the container's own complaints go.
    client.end(encode('stderr', Buffer.from(`${session}\n`)));
    return;
  }
  if (wantsStdin) forwardInput(client, session);
  else client.resume();
  client.once('close', () => void session.close());
  // Clients close their own half when they have no input, and still read.
  client.once('end', () => destroyOnceHungUp(client));
}

const HANG_UP_LOOK_MS = 1000;

/** To a half-closed connection nothing tells that the client has gone altogether until there is something to write. */
function destroyOnceHungUp(client: Duplex): void {
  const timer = setInterval(() => {
    const { fd } = (client as Duplex & { _handle?: { fd?: number } | null })._handle ?? {};
    if (fd !== undefined && fd >= 0 && isHungUp(fd)) client.destroy();
  }, HANG_UP_LOOK_MS).unref();
  client.once('close', () => clearInterval(timer));
}

/** The session, or why there is none. */
function attachOrTell(attach: () => AttachSession): AttachSession | string {
  try {
    return attach();
  } catch (error) {
    return messageOf(error);
  }
}

/** Hands the client's bytes on no faster than the container takes them; its half-close ends the input. */
function forwardInput(client: NodeJS.ReadableStream, session: AttachSession): void {
  client.on('data', (data: Buffer) => {
    client.pause();
    void session.write(data).finally(() => client.resume());
  });
  client.once('end', () => void session.endInput());
}

/** GET /containers/ID/logs. */
export async function sendLogs(engine: Engine, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { id } = (request as ByIdRequest).params;
  const query = request.query as Query;
  const wanted = { stdout: queryFlag(query, 'stdout'), stderr: queryFlag(query, 'stderr') };
  if (!wanted.stdout && !wanted.stderr) {
    throw invalid(
      'no-streams',
      "Bad parameters: you must choose at least one stream: specify 'stdout' or 'stderr'",
    );
  }
  const container = engine.containers.resolve(id);
  const options = {
    ...wanted,
    ...tailOption(query),
    ...timeOption(query, 'since', 'sinceNs'),
    ...timeOption(query, 'until', 'untilNs'),
  };
  const withTimestamps = queryFlag(query, 'timestamps');
  const { encode, contentType } = encoding(container.config.tty, request.apiVersion);

  const signal = clientSignal(reply);
  const out = openStream(reply, 200, contentType);
  using connection = closeOnFailure(out);
  const entries = engine.containers.logs(
    container.id,
    options,
    queryFlag(query, 'follow') ? signal : undefined,
  );
  for await (const { stream, timestamp, data } of entries) {
    if (signal.aborted) break;
    const line = withTimestamps ? Buffer.concat([Buffer.from(`${timestamp} `), data]) : data;
    if (!out.write(encode(stream, line))) await drained(out);
  }
  connection.keep();
  out.end();
}

/**
 * After the head of an answer nothing but the connection's end can tell of a failure: without that the client would
 * wait for ever.
 */
function closeOnFailure(out: Writable): Disposable & { keep(): void } {
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
function drained(out: Writable): Promise<void> {
  return new Promise((resolve) => {
    const goOn = () => {
      out.off('drain', goOn).off('close', goOn);
      resolve();
    };
    if (out.destroyed) resolve();
    else out.on('drain', goOn).on('close', goOn);
  });
}

/** `all`, nothing or anything that is no number means the whole log. */
function tailOption(query: Query): { tail?: number } {
  const tail = queryText(query, 'tail') ?? 'all';
  return /^\d+$/.test(tail) ? { tail: Number(tail) } : {};
}

function timeOption<Name extends 'sinceNs' | 'untilNs'>(
  query: Query,
  parameter: string,
  name: Name,
): { [K in Name]?: bigint } {
  const text = queryText(query, parameter);
  if (!text || text === '0') return {};
  const time = parseTimeNs(text);
  if (time === undefined)
    throw invalid('invalid-query', `invalid value for ${parameter}: "${text}" is no time`);
  return { [name]: time } as { [K in Name]?: bigint };
}
