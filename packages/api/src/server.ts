/**
 * The Docker Engine API over an engine: the Fastify application with what all routes share (versions, headers, JSON
 * bodies, errors), and the HTTP servers that it listens on.
 */
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Engine, EngineError, invalid } from '@seaway/engine';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { describeFailure, errorBody, MAX_JSON_BYTES } from './http/errors.ts';
import { rememberUpgrade } from './http/hijack.ts';
import { canonicalFields, type FieldSchema } from './http/json-fields.ts';
import { parseJsonText } from './http/json-text.ts';
import { foldContainerName } from './http/link-names.ts';
import { checkVersion, MAX_API_VERSION, splitVersion } from './http/version.ts';
import { containerRoutes } from './routes/containers.ts';
import type { RouteContext } from './routes/context.ts';
import { eventRoutes } from './routes/events.ts';
import { execRoutes } from './routes/exec.ts';
import { fileRoutes } from './routes/files.ts';
import { firewallRoutes } from './routes/firewall.ts';
import { imageTransferRoutes } from './routes/image-transfers.ts';
import { imageRoutes } from './routes/images.ts';
import { networkRoutes } from './routes/networks.ts';
import { pluginRoutes } from './routes/plugins.ts';
import { registryRoutes } from './routes/registries.ts';
import { swarmRoutes } from './routes/swarm.ts';
import { systemRoutes } from './routes/system.ts';
import { whyUnsupported } from './routes/unsupported.ts';
import { usageRoutes } from './routes/usage.ts';
import { volumeRoutes } from './routes/volumes.ts';

export interface ApiOptions {
  /** Version of the program, shown by `version` and in the Server header. */
  readonly version: string;
  /** The daemon's labels, shown by `info`. */
  readonly labels?: readonly string[];
}

export type Api = FastifyInstance;

/** Largest head of a request in bytes, as Go's servers have it: filters may be long. */
const MAX_HEAD_BYTES = 1024 * 1024;
const MAX_DISCARDED_BYTES = 64 * 1024 * 1024;

/** Builds the application; it listens nowhere yet. */
export function buildApi(engine: Engine, options: ApiOptions): Api {
  const versions = new WeakMap<object, string | undefined>();
  const app = Fastify({
    bodyLimit: MAX_JSON_BYTES,
    // Docker has HEAD where it is named alone; that of an endless answer would never end.
    exposeHeadRoutes: false,
    // Names in paths may be as long as their users like; the engine says what it does not know.
    routerOptions: { maxParamLength: MAX_HEAD_BYTES },
    // Paths that cannot be read come to no route.
    frameworkErrors(error, _request, reply) {
      const { status, message } = describeFailure(error);
      reply.hijack();
      reply.raw.writeHead(status, { 'Content-Type': 'application/json' }).end(errorBody(message));
    },
    ajv: {
      customOptions: {
        allowUnionTypes: true,
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allErrors: false,
      },
    },
    rewriteUrl(request) {
      // A client may write the whole address, as to a proxy (RFC 9112, 3.2.2).
      const { path, version } = splitVersion((request.url ?? '/').replace(/^https?:\/\/[^/?]*/i, ''));
      versions.set(request, version);
      return foldContainerName(request.method ?? '', path);
    },
  });

  const endpoints: string[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    endpoints.push(...[method].flat().map((each) => `${each} ${url}`));
  });
  app.decorate('endpoints', endpoints);
  app.decorateRequest('apiVersion', 0);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'Api-Version': MAX_API_VERSION,
      'Docker-Experimental': 'false',
      Ostype: 'linux',
      Server: `Docker/${options.version} (linux)`,
    });
    request.apiVersion = checkVersion(versions.get(request.raw));
    // Some clients call everything that they send JSON.
    if (request.routeOptions.config.streamsBody) request.raw.headers['content-type'] = 'application/x-tar';
  });
  // The docker client shows an error's message only where the type is exactly this, without a character set.
  app.addHook('onSend', async (_request, reply) => {
    if (String(reply.getHeader('content-type')).startsWith('application/json')) {
      reply.header('content-type', 'application/json');
    }
  });
  addBodyParsers(app);
  app.addHook('preValidation', async (request) => {
    const schema = request.routeOptions.schema?.body as FieldSchema | undefined;
    // No body and `null` are no fields at all, so that the endpoint says which one it misses.
    if (schema) request.body = canonicalFields(request.body ?? {}, schema);
  });
  app.setErrorHandler(async (error, request, reply) => {
    const { status, message } = describeFailure(error);
    // Most clients read the answer only after they have sent all they have.
    if (status === 413) await discardBody(request.raw);
    // What this version cannot do is no failure of its own.
    if (status >= 500 && !(error instanceof EngineError && error.kind !== 'internal'))
      engine.options.log.error({ error: message }, 'request failed');
    if (status === 304) return reply.code(304).send();
    return reply.code(status).type('application/json').send(errorBody(message));
  });
  // Before the body is read: what nobody takes may be large, and of any type.
  app.addHook('onRequest', async (request, reply) =>
    request.is404 ? sendNotFound(request, reply) : undefined,
  );
  app.setNotFoundHandler(sendNotFound);

  const context: RouteContext = { engine, version: options.version, labels: options.labels ?? [] };
  systemRoutes(app, context);
  containerRoutes(app, context);
  usageRoutes(app, context);
  execRoutes(app, context);
  fileRoutes(app, context);
  networkRoutes(app, context);
  volumeRoutes(app, context);
  imageRoutes(app, context);
  imageTransferRoutes(app, context);
  registryRoutes(app, context);
  eventRoutes(app, context);
  pluginRoutes(app);
  swarmRoutes(app);
  firewallRoutes(app, context);
  return app;
}

function sendNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  // Not with URL, which refuses paths that clients can send, such as `//`.
  const pathname = request.url.split('?', 1)[0]!;
  const unsupported = whyUnsupported(request.method, pathname);
  return reply
    .code(unsupported ? 501 : 404)
    .type('application/json')
    .send(errorBody(unsupported ?? 'page not found'));
}

function addBodyParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_request: FastifyRequest, body: string) => parseJsonText(body),
  );
  app.addContentTypeParser('*', async (request: FastifyRequest) => {
    // Docker's clients label empty bodies as text/plain.
    const isEmpty = request.headers['content-length'] === '0' || !hasBody(request);
    if (isEmpty || request.routeOptions.config.streamsBody) return undefined;
    const type = request.headers['content-type'] ?? '';
    throw invalid(
      'wrong-content-type',
      `unsupported Content-Type header (${type}): must be 'application/json'`,
    );
  });
}

/** Reads on without keeping anything, up to a limit: who sends more than that finds the connection closed. */
async function discardBody(body: IncomingMessage): Promise<void> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_DISCARDED_BYTES) return;
  }
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

/** Makes an HTTP server for the application; the caller lets it listen and closes it. */
export async function createApiServer(api: Api): Promise<Server> {
  await api.ready();
  const server = createServer(
    {
      // A container may say nothing for days, and an image may take long to arrive.
      requestTimeout: 0,
      keepAliveTimeout: 0,
      maxHeaderSize: MAX_HEAD_BYTES,
      // Other protocols that clients offer to switch to (h2c) are not ours: such requests are answered as they are.
      shouldUpgradeCallback: ({ headers, url }) => {
        const protocol = headers.upgrade?.toLowerCase();
        return protocol === 'tcp' || (protocol === 'websocket' && /\/attach\/ws(\?|$)/.test(url ?? ''));
      },
    },
    (request, response) => api.routing(request, response),
  );
  // Node reads the request's body as such; the stream is what follows it.
  server.on('upgrade', (request, stream, head) => {
    const response = new ServerResponse(request);
    response.assignSocket(stream as Socket);
    // A route that does not take the connection over answers as usual, and then it is done.
    response.on('finish', () => stream.end());
    stream.on('error', () => stream.destroy());
    rememberUpgrade(request, stream, head);
    api.routing(request, response);
  });
  return server;
}
