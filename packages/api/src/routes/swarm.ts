/**
 * The endpoints of Swarm. A Docker daemon has them all and, while it is in no swarm, answers nearly all of them with
 * the same sentence. This daemon is never in one.
 */
import { type EngineError, notImplemented, unavailable } from '@seaway/engine';
import type { RouteApp } from './context.ts';

const endpoints = [
  'GET /swarm',
  'GET /swarm/unlockkey',
  'POST /swarm/update',
  'POST /swarm/unlock',
  'GET /services',
  'GET /services/:id',
  'GET /services/:id/logs',
  'POST /services/create',
  'POST /services/:id/update',
  'DELETE /services/:id',
  'GET /nodes',
  'GET /nodes/:id',
  'POST /nodes/:id/update',
  'DELETE /nodes/:id',
  'GET /tasks',
  'GET /tasks/:id',
  'GET /tasks/:id/logs',
  'GET /secrets',
  'GET /secrets/:id',
  'POST /secrets/create',
  'POST /secrets/:id/update',
  'DELETE /secrets/:id',
  'GET /configs',
  'GET /configs/:id',
  'POST /configs/create',
  'POST /configs/:id/update',
  'DELETE /configs/:id',
] as const;

export function swarmRoutes(app: RouteApp): void {
  for (const endpoint of endpoints) refuse(app, endpoint, notAManager);
  refuse(app, 'POST /swarm/leave', () => unavailable('not-in-a-swarm', 'This node is not part of a swarm'));
  refuse(app, 'POST /swarm/init', unsupported);
  refuse(app, 'POST /swarm/join', unsupported);
}

function refuse(app: RouteApp, endpoint: string, reason: () => EngineError): void {
  const [method, url] = endpoint.split(' ') as ['GET', string];
  // A body of any type is left unread: it changes nothing.
  const handler = async () => {
    throw reason();
  };
  app.route({ method, url, config: { streamsBody: true }, handler });
}

function notAManager(): EngineError {
  return unavailable(
    'not-a-swarm-manager',
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
}

function unsupported(): EngineError {
  return notImplemented(
    'swarm-unsupported',
    'Swarm is not supported by Seaway: its networks and containers are those of one host',
  );
}
