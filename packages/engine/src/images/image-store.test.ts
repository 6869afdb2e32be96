import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { EngineError, type ErrorKind } from '../base/errors.ts';
import type { ImageId } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import type { ImageRecord } from '../model/image.ts';
import { DocumentTable } from '../store/document-table.ts';
import { ImageStore, type ImageUsers } from './image-store.ts';

const run = promisify(execFile);
let folder = '';
let root = '';
let table: DocumentTable<ImageRecord>;
let store: ImageStore;
/** A root file system with a file, a link, a mode and an owner that matter. */
let tarball: Buffer;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'image-store-test-'));
  tarball = await tar({ 'etc/hello': 'hello\n', 'bin/tool': '#!/bin/sh\n' }, async (tree) => {
    await symlink('tool', join(tree, 'bin/alias'));
    await mkdir(join(tree, 'tmp'), { mode: 0o1777 });
    await run('chmod', ['1777', join(tree, 'tmp')]);
    await run('chown', ['33:44', join(tree, 'etc/hello')]);
  });
});

after(() => rm(folder, { recursive: true, force: true }));

beforeEach(async () => {
  root = await mkdtemp(join(folder, 'root-'));
  table = new DocumentTable<ImageRecord>(new DatabaseSync(':memory:'), 'images');
  store = await open();
});

const unused: ImageUsers = () => [];
const reopened = () => open();

let told: string[] = [];

function open(): Promise<ImageStore> {
  told = [];
  const events = {
    emit: (_type: string, action: string, _id: string, { name }: { name: string }) =>
      void told.push(`${action} ${name}`),
  };
  return ImageStore.open({ root, table, log: silentLog, events });
}

/** A tar archive of files by path; `finish` may add what a plain file is not. */
async function tar(
  files: Record<string, string | Buffer>,
  finish: (tree: string) => Promise<unknown> = async () => {},
): Promise<Buffer> {
  const tree = await mkdtemp(join(folder, 'tree-'));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), content);
  }
  await finish(tree);
  const { stdout } = await run('tar', ['-C', tree, '--sort=name', '-c', '.'], {
    encoding: 'buffer',
    maxBuffer: 64 << 20,
  });
  return stdout;
}

async function* stream(bytes: Uint8Array, chunkBytes = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What lies in the store, to compare before and after. */
async function contents(): Promise<Record<string, string[]>> {
  const names = ['blobs/sha256', 'rootfs', 'staging'];
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, (await readdir(join(root, name))).sort()] as const)),
  );
}

const empty = { 'blobs/sha256': [], rootfs: [], staging: [] };

async function rejects(action: Promise<unknown>, kind: ErrorKind, message: RegExp): Promise<void> {
  await assert.rejects(action, (error) => {
    assert.ok(error instanceof EngineError, String(error));
    assert.match(error.message, message);
    assert.equal(error.kind, kind);
    return true;
  });
}

interface Docker {
  readonly config?: Record<string, unknown>;
  readonly layers: readonly Buffer[];
  readonly tags?: readonly string[];
  readonly diffIds?: readonly string[];
}

/** An archive in the form of `docker save`, one folder per layer. */
async function dockerArchive(image: Docker, extra?: (tree: string) => Promise<unknown>): Promise<Buffer> {
  const diffIds = image.diffIds ?? image.layers.map((layer) => `sha256:${sha256(layer)}`);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      created: '2026-01-02T03:04:05.678901234Z',
      rootfs: { type: 'layers', diff_ids: diffIds },
      ...image.config,
    }),
  );
  const name = `${sha256(config)}.json`;
  const layers = image.layers.map((_, index) => `layer${index}/layer.tar`);
  const files = Object.fromEntries(layers.map((path, index) => [path, image.layers[index]!]));
  const manifest = JSON.stringify([{ Config: name, RepoTags: image.tags ?? null, Layers: layers }]);
  return tar({ ...files, [name]: config, 'manifest.json': manifest }, extra);
}

