/** The endpoints under /images. Names of images contain slashes, so they are matched by what follows them. */
import { type Engine, type ImageId, invalid, messageOf, notImplemented } from '@seaway/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { toDockerHistory, toDockerImageInspect, toDockerImageSummary } from '../docker/image.ts';
import { isPruned, listedNames, listFilterKeys, pruneFilterKeys } from '../docker/image-filters.ts';
import { parsePlatform } from '../docker/platform.ts';
import { openStream } from '../http/hijack.ts';
import { type Filters, parseFilters, type Query, queryFlag, queryText } from '../http/query.ts';
import { uploadOf } from '../http/upload.ts';
import type { ApiVersion } from '../http/version.ts';
import type { RouteApp, RouteContext } from './context.ts';

type ByPath = { Params: { '*': string } };

export function imageRoutes(app: RouteApp, { engine }: RouteContext): void {
  const { images } = engine;

  app.get('/images/json', async (request) => {
    const filters = imageFilters(request);
    const context = { resolve: (reference: string) => images.resolve(reference), nowMs: Date.now() };
    return images.list().flatMap((image) => {
      const names = listedNames(image, filters, context);
      return names ? [toDockerImageSummary(image, names, request.apiVersion)] : [];
    });
  });

  app.get<ByPath>('/images/*', async (request, reply) => {
    const { name, verb } = splitPath(request.params['*']);
    if (verb === 'json') {
      const image = images.resolve(name);
      return toDockerImageInspect(image, images.rootfs(image.id), request.apiVersion);
    }
    if (verb === 'history') return toDockerHistory(images.resolve(name));
    return reply.callNotFound();
  });

  app.post('/images/create', { config: { streamsBody: true } }, async (request, reply) => {
    const query = request.query as Query;
    const source = queryText(query, 'fromSrc');
    if (queryText(query, 'fromImage')) throw cannotPull(query);
    if (!source) throw invalid('image-source-missing', 'one of fromImage and fromSrc is needed');
    if (source !== '-') {
      throw notImplemented(
        'import-from-url-unsupported',
        'importing from a URL is not supported by this version of Seaway: download the archive and import the file',
      );
    }
    const reference = joinTag(queryText(query, 'repo'), queryText(query, 'tag'));
    const message = queryText(query, 'message');
    const platform = parsePlatform(queryText(query, 'platform'));
    const image = await images.import(uploadOf(request.raw), {
      ...(reference ? { reference } : {}),
      changes: queryTexts(query, 'changes'),
      ...(message ? { message } : {}),
      ...(platform ? { platform } : {}),
    });
    return reply.type('application/json').send(jsonLine({ status: image.id }));
  });

  app.post('/images/load', { config: { streamsBody: true } }, loadImages(engine));

  app.post<ByPath>('/images/*', async (request, reply) => {
    const { name, verb } = splitPath(request.params['*']);
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
    const unused = images
      .list()
      .filter((image) => isPruned(image, filters, nowMs) && inUseBy(image.id).length === 0);
    const removed = [];
    for (const image of unused) {
      removed.push(...toDockerRemoval(await images.remove(image.id, { force: true, inUseBy })));
    }
    return {
      ImagesDeleted: removed.length > 0 ? removed : null,
      SpaceReclaimed: unused.reduce((sum, image) => sum + image.sizeBytes, 0),
    };
  });
}

/**
 * An archive may hold many images and take long: each is told when it is there. A failure before the first has a
 * status of its own; after that it is a line in the stream, as clients expect.
 */
function loadImages({ images }: Engine) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    let out: FastifyReply['raw'] | undefined;
    const write = (message: object): void => {
      out ??= openStream(reply, 200, 'application/json');
      out.write(jsonLine(message));
    };
    try {
      await images.load(uploadOf(request.raw), { onProgress: (stream) => write({ stream }) });
    } catch (error) {
      if (!out) throw error;
      const message = messageOf(error);
      write({ errorDetail: { message }, error: message });
    }
    if (!out) return reply.type('application/json').send('');
    out.end();
    return undefined;
  };
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

function cannotPull(query: Query): Error {
  const image = joinTag(queryText(query, 'fromImage'), queryText(query, 'tag'));
  return notImplemented(
    'pull-unsupported',
    `pulling images (${image}) is not supported by this version of Seaway: use "docker load" or "docker import"`,
    { image },
  );
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

/** A tag parameter may be a digest as well. */
function joinTag(repository: string | undefined, tag: string | undefined): string | undefined {
  if (!repository || !tag) return repository;
  return tag.includes(':') ? `${repository}@${tag}` : `${repository}:${tag}`;
}

function queryTexts(query: Query, name: string): string[] {
  const value = query[name] ?? [];
  return Array.isArray(value) ? value : [value];
}

function jsonLine(message: object): string {
  return `${JSON.stringify(message)}\n`;
}
