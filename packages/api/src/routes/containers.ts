/** The endpoints under /containers. */
import { type Engine, invalid, isActive, notFound, type WaitCondition } from '@seaway/engine';
import type { FastifyRequest } from 'fastify';
import { toDockerInspect, toDockerSummary } from '../docker/container.ts';
import {
  listCondition,
  listFilterKeys,
  pruneCondition,
  pruneFilterKeys,
} from '../docker/container-filters.ts';
import { fromDockerCreate } from '../docker/create-container.ts';
import { type CreateContainerBody, createContainerBody } from '../docker/create-container-body.ts';
import { toDockerSizes } from '../docker/disk-usage.ts';
import { formatPlatform, isOfPlatform, parsePlatform } from '../docker/platform.ts';
import { clientSignal, openStream } from '../http/hijack.ts';
import { parseFilters, type Query, queryFlag, queryInteger, queryText } from '../http/query.ts';
import type { ApiVersion } from '../http/version.ts';
import type { RouteApp, RouteContext } from './context.ts';
import { terminalSize } from './exec.ts';
import { attachContainer, attachWebSocket, sendLogs } from './streams.ts';

type ById = { Params: { id: string } };

/** From this version on a request to create a container may name the platform of its image. */
const PLATFORM: ApiVersion = 141;
/** Before this version a wait had no condition. */
const WAIT_CONDITION: ApiVersion = 130;
/** Before this version the signal that stops a container was its own alone. */
const STOP_SIGNAL: ApiVersion = 142;
const waitConditions: readonly string[] = ['not-running', 'next-exit', 'removed'] satisfies WaitCondition[];

