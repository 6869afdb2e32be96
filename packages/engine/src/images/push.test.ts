/** Pushes to a registry that this file plays itself, on loopback. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, beforeEach, test } from 'node:test';
import { pack } from 'tar-stream';
import { silentLog } from '../base/log.ts';
import type { ImageRecord } from '../model/image.ts';
import { DocumentTable } from '../store/document-table.ts';
import { ImageStore } from './image-store.ts';
import { digestOf } from './manifest.ts';
import type { TransferProgress } from './progress.ts';

let folder = '';
let store: ImageStore;
let server: Server;
let host = '';
/** What the registry has, by path; uploads by digest. */
let content = new Map<string, Buffer>();
let requests: string[] = [];
/** Answers instead of the registry, when it returns true. */
let trouble: (request: IncomingMessage, answer: ServerResponse) => boolean = () => false;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'image-push-test-'));
  const root = join(folder, 'images');
  const table = new DocumentTable<ImageRecord>(new DatabaseSync(':memory:'), 'images');
  store = await ImageStore.open({ root, table, log: silentLog });
  server = createServer((request, answer) => void registry(request, answer));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const archive = pack();
  archive.entry({ name: 'hello' }, 'hello');
  archive.finalize();
  await store.import(archive as unknown as AsyncIterable<Uint8Array>, { reference: `${host}/app:1` });
});

after(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

beforeEach(() => {
  content = new Map();
  requests = [];
  trouble = () => false;
});

async function registry(request: IncomingMessage, answer: ServerResponse): Promise<void> {
  const { method, url = '' } = request;
  requests.push(`${method} ${url.replace(/sha256[:%].*/, 'DIGEST')}`);
  if (trouble(request, answer)) return;
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (method === 'HEAD') answer.writeHead(content.has(url) ? 200 : 404).end();
  else if (method === 'POST') answer.writeHead(202, { location: `/upload/${requests.length}` }).end();
  else if (method === 'PATCH') {
    content.set(url, body);
    answer.writeHead(202, { location: `http://${host}${url}?state=x` }).end();
  } else if (method === 'PUT' && url.startsWith('/upload/')) {
    const { pathname, searchParams } = new URL(url, `http://${host}`);
    content.set(`/v2/app/blobs/${searchParams.get('digest')}`, content.get(pathname)!);
    answer.writeHead(201).end();
  } else {
    if (method === 'PUT') content.set(url, body);
    answer.writeHead(method === 'PUT' ? 201 : 200).end();
  }
}

async function push(signal?: AbortSignal): Promise<TransferProgress[]> {
  const told: TransferProgress[] = [];
  await store.push({ reference: `${host}/app`, tag: '1', ...(signal ? { signal } : {}) }, (progress) =>
    told.push(progress),
  );
  return told;
}

test('everything of an image arrives, the manifest last, and is what its digest says', async () => {
  const told = await push();
  const image = store.resolve(`${host}/app:1`);
  for (const digest of [image.id, ...image.layerBlobs.map((blob) => blob.digest)]) {
    assert.equal(digestOf(content.get(`/v2/app/blobs/${digest}`)!), digest);
  }
  const manifest = content.get('/v2/app/manifests/1')!;
  assert.equal(digestOf(manifest), image.digest);
  assert.equal(requests.at(-1), 'PUT /v2/app/manifests/1');
  assert.deepEqual(told.slice(-2), [
    { kind: 'status', status: `1: digest: ${image.digest} size: ${manifest.length}` },
    { kind: 'pushed', tag: '1', digest: image.digest, sizeBytes: manifest.length },
  ]);
  assert.deepEqual(image.repoDigests, [`${host}/app@${image.digest}`]);
  requests = [];
  await push();
  assert.ok(!requests.some((line) => line.startsWith('PATCH')), 'nothing is sent twice');
});

test('a connection that breaks off is tried again', async () => {
  let broken = 0;
  trouble = ({ method, socket }) => {
    if (method !== 'PATCH' || broken > 0) return false;
    broken += 1;
    socket.destroy();
    return true;
  };
  const told = await push();
  assert.ok(told.some((progress) => progress.kind === 'layer' && progress.status === 'Retrying in 1 second'));
  assert.ok(content.has('/v2/app/manifests/1'));
});

test('a refusal ends the push at once, in the words of the registry', async () => {
  trouble = ({ method }, answer) => {
    if (method !== 'POST') return false;
    answer
      .writeHead(403)
      .end('{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}');
    return true;
  };
  await assert.rejects(push(), {
    kind: 'forbidden',
    message: 'denied: requested access to the resource is denied',
  });
  assert.equal(requests.filter((line) => line.startsWith('POST')).length, 1);
  assert.ok(!content.has('/v2/app/manifests/1'));
});

test('a push that is given up stops', async () => {
  const controller = new AbortController();
  const reached = Promise.withResolvers<void>();
  trouble = ({ method }) => {
    if (method === 'PATCH') reached.resolve();
    return method === 'PATCH';
  };
  const pushing = push(controller.signal);
  await reached.promise;
  controller.abort(new Error('given up'));
  await assert.rejects(pushing, /given up|aborted/);
  assert.ok(!content.has('/v2/app/manifests/1'));
});
