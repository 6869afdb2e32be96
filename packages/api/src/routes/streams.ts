/** A container's output and input over HTTP: attach and logs, in Docker's framing. */
import { type AttachSession, type Engine, invalid, messageOf } from '@seaway/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { closeOnFailure, drained, encoding, joinClient, outputTo } from '../http/client-streams.ts';
import { clientSignal, hijack, openStream } from '../http/hijack.ts';
import { type Query, queryFlag, queryText } from '../http/query.ts';
import { parseTimeNs } from '../http/time.ts';

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

  const { stream: client, socket } = hijack(request, reply, contentType);
  client.on('error', () => client.destroy());
  using connection = closeOnFailure(client);
  const write = outputTo(client, wanted, encode);
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
  joinClient(client, socket, session, wantsStdin);
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
