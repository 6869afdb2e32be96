/** The endpoints under /volumes. */
import { unavailable } from '@seaway/engine';
import {
  type CreateVolumeBody,
  createVolumeBody,
  fromDockerVolume,
  toDockerVolume,
  volumeListCondition,
  volumeListFilterKeys,
  volumePruneCondition,
  volumePruneFilterKeys,
} from '../docker/volume.ts';
import { parseFilters, type Query, queryBoolean } from '../http/query.ts';
import type { RouteApp, RouteContext } from './context.ts';

type ByName = { Params: { name: string } };

export function volumeRoutes(app: RouteApp, { engine }: RouteContext): void {
  const { volumes } = engine;

  app.get('/volumes', async (request) => {
    const filters = parseFilters(request.query as Query, volumeListFilterKeys);
    const isListed = volumeListCondition(filters, (name) => volumes.isUsed(name));
    const listed = volumes.list().filter(isListed);
    return { Volumes: listed.map((volume) => toDockerVolume(engine, volume)), Warnings: null };
  });

  app.get<ByName>('/volumes/:name', async (request) =>
    toDockerVolume(engine, volumes.resolve(request.params.name)),
  );

  app.post<{ Body: CreateVolumeBody }>(
    '/volumes/create',
    { schema: { body: createVolumeBody } },
    async (request, reply) => {
      const volume = await volumes.create(fromDockerVolume(request.body));
      return reply.code(201).send(toDockerVolume(engine, volume));
    },
  );

  app.put<ByName>('/volumes/:name', async () => {
    throw unavailable(
      'no-cluster-volumes',
      'volume update only valid for cluster volumes, but swarm is unavailable',
    );
  });

  app.delete<ByName>('/volumes/:name', async (request, reply) => {
    await volumes.remove(request.params.name, { force: queryBoolean(request.query as Query, 'force') });
    return reply.code(204).send();
  });

  app.post('/volumes/prune', async (request) => {
    const filters = parseFilters(request.query as Query, volumePruneFilterKeys);
    const { removed, reclaimedBytes } = await volumes.prune(
      volumePruneCondition(filters, request.apiVersion),
    );
    return { VolumesDeleted: removed.length > 0 ? removed : null, SpaceReclaimed: reclaimedBytes };
  });
}
