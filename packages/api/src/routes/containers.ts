/** The endpoints under /containers. */
import {
  type ContainerRecord,
  type Engine,
  invalid,
  isRunning,
  notFound,
  type WaitCondition,
} from '@seaway/engine';
import { toDockerInspect, toDockerSummary } from '../docker/container.ts';
import { fromDockerCreate } from '../docker/create-container.ts';
import { type CreateContainerBody, createContainerBody } from '../docker/create-container-body.ts';
import { clientSignal, openStream } from '../http/hijack.ts';
import {
  type Filters,
  matches,
  matchesLabels,
  matchesPattern,
  parseFilters,
  type Query,
  queryFlag,
  queryInteger,
  queryText,
} from '../http/query.ts';
import type { RouteApp, RouteContext } from './context.ts';
import { attachContainer, sendLogs } from './streams.ts';

type ById = { Params: { id: string } };

const filterKeys = [
  'id',
  'name',
  'label',
  'status',
  'ancestor',
  'network',
  'exited',
  'before',
  'since',
  'health',
  'volume',
  'publish',
  'expose',
  'is-task',
  'isolation',
] as const;

const statuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const waitConditions: readonly string[] = ['not-running', 'next-exit', 'removed'] satisfies WaitCondition[];

export function containerRoutes(app: RouteApp, { engine }: RouteContext): void {
  const { containers } = engine;

  app.post<{ Body: CreateContainerBody }>(
    '/containers/create',
    { schema: { body: createContainerBody } },
    async (request, reply) => {
      const name = queryText(request.query as Query, 'name');
      const { request: wanted, warnings } = fromDockerCreate(request.body, name, request.apiVersion);
      const { id } = await containers.create(wanted);
      return reply.code(201).send({ Id: id, Warnings: warnings });
    },
  );

  app.get('/containers/json', async (request) => {
    const query = request.query as Query;
    const filters = parseFilters(query, filterKeys);
    checkStatusFilter(filters);
    const limit = queryInteger(query, 'limit') ?? 0;
    const showAll = queryFlag(query, 'all') || limit > 0 || filters.has('status') || filters.has('exited');
    const newestFirst = containers.list().sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    const wanted = newestFirst.filter(
      (container) => (showAll || isRunning(container)) && isListed(engine, container, filters, newestFirst),
    );
    return wanted
      .slice(0, limit > 0 ? limit : undefined)
      .map((container) => toDockerSummary(engine, container, request.apiVersion));
  });

  app.get<ById>('/containers/:id/json', async (request) =>
    toDockerInspect(engine, containers.resolve(request.params.id), request.apiVersion),
  );

  app.post<ById>('/containers/:id/start', async (request, reply) => {
    await containers.start(request.params.id);
    return reply.code(204).send();
  });

  app.post<ById>('/containers/:id/stop', async (request, reply) => {
    await containers.stop(request.params.id, stopOptions(request.query as Query));
    return reply.code(204).send();
  });

  app.post<ById>('/containers/:id/restart', async (request, reply) => {
    await containers.restart(request.params.id, stopOptions(request.query as Query));
    return reply.code(204).send();
  });

  app.post<ById>('/containers/:id/kill', async (request, reply) => {
    await containers.kill(request.params.id, queryText(request.query as Query, 'signal') || 'SIGKILL');
    return reply.code(204).send();
  });

  app.post<ById>('/containers/:id/rename', async (request, reply) => {
    containers.rename(request.params.id, queryText(request.query as Query, 'name') ?? '');
    return reply.code(204).send();
  });

  app.delete<ById>('/containers/:id', async (request, reply) => {
    const query = request.query as Query;
    if (queryFlag(query, 'link'))
      throw notFound('link-not-found', `Cannot get parent / for link ${request.params.id}`);
    await containers.remove(request.params.id, { force: queryFlag(query, 'force') });
    return reply.code(204).send();
  });

  app.post<ById>('/containers/:id/resize', async (request, reply) => {
    const query = request.query as Query;
    const [rows, columns] = [queryInteger(query, 'h'), queryInteger(query, 'w')];
    if (!rows || !columns || rows < 1 || columns < 1) {
      throw invalid('invalid-size', 'a terminal has at least 1 row (h) and 1 column (w)');
    }
    await containers.resize(request.params.id, rows, columns);
    return reply.code(200).send();
  });

  app.post<ById>('/containers/:id/wait', async (request, reply) => {
    const condition = queryText(request.query as Query, 'condition') || 'not-running';
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
  app.get<ById>('/containers/:id/logs', async (request, reply) => sendLogs(engine, request, reply));
}

function stopOptions(query: Query): { timeoutSeconds?: number; signal?: string } {
  const timeoutSeconds = queryInteger(query, 't');
  const signal = queryText(query, 'signal');
  return { ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }), ...(signal ? { signal } : {}) };
}

function checkStatusFilter(filters: Filters): void {
  for (const status of filters.get('status') ?? []) {
    if (!statuses.includes(status)) {
      throw invalid(
        'invalid-filter',
        `invalid filter 'status=${status}': it should be one of ${statuses.join(', ')}`,
      );
    }
  }
}

function isListed(
  engine: Engine,
  container: ContainerRecord,
  filters: Filters,
  newestFirst: readonly ContainerRecord[],
): boolean {
  const { state, config } = container;
  const networks = Object.keys(container.networks).concat(container.host.networkModeText);
  const position = (reference: string) => newestFirst.indexOf(engine.containers.resolve(reference));
  const own = newestFirst.indexOf(container);
  return (
    matches(filters, 'id', (pattern) => matchesPattern(pattern, container.id)) &&
    matches(filters, 'name', (pattern) => matchesPattern(pattern.replace(/^\//, ''), container.name)) &&
    matches(filters, 'status', (status) => status === state.status) &&
    matches(filters, 'exited', (code) => state.status === 'exited' && state.exitCode === Number(code)) &&
    matches(filters, 'ancestor', (image) => engine.images.find(image)?.id === container.imageId) &&
    matches(filters, 'network', (network) => isOnNetwork(engine, networks, network)) &&
    matches(filters, 'before', (reference) => own > position(reference)) &&
    matches(filters, 'since', (reference) => own < position(reference)) &&
    matches(filters, 'expose', (port) =>
      config.exposedPorts.includes(port.includes('/') ? port : `${port}/tcp`),
    ) &&
    matches(filters, 'volume', (path) =>
      container.host.binds.some((bind) => [bind.source, bind.destination].includes(path)),
    ) &&
    matches(filters, 'publish', () => false) &&
    matches(filters, 'health', (health) => health === 'none') &&
    matches(filters, 'is-task', (value) => value === 'false') &&
    matchesLabels(filters, config.labels)
  );
}

function isOnNetwork(engine: Engine, networks: readonly string[], reference: string): boolean {
  return (
    networks.includes(reference) ||
    engine.networks.list().some(({ id, name }) => id === reference && networks.includes(name))
  );
}
