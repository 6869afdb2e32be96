/**
 * Files of containers: copied in and out, compared and exported, through the docker client and over the wire.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { engineUnderTest } from './lab/lab.ts';
import { RawApi, type Refusal } from './lab/raw-api.ts';
import { busyboxRootfs } from './lab/rootfs.ts';
import { eventually, image, openStory } from './lab/story.ts';
import { encodeTar } from './lab/tar.ts';

const lab = await openStory();
const api = new RawApi(lab);
const peer = engineUnderTest === 'dockerd';
const aboutOurs = { skip: peer && 'about our daemon alone' };
const work = join(lab.directory, 'work');
mkdirSync(work);

const shared = join(lab.directory, 'shared');
mkdirSync(shared);
writeFileSync(join(shared, 'from-host'), 'host\n');
await lab.docker([
  'run',
  '-d',
  '--name',
  'box',
  '-v',
  `${shared}:/shared`,
  '-v',
  `${shared}:/fixed:ro`,
  image,
  'sleep',
  '3600',
]);
await lab.docker(['create', '--name', 'idle', '-v', `${shared}:/shared`, image, 'sleep', '3600']);
await lab.docker(['create', '--name', 'sealed', '--read-only', '-v', `${shared}:/shared`, image, 'true']);

await lab.docker(['exec', 'box', 'ln', '-s', 'loop', '/srv/loop']);
const busybox = busyboxRootfs();

const sh = async (script: string) => (await lab.docker(['exec', 'box', 'sh', '-c', script])).stdout;

interface PathStat {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly mtime: string;
  readonly linkTarget: string;
}

async function stat(container: string, path: string): Promise<PathStat> {
  const answer = await api.send('HEAD', `/containers/${container}/archive?path=${encodeURIComponent(path)}`);
  assert.equal(answer.status, 200, `${path}: ${answer.status}`);
  const header = String(answer.headers['x-docker-container-path-stat']);
  return JSON.parse(Buffer.from(header, 'base64').toString()) as PathStat;
}

/** Names of the entries of an archive, as tar prints them. */
function listing(archive: Uint8Array): string[] {
  return execFileSync('tar', ['tPf', '-'], { input: archive }).toString().split('\n').filter(Boolean);
}

function put(container: string, path: string, body: Uint8Array, more = '') {
  return lab.api<{ message?: string }>(
    'PUT',
    `/v1.41/containers/${container}/archive?path=${encodeURIComponent(path)}${more}`,
    body,
    { headers: { 'Content-Type': 'application/x-tar' } },
  );
}

async function get(path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath: lab.engine.socket, path: `/v1.41${path}`, agent: false },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.once('error', reject);
        answer.once('end', () =>
          answer.statusCode === 200
            ? resolve(Buffer.concat(chunks))
            : reject(new Error(Buffer.concat(chunks).toString())),
        );
      },
    );
    asked.once('error', reject).end();
  });
}