export function containerRoutes(app: RouteApp, { engine }: RouteContext): void {
  const { containers } = engine;

  app.post<{ Body: CreateContainerBody }>(
    '/containers/create',
    { schema: { body: createContainerBody } },
    async (request, reply) => {
      const name = queryText(request.query as Query, 'name');
      const { request: wanted, warnings } = fromDockerCreate(
        request.body,
        name,
        request.apiVersion,
        engine.limits,
      );
      checkPlatform(engine, wanted.config.image, request);
      const { id } = await containers.create(wanted);
      return reply.code(201).send({ Id: id, Warnings: warnings });
    },
  );

  app.get('/containers/json', async (request) => {
    const query = request.query as Query;
    const filters = parseFilters(query, listFilterKeys);
    const limit = queryInteger(query, 'limit') ?? 0;
    const showAll = queryFlag(query, 'all') || limit > 0 || filters.has('status') || filters.has('exited');
    const linkNames = containers.linkNames();
    const newestFirst = containers.list().sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    const isWanted = listCondition(engine, filters, newestFirst, ({ id, name }) => [
      name,
      ...(linkNames.get(id) ?? []),
    ]);
    const wanted = newestFirst.filter((container) => (showAll || isActive(container)) && isWanted(container));
    const summaries = [];
    for (const container of wanted.slice(0, limit > 0 ? limit : undefined)) {
      summaries.push({
        ...toDockerSummary(engine, container, linkNames.get(container.id) ?? [], request.apiVersion),
        ...(queryFlag(query, 'size') ? await toDockerSizes(engine, container) : {}),
      });
    }
    return summaries;
  });

  app.post('/containers/prune', async (request) => {
    const filters = parseFilters(request.query as Query, pruneFilterKeys);
    const { removed, reclaimedBytes } = await containers.prune(pruneCondition(filters, Date.now()));
    return { ContainersDeleted: removed.length > 0 ? removed : null, SpaceReclaimed: reclaimedBytes };
  });

  app.get<ById>('/containers/:id/json', async (request) => {
    const container = containers.resolve(request.params.id);
    const shown = toDockerInspect(engine, container, request.apiVersion);
    if (!queryFlag(request.query as Query, 'size')) return shown;
    const { writtenBytes, totalBytes } = await engine.files.size(container);
    return { ...shown, SizeRw: writtenBytes, SizeRootFs: totalBytes };
  });

  app.post<ById>('/containers/:id/start', async (request, reply) => {
    if (Object.keys(request.body ?? {}).length > 0) {
      throw invalid(
        'start-with-body',
        'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
      );
    }
    await containers.start(request.params.id);
    return reply.code(204).send();
  });

  app.post<ById>('/containers/:id/stop', async (request, reply) => {
    await containers.stop(request.params.id, stopOptions(request));
    return reply.code(204).send();
  });

  app.post<ById>('/containers/:id/restart', async (request, reply) => {
    await containers.restart(request.params.id, stopOptions(request));
    return reply.code(204).send();
  });

  app.post<ById>('/containers/:id/kill', async (request, reply) => {
    await containers.kill(request.params.id, queryText(request.query as Query, 'signal') || 'SIGKILL');
    return reply.code(204).send();
  });

  app.post<ById>('/containers/:id/pause', async (request, reply) => {
    await containers.pause(request.params.id);
    return reply.code(204).send();
  });

  app.post<ById>('/containers/:id/unpause', async (request, reply) => {
    await containers.unpause(request.params.id);
    return reply.code(204).send();
  });

  app.post<ById>('/containers/:id/rename', async (request, reply) => {
    await containers.rename(request.params.id, queryText(request.query as Query, 'name') ?? '');
    return reply.code(204).send();
  });

  app.delete<ById>('/containers/:id', async (request, reply) => {
    const query = request.query as Query;
    if (queryFlag(query, 'link')) await containers.unlink(request.params.id);
    else {
      await containers.remove(request.params.id, {
        force: queryFlag(query, 'force'),
        volumes: queryFlag(query, 'v'),
      });
    }
    return reply.code(204).send();
  });

  app.post<ById>('/containers/:id/resize', async (request, reply) => {
    const { rows, columns } = terminalSize(request.query as Query);
    await containers.resize(request.params.id, rows, columns);
    return reply.code(200).send();
  });

  app.post<ById>('/containers/:id/wait', async (request, reply) => {
    const hasCondition = request.apiVersion >= WAIT_CONDITION;
    const condition = (hasCondition && queryText(request.query as Query, 'condition')) || 'not-running';
    if (!waitConditions.includes(condition)) {
      throw invalid('invalid-condition', `invalid condition: "${condition}"`);
    }
    const waiting = containers.wait(request.params.id, condition as WaitCondition, clientSignal(reply));
    // Clients start the container only when they have seen this head.
    const out = openStream(reply, 200, 'application/json');
    const { exitCode, error } = await waiting;
    out.end(`${JSON.stringify({ StatusCode: exitCode, ...(error ? { Error: { Message: error } } : {}) })}\n`);
  });

  app.post<ById>('/containers/:id/attach', async (request, reply) => attachContainer(engine, request, reply));

  app.get<ById>('/containers/:id/attach/ws', async (request, reply) =>
    attachWebSocket(engine, request, reply),
  );
  app.get<ById>('/containers/:id/logs', async (request, reply) => sendLogs(engine, request, reply));
}

/**
 * Whether the image is of the platform that was asked for.
 * @throws notFound, upon which the docker client pulls the image; invalid for what is no platform
 */
function checkPlatform(engine: Engine, reference: string, { apiVersion, query }: FastifyRequest): void {
  const text = apiVersion < PLATFORM ? undefined : queryText(query as Query, 'platform');
  const wanted = parsePlatform(text);
  const image = engine.images.find(reference);
  if (!wanted || !image || isOfPlatform(image, wanted)) return;
  throw notFound(
    'image-of-other-platform',
    `image with reference ${reference} was found but its platform (${formatPlatform(image)}) does not match the specified platform (${formatPlatform(wanted)})`,
    { reference },
  );
}

function stopOptions(request: FastifyRequest<ById>): { timeoutSeconds?: number; signal?: string } {
  const query = request.query as Query;
  const timeoutSeconds = queryInteger(query, 't');
  const signal = request.apiVersion < STOP_SIGNAL ? undefined : queryText(query, 'signal');
  return { ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }), ...(signal ? { signal } : {}) };
}
