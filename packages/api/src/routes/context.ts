/** What every file of routes is given, and what all requests carry. */
import type { Engine } from '@seaway/engine';
import type { FastifyInstance } from 'fastify';
import type { ApiVersion } from '../http/version.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The version that the client speaks; the newest where it names none. */
    apiVersion: ApiVersion;
  }
  interface FastifyInstance {
    /** What there are routes for, such as `GET /containers/:id/json`. */
    readonly endpoints: readonly string[];
  }
  interface FastifyContextConfig {
    /** The route reads its body as a stream, whatever its content type. */
    streamsBody?: boolean;
  }
}

/** The application as the route files see it. */
export type RouteApp = FastifyInstance;

/** What a file of routes is given. */
export interface RouteContext {
  readonly engine: Engine;
  readonly version: string;
  readonly labels: readonly string[];
}
