/** The endpoints about the files of containers: copying, comparing, exporting, images of them, and the room they take. */
import { pipeline } from 'node:stream/promises';
import { invalid, type OutgoingArchive } from '@seaway/engine';
import type { FastifyReply } from 'fastify';
import { type CommitBody, commitBody, fromDockerCommit } from '../docker/commit.ts';
import { toDockerDiskUsage, usageTypes } from '../docker/disk-usage.ts';
import { toDockerChanges, toDockerPathStat } from '../docker/path-stat.ts';
import { openStream } from '../http/hijack.ts';
import { type Query, queryFlag, queryText } from '../http/query.ts';
import { uploadOf } from '../http/upload.ts';
import type { RouteApp, RouteContext } from './context.ts';

type ById = { Params: { id: string } };

const STAT_HEADER = 'X-Docker-Container-Path-Stat';

export function fileRoutes(app: RouteApp, { engine }: RouteContext): void {
  const { files } = engine;

  app.head<ById>('/containers/:id/archive', async (request, reply) => {
    const stat = await files.stat(request.params.id, pathIn(request.query as Query));
    return reply.header(STAT_HEADER, toDockerPathStat(stat)).code(200).send();
  });

  app.get<ById>('/containers/:id/archive', { exposeHeadRoute: false }, async (request, reply) => {
    await using archive = await files.read(request.params.id, pathIn(request.query as Query));
    reply.header(STAT_HEADER, toDockerPathStat(archive.stat));
    await sendArchive(archive, reply, 'application/x-tar');
  });

  app.put<ById>('/containers/:id/archive', { config: { streamsBody: true } }, async (request, reply) => {
    const query = request.query as Query;
    await files.write(request.params.id, pathIn(query), uploadOf(request.raw), {
      noOverwriteDirNonDir: queryFlag(query, 'noOverwriteDirNonDir'),
      copyUidGid: queryFlag(query, 'copyUIDGID'),
    });
    return reply.code(200).send();
  });

  app.get<ById>('/containers/:id/export', { exposeHeadRoute: false }, async (request, reply) => {
    await using archive = await files.export(request.params.id);
    await sendArchive(archive, reply, 'application/octet-stream');
  });

  app.get<ById>('/containers/:id/changes', async (request) =>
    toDockerChanges(await files.changes(request.params.id)),
  );

  app.get('/system/df', async (request) => {
    const wanted = [(request.query as Query).type ?? []].flat();
    return await toDockerDiskUsage(engine, usageTypes(wanted), request.apiVersion);
  });

  app.post<{ Body: CommitBody }>('/commit', { schema: { body: commitBody } }, async (request, reply) => {
    const query = request.query as Query;
    const image = await engine.commits.commit(queryText(query, 'container') ?? '', {
      repository: queryText(query, 'repo') ?? '',
      tag: queryText(query, 'tag') ?? '',
      author: queryText(query, 'author') ?? '',
      comment: queryText(query, 'comment') ?? '',
      changes: queryLines(query, 'changes'),
      config: fromDockerCommit(request.body),
      pause: !queryText(query, 'pause') || queryFlag(query, 'pause'),
    });
    return reply.code(201).send({ Id: image.id });
  });
}

/** @throws invalid when the query has none */
function pathIn(query: Query): string {
  const path = queryText(query, 'path');
  if (!path) throw invalid('path-missing', 'bad parameter: path cannot be empty');
  return path;
}

/**
 * Sends an archive as fast as the client takes it. What goes wrong on the way can only be told by breaking off before
 * the end.
 */
async function sendArchive({ content }: OutgoingArchive, reply: FastifyReply, type: string): Promise<void> {
  const out = openStream(reply, 200, type);
  try {
    await pipeline(content, out);
  } catch (error) {
    out.destroy();
    reply.log.debug(error);
  }
}

/** Given several times, or as several lines. */
function queryLines(query: Query, name: string): string[] {
  return [query[name] ?? []]
    .flat()
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.trim() !== '');
}
