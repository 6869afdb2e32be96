/**
 * Images: imported, loaded, listed, inspected, tagged, removed.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { encodeDockerArchive } from './lab/docker-archive.ts';
import { expectSameInventory, takeInventory } from './lab/inventory.ts';
import { engineUnderTest } from './lab/lab.ts';
import { busyboxRootfs } from './lab/rootfs.ts';
import { image, openStory } from './lab/story.ts';
import { encodeTar } from './lab/tar.ts';

const lab = await openStory();
await lab.docker(`run --rm ${image} true`);

interface InspectedImage {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly Config: { readonly Env: readonly string[] | null; readonly Cmd: readonly string[] | null };
  readonly Os: string;
  readonly Size: number;
}

async function inspectImage(reference: string): Promise<InspectedImage> {
  const [first] = JSON.parse(await lab.dockerOutput(`image inspect ${reference}`)) as InspectedImage[];
  assert.ok(first);
  return first;
}

function file(name: string, data: Uint8Array): string {
  const path = join(lab.directory, name);
  writeFileSync(path, data);
  return path;
}

describe('docker import', () => {
  test('makes an image of a tar archive, from a file and from standard input, plain and compressed', async () => {
    const before = await takeInventory(lab, lab.engine);
    const plain = file('rootfs.tar', busyboxRootfs());
    const packed = file('rootfs.tar.gz', gzipSync(busyboxRootfs(), { level: 1 }));
    assert.match(await lab.dockerOutput(`import ${plain} imported:plain`), /^sha256:[0-9a-f]{64}$/);
    assert.match(await lab.dockerOutput(`import ${packed} imported:packed`), /^sha256:[0-9a-f]{64}$/);
    const piped = await lab.docker('import - imported:piped', { input: busyboxRootfs() });
    assert.match(piped.stdout.trim(), /^sha256:[0-9a-f]{64}$/);
    for (const tag of ['plain', 'packed', 'piped']) {
      assert.equal(await lab.dockerOutput(`run --rm --net=none imported:${tag} echo ${tag}`), tag);
    }
    await lab.docker('rmi imported:plain imported:packed imported:piped');
    if (engineUnderTest === 'seaway') await expectSameInventory(lab, before, lab.engine);
  });

  test('--change sets the defaults of the image', async () => {
    const changes = ['ENV GREETING=hello', 'CMD ["sh","-c","echo $GREETING from $(pwd)"]', 'WORKDIR /www'];
    const flags = changes.flatMap((change) => ['--change', change]);
    await lab.docker(['import', ...flags, '-', 'changed:1'], { input: busyboxRootfs() });
    assert.equal(await lab.dockerOutput('run --rm --net=none changed:1'), 'hello from /www');
    await lab.docker('rmi changed:1');
  });

  test('what is not a tar archive is refused and leaves nothing', async () => {
    const before = await takeInventory(lab, lab.engine);
    const result = await lab.docker('import - broken:1', {
      input: 'this is not an archive',
      allowFailure: true,
    });
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /\S/);
    await expectSameInventory(lab, before, lab.engine);
  });
});

describe('docker load', () => {
  const upper = encodeTar([
    { kind: 'directory', path: 'www' },
    { kind: 'file', path: 'www/.wh.index.html', data: Buffer.alloc(0) },
    { kind: 'file', path: 'www/upper.html', data: Buffer.from('from the upper layer\n') },
  ]);
  const archive = encodeDockerArchive('loaded:1', [busyboxRootfs(), upper], {
    Env: ['PATH=/bin', 'FROM=image'],
    Entrypoint: ['sh', '-c'],
    Cmd: ['ls /www; echo $FROM; pwd; id -u'],
    WorkingDir: '/tmp',
    User: 'www',
    Labels: { kind: 'test' },
  });

  test('takes an archive with layers and runs it with its own defaults', async () => {
    const result = await lab.docker('load', { input: archive });
    assert.match(result.stdout, /Loaded image: loaded:1/);
    assert.equal(await lab.dockerOutput('run --rm --net=none loaded:1'), 'upper.html\nimage\n/tmp\n33');
    assert.equal(
      await lab.dockerOutput([
        'run',
        '--rm',
        '--net=none',
        '-e',
        'FROM=user',
        '-u',
        '0',
        'loaded:1',
        'echo $FROM',
      ]),
      'user',
    );
  });

  test('the image id is the digest of its configuration', async () => {
    await lab.docker('load', { input: archive });
    const { Id, RepoTags } = await inspectImage('loaded:1');
    const manifest = archive.toString('latin1').match(/"Config":"([0-9a-f]{64})\.json"/)?.[1];
    assert.equal(Id, `sha256:${manifest}`);
    assert.deepEqual(RepoTags, ['loaded:1']);
  });

  test('what is not an image archive is refused and leaves nothing', async () => {
    const before = await takeInventory(lab, lab.engine);
    for (const input of ['junk', encodeTar([{ kind: 'file', path: 'a', data: Buffer.from('b') }])]) {
      const result = await lab.docker('load', { input, allowFailure: true });
      assert.notEqual(result.code, 0, result.stdout);
    }
    await expectSameInventory(lab, before, lab.engine);
  });
});

describe('docker images, tag and rmi', () => {
  test('the list shows name, tag, id and size', async () => {
    const table = await lab.dockerOutput('images');
    assert.match(table, /^REPOSITORY\s+TAG\s+IMAGE ID\s+CREATED\s+SIZE$/m);
    const { Id, Size, Os } = await inspectImage(image);
    const row = new RegExp(`^${image}\\s+latest\\s+${Id.slice(7, 19)}\\s+.+ ago\\s+[\\d.]+MB$`, 'm');
    assert.match(table, row);
    assert.equal(Os, 'linux');
    assert.ok(Size > 1_000_000);
    assert.equal(await lab.dockerOutput(['images', '-q', image]), Id.slice(7, 19));
  });

  test('a tag is another name of the same image; removing it leaves the image', async () => {
    await lab.docker(`tag ${image} other.example/team/box:v1`);
    const { Id, RepoTags } = await inspectImage(image);
    assert.deepEqual([...RepoTags].sort(), [`${image}:latest`, 'other.example/team/box:v1']);
    assert.equal((await inspectImage('other.example/team/box:v1')).Id, Id);
    assert.equal((await inspectImage(Id.slice(7, 17))).Id, Id);
    const removed = await lab.dockerOutput('rmi other.example/team/box:v1');
    assert.equal(removed, 'Untagged: other.example/team/box:v1');
    assert.deepEqual((await inspectImage(image)).RepoTags, [`${image}:latest`]);
  });

  test('rmi removes the image with its last name, but not while a container uses it', async () => {
    await lab.docker('import - doomed:1', { input: busyboxRootfs() });
    await lab.docker('create --name user doomed:1 true');
    const refused = await lab.docker('rmi doomed:1', { allowFailure: true });
    assert.match(refused.stderr, /conflict: unable to remove repository reference "doomed:1" \(must force\)/);
    await lab.docker('rm user');
    const removed = await lab.dockerOutput('rmi doomed:1');
    assert.match(removed, /^Untagged: doomed:1\nDeleted: sha256:[0-9a-f]{64}/);
    const gone = await lab.docker('image inspect doomed:1', { allowFailure: true });
    assert.match(gone.stderr, /[Nn]o such image/);
  });

  test('an import under a taken name takes the name away from the older image', async () => {
    await lab.docker('import - moved:1', { input: busyboxRootfs() });
    const older = await inspectImage('moved:1');
    const changed = encodeTar([{ kind: 'file', path: 'a', data: Buffer.from('b') }]);
    await lab.docker('import - moved:1', { input: changed });
    const newer = await inspectImage('moved:1');
    assert.notEqual(newer.Id, older.Id);
    assert.deepEqual((await inspectImage(older.Id)).RepoTags ?? [], []);
    await lab.docker(`rmi ${newer.Id} ${older.Id}`);
  });
});
