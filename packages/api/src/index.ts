/** `@seaway/api`: the Docker Engine HTTP API over an engine. */
export { type Api, type ApiOptions, buildApi, createApiServer } from './server.ts';