test('import makes an image of one layer, found by its name', async () => {
  const image = await store.import(stream(tarball), { reference: 'app' });
  assert.deepEqual(image.references, ['app:latest']);
  assert.equal(image.comment, 'Imported from -');
  assert.deepEqual(image.layers, [`sha256:${sha256(tarball)}`]);
  assert.equal(image.sizeBytes, tarball.length);
  assert.equal(store.resolve('app').id, image.id);
  assert.equal(store.resolve(image.id.slice(7, 15)).id, image.id);
  assert.deepEqual(store.list(), [image]);
});

test('the files are unpacked as they were archived', async () => {
  const { id } = await store.import(stream(tarball));
  const tree = store.rootfs(id);
  assert.equal(await readFile(join(tree, 'etc/hello'), 'utf8'), 'hello\n');
  assert.equal(await readlink(join(tree, 'bin/alias')), 'tool');
  const { uid, gid } = await stat(join(tree, 'etc/hello'));
  assert.deepEqual([uid, gid], [33, 44]);
  assert.equal((await stat(join(tree, 'tmp'))).mode & 0o7777, 0o1777);
});

test('every compression gives the same layer', async () => {
  const plain = join(folder, 'plain.tar');
  await writeFile(plain, tarball);
  const through = async (program: string): Promise<Buffer> =>
    (await run(program, ['-c', plain], { encoding: 'buffer' })).stdout;
  const forms = {
    gzip: gzipSync(tarball),
    zstd: zstdCompressSync(tarball),
    bzip2: await through('bzip2'),
    xz: await through('xz'),
  };
  for (const [form, bytes] of Object.entries(forms)) {
    // One byte at first: the magic number must be recognised across chunks.
    const image = await store.import(stream(bytes, 1));
    assert.deepEqual(image.layers, [`sha256:${sha256(tarball)}`], form);
  }
  assert.equal((await contents()).staging?.length, 0);
});

test('changes and message are kept in the configuration, whose digest is the id', async () => {
  const image = await store.import(stream(tarball), {
    changes: ['CMD ["/bin/tool"]', 'ENV A=1', 'EXPOSE 80', 'LABEL a=b', 'WORKDIR /srv', 'VOLUME /data'],
    message: 'made here',
    platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
  });
  assert.deepEqual(image.config.cmd, ['/bin/tool']);
  assert.deepEqual(image.config.exposedPorts, ['80/tcp']);
  assert.deepEqual([image.comment, image.architecture, image.variant], ['made here', 'arm64', 'v8']);
  const blob = await readFile(join(root, 'blobs/sha256', image.id.slice(7)));
  assert.equal(`sha256:${sha256(blob)}`, image.id);
  assert.deepEqual(JSON.parse(blob.toString()).config, {
    ExposedPorts: { '80/tcp': {} },
    Env: ['A=1'],
    Cmd: ['/bin/tool'],
    Volumes: { '/data': {} },
    WorkingDir: '/srv',
    Labels: { a: 'b' },
  });
});

test('the store is an OCI image layout', async () => {
  const image = await store.import(stream(tarball), { reference: 'app' });
  const index = JSON.parse(await readFile(join(root, 'index.json'), 'utf8'));
  assert.deepEqual(
    index.manifests.map((manifest: { digest: string }) => manifest.digest),
    [image.digest],
  );
  for (const blob of image.blobs) {
    assert.equal(sha256(await readFile(join(root, 'blobs/sha256', blob.slice(7)))), blob.slice(7));
  }
});

test('a name taken by a new image leaves the old one dangling', async () => {
  const first = await store.import(stream(tarball), { reference: 'app:1' });
  const second = await store.import(stream(await tar({ other: 'x' })), { reference: 'app:1' });
  assert.equal(store.resolve('app:1').id, second.id);
  assert.deepEqual(store.resolve(first.id).references, []);
});

test('a bad request is refused before anything is read', async () => {
  const unread = async function* (): AsyncGenerator<Uint8Array> {
    yield await Promise.reject(new Error('was read'));
  };
  await rejects(store.import(unread(), { reference: 'BAD' }), 'invalid', /must be lowercase/);
  await rejects(store.import(unread(), { changes: ['RUN x'] }), 'invalid', /not a valid change/);
});

