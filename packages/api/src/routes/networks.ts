/** GET /networks and GET /networks/ID. */
import { forbidden, invalid, isPredefinedNetwork, type NetworkRecord, notFound } from '@seaway/engine';
import { LIST_WITHOUT_CONTAINERS, toDockerNetwork } from '../docker/network.ts';
import {
  type Filters,
  matches,
  matchesLabels,
  matchesPattern,
  parseFilters,
  type Query,
  queryBoolean,
  queryText,
} from '../http/query.ts';
import type { RouteApp, RouteContext } from './context.ts';

const filterKeys = ['id', 'name', 'driver', 'label', 'scope', 'type', 'dangling'] as const;

export function networkRoutes(app: RouteApp, { engine }: RouteContext): void {
  app.get('/networks', async (request) => {
    const filters = parseFilters(request.query as Query, filterKeys);
    checkFilters(filters);
    const showMembers = request.apiVersion < LIST_WITHOUT_CONTAINERS;
    return engine.networks
      .list()
      .filter((network) => isListed(network, filters, engine.networks.endpointsOf(network.id).length > 0))
      .map((network) =>
        toDockerNetwork(network, showMembers ? engine.networks.endpointsOf(network.id) : undefined),
      );
  });

  app.get<{ Params: { id: string } }>('/networks/:id', async (request) => {
    const query = request.query as Query;
    queryBoolean(query, 'verbose');
    const { id } = request.params;
    const network = engine.networks.resolve(id);
    const scope = queryText(query, 'scope');
    if (scope && scope !== 'local') throw notFound('network-not-found', `network ${id} not found`);
    return toDockerNetwork(network, engine.networks.endpointsOf(network.id));
  });

  // There are no others yet, so removal always ends in one of Docker's refusals.
  app.delete<{ Params: { id: string } }>('/networks/:id', async (request) => {
    const { name } = engine.networks.resolve(request.params.id);
    throw forbidden('network-predefined', `${name} is a pre-defined network and cannot be removed`);
  });
}

function checkFilters(filters: Filters): void {
  for (const type of filters.get('type') ?? []) {
    if (type !== 'builtin' && type !== 'custom')
      throw invalid('invalid-filter', `invalid filter: 'type'='${type}'`);
  }
  const dangling = filters.get('dangling') ?? [];
  if (dangling.length > 1)
    throw invalid('invalid-filter', 'got more than one value for filter key "dangling"');
  if (dangling[0] !== undefined && !['true', '1', 'false', '0'].includes(dangling[0])) {
    throw invalid(
      'invalid-filter',
      `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`,
    );
  }
}

function isListed(network: NetworkRecord, filters: Filters, hasEndpoints: boolean): boolean {
  const isBuiltin = isPredefinedNetwork(network.name);
  return (
    matches(filters, 'id', (pattern) => matchesPattern(pattern, network.id)) &&
    matches(filters, 'name', (pattern) => matchesPattern(pattern, network.name)) &&
    matches(filters, 'driver', (driver) => driver === network.driver) &&
    matches(filters, 'scope', (scope) => scope === 'local') &&
    matches(filters, 'type', (type) => (type === 'builtin') === isBuiltin) &&
    matches(
      filters,
      'dangling',
      (value) => ['true', '1'].includes(value) === (!isBuiltin && !hasEndpoints),
    ) &&
    matchesLabels(filters, network.labels)
  );
}
