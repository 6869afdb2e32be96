/** Asking registries: POST /auth, GET /distribution/NAME/json and GET /images/search. */
import { invalid } from '@seaway/engine';
import type { FromSchema } from 'json-schema-to-ts';
import { fromDockerAuth, readRegistryAuth } from '../docker/registry-auth.ts';
import { clientSignal } from '../http/hijack.ts';
import { matches, parseFilters, type Query, queryInteger, queryText } from '../http/query.ts';
import type { RouteApp, RouteContext } from './context.ts';

const text = { type: ['string', 'null'] } as const;

const authBody = {
  type: 'object',
  properties: {
    username: text,
    password: text,
    auth: text,
    email: text,
    serveraddress: text,
    identitytoken: text,
    registrytoken: text,
  },
} as const;

const DEFAULT_LIMIT = 25;
const searchFilterKeys = ['is-automated', 'is-official', 'stars'] as const;

export function registryRoutes(app: RouteApp, { engine }: RouteContext): void {
  const { images } = engine;

  app.post<{ Body: FromSchema<typeof authBody> }>(
    '/auth',
    { schema: { body: authBody } },
    async (request, reply) => {
      const { serveraddress } = request.body;
      const auth = fromDockerAuth(request.body);
      await images.logIn(serveraddress ?? '', { auth, signal: clientSignal(reply) });
      return { IdentityToken: '', Status: 'Login Succeeded' };
    },
  );

  app.get<{ Params: { '*': string } }>('/distribution/*', async (request, reply) => {
    const path = request.params['*'];
    if (!path.endsWith('/json')) return reply.callNotFound();
    const auth = readRegistryAuth(request.headers);
    const { descriptor, platforms } = await images.inspectDistribution(path.slice(0, -'/json'.length), {
      auth,
      signal: clientSignal(reply),
    });
    return {
      Descriptor: {
        mediaType: descriptor.mediaType,
        digest: descriptor.digest,
        size: descriptor.sizeBytes,
      },
      Platforms: platforms,
    };
  });

  app.get('/images/search', async (request, reply) => {
    const query = request.query as Query;
    const filters = parseFilters(query, searchFilterKeys);
    const stars = (filters.get('stars') ?? []).map(parseStars);
    const auth = readRegistryAuth(request.headers);
    const limit = queryInteger(query, 'limit') || DEFAULT_LIMIT;
    const hits = await images.search(queryText(query, 'term') ?? '', limit, {
      auth,
      signal: clientSignal(reply),
    });
    return hits
      .filter(
        (hit) =>
          matches(filters, 'is-official', (value) => (value === 'true') === hit.isOfficial) &&
          matches(filters, 'is-automated', (value) => (value === 'true') === hit.isAutomated) &&
          stars.every((least) => hit.stars >= least),
      )
      .map((hit) => ({
        star_count: hit.stars,
        is_official: hit.isOfficial,
        name: hit.name,
        is_automated: hit.isAutomated,
        description: hit.description,
      }));
  });
}

function parseStars(value: string): number {
  if (/^\d+$/.test(value)) return Number(value);
  throw invalid('invalid-filter', `invalid filter 'stars=${value}'`);
}
