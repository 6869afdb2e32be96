/** Further processes in running containers: the endpoints under /exec, and the one that makes them. */
import { type Engine, invalid, messageOf, type TerminalSize } from '@seaway/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  type CreateExecBody,
  createExecBody,
  fromConsoleSize,
  fromDockerExec,
  type StartExecBody,
  startExecBody,
  toDockerExec,
} from '../docker/exec.ts';
import { closeOnFailure, encoding, joinClient, outputTo, wantedDetachKeys } from '../http/client-streams.ts';
import { hijack } from '../http/hijack.ts';
import { type Query, queryInteger } from '../http/query.ts';
import type { ApiVersion } from '../http/version.ts';
import type { RouteApp, RouteContext } from './context.ts';

type ById = { Params: { id: string } };

/** From this version on the size of a terminal is known when the command starts. */
const CONSOLE_SIZE: ApiVersion = 142;

export function execRoutes(app: RouteApp, { engine }: RouteContext): void {
  const { execs } = engine;

  app.post<ById & { Body: CreateExecBody }>(
    '/containers/:id/exec',
    { schema: { body: createExecBody } },
    async (request, reply) => {
      const wanted = fromDockerExec(request.body);
      wantedDetachKeys(wanted.detachKeys, 'escape');
      const { id } = execs.create(request.params.id, wanted);
      return reply.code(201).send({ Id: id });
    },
  );

  app.post<ById & { Body: StartExecBody }>(
    '/exec/:id/start',
    { schema: { body: startExecBody } },
    async (request, reply) => {
      const { id } = request.params;
      const given = fromConsoleSize(request.body.ConsoleSize);
      const size = request.apiVersion < CONSOLE_SIZE ? undefined : given;
      if (request.body.Detach) {
        await execs.startDetached(id);
        return reply.code(200).send();
      }
      // While there is HTTP to say it in: from the head of the answer on, reasons go into the stream.
      execs.checkStart(id);
      await startAttached(engine, request, reply, { id, tty: request.body.Tty ?? false, size });
    },
  );

  app.post<ById>('/exec/:id/resize', async (request, reply) => {
    await execs.resize(request.params.id, terminalSize(request.query as Query));
    return reply.code(200).send();
  });

  app.get<ById>('/exec/:id/json', async (request) => toDockerExec(execs.get(request.params.id)));
}

/** The size in a query. @throws invalid */
export function terminalSize(query: Query): TerminalSize {
  const [rows, columns] = [queryInteger(query, 'h'), queryInteger(query, 'w')];
  if (!rows || !columns || rows < 1 || columns < 1) {
    throw invalid('invalid-size', 'a terminal has at least 1 row (h) and 1 column (w)');
  }
  return { rows, columns };
}

interface AttachedStart {
  readonly id: string;
  /** As the client says it: it decides about the framing, as at Docker. */
  readonly tty: boolean;
  readonly size: TerminalSize | undefined;
}

async function startAttached(
  engine: Engine,
  request: FastifyRequest,
  reply: FastifyReply,
  { id, tty, size }: AttachedStart,
): Promise<void> {
  const asked = engine.execs.get(id).request;
  const { encode, contentType } = encoding(tty, request.apiVersion);
  const { stream: client, socket } = hijack(request, reply, contentType);
  client.on('error', () => client.destroy());
  using connection = closeOnFailure(client);
  const wanted = { stdout: asked.attachStdout, stderr: asked.attachStderr };
  const handlers = { onData: outputTo(client, wanted, encode), onEnd: () => client.end() };
  const { session, begun } = engine.execs.start(id, handlers, size);
  joinClient(client, socket, session, {
    isWanted: asked.attachStdin,
    ...(asked.tty ? { detachKeys: wantedDetachKeys(asked.detachKeys, 'escape') } : {}),
    onDetach: () => engine.execs.noteDetached(id),
  });
  connection.keep();
  try {
    await begun;
  } catch (error) {
    client.end(encode('stdout', Buffer.from(`${messageOf(error)}\r\n`)));
  }
}
