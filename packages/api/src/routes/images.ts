/** The endpoints under /images. Names of images contain slashes, so they are matched by what follows them. */
import { type Engine, type ImageId, layersSizeBytes, sharedSizes } from '@seaway/engine';
import type { FastifyRequest } from 'fastify';
import { toDockerHistory, toDockerImageInspect, toDockerImageSummary } from '../docker/image.ts';
import { isPruned, listedNames, listFilterKeys, pruneFilterKeys } from '../docker/image-filters.ts';
import { type Filters, parseFilters, type Query, queryFlag, queryText } from '../http/query.ts';
import type { ApiVersion } from '../http/version.ts';
import type { RouteApp, RouteContext } from './context.ts';
import { pushImage, saveImages } from './image-transfers.ts';

type ByPath = { Params: { '*': string } };

export function imageRoutes(app: RouteApp, { engine }: RouteContext): void {
  const { images } = engine;

  app.get('/images/json', async (request) => {
    const filters = imageFilters(request);
    const context = { resolve: (reference: string) => images.resolve(reference), nowMs: Date.now() };
    const all = images.list();
    const shared = queryFlag(request.query as Query, 'shared-size') ? sharedSizes(all) : [];
    return all.flatMap((image, index) => {
      const names = listedNames(image, filters, context);
      return names ? [toDockerImageSummary(image, names, request.apiVersion, shared[index])] : [];
    });
  });

  app.get<ByPath>('/images/*', async (request, reply) => {
    const { name, verb } = splitPath(request.params['*']);
    if (verb === 'json') {
      const image = images.resolve(name);
      return toDockerImageInspect(image, images.rootfs(image.id), request.apiVersion);
    }
    if (verb === 'get') return saveImages(engine, reply, [name]);
    if (verb === 'history') return toDockerHistory(images.resolve(name));
    return reply.callNotFound();
  });

  app.post<ByPath>('/images/*', async (request, reply) => {
    const { name, verb } = splitPath(request.params['*']);
    if (verb === 'push') return pushImage(engine, request, reply, name);
    if (verb !== 'tag') return reply.callNotFound();
    const query = request.query as Query;
    images.tag(name, queryText(query, 'repo') ?? '', queryText(query, 'tag'));
    return reply.code(201).send();
  });

  app.delete<ByPath>('/images/*', async (request) => {
    const force = queryFlag(request.query as Query, 'force');
    const removed = await images.remove(request.params['*'], { force, inUseBy: usersIn(engine) });
    return toDockerRemoval(removed);
  });

  app.post('/images/prune', async (request) => {
    const filters = parseFilters(request.query as Query, pruneFilterKeys);
    const inUseBy = usersIn(engine);
    const nowMs = Date.now();
    const before = images.list();
    const unused = before.filter(
      (image) => isPruned(image, filters, nowMs) && inUseBy(image.id).length === 0,
    );
    const removed = [];
    for (const image of unused) {
      // Named or started from in the meantime: then it is not to go any more.
      if (images.get(image.id) !== image || inUseBy(image.id).length > 0) continue;
      removed.push(...toDockerRemoval(await images.remove(image.id, { force: true, inUseBy })));
    }
    // What images share goes with the last of them.
    const reclaimed = layersSizeBytes(before) - layersSizeBytes(images.list());
    images.announcePrune(reclaimed);
    return { ImagesDeleted: removed.length > 0 ? removed : null, SpaceReclaimed: Math.max(0, reclaimed) };
  });
}

function usersIn({ containers }: Engine) {
  return (id: ImageId) => containers.usersOf(id);
}

function toDockerRemoval(removed: { untagged: readonly string[]; deleted: readonly string[] }) {
  return [
    ...removed.untagged.map((name) => ({ Untagged: name })),
    ...removed.deleted.map((id) => ({ Deleted: id })),
  ];
}

/** `team/app/json` is the verb `json` on the image `team/app`. */
function splitPath(path: string): { name: string; verb: string } {
  const slash = path.lastIndexOf('/');
  return { name: path.slice(0, Math.max(0, slash)), verb: path.slice(slash + 1) };
}

/** Until this version the list took a pattern for names also as a parameter of its own. */
const PATTERN_IN_FILTERS: ApiVersion = 141;

function imageFilters({ query, apiVersion }: FastifyRequest): Filters {
  const filters = parseFilters(query as Query, listFilterKeys);
  const pattern = apiVersion < PATTERN_IN_FILTERS ? queryText(query as Query, 'filter') : undefined;
  return pattern
    ? new Map([...filters, ['reference', [...(filters.get('reference') ?? []), pattern]]])
    : filters;
}
