/** Which containers `ps` lists and `container prune` takes, by Docker's filters. Values are read once, not per container. */
import {
  type ContainerRecord,
  type Engine,
  formatContainerPort,
  type ImageRecord,
  invalid,
  isActive,
  parseContainerPorts,
} from '@seaway/engine';
import { type Filters, matches, matchesLabels, patternOf } from '../http/query.ts';
import { parseUntilMs } from '../http/time.ts';
import { shownState } from './container-status.ts';
import { hasMount } from './mount-points.ts';

export const listFilterKeys = [
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
export const pruneFilterKeys = ['until', 'label', 'label!'] as const;

const statuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const healths = ['starting', 'healthy', 'unhealthy', 'none'];

type Condition = (container: ContainerRecord) => boolean;

/**
 * Which containers the list has, apart from those that are not shown because they do not run.
 * @param newestFirst all containers, in the order of the list
 * @param namesOf all names of a container, without the leading slash
 * @throws invalid for values that a filter cannot have, notFound for a container that is to be before or since
 */
export function listCondition(
  engine: Engine,
  filters: Filters,
  newestFirst: readonly ContainerRecord[],
  namesOf: (container: ContainerRecord) => readonly string[],
): Condition {
  const conditions = [
    patterns(filters, 'id', ({ id }) => [id]),
    // The name's slash may be left out, also where a pattern begins with `^`.
    patterns(filters, 'name', (container) => namesOf(container).flatMap((name) => [`/${name}`, name])),
    oneOf(filters, 'status', statuses, (container) => shownState(container)),
    oneOf(filters, 'health', healths, ({ state }) => state.health?.status ?? 'none'),
    exitCodes(filters),
    ancestors(engine, filters),
    networks(engine, filters),
    publishes(filters),
    exposes(filters),
    betweenReferences(engine, filters, newestFirst),
    given(filters, 'volume', (values) => (each) => values.some((value) => hasMount(each, value))),
    tasks(filters),
    given(
      filters,
      'label',
      () =>
        ({ config }) =>
          matchesLabels(filters, config.labels),
    ),
  ].filter((condition) => condition !== undefined);
  return (container) => conditions.every((condition) => condition(container));
}

/**
 * Which of the containers that do not run prune takes.
 * @throws invalid for two points in time, or one that is none
 */
export function pruneCondition(filters: Filters, nowMs: number): Condition {
  const until = filters.get('until') ?? [];
  if (until.length > 1) throw invalid('invalid-filter', 'more than one until filter specified');
  const untilMs = until[0] === undefined ? Number.POSITIVE_INFINITY : parseUntilMs(until[0], nowMs);
  const hasUnwanted = (filters.get('label!') ?? []).length > 0;
  return ({ createdAt, config: { labels } }) =>
    Date.parse(createdAt) < untilMs &&
    matchesLabels(filters, labels) &&
    !(hasUnwanted && matchesLabels(filters, labels, 'label!'));
}

/** The condition of a filter that was given, and none of one that was not. */
function given(
  filters: Filters,
  key: string,
  condition: (values: readonly string[]) => Condition,
): Condition | undefined {
  const values = filters.get(key) ?? [];
  return values.length > 0 ? condition(values) : undefined;
}

function patterns(
  filters: Filters,
  key: string,
  textsOf: (container: ContainerRecord) => readonly string[],
): Condition | undefined {
  return given(filters, key, (values) => {
    const fits = values.map(patternOf);
    return (container) => textsOf(container).some((text) => fits.some((fit) => fit(text)));
  });
}

function oneOf(
  filters: Filters,
  key: 'status' | 'health',
  known: readonly string[],
  wordOf: (container: ContainerRecord) => string,
): Condition | undefined {
  return given(filters, key, (values) => {
    const unknown = values.find((value) => !known.includes(value));
    if (unknown !== undefined) {
      throw key === 'health'
        ? invalid('invalid-filter', `Unrecognised filter value for health: ${unknown}`)
        : invalid(
            'invalid-filter',
            `invalid filter '${key}=${unknown}': it should be one of ${known.join(', ')}`,
          );
    }
    return (container) => values.includes(wordOf(container));
  });
}

/** Codes are those of containers that have run and do not any more. */
function exitCodes(filters: Filters): Condition | undefined {
  return given(filters, 'exited', (values) => {
    const bad = values.find((value) => !/^[-+]?\d+$/.test(value));
    if (bad !== undefined) throw invalid('invalid-filter', `invalid filter 'exited=${bad}'`);
    const codes = values.map(Number);
    return (container) =>
      !isActive(container) &&
      container.state.status !== 'created' &&
      codes.includes(container.state.exitCode);
  });
}

/** The images that are named, and those that have more on top of all their layers. Unknown ones have no containers. */
function ancestors(engine: Engine, filters: Filters): Condition | undefined {
  return given(filters, 'ancestor', (values) => {
    const named = values.flatMap((value) => engine.images.find(value) ?? []);
    const ids = new Set<string>(named.map(({ id }) => id));
    for (const image of engine.images.list()) {
      if (named.some((ancestor) => isMadeFrom(image, ancestor))) ids.add(image.id);
    }
    return ({ imageId }) => ids.has(imageId);
  });
}

function isMadeFrom({ layers }: ImageRecord, { layers: lower }: ImageRecord): boolean {
  return (
    lower.length > 0 && layers.length > lower.length && lower.every((layer, index) => layer === layers[index])
  );
}

function networks(engine: Engine, filters: Filters): Condition | undefined {
  return given(filters, 'network', (values) => {
    const known = engine.networks.list();
    const wanted = new Set(
      values.flatMap((value) => [value, ...known.filter(({ id }) => id === value).map(({ name }) => name)]),
    );
    return (container) =>
      wanted.has(container.host.networkModeText) ||
      Object.keys(container.networks).some((name) => wanted.has(name));
  });
}

/** Where the host answers for it. */
function publishes(filters: Filters): Condition | undefined {
  return given(filters, 'publish', (values) => {
    const wanted = portsOf('publish', values);
    return ({ publishedPorts = [] }) =>
      publishedPorts.some(({ hostPort: port, protocol }) =>
        wanted.has(formatContainerPort({ port, protocol })),
      );
  });
}

function exposes(filters: Filters): Condition | undefined {
  return given(filters, 'expose', (values) => {
    const wanted = portsOf('expose', values);
    return ({ config }) => config.exposedPorts.some((port) => wanted.has(port));
  });
}

/**
 * Reads the values `80`, `80/udp`, `8000-8010`. @returns such as `80/tcp`, one for each port
 * @throws invalid for anything else
 */
function portsOf(key: 'publish' | 'expose', values: readonly string[]): ReadonlySet<string> {
  return new Set(
    values.flatMap((value) => {
      try {
        return parseContainerPorts(value).map(formatContainerPort);
      } catch {
        throw invalid(
          'invalid-filter',
          `invalid filter '${key}=${value}': it should be PORT[-PORT][/PROTOCOL]`,
        );
      }
    }),
  );
}

/** The filters `before` and `since`. @throws notFound for a reference to no container */
function betweenReferences(
  engine: Engine,
  filters: Filters,
  newestFirst: readonly ContainerRecord[],
): Condition | undefined {
  if (!filters.has('before') && !filters.has('since')) return undefined;
  const order = new Map(newestFirst.map(({ id }, index) => [id, index]));
  const positions = (key: string) =>
    (filters.get(key) ?? []).map((reference) => order.get(engine.containers.resolve(reference).id)!);
  const [before, since] = [positions('before'), positions('since')];
  return ({ id }) => {
    const own = order.get(id)!;
    return (
      (before.length === 0 || before.some((position) => own > position)) &&
      (since.length === 0 || since.some((position) => own < position))
    );
  };
}

/** Tasks are containers of Swarm's, of which there are none. */
function tasks(filters: Filters): Condition | undefined {
  return given(filters, 'is-task', (values) => {
    const bad = values.find((value) => !['1', 'true', '0', 'false'].includes(value));
    if (bad !== undefined) throw invalid('invalid-filter', `invalid filter 'is-task=${bad}'`);
    return () => matches(filters, 'is-task', (value) => value === 'false' || value === '0');
  });
}