describe('docker cp', () => {
  for (const container of ['box', 'idle']) {
    const state = container === 'box' ? 'a running container' : 'one that was never started';

    test(`a file to ${state} and back, with its mode and time`, async () => {
      const source = join(work, `${container}-file`);
      writeFileSync(source, 'content\n');
      chmodSync(source, 0o4751);
      execFileSync('touch', ['-d', '2020-02-02T02:02:02Z', source]);
      await lab.docker(['cp', source, `${container}:/srv/copied`]);
      const { mode, mtime, size, name } = await stat(container, '/srv/copied');
      assert.deepEqual({ mtime, size, name }, { mtime: '2020-02-02T02:02:02Z', size: 8, name: 'copied' });
      assert.equal(mode, 0x800000 + 0o751);
      await lab.docker(['cp', `${container}:/srv/copied`, join(work, `${container}-back`)]);
      assert.equal(readFileSync(join(work, `${container}-back`), 'utf8'), 'content\n');
      assert.equal(statSync(join(work, `${container}-back`)).mode & 0o777, 0o751);
    });

    test(`a folder to ${state}, as itself, as its contents, and back`, async () => {
      const folder = join(work, `${container}-folder`);
      mkdirSync(join(folder, 'deep/empty'), { recursive: true });
      writeFileSync(join(folder, 'deep/a file with ä'), 'a');
      symlinkSync('deep/a file with ä', join(folder, 'link'));
      await lab.docker(['cp', folder, `${container}:/srv/renamed`]);
      await lab.docker(['cp', `${folder}/.`, `${container}:/srv`]);
      for (const place of ['/srv/renamed', '/srv']) {
        const link = await stat(container, `${place}/link`);
        assert.equal(link.linkTarget, `${place}/deep/a file with ä`);
        assert.equal(
          (await stat(container, `${place}/link/.`.replace('/link/.', '/deep/a file with ä'))).size,
          1,
        );
      }
      await lab.docker(['cp', `${container}:/srv/renamed`, join(work, `${container}-returned`)]);
      assert.equal(readlinkSync(join(work, `${container}-returned/link`)), 'deep/a file with ä');
      assert.equal(readFileSync(join(work, `${container}-returned/link`), 'utf8'), 'a');
      await lab.docker(['cp', '-L', `${container}:/srv/renamed/link`, join(work, `${container}-followed`)]);
      assert.equal(readFileSync(join(work, `${container}-followed`), 'utf8'), 'a');
    });

    test(`through what is mounted in ${state}`, async () => {
      writeFileSync(join(work, 'to-host'), container);
      await lab.docker(['cp', join(work, 'to-host'), `${container}:/shared/to-host`]);
      assert.equal(readFileSync(join(shared, 'to-host'), 'utf8'), container);
      const { stdout } = await lab.docker(['cp', `${container}:/shared/from-host`, '-']);
      assert.match(stdout, /^from-host\0/);
    });
  }

  test('the archive of a folder is named by it, by its contents, or by nothing', async () => {
    await sh('mkdir -p /srv/named/sub; touch /srv/named/file');
    const names = async (path: string) => listing(await get(`/containers/box/archive?path=${path}`));
    assert.deepEqual(await names('/srv/named'), ['named/', 'named/file', 'named/sub/']);
    assert.deepEqual(await names('srv/named/'), ['named/', 'named/file', 'named/sub/']);
    assert.deepEqual(await names('/srv/named/.'), ['./', './file', './sub/']);
    const root = await names('/');
    assert.ok(root.includes('/etc/passwd') && root.includes('/srv/named/file'), root.slice(0, 9).join(' '));
  });

  test('the archive keeps owners, devices, pipes, hard links and holes', async () => {
    await sh(
      'mkdir /srv/odd; cd /srv/odd; echo x > a; ln a b; chown 33:50 a; mkfifo pipe; ln -s /nowhere broken; mkdir locked; chmod 0 locked',
    );
    const archive = await get('/containers/box/archive?path=/srv/odd');
    const lines = execFileSync('tar', ['tvf', '-', '--numeric-owner'], { input: archive }).toString();
    assert.match(lines, /^-rw-r--r-- 33\/50 +2 .* odd\/a$/m);
    assert.match(lines, /^hrw-r--r-- 33\/50 +0 .* odd\/b link to odd\/a$/m);
    assert.match(lines, /^prw-r--r-- 0\/0 +0 .* odd\/pipe$/m);
    assert.match(lines, /^lrwxrwxrwx .* odd\/broken -> \/nowhere$/m);
    assert.match(lines, /^d--------- .* odd\/locked\/$/m);
    assert.equal((await put('idle', '/srv', archive)).status, 200);
    const copy = await get('/containers/idle/archive?path=/srv/odd');
    assert.equal(execFileSync('tar', ['tvf', '-', '--numeric-owner'], { input: copy }).toString(), lines);
  });

  test('compressed archives are taken as they are', async () => {
    const archive = encodeTar([{ kind: 'file', path: 'packed', data: Buffer.from('packed\n') }]);
    // Debian's dockerd does not know zstd yet.
    for (const program of ['gzip', 'bzip2', 'xz', ...(peer ? [] : ['zstd'])]) {
      await sh('rm -f /srv/packed');
      const answer = await put('box', '/srv', execFileSync(program, ['-c'], { input: archive }));
      assert.equal(answer.status, 200, `${program}: ${answer.text}`);
      assert.equal(await sh('cat /srv/packed'), 'packed\n', program);
    }
  });

  test('the engine’s own files are seen with what is in them', async () => {
    const { stdout } = await lab.docker(['cp', 'box:/etc/hosts', '-']);
    assert.match(stdout, /127\.0\.0\.1\tlocalhost/);
  });

  test('-a gives everything to the container’s user', aboutOurs, async () => {
    await lab.docker(['create', '--name', 'www', '-u', 'www', image, 'true']);
    await lab.docker(['cp', '-a', join(work, 'to-host'), 'www:/srv/']);
    const archive = await get('/containers/www/archive?path=/srv/to-host');
    assert.match(
      execFileSync('tar', ['tvf', '-', '--numeric-owner'], { input: archive }).toString(),
      / 33\/33 /,
    );
    await lab.docker('rm www');
  });

  test('events tell of it', async () => {
    const since = Math.floor(Date.now() / 1000) - 3600;
    const { stdout } = await lab.docker([
      ...['events', '--since', String(since), '--until', String(Math.floor(Date.now() / 1000) + 1)],
      ...['--format', '{{.Action}}', '--filter', 'type=container'],
    ]);
    for (const action of ['archive-path', 'extract-to-dir']) assert.ok(stdout.split('\n').includes(action));
  });

  test('a start meanwhile neither waits nor loses what was copied', async () => {
    await lab.docker(['create', '--name', 'later', image, 'sleep', '3600']);
    const copying = Array.from({ length: 4 }, (_, n) =>
      put('later', '/srv', encodeTar([{ kind: 'file', path: `n${n}`, data: Buffer.from(`${n}`) }])),
    );
    await lab.docker('start later');
    for (const { status, text } of await Promise.all(copying)) assert.equal(status, 200, text);
    const { stdout } = await lab.docker(['exec', 'later', 'sh', '-c', 'cat /srv/n*']);
    assert.equal(stdout, '0123');
    await lab.docker('rm -f later');
  });
});