test('archives that are none leave nothing behind', async () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ['nothing', Buffer.alloc(0), /the archive is empty/],
    ['text', Buffer.from('root:x:0:0:root:/root:/bin/sh\n'.repeat(50)), /Error processing tar file/],
    ['cut tar', tarball.subarray(0, 1300), /Error processing tar file/],
    ['cut gzip', gzipSync(tarball).subarray(0, 100), /Error processing tar file/],
    ['cut zstd', zstdCompressSync(tarball).subarray(0, 100), /Error processing tar file/],
    ['broken bzip2', Buffer.from('BZh9 but not really'), /Error processing tar file/],
    ['broken xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1, 2, 3]), /Error processing tar file/],
  ];
  for (const [name, bytes, message] of cases) {
    await rejects(store.import(stream(bytes), { reference: 'x' }), 'invalid', message);
    assert.deepEqual(await contents(), empty, name);
    assert.equal(table.size, 0, name);
  }
});

test('an upload that breaks off leaves nothing behind', async () => {
  const breaking = async function* (bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(0, 600);
    throw new Error('socket hang up');
  };
  for (const bytes of [tarball, gzipSync(tarball), zstdCompressSync(tarball), Buffer.from('BZh91AY&SY')]) {
    await rejects(store.import(breaking(bytes)), 'invalid', /ended early: socket hang up/);
    assert.deepEqual(await contents(), empty);
  }
  await rejects(store.load(breaking(tarball)), 'invalid', /ended early: socket hang up/);
  assert.deepEqual(await contents(), empty);
});

test('a missing unpacker is said, and leaves nothing behind', async () => {
  const broken = await ImageStore.open({ root, table, log: silentLog, umoci: 'no-such-umoci' });
  await rejects(broken.import(stream(tarball)), 'internal', /cannot run no-such-umoci: it is not installed/);
  assert.deepEqual(await contents(), empty);
});

test('a database that refuses leaves nothing behind', async () => {
  const refusing = Object.assign(Object.create(table), {
    put: () => {
      throw new EngineError('internal', 'database is full', { code: 'store-write-failed' });
    },
    get: () => undefined,
    all: () => [].values(),
  });
  const broken = await ImageStore.open({ root, table: refusing, log: silentLog });
  await rejects(broken.import(stream(tarball)), 'internal', /database is full/);
  assert.deepEqual(await contents(), empty);
});

test('load keeps the configuration byte for byte, so that the id is the same as elsewhere', async () => {
  const upper = await tar({ 'etc/hello': 'changed\n', 'bin/.wh.alias': '' });
  const archive = await dockerArchive({
    layers: [tarball, upper],
    tags: ['app:1', 'docker.io/library/app:2'],
    config: { config: { Cmd: ['x'], Labels: null }, 'x-unknown': [1, 2] },
  });
  const progress: string[] = [];
  const { loaded } = await store.load(stream(archive), { onProgress: (text) => progress.push(text) });
  assert.deepEqual(loaded, ['Loaded image: app:1', 'Loaded image: app:2']);
  assert.deepEqual(progress, ['Loaded image: app:1\n', 'Loaded image: app:2\n']);

  const image = store.resolve('app:1');
  const blob = await readFile(join(root, 'blobs/sha256', image.id.slice(7)));
  assert.deepEqual(JSON.parse(blob.toString())['x-unknown'], [1, 2]);
  assert.equal(image.createdAt, '2026-01-02T03:04:05.678901234Z');
  assert.deepEqual(image.references, ['app:1', 'app:2']);
  const tree = store.rootfs(image.id);
  assert.equal(await readFile(join(tree, 'etc/hello'), 'utf8'), 'changed\n');
  assert.deepEqual(await readdir(join(tree, 'bin')), ['tool'], 'a whiteout deletes');
});

