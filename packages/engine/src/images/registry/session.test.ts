/** Sessions with registries that this file plays itself, on loopback. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, test } from 'node:test';
import { digestOf } from '../manifest.ts';
import { inspectDistribution, logIn, searchImages } from './inquiries.ts';
import { Repository } from './repository.ts';
import { asEngineError, type RegistryAuth, RegistrySession } from './session.ts';

const settings = { insecureRegistries: [], mirrors: [] };
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

type Handler = (request: IncomingMessage, answer: ServerResponse) => void;

/** @returns `127.0.0.1:PORT` */
async function serve(handler: Handler): Promise<string> {
  const server = createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    manifests: [
      { digest: `sha256:${'a'.repeat(64)}`, size: 1, platform: { os: 'linux', architecture: 'arm' } },
    ],
  }),
);

/** A registry that wants a token for everything, and the server that gives tokens for a name and password. */
async function serveTokens() {
  const asked: string[] = [];
  let valid = 'none';
  const tokens = await serve(async (request, answer) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    asked.push(`${request.method} ${request.url} ${body}`.trim());
    const isBasic = request.headers.authorization === `Basic ${Buffer.from('me:secret').toString('base64')}`;
    if (!isBasic && !body.includes('refresh_token=identity')) {
      answer.writeHead(401).end('{"details":"incorrect username or password"}');
      return;
    }
    valid = `token-${asked.length}`;
    answer.end(JSON.stringify({ token: valid }));
  });
  const host = await serve((request, answer) => {
    if (request.headers.authorization === `Bearer ${valid}`) {
      answer.end(request.url === '/v2/' ? '{}' : manifest);
      return;
    }
    answer.setHeader('www-authenticate', `Bearer realm="http://${tokens}/token",service="the registry"`);
    answer.writeHead(401).end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
  });
  return { host, asked, expire: () => (valid = 'none') };
}

async function withSession<T>(
  host: string,
  auth: RegistryAuth,
  work: (repository: Repository) => Promise<T>,
): Promise<T> {
  using session = await RegistrySession.open(host, { settings, auth });
  try {
    return await work(new Repository(session, 'team/app', 'pull'));
  } catch (error) {
    throw asEngineError(error);
  }
}

const me = { username: 'me', password: 'secret' };

test('a token is asked for once for a scope, and again when it has expired', async () => {
  const { host, asked, expire } = await serveTokens();
  await withSession(host, me, async (repository) => {
    await repository.manifest('1');
    await repository.manifest('2');
    assert.deepEqual(asked, [
      'GET /token?service=the+registry&scope=repository%3Ateam%2Fapp%3Apull&account=me',
    ]);
    expire();
    const { digest, sizeBytes } = await repository.manifest('3');
    assert.deepEqual([digest, sizeBytes], [digestOf(manifest), manifest.length]);
    assert.equal(asked.length, 2);
  });
});

test('an identity token stands for name and password', async () => {
  const { host, asked } = await serveTokens();
  await withSession(host, { identityToken: 'identity' }, (repository) => repository.manifest('1'));
  assert.match(
    asked[0]!,
    /^POST \/token grant_type=refresh_token&refresh_token=identity&client_id=docker&service=/,
  );
});

test('who is not known to the token server is told so, also at a login', async () => {
  const { host } = await serveTokens();
  const wrong = { username: 'me', password: 'wrong' };
  const refused = { kind: 'unauthorized', message: 'unauthorized: incorrect username or password' };
  await assert.rejects(
    withSession(host, wrong, (repository) => repository.manifest('1')),
    refused,
  );
  await assert.rejects(logIn(host, { settings, auth: wrong }), refused);
  await logIn(host, { settings, auth: me });
  await logIn(`http://${host}/v1/`, { settings, auth: me });
});