describe('docker diff and export', () => {
  test('diff tells what was changed, added and deleted', async () => {
    await lab.docker(['run', '-d', '--name', 'changed', '-v', `${shared}:/volume`, image, 'sleep', '3600']);
    const script =
      'echo more >> /etc/passwd; mkdir -p /new/folder; touch /new/folder/file; rm -r /www; mkdir /www; touch /www/other; rm /etc/group; chmod 700 /home; touch /tmp/t; rm /tmp/t; cat /etc/nsswitch.conf > /dev/null';
    await lab.docker(['exec', 'changed', 'sh', '-c', script]);
    const lines = (await lab.dockerOutput('diff changed')).split('\n').sort();
    const expected = [
      ...['A /new', 'A /new/folder', 'A /new/folder/file', 'A /volume', 'A /www/other'],
      ...['C /etc', 'C /etc/passwd', 'C /home', 'C /www', 'D /etc/group', 'D /www/index.html'],
    ];
    assert.deepEqual(lines, expected);
    const changes = await api.get<{ Path: string; Kind: number }[]>('/containers/changed/changes');
    const paths = changes.map(({ Path }) => Path);
    // The peer leaves the order to the client.
    if (!peer) assert.deepEqual(paths, paths.toSorted());
    assert.deepEqual(
      changes.find(({ Path }) => Path === '/etc'),
      { Path: '/etc', Kind: 0 },
    );
  });

  test('export has all of it, and of what is mounted only the places', async () => {
    const names = listing(await get('/containers/changed/export'));
    for (const name of ['new/folder/file', 'www/other', 'etc/passwd', 'volume/', '.dockerenv']) {
      assert.ok(names.includes(name), name);
    }
    for (const name of ['etc/group', 'www/index.html', 'volume/from-host', './']) {
      assert.ok(!names.includes(name), name);
    }
    await lab.docker('kill changed');
    await eventually(async () => assert.deepEqual(listing(await get('/containers/changed/export')), names));
    await lab.docker('rm changed');
  });

  test('nothing changed is null', async () => {
    await lab.docker(['create', '--name', 'fresh', image, 'true']);
    assert.equal(await api.get('/containers/fresh/changes'), null);
    assert.equal(await lab.dockerOutput('diff fresh'), '');
    await lab.docker('rm fresh');
  });
});

