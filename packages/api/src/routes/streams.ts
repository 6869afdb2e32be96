/** A container's output and input over HTTP: attach and logs, in Docker's framing. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type AttachSession,
  type ContainerId,
  checkCanAttach,
  type Engine,
  invalid,
  messageOf,
} from '@seaway/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  closeOnFailure,
  drained,
  type Encode,
  encoding,
  joinClient,
  outputTo,
  type WantedStreams,
  wantedDetachKeys,
} from '../http/client-streams.ts';
import { clientSignal, hijack, openStream, takeUpgrade } from '../http/hijack.ts';
import { type Query, queryFlag, queryText } from '../http/query.ts';
import { parseTimeNs } from '../http/time.ts';

type ByIdRequest = FastifyRequest<{ Params: { id: string } }>;

/** POST /containers/ID/attach: joins the client's connection to the container's streams. */
export async function attachContainer(
  engine: Engine,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const wish = attachWish(engine, request);
  const { encode, contentType } = encoding(wish.tty, request.apiVersion);
  const { stream, socket } = hijack(request, reply, contentType);
  await serveClient(engine, wish, stream, socket, encode);
}

/** GET /containers/ID/attach/ws: the same over a WebSocket, whose messages hold bytes of the streams, never framed. */
export async function attachWebSocket(
  engine: Engine,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const wish = attachWish(engine, request);
  const { createWebSocketStream, WebSocketServer } = await import('ws');
  const upgrade = takeUpgrade(request, reply);
  if (!upgrade) throw invalid('no-websocket', 'not websocket protocol');
  const server = new WebSocketServer({ noServer: true, clientTracking: false });
  server.handleUpgrade(request.raw, upgrade.stream, upgrade.head, (webSocket) => {
    const client = createWebSocketStream(webSocket);
    void serveClient(engine, wish, client, request.raw.socket, (_stream, data) => data);
  });
}

/** What a client wants of a container's streams. */
interface AttachWish extends WantedStreams {
  readonly id: ContainerId;
  readonly tty: boolean;
  readonly stdin: boolean;
  /** Whether to show what was written before. */
  readonly logs: boolean;
  /** Whether to stay. */
  readonly stream: boolean;
  readonly detachKeys: readonly number[];
}

/** @throws notFound, and invalid for keys that do not exist */
function attachWish(engine: Engine, request: FastifyRequest): AttachWish {
  const query = request.query as Query;
  const container = engine.containers.resolve((request as ByIdRequest).params.id);
  checkCanAttach(container);
  const { id, config } = container;
  const { tty, openStdin } = config;
  return {
    id,
    tty,
    stdin: queryFlag(query, 'stdin') && openStdin,
    stdout: queryFlag(query, 'stdout'),
    stderr: queryFlag(query, 'stderr'),
    logs: queryFlag(query, 'logs'),
    stream: queryFlag(query, 'stream'),
    detachKeys: wantedDetachKeys(queryText(query, 'detachKeys') ?? '', 'detach'),
  };
}

async function serveClient(
  engine: Engine,
  wish: AttachWish,
  client: Duplex,
  socket: Socket,
  encode: Encode,
): Promise<void> {
  const { containers } = engine;
  client.on('error', () => client.destroy());
  using connection = closeOnFailure(client);
  const write = outputTo(client, wish, encode);
  if (wish.logs) {
    const { stdout, stderr } = wish;
    for await (const { stream, data } of containers.logs(wish.id, { stdout, stderr }))
      await write(stream, data);
  }
  connection.keep();
  if (!wish.stream) {
    client.end();
    return;
  }
  const session = attachOrTell(() =>
    containers.attach(wish.id, { onData: write, onEnd: () => client.end() }),
  );
  if (typeof session === 'string') {
    // The connection speaks HTTP no more: the reason goes where the container's own complaints go.
    client.end(encode('stderr', Buffer.from(`${session}\n`)));
    return;
  }
  joinClient(client, socket, session, {
    isWanted: wish.stdin,
    ...(wish.tty ? { detachKeys: wish.detachKeys } : {}),
    onDetach: () => containers.noteDetached(wish.id),
  });
}

/** The session, or why there is none. */
function attachOrTell(attach: () => AttachSession): AttachSession | string {
  try {
    return attach();
  } catch (error) {
    return messageOf(error);
  }
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
  const details = queryFlag(query, 'details')
    ? logDetails(engine.containers.logAttributes(container.id))
    : '';
  const { encode, contentType } = encoding(container.config.tty, request.apiVersion);

  const signal = clientSignal(reply);
  const entries = engine.containers.logs(
    container.id,
    options,
    queryFlag(query, 'follow') ? signal : undefined,
  );
  const out = openStream(reply, 200, contentType);
  using connection = closeOnFailure(out);
  for await (const { stream, timestamp, data } of entries) {
    if (signal.aborted) break;
    const prefix = withTimestamps ? `${timestamp} ${details}` : details;
    const line = prefix === '' ? data : Buffer.concat([Buffer.from(prefix), data]);
    if (!out.write(encode(stream, line))) await drained(out);
  }
  connection.keep();
  out.end();
}

/** As clients show them in front of a line: `key=value` in the encoding of queries, by key, and a space behind all. */
function logDetails(attributes: ReadonlyMap<string, string>): string {
  const pairs = [...attributes].sort(([left], [right]) => (left < right ? -1 : 1));
  return `${pairs.map(([key, value]) => `${queryEscape(key)}=${queryEscape(value)}`).join(',')} `;
}

/** As Go's url.QueryEscape: letters, digits and `-_.~` stay, and a space is a plus. */
function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replaceAll(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
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
