/** The endpoints under /containers. */
import {
  type ContainerRecord,
  type Engine,
  formatContainerPort,
  invalid,
  isActive,
  notFound,
  parseContainerPorts,
  type WaitCondition,
} from '@seaway/engine';
import type { FastifyRequest } from 'fastify';
import { toDockerInspect, toDockerSummary } from '../docker/container.ts';
import { fromDockerCreate } from '../docker/create-container.ts';
import { type CreateContainerBody, createContainerBody } from '../docker/create-container-body.ts';
import { toDockerSizes } from '../docker/disk-usage.ts';
import { hasMount } from '../docker/mount-points.ts';
import { formatPlatform, isOfPlatform, parsePlatform } from '../docker/platform.ts';
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
import type { ApiVersion } from '../http/version.ts';
import type { RouteApp, RouteContext } from './context.ts';
import { terminalSize } from './exec.ts';
import { attachContainer, attachWebSocket, sendLogs } from './streams.ts';

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
/** From this version on a request to create a container may name the platform of its image. */
const PLATFORM: ApiVersion = 141;
/** Before this version a wait had no condition. */
const WAIT_CONDITION: ApiVersion = 130;
/** Before this version the signal that stops a container was its own alone. */
const STOP_SIGNAL: ApiVersion = 142;
const healths = ['starting', 'healthy', 'unhealthy', 'none'];
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
    const filters = parseFilters(query, filterKeys);
    checkFilters(filters);
    const limit = queryInteger(query, 'limit') ?? 0;
    const showAll = queryFlag(query, 'all') || limit > 0 || filters.has('status') || filters.has('exited');
    const linkNames = containers.linkNames();
    const newestFirst = containers.list().sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    const isBetween = betweenReferences(engine, filters, newestFirst);
    const wanted = newestFirst.filter(
      (container) =>
        (showAll || isActive(container)) && isBetween(container) && isListed(engine, container, filters),
    );
    const summaries = [];
    for (const container of wanted.slice(0, limit > 0 ? limit : undefined)) {
      summaries.push({
        ...toDockerSummary(engine, container, linkNames.get(container.id) ?? [], request.apiVersion),
        ...(queryFlag(query, 'size') ? await toDockerSizes(engine, container) : {}),
      });
    }
    return summaries;
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

function checkFilters(filters: Filters): void {
  for (const code of filters.get('exited') ?? []) {
    if (!/^-?\d+$/.test(code)) throw invalid('invalid-filter', `invalid filter 'exited=${code}'`);
  }
  for (const status of filters.get('status') ?? []) {
    if (!statuses.includes(status)) {
      throw invalid(
        'invalid-filter',
        `invalid filter 'status=${status}': it should be one of ${statuses.join(', ')}`,
      );
    }
  }
  for (const health of filters.get('health') ?? []) {
    if (!healths.includes(health)) {
      throw invalid('invalid-filter', `Unrecognised filter value for health: ${health}`);
    }
  }
  for (const key of ['publish', 'expose'] as const) {
    for (const value of filters.get(key) ?? []) filterPorts(key, value);
  }
}

/**
 * Reads a value of `publish` or `expose`: `80`, `80/udp`, `8000-8010`. @returns such as `80/tcp`, one for each port
 * @throws invalid for anything else
 */
function filterPorts(key: 'publish' | 'expose', value: string): ReadonlySet<string> {
  try {
    return new Set(parseContainerPorts(value).map(formatContainerPort));
  } catch {
    throw invalid('invalid-filter', `invalid filter '${key}=${value}': it should be PORT[-PORT][/PROTOCOL]`);
  }
}

/** The filters `before` and `since`. @throws notFound for a reference to no container */
function betweenReferences(engine: Engine, filters: Filters, newestFirst: readonly ContainerRecord[]) {
  const order = new Map(newestFirst.map(({ id }, index) => [id, index]));
  const positions = (key: string) =>
    (filters.get(key) ?? []).map((reference) => order.get(engine.containers.resolve(reference).id)!);
  const [before, since] = [positions('before'), positions('since')];
  return ({ id }: ContainerRecord) => {
    const own = order.get(id)!;
    return (
      (before.length === 0 || before.some((position) => own > position)) &&
      (since.length === 0 || since.some((position) => own < position))
    );
  };
}

function isListed(engine: Engine, container: ContainerRecord, filters: Filters): boolean {
  const { state, config } = container;
  const networks = Object.keys(container.networks).concat(container.host.networkModeText);
  return (
    matches(filters, 'id', (pattern) => matchesPattern(pattern, container.id)) &&
    // The name's slash may be left out, also where a pattern begins with `^`.
    matches(filters, 'name', (pattern) =>
      [`/${container.name}`, container.name].some((name) => matchesPattern(pattern, name)),
    ) &&
    matches(filters, 'status', (status) => status === state.status) &&
    matches(filters, 'exited', (code) => state.status === 'exited' && state.exitCode === Number(code)) &&
    matches(filters, 'ancestor', (image) => engine.images.find(image)?.id === container.imageId) &&
    matches(filters, 'network', (network) => isOnNetwork(engine, networks, network)) &&
    matches(filters, 'expose', (ports) => config.exposedPorts.some(isOneOf(filterPorts('expose', ports)))) &&
    matches(filters, 'publish', (ports) =>
      hostPortsOf(container).some(isOneOf(filterPorts('publish', ports))),
    ) &&
    matches(filters, 'volume', (value) => hasMount(container, value)) &&
    matches(filters, 'health', (health) => health === (state.health?.status ?? 'none')) &&
    matches(filters, 'is-task', (value) => value === 'false') &&
    matchesLabels(filters, config.labels)
  );
}

function isOneOf(ports: ReadonlySet<string>): (port: string) => boolean {
  return (port) => ports.has(port);
}

/** Such as `8080/tcp`: where the host answers. */
function hostPortsOf({ publishedPorts = [] }: ContainerRecord): readonly string[] {
  return publishedPorts.map(({ hostPort: port, protocol }) => formatContainerPort({ port, protocol }));
}

function isOnNetwork(engine: Engine, networks: readonly string[], reference: string): boolean {
  return (
    networks.includes(reference) ||
    engine.networks.list().some(({ id, name }) => id === reference && networks.includes(name))
  );
}
