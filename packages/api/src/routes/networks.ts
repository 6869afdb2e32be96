/** The endpoints under /networks. */
import { type Engine, type NetworkRecord, notFound, notImplemented } from '@seaway/engine';
import { fromDockerNetwork } from '../docker/create-network.ts';
import { fromDockerEndpoint } from '../docker/endpoint-settings.ts';
import { LIST_WITHOUT_CONTAINERS, type NetworkMembers, toDockerNetwork } from '../docker/network.ts';
import {
  type ConnectBody,
  type CreateNetworkBody,
  connectBody,
  createNetworkBody,
  type DisconnectBody,
  disconnectBody,
} from '../docker/network-bodies.ts';
import {
  checkListFilters,
  isListed,
  listFilterKeys,
  pruneCondition,
  pruneFilterKeys,
} from '../docker/network-filters.ts';
import { parseFilters, type Query, queryBoolean, queryText } from '../http/query.ts';
import type { RouteApp, RouteContext } from './context.ts';

type ById = { Params: { id: string } };

export function networkRoutes(app: RouteApp, { engine }: RouteContext): void {
  const { networks, containers } = engine;

  app.get('/networks', async (request) => {
    const filters = parseFilters(request.query as Query, listFilterKeys);
    checkListFilters(filters);
    const members = request.apiVersion < LIST_WITHOUT_CONTAINERS ? membersIn(engine) : undefined;
    return networks
      .list()
      .filter((network) => isListed(network, filters, () => networks.endpointsOf(network.id).length > 0))
      .map((network) => toDockerNetwork(network, members?.(network)));
  });

  app.get<ById>('/networks/:id', async (request) => {
    const query = request.query as Query;
    queryBoolean(query, 'verbose');
    const { id } = request.params;
    const network = networks.resolve(id, 'inspect');
    const scope = queryText(query, 'scope');
    if (scope && scope !== 'local') throw notFound('network-not-found', `network ${id} not found`);
    return toDockerNetwork(network, membersIn(engine)(network));
  });

  app.post<{ Body: CreateNetworkBody }>(
    '/networks/create',
    { schema: { body: createNetworkBody } },
    async (request, reply) => {
      const { id, warning } = await networks.create(fromDockerNetwork(request.body, request.apiVersion));
      return reply.code(201).send({ Id: id, Warning: warning });
    },
  );

  app.post<ById & { Body: ConnectBody }>(
    '/networks/:id/connect',
    { schema: { body: connectBody } },
    async (request, reply) => {
      const { Container: container, EndpointConfig: config } = request.body;
      if ((config?.IPAMConfig?.LinkLocalIPs ?? []).length > 0) {
        throw notImplemented(
          'unsupported-option',
          'EndpointConfig.IPAMConfig.LinkLocalIPs: a link-local address is not supported by this version of Seaway',
        );
      }
      // Before API 1.54 the MAC address there is one that a client has read, not one that it asks for.
      const { macAddress: _, ...settings } = fromDockerEndpoint(config, request.apiVersion);
      await containers.connect(request.params.id, container ?? '', settings);
      return reply.code(200).send();
    },
  );

  app.post<ById & { Body: DisconnectBody }>(
    '/networks/:id/disconnect',
    { schema: { body: disconnectBody } },
    async (request, reply) => {
      const { Container: container, Force: force } = request.body;
      await containers.disconnect(request.params.id, container ?? '', { force: force ?? false });
      return reply.code(200).send();
    },
  );

  app.delete<ById>('/networks/:id', async (request, reply) => {
    await networks.remove(request.params.id);
    return reply.code(204).send();
  });

  app.post('/networks/prune', async (request) => {
    const filters = parseFilters(request.query as Query, pruneFilterKeys);
    const removed = await networks.prune(pruneCondition(filters, Date.now()));
    return { NetworksDeleted: removed.length > 0 ? removed : null };
  });
}

/** Looks up the members of networks; containers are listed once for all of them. */
function membersIn({ networks, containers }: Engine): (network: NetworkRecord) => NetworkMembers {
  const known = new Set(containers.list().map(({ id }) => id));
  return ({ id }) => ({
    endpoints: networks.endpointsOf(id),
    isContainer: (container) => known.has(container),
  });
}