const missing = 'Could not find the file /nope in container box';
const archive = (container: string, path: string) =>
  `/containers/${container}/archive?path=${encodeURIComponent(path)}`;
const tar = { 'Content-Type': 'application/x-tar' };
const hosts = encodeTar([{ kind: 'file', path: 'hosts', data: Buffer.from('x') }]);
const two = encodeTar([
  { kind: 'file', path: 'etc', data: Buffer.from('x') },
  { kind: 'file', path: 'two', data: Buffer.from('2') },
]);
const refused = (what: string, message: string | RegExp, body: Uint8Array, path = '/srv', more = '') => ({
  ...{ what, message, status: 400, method: 'PUT', headers: tar },
  path: archive('box', path) + more,
  body: body as never,
});

const refusals: readonly Refusal[] = [
  ...(['GET', 'PUT'] as const).flatMap((method) => [
    {
      what: `${method} without a path`,
      ...{ method, path: '/containers/box/archive', headers: tar, body: '' },
      status: 400,
      message: /^bad parameter: path ?cannot be empty$/,
    },
    {
      what: `${method} of no container`,
      ...{ method, path: archive('nobody', '/'), headers: tar, body: '' },
      status: 404,
      message: 'No such container: nobody',
    },
    {
      what: `${method} where nothing is`,
      ...{ method, path: archive('box', '/nope'), headers: tar, body: '' },
      status: 404,
      message: missing,
    },
  ]),
  ...['changes', 'export'].map((verb) => ({
    what: `${verb} of no container`,
    ...{ method: 'GET', path: `/containers/nobody/${verb}` },
    status: 404,
    message: 'No such container: nobody',
  })),
  ...(peer
    ? []
    : [
        {
          what: 'a path through a file',
          ...{ method: 'GET', path: archive('box', '/etc/passwd/x') },
          status: 400,
          message: 'lstat /etc/passwd/x: not a directory',
        },
        {
          what: 'a loop of links',
          ...{ method: 'GET', path: archive('box', '/srv/loop/x') },
          status: 400,
          message: /too many levels of symbolic links/,
        },
        refused('a file in place of the folder', 'extraction point is not a directory', two, '/etc/passwd'),
        refused('a volume that is read-only', 'mounted volume is marked read-only', two, '/fixed'),
        {
          ...refused('a root that is read-only', 'container rootfs is marked read-only', two),
          path: archive('sealed', '/srv'),
        },
        refused(
          'a name that leads out',
          '"../up" is outside of "/srv"',
          encodeTar([{ kind: 'file', path: '../up', data: Buffer.from('x') }]),
        ),
        refused('a file that is mounted', /device or resource busy/, hosts, '/etc'),
        refused('no archive at all', 'archive/tar: invalid tar header', Buffer.alloc(2048, 'junk')),
        refused('a part of an archive', 'unexpected EOF', busybox.subarray(0, 1_000_000)),
        refused(
          'a damaged compressed archive',
          /./,
          Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(4096, 1)]),
        ),
        refused(
          'a file over a folder',
          'cannot overwrite directory "/etc" with non-directory "/"',
          two,
          '/',
          '&noOverwriteDirNonDir=true',
        ),
      ]),
];

describe('what is refused', () => {
  for (const refusal of refusals) {
    test(`${refusal.what}: ${refusal.status}`, () => api.isRefused(refusal));
  }

  test('a file of the image is not damaged by any of it', async () => {
    assert.match(await sh('cat /etc/passwd'), /^root:/);
  });
});

test('nothing that looked into containers is left, neither processes nor mounts', aboutOurs, async () => {
  await eventually(async () => {
    assert.doesNotMatch((await lab.run('ps -eo args')).stdout, /files\/main\.[jt]s/);
    const { stdout } = await lab.run([
      'sh',
      '-c',
      'grep -c "/rootfs overlay\\|/rootfs " /proc/self/mountinfo',
    ]);
    assert.equal(stdout.trim(), '1', 'the running container has its root, and the others have none');
  });
});
