/** What containers use and may use: GET /containers/{id}/stats and /top, POST /containers/{id}/update. */
import { totalmem } from 'node:os';
import {
  type ContainerChange,
  type ContainerRecord,
  invalid,
  isRunning,
  type Look,
  parseRestartPolicy,
} from '@seaway/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FromSchema } from 'json-schema-to-ts';
import { parseResources, resourceFields } from '../docker/resources.ts';
import { statsLine } from '../docker/stats.ts';
import { closeOnFailure, drained } from '../http/client-streams.ts';
import { clientSignal, openStream } from '../http/hijack.ts';
import { type Query, queryFlag, queryText } from '../http/query.ts';
import type { ApiVersion } from '../http/version.ts';
import type { RouteApp, RouteContext } from './context.ts';

type ById = { Params: { id: string } };

const updateBody = {
  type: 'object',
  properties: {
    ...resourceFields,
    RestartPolicy: {
      type: ['object', 'null'],
      properties: { Name: { type: ['string', 'null'] }, MaximumRetryCount: { type: ['integer', 'null'] } },
    },
  },
} as const;
type UpdateBody = FromSchema<typeof updateBody>;

const ONE_SHOT: ApiVersion = 141;

export function usageRoutes(app: RouteApp, context: RouteContext): void {
  const { engine } = context;

  app.get<ById>('/containers/:id/stats', (request, reply) => sendStats(context, request, reply));

  app.get<ById>('/containers/:id/top', async (request) => {
    const psArguments = queryText(request.query as Query, 'ps_args') ?? '';
    const { titles, processes } = await engine.containers.top(request.params.id, psArguments);
    return { Processes: processes, Titles: titles };
  });

  app.post<ById & { Body: UpdateBody }>(
    '/containers/:id/update',
    { schema: { body: updateBody } },
    async (request) => {
      const { limits, warnings } = parseResources(request.body, engine.limits, true);
      await engine.containers.update(request.params.id, {
        limits: { ...limits, ...pidsLimit(request.body) },
        ...restartPolicy(request.body),
      });
      return { Warnings: warnings.length > 0 ? warnings : null };
    },
  );
}

/** Of a new container 0 is "not given"; of one that has a limit it takes that away. */
function pidsLimit({ PidsLimit: limit }: UpdateBody): ContainerChange['limits'] {
  return limit == null ? {} : { pidsLimit: limit };
}

function restartPolicy({ RestartPolicy: policy }: UpdateBody): Pick<ContainerChange, 'restartPolicy'> {
  if (!policy?.Name) return {};
  return { restartPolicy: parseRestartPolicy(policy.Name, policy.MaximumRetryCount ?? 0) };
}

/**
 * One object a second for as long as the client listens; without `stream` the second look alone, with the first one
 * to compare it to; with `one-shot` the first look alone.
 */
async function sendStats(
  { engine }: RouteContext,
  request: FastifyRequest<ById>,
  reply: FastifyReply,
): Promise<void> {
  const query = request.query as Query;
  const isStream = queryText(query, 'stream') === undefined || queryFlag(query, 'stream');
  const isOneShot = request.apiVersion >= ONE_SHOT && queryFlag(query, 'one-shot');
  if (isStream && isOneShot) {
    throw invalid('invalid-query', 'cannot have stream=true and one-shot=true');
  }
  const container = engine.containers.resolve(request.params.id);
  const line = (look: Look, previous: Look) =>
    statsLine(current(container), look, previous, BigInt(totalmem()));
  // Its name may change meanwhile.
  const current = ({ id, name }: ContainerRecord) => engine.containers.find(id) ?? { id, name };
  const signal = clientSignal(reply);
  if (!isStream && (isOneShot || !isRunning(container))) {
    return sendLine(reply, line(await engine.stats.once(container.id), undefined));
  }
  const out = isStream ? openStream(reply, 200, 'application/json') : undefined;
  using failure = out && closeOnFailure(out);
  let previous: Look;
  let count = 0;
  for await (const look of engine.stats.watch(container.id, signal)) {
    count += 1;
    if (out) {
      if (!out.write(line(look, previous))) await drained(out);
    } else if (count === 2) {
      return sendLine(reply, line(look, previous));
    }
    previous = look;
  }
  // The client has gone, or the container.
  failure?.keep();
  if (out) out.end();
  else if (signal.aborted) reply.hijack();
  else sendLine(reply, line(undefined, previous));
}

function sendLine(reply: FastifyReply, line: string): void {
  void reply.type('application/json').send(line);
}
