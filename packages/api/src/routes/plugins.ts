/** The endpoints under /plugins: there are no plugins, and none can be installed. */
import { notFound } from '@seaway/engine';
import type { FastifyReply } from 'fastify';
import { parseFilters, type Query } from '../http/query.ts';
import type { RouteApp } from './context.ts';

type ByPath = { Params: { '*': string } };

export function pluginRoutes(app: RouteApp): void {
  app.get('/plugins', async (request) => {
    parseFilters(request.query as Query, ['capability', 'enabled']);
    return [];
  });

  // A plugin's name may have slashes, as an image's.
  app.get<ByPath>('/plugins/*', async (request, reply) => refuse(request.params['*'], /^(.+)\/json$/, reply));
  app.delete<ByPath>('/plugins/*', async (request, reply) => refuse(request.params['*'], /^(.+)$/, reply));
  app.post<ByPath>('/plugins/*', { config: { streamsBody: true } }, async (request, reply) =>
    refuse(request.params['*'], /^(.+)\/(?:enable|disable|push|set|upgrade)$/, reply),
  );
}

/** @param named what the path has to be for an endpoint about one plugin, which it names */
function refuse(path: string, named: RegExp, reply: FastifyReply): FastifyReply | Promise<void> {
  const name = named.exec(path)?.[1];
  if (name === undefined) return reply.callNotFound() as never;
  throw notFound('plugin-not-found', `plugin "${name}" not found`);
}
