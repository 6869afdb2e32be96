/** Volumes that are more than a folder, what is told of them, and what is left of them after a crash. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { expectSameInventory, takeInventory } from './lab/inventory.ts';
import { RawApi, testRefusals } from './lab/raw-api.ts';
import { eventually, image, openStory, removeContainers } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);

await lab.docker(`run --rm ${image} true`);
const clean = await takeInventory(lab, lab.engine);

const docker = (...args: string[]) => lab.docker(args, { allowFailure: true });
const mountpoint = async (volume: string) =>
  (await api.get<{ Mountpoint: string }>(`/volumes/${volume}`)).Mountpoint;
const volumeNames = async () =>
  (await api.get<{ Volumes: { Name: string }[] }>('/volumes')).Volumes.map(({ Name }) => Name).sort();
const isMounted = (path: string) =>
  readFileSync(`/proc/${lab.holderPid}/mountinfo`, 'utf8').includes(` ${path} `);

testRefusals(lab, 'volumes', [
  ...[
    ['x', 400, 'create x: volume name is too short, names should be at least two alphanumeric characters'],
    [
      'a/b',
      400,
      'create a/b: "a/b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
    ],
  ].map(([Name, status, message]) => ({
    what: `the name ${Name}`,
    path: '/volumes/create',
    body: { Name },
    status: status as number,
    message: message as string,
  })),
  {
    what: 'an unknown driver',
    path: '/volumes/create',
    body: { Name: 'far', Driver: 'nfs' },
    status: 404,
    message: 'create far: error looking up volume plugin nfs: plugin "nfs" not found',
  },
  {
    what: 'an unknown option',
    path: '/volumes/create',
    body: { Name: 'odd', DriverOpts: { speed: 'high' } },
    status: 400,
    message: 'create odd: invalid option: "speed"',
  },
  {
    what: 'a device without a type',
    path: '/volumes/create',
    body: { Name: 'odd', DriverOpts: { device: '/x' } },
    status: 400,
    message: 'create odd: missing required option: "type"',
  },
  {
    what: 'labels that are no texts',
    path: '/volumes/create',
    body: { Name: 'odd', Labels: { a: 1 } },
    status: 400,
    message: /^invalid JSON: Labels/,
  },
  {
    what: 'a volume of a cluster',
    path: '/volumes/create',
    body: { Name: 'odd', ClusterVolumeSpec: {} },
    status: 503,
    message: /^This node is not a swarm manager/,
  },
  {
    what: 'no such volume',
    method: 'GET',
    path: '/volumes/nope',
    status: 404,
    message: 'get nope: no such volume',
  },
  {
    what: 'none to remove',
    method: 'DELETE',
    path: '/volumes/nope',
    status: 404,
    message: 'get nope: no such volume',
  },
  {
    what: 'a path out of the folder',
    method: 'DELETE',
    path: '/volumes/..%2Fcontainers',
    status: 404,
    message: 'get ../containers: no such volume',
  },
  {
    what: 'a change of a volume',
    method: 'PUT',
    path: '/volumes/nope?version=1',
    body: {},
    status: 503,
    message: 'volume update only valid for cluster volumes, but swarm is unavailable',
  },
  {
    what: 'an unknown filter',
    method: 'GET',
    path: '/volumes?filters={"x":["y"]}',
    status: 400,
    message: "invalid filter 'x'",
  },
  {
    what: 'a filter that is no boolean',
    method: 'GET',
    path: '/volumes?filters={"dangling":["x"]}',
    status: 400,
    message: "invalid filter 'dangling=[x]'",
  },
  {
    what: 'a filter of the list for prune',
    path: '/volumes/prune?filters={"name":["x"]}',
    status: 400,
    message: "invalid filter 'name'",
  },
  ...(
    [
      [{ Binds: ['/a:/b', '/c:/b'] }, 400, 'Duplicate mount point: /b'],
      [{ Binds: ['/a:/b'], Tmpfs: { '/b': '' } }, 400, 'Duplicate mount point: /b'],
      [{ Binds: ['./a:/b'] }, 400, /^create \.\/a: "\.\/a" includes invalid characters/],
      [{ Binds: ['/a:/b:rox'] }, 400, 'invalid mode: rox'],
      [{ VolumesFrom: ['nope'] }, 404, 'No such container: nope'],
      [
        { Mounts: [{ Type: 'bind', Source: '/nope', Target: '/b' }] },
        400,
        'invalid mount config for type "bind": bind source path does not exist: /nope',
      ],
      [
        { Mounts: [{ Type: 'volume', Source: 'vv', Target: 'b' }] },
        400,
        'invalid mount config for type "volume": invalid mount path: \'b\' mount path must be absolute',
      ],
      [
        { Binds: ['vv:/b'], VolumeDriver: 'x' },
        404,
        'create vv: error looking up volume plugin x: plugin "x" not found',
      ],
    ] as const
  ).map(([HostConfig, status, message]) => ({
    what: `a container with ${JSON.stringify(HostConfig)}`,
    path: '/containers/create',
    body: { Image: image, Cmd: ['true'], HostConfig },
    status,
    message,
  })),
  {
    what: 'a volume without a name over a file',
    path: '/containers/create',
    body: { Image: image, Cmd: ['true'], Volumes: { '/etc/passwd': {}, '/srv': {} } },
    status: 400,
    message: 'cannot mount volume over existing file, file exists /etc/passwd',
  },
]);

describe('a volume with options', () => {
  test('is mounted for the first who uses it, and unmounted after the last', async () => {
    await lab.docker('volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,uid=33 memory');
    const path = await mountpoint('memory');
    await lab.docker(`run -d --name one -v memory:/m ${image} sleep 600`);
    await lab.docker(['run', '--rm', '-v', 'memory:/m', image, 'sh', '-c', 'stat -c %u /m > /m/owner']);
    assert.equal(await lab.dockerOutput('exec one cat /m/owner'), '33');
    await lab.engine.restart('SIGKILL');
    assert.ok(isMounted(path), 'a container goes on with it');
    await removeContainers(lab, 'one');
    await eventually(() => assert.ok(!isMounted(path)));
    await lab.docker('volume rm memory');
  });

  test('may be a folder of the host, which keeps its content when the volume goes', async () => {
    const folder = join(lab.directory, 'theirs');
    mkdirSync(folder);
    writeFileSync(join(folder, 'file'), 'theirs\n');
    const options = ['-o', 'type=none', '-o', 'o=bind,ro', '-o', `device=${folder}`];
    await lab.docker(['volume', 'create', ...options, 'folder']);
    const shown = await lab.dockerOutput([
      ...['run', '--rm', '-v', 'folder:/f', image, 'sh', '-c', 'cat /f/file; touch /f/x || echo no'],
    ]);
    assert.match(shown, /^theirs\n.*no$/s);
    await lab.docker('volume rm folder');
    assert.deepEqual(readdirSync(folder), ['file']);
  });

  test('that cannot be mounted keeps the container from starting, and is told', async () => {
    const options = ['-o', 'type=none', '-o', 'o=bind', '-o', 'device=/not/there'];
    await lab.docker(['volume', 'create', ...options, 'broken']);
    const refused = await docker('run', '--rm', '-v', 'broken:/b:nocopy', image, 'true');
    assert.match(
      refused.stderr,
      /error while mounting volume '\S+\/volumes\/broken\/_data': failed to mount local volume: mount \/not\/there:/,
    );
    assert.notEqual(refused.code, 0);
    assert.deepEqual(await api.get('/containers/json?all=1'), []);
    await lab.docker('volume rm broken');
  });
});

describe('a part of a volume', () => {
  test('is mounted where it is in the volume, and nowhere else', async () => {
    await lab.docker([
      'run',
      '--rm',
      '-v',
      'parts:/p',
      image,
      'sh',
      '-c',
      'mkdir -p /p/a/b; echo x > /p/a/b/file',
    ]);
    const path = lab.pathInside(await mountpoint('parts'));
    symlinkSync('a/b', join(path, 'inside'));
    symlinkSync('../../../../../../../../etc', join(path, 'outside'));
    symlinkSync('/etc', join(path, 'absolute'));
    const show = (subpath: string) =>
      docker(
        'run',
        '--rm',
        '--mount',
        `type=volume,src=parts,dst=/d,volume-subpath=${subpath}`,
        image,
        'sh',
        '-c',
        'cat /d/file || cat /d',
      );
    assert.equal((await show('inside')).stdout, 'x\n');
    assert.equal((await show('a/b/file')).stdout, 'x\n');
    for (const [subpath, problem] of [
      ['nope', /cannot access path nope of volume parts: ENOENT/],
      ['absolute', /leads out of the volume/],
      ['outside/passwd', /leads out of the volume/],
    ] as const) {
      const { stderr, code } = await show(subpath);
      assert.match(stderr, problem);
      assert.notEqual(code, 0);
    }
    // A container that vanishes with its daemon leaves no piece mounted.
    await lab.docker([
      ...['run', '-d', '--name', 'part', '--mount', 'type=volume,src=parts,dst=/d,volume-subpath=a', image],
      ...['sleep', '600'],
    ]);
    await lab.engine.kill('SIGKILL');
    await lab.run(['sh', '-c', 'kill -9 $(pidof sleep)']);
    await lab.engine.start();
    await removeContainers(lab, 'part');
    assert.equal(readFileSync(join(path, 'a/b/file'), 'utf8'), 'x\n', 'what was mounted is not deleted');
    await lab.docker('volume rm parts');
    await expectSameInventory(lab, clean, lab.engine);
  });
});

test('events tell of volumes', async () => {
  const since = (Date.now() / 1000).toFixed(3);
  await lab.docker(['run', '--rm', '--name', 'teller', '-v', 'told:/t:ro', image, 'true']);
  await lab.docker('volume rm told');
  await lab.docker('volume prune -f');
  const told = await eventually(async () => {
    const args = [
      'events',
      '--since',
      since,
      '--until',
      (Date.now() / 1000).toFixed(3),
      '--filter',
      'type=volume',
    ];
    const output = await lab.dockerOutput([...args, '--format', '{{json .}}']);
    const events = output
      .split('\n')
      .map(
        (line) =>
          JSON.parse(line) as { Action: string; Actor: { ID: string; Attributes: Record<string, string> } },
      );
    assert.equal(events.length, 5, output);
    return events;
  });
  assert.deepEqual(
    told.map(({ Action, Actor }) => `${Action} ${Actor.ID}`),
    ['create told', 'mount told', 'unmount told', 'destroy told', 'prune '],
  );
  const [create, mount, unmount, , prune] = told.map(({ Actor }) => Actor.Attributes);
  assert.deepEqual(create, { driver: 'local' });
  assert.deepEqual(
    { ...mount, container: '' },
    {
      container: '',
      destination: '/t',
      driver: 'local',
      propagation: '',
      'read/write': 'false',
    },
  );
  assert.deepEqual(Object.keys(unmount ?? {}).sort(), ['container', 'driver']);
  assert.deepEqual(prune, { reclaimed: '0' });
});

test('prune takes those without a name, before 1.42 and with `all` every one, and tells what it freed', async () => {
  const make = async (Name?: string) => {
    const { Mountpoint } = await api.ask<{ Mountpoint: string }>(
      'POST',
      '/volumes/create',
      Name ? { Name } : {},
    );
    writeFileSync(join(lab.pathInside(Mountpoint), 'file'), 'x'.repeat(1000));
  };
  const prune = (version: string, filters: object) =>
    api
      .at(version)
      .ask<{ VolumesDeleted: string[] | null; SpaceReclaimed: number }>(
        'POST',
        `/volumes/prune?filters=${encodeURIComponent(JSON.stringify(filters))}`,
      );
  for (const name of ['first', 'second', 'third', undefined]) await make(name);
  await lab.docker(`create --name user -v third:/x ${image} true`);
  assert.deepEqual(await prune('1.50', { label: ['nope'] }), { VolumesDeleted: null, SpaceReclaimed: 0 });
  const anonymous = await prune('1.50', {});
  assert.equal(anonymous.SpaceReclaimed, 1000);
  assert.match(anonymous.VolumesDeleted?.join() ?? '', /^[0-9a-f]{64}$/);
  const { VolumesDeleted, SpaceReclaimed } = await prune('1.41', {});
  assert.deepEqual([VolumesDeleted?.sort(), SpaceReclaimed], [['first', 'second'], 2000]);
  await removeContainers(lab, 'user');
  assert.deepEqual(await prune('1.50', { all: ['true'] }), {
    VolumesDeleted: ['third'],
    SpaceReclaimed: 1000,
  });
});

describe('after the daemon was killed', () => {
  test('volumes are as they were, whatever became of their folders', async () => {
    await lab.docker('volume create --label a=b labelled');
    await lab.docker('volume create emptied');
    const folder = lab.pathInside(dirname(dirname(await mountpoint('labelled'))));
    await lab.engine.kill('SIGKILL');
    mkdirSync(join(folder, 'found/_data'), { recursive: true });
    writeFileSync(join(folder, 'found/_data/file'), 'data');
    mkdirSync(join(folder, 'labelled/filling/half'), { recursive: true });
    renameSync(join(folder, 'emptied'), join(folder, '-away'));
    await lab.engine.start();
    assert.deepEqual(await volumeNames(), ['emptied', 'found', 'labelled'], 'data is never thrown away');
    assert.ok(existsSync(join(folder, 'emptied/_data')), 'a record without a folder has one again');
    assert.deepEqual(readdirSync(join(folder, 'labelled')), ['_data'], 'half a copy is gone');
    const { Labels } = await api.get<{ Labels: object }>('/volumes/labelled');
    assert.deepEqual(Labels, { a: 'b' });
    rmSync(join(folder, '-away'), { recursive: true });
    await lab.docker('volume rm emptied found labelled');
  });

  test('again and again while containers with volumes are made and removed, nothing is left', async () => {
    for (const delayMs of [10, 40, 90]) {
      const made = docker(
        'run',
        '-d',
        '--name',
        'cut',
        '-v',
        '/own',
        '-v',
        'named:/www',
        image,
        'sleep',
        '600',
      );
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      await lab.engine.kill('SIGKILL');
      await made;
      await lab.engine.start();
      if ((await docker('inspect', 'cut')).code === 0 && (await volumeNames()).includes('named')) {
        const path = lab.pathInside(await mountpoint('named'));
        assert.deepEqual(readdirSync(path), ['index.html'], 'it was filled, now or before');
      }
      const removed = docker('rm', '-fv', 'cut');
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      await lab.engine.kill('SIGKILL');
      await removed;
      await lab.engine.start();
      await docker('rm', '-fv', 'cut');
    }
    assert.deepEqual(
      (await volumeNames()).filter((name) => name !== 'named'),
      [],
    );
    await docker('volume', 'rm', 'named');
    await expectSameInventory(lab, clean, lab.engine);
  });
});

test('containers that are made at once share one volume, filled once', async () => {
  const names = Array.from({ length: 8 }, (_, index) => `many${index}`);
  await Promise.all(
    names.map((name) => lab.docker(`create --name ${name} -v many:/www ${image} cat /www/index.html`)),
  );
  for (const name of names.slice(0, 2)) assert.match(await lab.dockerOutput(`start -a ${name}`), /hello/);
  const removal = docker('volume', 'rm', 'many');
  assert.match((await removal).stderr, /volume is in use - \[[0-9a-f]{64}( [0-9a-f]{64}){7}\]/);
  await removeContainers(lab, ...names);
  await lab.docker('volume rm many');
  await expectSameInventory(lab, clean, lab.engine);
});