test('load again is no change, and without tags the id is reported', async () => {
  const archive = await dockerArchive({ layers: [tarball] });
  const { loaded } = await store.load(stream(gzipSync(archive)));
  const [image] = store.list();
  assert.deepEqual(loaded, [`Loaded image ID: ${image!.id}`]);
  const before = await contents();
  await store.load(stream(archive));
  assert.deepEqual(store.list(), [image]);
  assert.deepEqual(await contents(), before);
});

test('load reports a name that moves', async () => {
  const old = await store.import(stream(tarball), { reference: 'app:1' });
  const progress: string[] = [];
  const archive = await dockerArchive({ layers: [tarball], tags: ['app:1'] });
  await store.load(stream(archive), { onProgress: (text) => progress.push(text) });
  assert.equal(
    progress[0],
    `The image app:1 already exists, renaming the old one with ID ${old.id} to empty string\n`,
  );
  assert.deepEqual(store.resolve(old.id).references, []);
});

test('layers that are symbolic links within the archive are followed', async () => {
  const archive = await dockerArchive({ layers: [tarball], tags: ['app'] }, async (tree) => {
    await run('mv', [join(tree, 'layer0/layer.tar'), join(tree, 'shared.tar')]);
    await symlink('../shared.tar', join(tree, 'layer0/layer.tar'));
  });
  await store.load(stream(archive));
  assert.deepEqual(store.resolve('app').layers, [`sha256:${sha256(tarball)}`]);
});

test('nothing outside the archive is read', async () => {
  const secret = join(folder, 'secret.tar');
  await writeFile(secret, tarball);
  const hostile: Record<string, (tree: string) => Promise<unknown>> = {
    'absolute link': (tree) => symlink(secret, join(tree, 'layer0/layer.tar')),
    'relative link': (tree) => symlink('../'.repeat(12) + secret.slice(1), join(tree, 'layer0/layer.tar')),
    pipe: (tree) => run('mkfifo', [join(tree, 'layer0/layer.tar')]),
    folder: (tree) => mkdir(join(tree, 'layer0/layer.tar')),
  };
  for (const [name, plant] of Object.entries(hostile)) {
    const archive = await dockerArchive({ layers: [tarball], tags: ['app'] }, async (tree) => {
      await rm(join(tree, 'layer0/layer.tar'));
      await plant(tree);
    });
    await rejects(store.load(stream(archive)), 'invalid', /invalid archive/);
    assert.deepEqual(await contents(), empty, name);
  }
  const upwards = await tar({
    'manifest.json': JSON.stringify([{ Config: '../../../secret.tar', Layers: [] }]),
  });
  await rejects(store.load(stream(upwards)), 'invalid', /does not contain/);
});

