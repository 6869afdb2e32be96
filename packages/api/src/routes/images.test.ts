import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { type Engine, type ImageId, type ImageRecord, ImageStore, silentLog } from '@seaway/engine';
import { type Api, buildApi, createApiServer } from '../server.ts';

let folder = '';
const tarball = tar({ 'etc/hello': 'hello\n' });
let api: Api;
let store: ImageStore;
let users: { imageId: string; id: string; running: boolean }[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'image-routes-test-'));
});

after(() => rm(folder, { recursive: true, force: true }));

/** The routes need of an engine only its images and who uses them. */
beforeEach(async () => {
  const records = new Map<string, ImageRecord>();
  const table = {
    get: (id: string) => records.get(id),
    all: () => records.values(),
    put: (image: ImageRecord) => {
      records.set(image.id, image);
      return image;
    },
    delete: (id: string) => void records.delete(id),
  } as unknown as Parameters<typeof ImageStore.open>[0]['table'];
  const images = await ImageStore.open({ root: await mkdtemp(join(folder, 'root-')), table, log: silentLog });
  store = images;
  users = [];
  const containers = { list: () => [], usersOf: (id: string) => users.filter((user) => user.imageId === id) };
  const engine = { images, containers, options: { log: silentLog } };
  api = buildApi(engine as unknown as Engine, { version: '0' });
});