test('blobs may lie elsewhere, and nobody there is told who asks', async () => {
  let told: string | undefined = 'nothing yet';
  const elsewhere = await serve((request, answer) => {
    told = request.headers.authorization;
    answer.end('content');
  });
  const host = await serve((request, answer) => {
    if (!request.headers.authorization) {
      answer.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    } else if (request.url?.includes('/blobs/')) {
      answer.writeHead(307, { location: `http://${elsewhere}/x` }).end();
    } else answer.end();
  });
  const digest = digestOf(Buffer.from('content'));
  const bytes = await withSession(host, me, (repository) =>
    repository.document({ digest, mediaType: '', sizeBytes: 7 }, 100),
  );
  assert.equal(bytes.toString(), 'content');
  assert.equal(told, undefined);
  await assert.rejects(
    withSession(host, me, (repository) =>
      repository.document({ digest: digestOf(Buffer.from('other')), mediaType: '', sizeBytes: 7 }, 100),
    ),
    /verification failed for digest sha256:/,
  );
  await assert.rejects(
    withSession(host, me, (repository) => repository.document({ digest, mediaType: '', sizeBytes: 7 }, 3)),
    /is longer than 3 bytes/,
  );
});

test('what is no registry, breaks off or goes round in circles is said', async () => {
  const circles = await serve((_, answer) => answer.writeHead(302, { location: '/again' }).end());
  await assert.rejects(RegistrySession.open(circles, { settings }), /stopped after 10 redirects/);
  const silent = await serve((request) => request.socket.destroy());
  await assert.rejects(RegistrySession.open(silent, { settings }), {
    kind: 'internal',
    message: `Get "http://${silent}/v2/": EOF`,
  });
  const liar = await serve((request, answer) => answer.end(request.url === '/v2/' ? '' : 'x'.repeat(100)));
  await assert.rejects(
    withSession(liar, {}, (repository) => repository.manifest(`sha256:${'0'.repeat(64)}`)),
    /manifest verification failed for digest/,
  );
  await assert.rejects(
    withSession(liar, {}, (repository) => repository.manifest('latest')),
    /invalid manifest/,
  );
  const broken = await serve((request, answer) => {
    if (request.url === '/v2/') answer.end();
    else {
      answer.writeHead(200, { 'content-length': '100' }).write('half');
      setTimeout(() => answer.destroy(), 10);
    }
  });
  await assert.rejects(
    withSession(broken, {}, (repository) => repository.manifest('latest')),
    /unexpected EOF$/,
  );
});

test('work that is given up stops waiting', async () => {
  const host = await serve((request, answer) => {
    if (request.url === '/v2/') answer.end();
  });
  const controller = new AbortController();
  using session = await RegistrySession.open(host, { settings, signal: controller.signal });
  const waiting = new Repository(session, 'a', 'pull').manifest('1');
  controller.abort(new Error('given up'));
  await assert.rejects(waiting, /given up|aborted/);
});

test('tags come over several pages', async () => {
  const host = await serve((request, answer) => {
    const isFirst = !request.url?.includes('last=');
    if (isFirst) answer.setHeader('link', '</v2/team/app/tags/list?last=b&n=2>; rel="next"');
    answer.end(JSON.stringify({ name: 'team/app', tags: isFirst ? ['a', 'b'] : ['c'] }));
  });
  assert.deepEqual(await withSession(host, {}, (repository) => repository.tags()), ['a', 'b', 'c']);
});

test('an index is searched, and what a registry has is looked at', async () => {
  const host = await serve((request, answer) => {
    if (request.url?.startsWith('/v1/search')) {
      const hit = {
        name: request.url,
        description: 'd',
        star_count: 3,
        is_official: true,
        is_automated: false,
      };
      answer.end(JSON.stringify({ results: [hit, {}] }));
    } else answer.setHeader('content-type', 'application/vnd.oci.image.index.v1+json').end(manifest);
  });
  assert.deepEqual(await searchImages(`${host}/bo x`, 5, { settings }), [
    { name: '/v1/search?q=bo+x&n=5', description: 'd', stars: 3, isOfficial: true, isAutomated: false },
    { name: '', description: '', stars: 0, isOfficial: false, isAutomated: false },
  ]);
  assert.deepEqual(await inspectDistribution(`${host}/team/app`, { settings }), {
    descriptor: {
      mediaType: 'application/vnd.oci.image.index.v1+json',
      digest: digestOf(manifest),
      sizeBytes: manifest.length,
    },
    platforms: [{ os: 'linux', architecture: 'arm' }],
  });
  await assert.rejects(searchImages('https://x/y', 5, { settings }), /should not have a scheme/);
});