test('load refuses what does not fit together and leaves nothing behind', async () => {
  const wrongDiffId = await dockerArchive({ layers: [tarball], diffIds: [`sha256:${'0'.repeat(64)}`] });
  const wrongCount = await dockerArchive({ layers: [tarball], diffIds: [] });
  const windows = await dockerArchive({ layers: [tarball], config: { os: 'windows' } });
  const badName = await dockerArchive({ layers: [tarball], tags: ['BAD'] });
  const cases: [Buffer, RegExp][] = [
    [wrongDiffId, /^invalid diffID for layer 0: expected "sha256:0000/],
    [wrongCount, /layers length mismatch: expected 0, got 1/],
    [windows, /cannot load windows image on linux/],
    [badName, /must be lowercase/],
    [tarball, /neither manifest.json nor index.json/],
    [await tar({ 'manifest.json': '{' }), /invalid manifest.json/],
    [await tar({ 'manifest.json': '{}' }), /invalid manifest.json: not a list/],
    [await tar({ 'manifest.json': '[{"Config":"c","Layers":[]}]', c: '{}' }), /does not name its layers/],
    [Buffer.from('no archive'), /Error processing tar file: tar: This does not look like a tar archive/],
    [Buffer.alloc(0), /Error processing tar file|neither/],
    [wrongCount.subarray(0, wrongCount.indexOf(tarball) + 700), /Error processing tar file/],
  ];
  for (const [archive, message] of cases) {
    await rejects(store.load(stream(archive)), 'invalid', message);
    assert.deepEqual(await contents(), empty, String(message));
  }
});

test('load takes an OCI layout with compressed layers, several platforms and a full name', async () => {
  const blobs: Record<string, Buffer> = {};
  const add = (bytes: Buffer): { digest: string; size: number } => {
    blobs[`blobs/sha256/${sha256(bytes)}`] = bytes;
    return { digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  };
  const addJson = (value: unknown) => add(Buffer.from(JSON.stringify(value)));
  const manifestFor = (architecture: string) =>
    addJson({
      schemaVersion: 2,
      config: addJson({
        architecture,
        os: 'linux',
        rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(tarball)}`] },
      }),
      layers: [add(gzipSync(tarball))],
    });
  const manifests = ['amd64', 'arm64'].map((architecture) => ({
    ...manifestFor(architecture),
    platform: { os: 'linux', architecture },
  }));
  const statement = {
    ...addJson({ schemaVersion: 2, config: {}, layers: [{ mediaType: 'application/vnd.in-toto+json' }] }),
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
  };
  const nested = {
    ...addJson({ schemaVersion: 2, manifests: [...manifests, statement] }),
    annotations: { 'io.containerd.image.name': 'docker.io/library/multi:1' },
  };
  const archive = await tar({
    ...blobs,
    'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
    'index.json': JSON.stringify({ schemaVersion: 2, manifests: [nested, statement] }),
  });
  assert.deepEqual((await store.load(stream(archive))).loaded, ['Loaded image: multi:1']);
  const image = store.resolve('multi:1');
  assert.equal(image.architecture, process.arch === 'arm64' ? 'arm64' : 'amd64');
  assert.equal(await readFile(join(store.rootfs(image.id), 'etc/hello'), 'utf8'), 'hello\n');
});

test('an image without layers has an empty root', async () => {
  await store.load(stream(await dockerArchive({ layers: [], tags: ['nothing'] })));
  assert.deepEqual(await readdir(store.rootfs(store.resolve('nothing').id)), []);
});

test('tags point where they are put', async () => {
  const first = await store.import(stream(tarball), { reference: 'a' });
  const second = await store.import(stream(tarball), { reference: 'b', message: 'other' });
  store.tag('a', 'docker.io/library/c:1');
  assert.deepEqual(store.resolve('c:1').references, ['a:latest', 'c:1']);
  store.tag('b', 'c:1');
  assert.deepEqual(store.resolve(first.id).references, ['a:latest']);
  assert.deepEqual(store.resolve(second.id).references, ['b:latest', 'c:1']);
  store.tag('b', 'c:1');
  assert.deepEqual(store.resolve(second.id).references, ['b:latest', 'c:1']);
  assert.throws(() => store.tag('nope', 'x'), /^EngineError: No such image: nope:latest$/);
  assert.throws(() => store.tag('a', 'X'), /must be lowercase/);
});

test('what is not there is named with its tag', () => {
  assert.throws(() => store.resolve('nope'), /^EngineError: No such image: nope:latest$/);
  assert.throws(() => store.resolve('sha256:0000'), /^EngineError: No such image: sha256:0000$/);
  assert.throws(() => store.resolve('f'.repeat(64)), /No such image: f{64}$/);
  assert.throws(() => store.resolve('no!pe'), /invalid reference format/);
});

test('removing the last name deletes the files, but not what another image needs', async () => {
  const first = await store.import(stream(tarball), { reference: 'x1' });
  const second = await store.import(stream(tarball), { reference: 'b', message: 'same layer' });
  assert.deepEqual(await store.remove('x1', { force: false, inUseBy: unused }), {
    untagged: ['x1:latest'],
    deleted: [first.id],
  });
  assert.equal(store.find('x1'), undefined);
  const left = await contents();
  assert.deepEqual(left.rootfs, [second.id.slice(7)]);
  assert.deepEqual(left['blobs/sha256'], second.blobs.map((blob) => blob.slice(7)).sort());
  await store.remove(second.id, { force: false, inUseBy: unused });
  assert.deepEqual(await contents(), empty);
  await rejects(store.remove('b', { force: true, inUseBy: unused }), 'notFound', /^No such image: b:latest$/);
});

test('an image in use is kept, and said to be', async () => {
  const { id } = await store.import(stream(tarball), { reference: 'a' });
  const inUseBy = () => [{ id: 'c'.repeat(64), running: true }];
  await rejects(store.remove('a', { force: false, inUseBy }), 'conflict', /is using its referenced image/);
  await rejects(store.remove(id, { force: true, inUseBy }), 'conflict', /cannot be forced/);
  assert.deepEqual(await store.remove('a', { force: true, inUseBy }), {
    untagged: ['a:latest'],
    deleted: [],
  });
  assert.deepEqual(store.resolve(id).references, []);
});

test('files that a stopped container needs outlive the removal by force, and go with it', async () => {
  const { id } = await store.import(stream(tarball), { reference: 'a' });
  const inUseBy = (asked: ImageId) => (asked === id ? [{ id: 'c'.repeat(64), running: false }] : []);
  assert.deepEqual((await store.remove(id, { force: true, inUseBy })).deleted, [id]);
  assert.equal(store.find(id), undefined);
  assert.deepEqual(store.list(), []);
  assert.equal(store.get(id)?.id, id);
  store = await reopened();
  await store.collect(inUseBy);
  assert.equal(await readFile(join(store.rootfs(id), 'etc/hello'), 'utf8'), 'hello\n');
  await store.collect(unused);
  assert.deepEqual(await contents(), empty);
  assert.equal(table.size, 0);
});

test('a removed image that is loaded again is whole again', async () => {
  const archive = await dockerArchive({ layers: [tarball], tags: ['a'] });
  await store.load(stream(archive));
  const { id } = store.resolve('a');
  await store.remove(id, { force: true, inUseBy: () => [{ id: 'c'.repeat(64), running: false }] });
  await store.load(stream(archive));
  await store.collect(unused);
  assert.equal(store.resolve('a').id, id);
  assert.equal(await readFile(join(store.rootfs(id), 'etc/hello'), 'utf8'), 'hello\n');
});

test('opening clears away what a crash left and restores what is missing', async () => {
  const { id } = await store.import(stream(tarball), { reference: 'a' });
  const before = await contents();
  await mkdir(join(root, 'staging/work-old/rootfs'), { recursive: true });
  await mkdir(join(root, 'rootfs', '0'.repeat(64)));
  await writeFile(join(root, 'blobs/sha256', '1'.repeat(64)), 'half a blob');
  await rm(store.rootfs(id), { recursive: true });
  store = await reopened();
  assert.deepEqual(await contents(), before);
  assert.equal(await readFile(join(store.rootfs(id), 'etc/hello'), 'utf8'), 'hello\n');
});

test('a name that two images have after a crash stays with the younger import', async () => {
  const first = await store.import(stream(tarball), { reference: 'a' });
  const second = await store.import(stream(tarball), { reference: 'b', message: 'other' });
  table.put({ ...second, references: ['b:latest', 'a:latest'], importedAt: '2999-01-01T00:00:00Z' });
  store = await reopened();
  assert.deepEqual(store.resolve(first.id).references, []);
  assert.equal(store.resolve('a').id, second.id);
});

test('what happens is told', async () => {
  const { id } = await store.import(stream(tarball), { reference: 'a' });
  store.tag('a', 'b', '2');
  await store.remove('a', { force: false, inUseBy: unused });
  await store.remove('b:2', { force: false, inUseBy: unused });
  await store.load(stream(await dockerArchive({ layers: [tarball], tags: ['c'] })));
  assert.deepEqual(told, [
    'import a:latest',
    'tag b:2',
    'untag a:latest',
    'untag b:2',
    `delete ${id}`,
    'load c:latest',
  ]);
});

test('a commit adds a layer and a step of history to its parent, and shares the rest', async () => {
  const parent = await store.import(stream(tarball), { reference: 'base', changes: ['CMD ["x"]'] });
  const layer = await tar({ 'etc/more': 'more\n', 'bin/.wh.alias': '' });
  const image = await store.commit(stream(layer), {
    parent: parent.id,
    config: { ...parent.config, env: ['A=1'] },
    author: 'me',
    comment: 'why',
    createdBy: 'sh -c make',
    reference: 'team/app',
  });
  assert.deepEqual(image.references, ['team/app:latest']);
  assert.deepEqual(image.layers, [...parent.layers, `sha256:${sha256(layer)}`]);
  assert.deepEqual(image.layerBlobs[0], parent.layerBlobs[0]);
  assert.deepEqual([image.author, image.comment, image.config.cmd], ['me', 'why', ['x']]);
  assert.deepEqual(
    image.history.map(({ createdBy, comment }) => [createdBy, comment]),
    [
      ['', 'Imported from -'],
      ['sh -c make', 'why'],
    ],
  );
  const tree = store.rootfs(image.id);
  assert.deepEqual((await readdir(join(tree, 'etc'))).sort(), ['hello', 'more']);
  assert.deepEqual(await readdir(join(tree, 'bin')), ['tool']);
  await store.remove('base', { force: false, inUseBy: unused });
  assert.deepEqual((await contents())['blobs/sha256'], image.blobs.map((blob) => blob.slice(7)).sort());
  const gone = { ...image, parent: parent.id, createdBy: '' };
  await rejects(store.commit(stream(layer), gone), 'notFound', /^No such image: sha256:/);
});

test('a tree that a power cut may have damaged is unpacked again', async () => {
  const { id } = await store.import(stream(tarball), { reference: 'a' });
  const damaged = join(store.rootfs(id), 'etc/hello');
  await writeFile(damaged, '');
  store = await reopened();
  assert.equal(await readFile(damaged, 'utf8'), '', 'the same boot: nothing was lost');
  await writeFile(join(root, 'unsynced', id.slice(7)), 'an earlier boot');
  store = await reopened();
  assert.equal(await readFile(damaged, 'utf8'), 'hello\n');
});

test('what a killed process was making goes, also while a program that it left behind goes on with it', async () => {
  const work = join(root, 'staging/work-old');
  await mkdir(work);
  const script = 'i=0; while [ $i -lt 10000 ]; do i=$((i+1)); : > $i || exit 0; done';
  const writing = promisify(execFile)('sh', ['-c', script], { cwd: work }).catch(() => {});
  while ((await readdir(work)).length < 500) await new Promise(setImmediate);
  store = await reopened();
  await writing;
  assert.deepEqual(await contents(), empty);
});

test('what earlier versions stored goes on working', async () => {
  const { id } = await store.import(stream(tarball), { reference: 'a' });
  const { layerBlobs: _, repoDigests: __, manifestType: ___, ...old } = table.get(id)!;
  const [diffId = ''] = old.layers;
  await writeFile(join(root, 'blobs/sha256', diffId.slice(7)), tarball);
  table.put({ ...old, blobs: [old.digest, id, diffId] } as ImageRecord);
  await rm(store.rootfs(id), { recursive: true });
  store = await reopened();
  assert.equal(await readFile(join(store.rootfs(id), 'etc/hello'), 'utf8'), 'hello\n');
  assert.equal(store.resolve('a').layerBlobs[0]?.sizeBytes, tarball.length);
});

test('a layer in a newer compression is kept as it came, and unpacked all the same', async () => {
  const packed = zstdCompressSync(tarball);
  const layer = {
    digest: `sha256:${sha256(packed)}`,
    sizeBytes: packed.length,
    mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd',
    diffId: `sha256:${sha256(tarball)}`,
    unpackedBytes: tarball.length,
  };
  await writeFile(store.files.blobs.path(layer.digest), packed);
  const rootfs = { type: 'layers', diff_ids: [layer.diffId, layer.diffId] };
  const configBytes = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }));
  const image = await store.add({ configBytes, layers: [layer, layer] }, { names: ['packed:1'] });
  assert.equal(await readFile(join(store.rootfs(image.id), 'etc/hello'), 'utf8'), 'hello\n');
  assert.deepEqual((await contents())['blobs/sha256'], image.blobs.map((blob) => blob.slice(7)).sort());
  const archive: Buffer[] = [];
  for await (const chunk of await store.save(['packed'])) archive.push(chunk);
  await store.remove('packed:1', { force: false, inUseBy: unused });
  assert.deepEqual(await contents(), empty);
  await store.load(stream(Buffer.concat(archive)));
  assert.equal(store.resolve('packed:1').id, image.id);
});

test('a layer whose content is not what it should be is found out while it is unpacked', async () => {
  const other = gzipSync(await tar({ other: 'x' }));
  const layer = {
    digest: `sha256:${sha256(other)}`,
    sizeBytes: other.length,
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    diffId: `sha256:${sha256(tarball)}`,
    unpackedBytes: tarball.length,
  };
  await writeFile(store.files.blobs.path(layer.digest), other);
  const rootfs = { type: 'layers', diff_ids: [layer.diffId] };
  const configBytes = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }));
  await rejects(store.add({ configBytes, layers: [layer] }, {}), 'invalid', /diffid mismatch/);
  assert.deepEqual(await contents(), empty);
});

test('many imports at once all succeed', async () => {
  const images = await Promise.all(
    Array.from({ length: 6 }, (_, n) =>
      store.import(stream(tarball), { reference: `app:${n}`, message: `${n}` }),
    ),
  );
  assert.equal(new Set(images.map((image) => image.id)).size, 6);
  assert.equal(store.list().length, 6);
  assert.deepEqual((await contents()).staging, []);
});

test('a full disk is said, and leaves nothing behind', async () => {
  const disk = join(folder, 'disk');
  await mkdir(disk);
  // A file system of its own in a mount namespace of its own: the test runs itself there, in another process.
  const script = `
    import { DatabaseSync } from 'node:sqlite';
    const [storeUrl, tableUrl, logUrl, root] = process.argv.slice(1);
    const { ImageStore } = await import(storeUrl);
    const { DocumentTable } = await import(tableUrl);
    const { silentLog } = await import(logUrl);
    const table = new DocumentTable(new DatabaseSync(':memory:'), 'images');
    const store = await ImageStore.open({ root, table, log: silentLog });
    const error = await store.import(process.stdin).catch((error) => error);
    const { readdirSync } = await import('node:fs');
    const left = ['blobs/sha256', 'rootfs', 'staging'].flatMap((name) => readdirSync(root + '/' + name));
    process.stdout.write(JSON.stringify({ kind: error.kind, message: error.message, left }));`;
  const urls = ['./image-store.ts', '../store/document-table.ts', '../base/log.ts'].map((path) =>
    new URL(path, import.meta.url).toString(),
  );
  const big = join(folder, 'big.tar');
  for (const fileBytes of [3 << 20, 1200 << 10]) {
    // Too large to be received; then small enough for that, but not to be unpacked as well.
    await writeFile(big, await tar({ big: randomBytes(fileBytes) }));
    const inside =
      'mount -t tmpfs -o size=2m tmpfs "$1" && exec "$2" --input-type=module -e "$3" "$4" "$5" "$6" "$1"';
    const args = [
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      inside,
      'sh',
      disk,
      process.execPath,
      script,
    ];
    const child = execFile('unshare', [...args, ...urls]);
    createReadStream(big)
      .on('error', () => {})
      .pipe(child.stdin!.on('error', () => {}));
    let output = '';
    for await (const chunk of child.stdout!) output += chunk;
    const result = JSON.parse(output);
    assert.equal(result.kind, 'internal', output);
    assert.match(result.message, /no space left on device/i);
    assert.deepEqual(result.left, []);
  }
});