/** A tar archive of plain files, in the ustar format of POSIX.1-2017 (pax, "ustar Interchange Format"). */
function tar(files: Record<string, string | Buffer>): Buffer {
  const blocks = Object.entries(files).flatMap(([path, content]) => {
    const body = Buffer.from(content);
    const header = Buffer.alloc(512);
    header.write(path);
    header.write('0000644\x000000000\x000000000\0', 100);
    header.write(`${body.length.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0${' '.repeat(8)}0`, 124);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

interface Answer {
  readonly status: number;
  readonly body: string;
  // biome-ignore lint/suspicious/noExplicitAny: Docker's shapes, checked by what is asserted.
  readonly json: any;
}

async function call(method: 'GET' | 'POST' | 'DELETE', url: string, payload?: Buffer): Promise<Answer> {
  const headers = payload ? { 'content-type': 'application/x-tar' } : {};
  const answer = await api.inject({ method, url, headers, ...(payload ? { payload } : {}) });
  return {
    status: answer.statusCode,
    body: answer.body,
    get json() {
      return JSON.parse(answer.body);
    },
  };
}

async function importImage(query: string): Promise<string> {
  const answer = await call('POST', `/images/create?fromSrc=-&${query}`, tarball);
  assert.equal(answer.status, 200, answer.body);
  return answer.json.status;
}

async function refuses(answer: Promise<Answer>, status: number, message: RegExp): Promise<void> {
  const { json, status: given } = await answer;
  assert.match(json.message, message);
  assert.equal(given, status);
}

test('import answers the id, and the image is listed under its name', async () => {
  const id = await importImage('repo=app&tag=1&changes=CMD+%5B%22x%22%5D&changes=LABEL+a%3Db&message=hi');
  const { json } = await call('GET', '/v1.41/images/json');
  assert.equal(json.length, 1);
  const { Created, ...rest } = json[0];
  assert.ok(Math.abs(Created - Date.now() / 1000) < 60);
  assert.deepEqual(rest, {
    Id: id,
    ParentId: '',
    RepoTags: ['app:1'],
    RepoDigests: [],
    Size: tarball.length,
    SharedSize: -1,
    VirtualSize: tarball.length,
    Labels: { a: 'b' },
    Containers: -1,
  });
});

test('inspect takes names with slashes and the beginning of an id', async () => {
  const id = await importImage(
    'repo=registry.example:5000/team/app&tag=1&changes=CMD+%5B%22x%22%5D&message=hi',
  );
  for (const name of [
    'registry.example:5000/team/app:1',
    'registry.example:5000%2Fteam%2Fapp:1',
    id,
    id.slice(7, 19),
  ]) {
    const { json, status } = await call('GET', `/images/${name}/json`);
    assert.equal(status, 200, name);
    assert.equal(json.Id, id);
    assert.deepEqual(json.RepoTags, ['registry.example:5000/team/app:1']);
    assert.deepEqual(json.Config.Cmd, ['x']);
    assert.equal(json.Comment, 'hi');
    assert.equal(json.RootFS.Layers.length, 1);
  }
  assert.equal((await call('GET', `/v1.41/images/${id}/json`)).json.Config.Hostname, '');
});

test('history has one entry for each step, sized by its layer', async () => {
  const id = await importImage('repo=app');
  const { json } = await call('GET', '/images/app/history');
  assert.deepEqual(
    json.map(({ Created: _, ...entry }: { Created: number }) => entry),
    [{ Id: id, CreatedBy: '', Tags: ['app:latest'], Size: tarball.length, Comment: 'Imported from -' }],
  );
});

test('a nameless image is shown in the words of the version', async () => {
  await importImage('repo=');
  assert.deepEqual((await call('GET', '/v1.41/images/json')).json[0].RepoTags, ['<none>:<none>']);
  assert.deepEqual((await call('GET', '/v1.43/images/json')).json[0].RepoTags, []);
});

test('filters choose images, and the reference filter names as well', async () => {
  await importImage('repo=app&tag=1&changes=LABEL+a%3Db');
  await call('POST', '/images/app:1/tag?repo=team/other&tag=2');
  await importImage('repo=');
  const names = async (filters: object): Promise<string[][]> =>
    (await call('GET', `/images/json?filters=${encodeURIComponent(JSON.stringify(filters))}`)).json.map(
      (image: { RepoTags: string[] }) => image.RepoTags,
    );
  assert.deepEqual(await names({ dangling: ['true'] }), [[]]);
  assert.deepEqual(await names({ dangling: { false: true } }), [['app:1', 'team/other:2']]);
  assert.deepEqual(await names({ reference: ['a*'] }), [['app:1']]);
  assert.deepEqual(await names({ reference: ['*/*:[0-9]'] }), [['team/other:2']]);
  assert.deepEqual(await names({ reference: ['team'] }), []);
  assert.deepEqual(await names({ label: ['a=b'] }), [['app:1', 'team/other:2']]);
  assert.deepEqual(await names({ since: ['app:1'] }), [[]]);
  assert.deepEqual(await names({ until: ['1h'] }), []);
  assert.equal((await names({ until: [String(Math.ceil(Date.now() / 1000) + 5)] })).length, 2);
  await refuses(call('GET', '/images/json?filters={"junk":["x"]}'), 400, /^invalid filter 'junk'$/);
  await refuses(call('GET', '/images/json?filters={"until":["x"]}'), 400, /^invalid filter 'until=x'$/);
});

test('what is not there is 404 with the text that makes clients pull', async () => {
  await refuses(call('GET', '/images/nope/json'), 404, /^No such image: nope:latest$/);
  await refuses(call('GET', '/images/team/nope:1/history'), 404, /^No such image: team\/nope:1$/);
  await refuses(call('DELETE', '/images/nope'), 404, /^No such image: nope:latest$/);
  await refuses(call('POST', '/images/nope/tag?repo=a'), 404, /^No such image: nope:latest$/);
  await refuses(call('GET', '/images/nope/get'), 404, /^No such image: nope:latest$/);
  await refuses(call('GET', '/images/get?names=nope:2'), 404, /^No such image: nope:2$/);
  await refuses(call('GET', '/images/app/nonsense'), 404, /^page not found$/);
});

test('what cannot be pulled, pushed, saved or asked for is refused before anything is sent', async () => {
  // Nothing listens on port 1 of this host.
  const closed =
    /^Get "http:\/\/127\.0\.0\.1:1\/v2\/": dial tcp 127\.0\.0\.1:1: connect: connection refused$/;
  const create = (query: string) => call('POST', `/images/create?${query}`);
  await refuses(create('fromImage=127.0.0.1:1/x&tag=latest'), 500, closed);
  await refuses(create('fromImage=127.0.0.1:1/x'), 500, closed);
  await refuses(create('fromImage=X&tag=1'), 400, /must be lowercase$/);
  await refuses(create('fromImage=x&tag=!'), 400, /^invalid tag format$/);
  await refuses(create('fromImage=127.0.0.1:1/x&tag=1&platform=plan9'), 400, /plan9/);
  await refuses(
    create('fromSrc=ftp://x/y'),
    400,
    /^invalid source "ftp:\/\/x\/y": it should be - or a URL with http or https$/,
  );
  await refuses(create('fromSrc=127.0.0.1:1/x.tar'), 500, /"http:\/\/127\.0\.0\.1:1\/x\.tar": dial tcp/);
  await refuses(call('GET', '/images/get'), 400, /^no images to save: name at least one$/);
  await refuses(call('GET', '/images/search?term=127.0.0.1:1/x'), 500, closed);
  await refuses(call('GET', '/images/search?term='), 400, /^a search needs a term$/);
  await refuses(
    call('GET', '/images/search?term=x&limit=101'),
    400,
    /^limit 101 is outside the range of \[1, 100\]$/,
  );
  await refuses(
    call('GET', '/images/search?term=x&filters={"stars":["a"]}'),
    400,
    /^invalid filter 'stars=a'$/,
  );
  await refuses(call('GET', '/distribution/127.0.0.1:1/x/json'), 500, closed);
  await refuses(call('GET', '/distribution/X/json'), 400, /must be lowercase$/);
  const login = async (payload: object) => {
    const answer = await api.inject({ method: 'POST', url: '/auth', payload });
    return { status: answer.statusCode, body: answer.body, json: JSON.parse(answer.body) };
  };
  await refuses(
    login({ username: 'a', serveraddress: '127.0.0.1:1' }),
    400,
    /needs a user name and a password/,
  );
  await refuses(login({ username: 'a', password: 'b', serveraddress: '127.0.0.1:1' }), 500, closed);
  await refuses(
    login({ username: 'a', password: 'b', serveraddress: 'no way' }),
    400,
    /^invalid registry address "no way"/,
  );
});

test('a push of what is not there is told in the stream, as Docker does', async () => {
  await importImage('repo=app');
  const lines = async (url: string): Promise<unknown[]> => {
    const answer = await call('POST', url);
    assert.equal(answer.status, 200);
    return answer.body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  };
  const nowhere = 'An image does not exist locally with the tag: 127.0.0.1:1/nope';
  assert.deepEqual(await lines('/images/127.0.0.1:1/nope/push?tag=1'), [
    { status: 'The push refers to repository [127.0.0.1:1/nope]' },
    { errorDetail: { message: nowhere }, error: nowhere },
  ]);
  const untagged = 'tag does not exist: app:2';
  assert.deepEqual(await lines('/images/app/push?tag=2'), [
    { status: 'The push refers to repository [docker.io/library/app]' },
    { errorDetail: { message: untagged }, error: untagged },
  ]);
});

test('bad names and archives are 400', async () => {
  await importImage('repo=app');
  const create = (query: string, body = tarball) => call('POST', `/images/create?${query}`, body);
  await refuses(
    create('fromSrc=-&repo=APP'),
    400,
    /^invalid reference format: repository name \(library\/APP\)/,
  );
  await refuses(create('fromSrc=-&repo=a&changes=RUN+x'), 400, /^run is not a valid change command$/);
  await refuses(create('fromSrc=-&repo=a&platform=plan9'), 400, /images are for linux alone/);
  await refuses(create('fromSrc=-&repo=a', Buffer.from('no tar')), 400, /^Error processing tar file/);
  await refuses(create('repo=a'), 400, /one of fromImage and fromSrc/);
  await refuses(call('GET', '/images/no!pe/json'), 400, /^invalid reference format$/);
  await refuses(call('POST', '/images/app/tag?repo=Q'), 400, /must be lowercase$/);
  await refuses(call('POST', '/images/app/tag?repo='), 400, /^invalid reference format$/);
  await refuses(call('POST', '/images/app/tag?repo=q&tag=!!'), 400, /^invalid tag format$/);
  await refuses(call('POST', '/images/load', Buffer.from('no tar')), 400, /^Error processing tar file/);
});

test('load streams a line for each image, and a later failure as a line too', async () => {
  const config = (n: number): Buffer =>
    Buffer.from(
      JSON.stringify({
        os: 'linux',
        architecture: 'amd64',
        n,
        rootfs: {
          type: 'layers',
          diff_ids: [`sha256:${createHash('sha256').update(tarball).digest('hex')}`],
        },
      }),
    );
  const manifest = [
    { Config: 'one.json', RepoTags: ['one:1'], Layers: ['layer.tar'] },
    { Config: 'two.json', RepoTags: null, Layers: ['layer.tar'] },
    { Config: 'three.json', RepoTags: ['three:1'], Layers: [] },
  ];
  const archive = tar({
    'one.json': config(1),
    'two.json': config(2),
    'three.json': config(3),
    'layer.tar': tarball,
    'manifest.json': JSON.stringify(manifest),
  });
  const { status, body } = await call('POST', '/images/load?quiet=1', archive);
  assert.equal(status, 200);
  const two = `sha256:${createHash('sha256').update(config(2)).digest('hex')}`;
  const failure = 'invalid manifest, layers length mismatch: expected 1, got 0';
  assert.deepEqual(
    body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [
      { stream: 'Loaded image: one:1\n' },
      { stream: `Loaded image ID: ${two}\n` },
      { errorDetail: { message: failure }, error: failure },
    ],
  );
});

test('removal tells what went, and refuses what is in use', async () => {
  const id = await importImage('repo=app&tag=1');
  assert.equal((await call('POST', '/images/app:1/tag?repo=docker.io/team/app&tag=2')).status, 201);
  assert.deepEqual((await call('DELETE', '/images/team/app:2')).json, [{ Untagged: 'team/app:2' }]);
  users = [{ id: 'c'.repeat(64), imageId: id, running: false }];
  await refuses(
    call('DELETE', '/images/app:1'),
    409,
    /^conflict: unable to remove repository reference "app:1" \(must force\) - container c{12} is using/,
  );
  users = [];
  assert.deepEqual((await call('DELETE', '/images/app:1')).json, [{ Untagged: 'app:1' }, { Deleted: id }]);
  assert.deepEqual((await call('GET', '/images/json')).json, []);
});

test('prune takes the nameless, and all unused when asked to; a shared layer is freed with the last image', async () => {
  const nameless = await importImage('repo=&message=1');
  const used = await importImage('repo=&message=2');
  const named = await importImage('repo=app&message=3');
  users = [{ id: 'c'.repeat(64), imageId: used, running: true }];
  assert.deepEqual((await call('POST', '/images/prune')).json, {
    ImagesDeleted: [{ Deleted: nameless }],
    SpaceReclaimed: 0,
  });
  assert.deepEqual((await call('POST', '/images/prune?filters={"dangling":["false"]}')).json.ImagesDeleted, [
    { Untagged: 'app:latest' },
    { Deleted: named },
  ]);
  assert.deepEqual((await call('POST', '/images/prune')).json, { ImagesDeleted: null, SpaceReclaimed: 0 });
  users = [];
  assert.deepEqual((await call('POST', '/images/prune')).json, {
    ImagesDeleted: [{ Deleted: used }],
    SpaceReclaimed: tarball.length,
  });
});

test('shared sizes are told to who asks', async () => {
  await importImage('repo=a&message=1');
  const shared = async (query: string): Promise<number[]> =>
    (await call('GET', `/images/json${query}`)).json.map((image: { SharedSize: number }) => image.SharedSize);
  assert.deepEqual(await shared('?shared-size=1'), [0]);
  await importImage('repo=b&message=2');
  assert.deepEqual(await shared(''), [-1, -1]);
  assert.deepEqual(await shared('?shared-size=1'), [tarball.length, tarball.length]);
});

test('an image that only a digest names is listed by it, dangling or not', async () => {
  const id = await importImage('repo=app&tag=1');
  const digest = `sha256:${'d'.repeat(64)}`;
  const image = store.get(id as ImageId)!;
  store.name(image, { repoDigests: [`team/app@${digest}`] });
  const list = async (filters: object) =>
    (await call('GET', `/v1.41/images/json?filters=${encodeURIComponent(JSON.stringify(filters))}`)).json.map(
      (entry: { RepoTags: string[]; RepoDigests: string[] }) => [entry.RepoTags, entry.RepoDigests],
    );
  assert.deepEqual(await list({}), [[['app:1'], [`team/app@${digest}`]]]);
  assert.deepEqual(await list({ reference: ['team/*'] }), [[[], [`team/app@${digest}`]]]);
  assert.deepEqual(await list({ reference: ['team/other'] }), []);
  assert.deepEqual(await list({ dangling: ['true'] }), []);
  assert.deepEqual((await call('DELETE', '/images/app:1')).json, [{ Untagged: 'app:1' }]);
  for (const value of ['true', 'false']) assert.equal((await list({ dangling: [value] })).length, 1, value);
  assert.deepEqual((await call('GET', `/images/team/app@${digest}/json`)).json.RepoDigests, [
    `team/app@${digest}`,
  ]);
  assert.deepEqual((await call('POST', '/images/prune')).json.ImagesDeleted, [
    { Untagged: `team/app@${digest}` },
    { Deleted: id },
  ]);
});

test('a large body that is refused early still gets its answer over a real connection', async () => {
  const server = await createApiServer(api);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const body = Buffer.alloc(8 << 20, 'not an archive ');
  for (const path of ['/images/create?fromSrc=-&repo=BAD', '/images/create?fromSrc=-', '/images/load']) {
    const status = await new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/x-tar', 'content-length': body.length };
      const sent = request({ port, host: '127.0.0.1', method: 'POST', path, headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      sent.end(body);
    });
    assert.equal(status, 400, path);
  }
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
