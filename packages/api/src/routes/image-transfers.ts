/** Images that come and go: pull, import, push, load and save. */
import { type Engine, type ImportOptions, invalid } from '@seaway/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { parsePlatform } from '../docker/platform.ts';
import { readRegistryAuth } from '../docker/registry-auth.ts';
import { toDockerProgress } from '../docker/transfer-progress.ts';
import { sendJsonLines } from '../http/json-lines.ts';
import { type Query, queryFlag, queryText, queryTexts } from '../http/query.ts';
import { uploadOf } from '../http/upload.ts';
import type { RouteApp, RouteContext } from './context.ts';

export function imageTransferRoutes(app: RouteApp, { engine }: RouteContext): void {
  const { images } = engine;

  app.post('/images/create', { config: { streamsBody: true } }, async (request, reply) => {
    const query = request.query as Query;
    if (queryText(query, 'fromImage')) return pull(request, reply);
    const source = queryText(query, 'fromSrc');
    if (!source) throw invalid('image-source-missing', 'one of fromImage and fromSrc is needed');
    const options = importOptions(query);
    return sendJsonLines(reply, async (write, signal) => {
      if (source === '-') {
        const image = await images.import(uploadOf(request.raw), options);
        write({ status: image.id });
        return;
      }
      const image = await images.importFrom(source, {
        ...options,
        signal,
        onOpen: (url) => write({ status: `Downloading from ${url}` }),
      });
      write({ status: image.id });
    });
  });

  async function pull(request: FastifyRequest, reply: FastifyReply) {
    const query = request.query as Query;
    const auth = readRegistryAuth(request.headers);
    const tag = queryText(query, 'tag');
    const platform = parsePlatform(queryText(query, 'platform'));
    return sendJsonLines(reply, (write, signal) =>
      images.pull(
        {
          reference: queryText(query, 'fromImage') ?? '',
          ...(tag ? { tag } : {}),
          ...(platform ? { platform } : {}),
          auth,
          signal,
        },
        (progress) => write(toDockerProgress(progress)),
      ),
    );
  }

  app.post('/images/load', { config: { streamsBody: true } }, (request, reply) => {
    const query = request.query as Query;
    const platform = parsePlatform(queryText(query, 'platform'));
    // Only who says so wants to see how it goes on.
    const isQuiet = !queryText(query, 'quiet') || queryFlag(query, 'quiet');
    return sendJsonLines(reply, async (write) => {
      await images.load(uploadOf(request.raw), {
        onProgress: (stream) => write({ stream }),
        ...(isQuiet ? {} : { onLayer: (progress) => write(toDockerProgress(progress)) }),
        ...(platform ? { platform } : {}),
      });
    });
  });

  app.get('/images/get', (request, reply) => {
    const names = queryTexts(request.query as Query, 'names').flatMap((text) => text.split(','));
    return saveImages(
      engine,
      reply,
      names.filter((name) => name !== ''),
    );
  });
}

/** Answers the archive of images. The stream ends with the client's connection. */
export async function saveImages(
  { images }: Engine,
  reply: FastifyReply,
  names: readonly string[],
): Promise<FastifyReply> {
  if (names.length === 0) throw invalid('image-name-missing', 'no images to save: name at least one');
  return reply.type('application/x-tar').send(await images.save(names));
}

/** Answers the progress of a push. */
export async function pushImage(
  { images }: Engine,
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
): Promise<FastifyReply | undefined> {
  const auth = readRegistryAuth(request.headers);
  const tag = queryText(request.query as Query, 'tag');
  return sendJsonLines(reply, (write, signal) =>
    images.push({ reference: name, ...(tag ? { tag } : {}), auth, signal }, (progress) =>
      write(toDockerProgress(progress)),
    ),
  );
}

function importOptions(query: Query): ImportOptions {
  const reference = joinTag(queryText(query, 'repo'), queryText(query, 'tag'));
  const message = queryText(query, 'message');
  const platform = parsePlatform(queryText(query, 'platform'));
  return {
    ...(reference ? { reference } : {}),
    changes: queryTexts(query, 'changes'),
    ...(message ? { message } : {}),
    ...(platform ? { platform } : {}),
  };
}

function joinTag(repository: string | undefined, tag: string | undefined): string | undefined {
  return repository && tag ? `${repository}:${tag}` : repository;
}
