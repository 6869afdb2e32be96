/** Volumes, folders of the host and memory in containers, through the docker client and over the wire. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { RawApi } from './lab/raw-api.ts';
import { busyboxRootfs } from './lab/rootfs.ts';
import { image, openStory, removeContainers } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);

/** What the client prints for one command, whether it fails or not. */
const docker = (...args: string[]) => lab.docker(args, { allowFailure: true });

interface Volume {
  readonly Name: string;
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Options: Readonly<Record<string, string>> | null;
  readonly Scope: string;
  readonly CreatedAt: string;
}

interface Mount {
  readonly Type: string;
  readonly Name?: string;
  readonly Source: string;
  readonly Destination: string;
  readonly Driver?: string;
  readonly Mode: string;
  readonly RW: boolean;
  readonly Propagation: string;
}

const mountsOf = async (container: string): Promise<readonly Mount[]> =>
  (await api.get<{ Mounts: Mount[] }>(`/containers/${container}/json`)).Mounts;

const volumeNames = async (filters = {}): Promise<string[]> =>
  (
    await api.get<{ Volumes: Volume[] }>(`/volumes?filters=${encodeURIComponent(JSON.stringify(filters))}`)
  ).Volumes.map(({ Name }) => Name).sort();

describe('volumes by themselves', () => {
  test('are made, found, listed and removed', async () => {
    assert.equal(await lab.dockerOutput('volume create --label tier=db data'), 'data');
    assert.equal(await lab.dockerOutput('volume create data'), 'data', 'again is the same');
    const anonymous = await lab.dockerOutput('volume create');
    assert.match(anonymous, /^[0-9a-f]{64}$/);
    const data = await api.get<Volume>('/volumes/data');
    assert.deepEqual(
      { ...data, CreatedAt: '' },
      {
        Name: 'data',
        Driver: 'local',
        Mountpoint: data.Mountpoint,
        Labels: { tier: 'db' },
        Options: null,
        Scope: 'local',
        CreatedAt: '',
      },
    );
    assert.ok(Math.abs(Date.parse(data.CreatedAt) - Date.now()) < 60_000);
    assert.ok(data.Mountpoint.endsWith('/volumes/data/_data'));
    assert.equal(statSync(lab.pathInside(data.Mountpoint)).mode & 0o777, 0o755);
    assert.deepEqual(await volumeNames(), ['data', anonymous].sort());
    assert.deepEqual(await volumeNames({ name: ['dat'] }), ['data']);
    assert.deepEqual(await volumeNames({ label: ['tier=db'] }), ['data']);
    assert.deepEqual(await volumeNames({ label: ['tier=web'] }), []);
    assert.deepEqual(
      await volumeNames({ driver: ['local'], dangling: { true: true } }),
      ['data', anonymous].sort(),
    );
    assert.deepEqual(await volumeNames({ dangling: ['false'] }), []);
    assert.equal(
      await lab.dockerOutput('volume prune -f --filter label!=x'),
      `Deleted Volumes:\n${anonymous}\n\nTotal reclaimed space: 0B`,
    );
    assert.equal(await lab.dockerOutput('volume rm data'), 'data');
    assert.deepEqual(await volumeNames(), []);
  });

  test('survive the container that wrote to them, and are in use as long as one has them', async () => {
    await lab.docker(['run', '--rm', '-v', 'kept:/data', image, 'sh', '-c', 'echo hello > /data/file']);
    assert.equal(await lab.dockerOutput(`run --name reader -v kept:/d:ro ${image} cat /d/file`), 'hello');
    const { stderr, code } = await docker('volume', 'rm', 'kept');
    assert.match(stderr, /remove kept: volume is in use - \[[0-9a-f]{64}\]/);
    assert.equal(code, 1);
    assert.deepEqual(await volumeNames({ dangling: ['false'] }), ['kept']);
    assert.equal(await lab.dockerOutput('ps -a --filter volume=kept --format {{.Names}}'), 'reader');
    assert.equal(await lab.dockerOutput('ps -a --filter volume=/d --format {{.Names}}'), 'reader');
    await lab.docker('rm -v reader');
    assert.deepEqual(await volumeNames(), ['kept'], 'a name keeps a volume');
    await lab.docker('volume rm kept');
  });
});

/** An image of the story's programs and what a shell script, run in its root folder, makes of them. */
async function importImage(name: string, script: string, change = ''): Promise<void> {
  const folder = join(lab.directory, `rootfs-${name}`);
  mkdirSync(folder);
  execFileSync('tar', ['-x'], { cwd: folder, input: busyboxRootfs() });
  execFileSync('sh', ['-ec', script], { cwd: folder });
  const archive = execFileSync('tar', ['-c', '--xattrs', '.'], { cwd: folder, maxBuffer: 64 << 20 });
  rmSync(folder, { recursive: true });
  const changes = change && `&changes=${encodeURIComponent(change)}`;
  const headers = { 'Content-Type': 'application/x-tar' };
  const path = `/images/create?fromSrc=-&repo=${name}&tag=latest${changes}`;
  const answer = await lab.api('POST', path, archive, { headers });
  assert.ok(answer.status === 200 && !answer.text.includes('"error"'), answer.text);
}

const hostPath = async (volume: string) =>
  lab.pathInside((await api.get<Volume>(`/volumes/${volume}`)).Mountpoint);

const treeScript = `
  mkdir -p srv/app/sub srv/empty
  echo one > srv/app/one
  ln srv/app/one srv/app/again
  ln -s /etc/passwd srv/app/out
  chown -hR 33:33 srv/app
  chmod 2750 srv/app/sub
  chown 33:50 srv/empty
  chmod 700 srv/empty
  ln -s /srv/app via
  ln -s ../../../../srv/app/sub loop
  ln -s /nowhere dangling
`;

describe('what the image has at a volume', () => {
  test('is copied into an empty one, with owners, modes and links, and never from outside', async () => {
    await importImage('app', treeScript, 'VOLUME ["/srv/app"]');
    const volumes = [
      'app:/srv/app',
      'link:/via',
      'up:/loop',
      'empty:/srv/empty',
      'gone:/dangling',
      'not:/www:nocopy',
    ];
    await lab.docker([
      'create',
      '--name',
      'first',
      ...volumes.flatMap((text) => ['-v', text]),
      'app',
      'true',
    ]);
    const app = await hostPath('app');
    assert.deepEqual(readdirSync(app).sort(), ['again', 'one', 'out', 'sub']);
    assert.equal(statSync(join(app, 'one')).uid, 33);
    assert.equal(statSync(join(app, 'one')).nlink, 2);
    assert.equal(statSync(app).gid, 33);
    assert.equal(statSync(join(app, 'sub')).mode & 0o7777, 0o2750);
    assert.equal(readlinkSync(join(app, 'out')), '/etc/passwd');
    assert.deepEqual(readdirSync(await hostPath('link')).sort(), ['again', 'one', 'out', 'sub']);
    assert.equal(statSync(await hostPath('up')).mode & 0o7777, 0o2750);
    const empty = statSync(await hostPath('empty'));
    assert.deepEqual([empty.uid, empty.gid, empty.mode & 0o7777], [33, 50, 0o700]);
    assert.deepEqual(readdirSync(await hostPath('gone')), []);
    assert.deepEqual(readdirSync(await hostPath('not')), []);
    assert.deepEqual(
      (await mountsOf('first')).map(({ Name, Destination }) => `${Name} ${Destination}`).sort(),
      volumes.map((text) => text.split(':').slice(0, 2).join(' ')).sort(),
      'a name takes the place of the image’s own volume',
    );
    await removeContainers(lab, 'first');
    writeFileSync(join(app, 'mine'), '');
    assert.equal(
      await lab.dockerOutput(['run', '--rm', '-v', 'app:/www', 'app', 'ls', '/www']),
      'again\nmine\none\nout\nsub',
      'one that holds something is left alone',
    );
    await lab.docker('volume prune -af');
    assert.deepEqual(await volumeNames(), []);
  });

  test('is in volumes of the container’s own too, which go with it by -v and by --rm', async () => {
    await lab.docker('run -d --name own -v /extra app sleep 600');
    const own = await mountsOf('own');
    assert.deepEqual(own.map(({ Destination }) => Destination).sort(), ['/extra', '/srv/app']);
    for (const mount of own) {
      assert.match(mount.Name ?? '', /^[0-9a-f]{64}$/);
      assert.deepEqual([mount.Type, mount.Driver, mount.Mode, mount.RW], ['volume', 'local', '', true]);
      assert.deepEqual((await api.get<Volume>(`/volumes/${mount.Name}`)).Labels, {
        'com.docker.volume.anonymous': '',
      });
    }
    const { Config } = await api.get<{ Config: { Volumes: object } }>('/containers/own/json');
    assert.deepEqual(Config.Volumes, { '/extra': {}, '/srv/app': {} });
    assert.equal(await lab.dockerOutput('exec own cat /srv/app/one'), 'one');
    assert.equal(await lab.dockerOutput(`run --rm --volumes-from own:ro ${image} cat /srv/app/one`), 'one');
    const refused = await docker('run', '--rm', '--volumes-from', 'own:ro', image, 'touch', '/extra/x');
    assert.match(refused.stderr, /Read-only file system/);
    await lab.docker('create --name heir --volumes-from own app true');
    await lab.docker('rm -fv own');
    assert.equal((await volumeNames()).length, 2, 'another has them');
    await lab.docker('rm -v heir');
    assert.deepEqual(await volumeNames(), [], 'the last one took them along');
    assert.equal(await lab.dockerOutput('run --rm app cat /srv/app/one'), 'one');
    assert.deepEqual(await volumeNames(), []);
    await lab.docker('create --name leaves app true');
    await removeContainers(lab, 'leaves');
    assert.equal((await volumeNames()).length, 1, 'without -v they stay');
    await lab.docker('volume prune -f');
    assert.deepEqual(await volumeNames(), []);
  });
});

describe('folders and files of the host', () => {
  const host = (name: string) => join(lab.directory, name);

  test('a missing one is made by -v, and refused by --mount', async () => {
    const made = host('made/deep');
    await lab.docker(['create', '--name', 'maker', '-v', `${made}:/m`, image, 'touch', '/m/x']);
    assert.equal(existsSync(lab.pathInside(made)), false, 'not before it starts');
    await lab.docker('start -a maker');
    assert.ok(existsSync(lab.pathInside(join(made, 'x'))));
    assert.deepEqual(await mountsOf('maker'), [
      { Type: 'bind', Source: made, Destination: '/m', Mode: '', RW: true, Propagation: 'rprivate' },
    ]);
    await removeContainers(lab, 'maker');
    const missing = await docker(
      'run',
      '--rm',
      '--mount',
      `type=bind,src=${host('nope')},dst=/m`,
      image,
      'true',
    );
    assert.match(
      missing.stderr,
      new RegExp(`invalid mount config for type "bind": bind source path does not exist: ${host('nope')}`),
    );
    assert.equal(missing.code, 125);
  });

  test('a file on a file, read-only, and one place below another', async () => {
    writeFileSync(host('file'), 'theirs\n');
    mkdirSync(host('outer/inner'), { recursive: true });
    writeFileSync(host('inner-file'), 'inner\n');
    const shown = await lab.dockerOutput([
      ...['run', '--rm', '-v', `${host('inner-file')}:/o/inner/file`, '-v', `${host('outer')}:/o`],
      ...['--mount', `type=bind,src=${host('file')},dst=/www/index.html,readonly`],
      ...[image, 'sh', '-c', 'cat /www/index.html /o/inner/file; echo x > /www/index.html || echo refused'],
    ]);
    assert.match(shown, /^theirs\ninner\n.*refused$/s);
  });

  test('mounts travel as far as propagation says', async () => {
    mkdirSync(host('shared'));
    const notShared = await docker('run', '--rm', '-v', `${host('shared')}:/s:rshared`, image, 'true');
    assert.match(notShared.stderr, /is mounted on \S+ but it is not a shared mount/);
    await lab.run(`mount -t tmpfs shared ${host('shared')}`);
    await lab.run(`mount --make-shared ${host('shared')}`);
    await lab.run(`mkdir ${host('shared')}/late`);
    await lab.docker([
      'run',
      '-d',
      '--name',
      'follows',
      '-v',
      `${host('shared')}:/s:rslave`,
      image,
      'sleep',
      '600',
    ]);
    await lab.docker(['run', '-d', '--name', 'alone', '-v', `${host('shared')}:/s`, image, 'sleep', '600']);
    await lab.run(`mount -t tmpfs late ${host('shared')}/late`);
    await lab.run(`touch ${host('shared')}/late/seen`);
    assert.equal(await lab.dockerOutput('exec follows ls /s/late'), 'seen');
    assert.equal(await lab.dockerOutput('exec alone ls /s/late'), '');
    // Read-only reaches what is mounted below.
    const inside = [
      'run',
      '--rm',
      '-v',
      `${host('shared')}:/s:ro`,
      image,
      'sh',
      '-c',
      'touch /s/late/x || echo no',
    ];
    assert.match(await lab.dockerOutput(inside), /no$/);
    await removeContainers(lab, 'follows', 'alone');
    await lab.run(`umount -R ${host('shared')}`);
  });
});

describe('memory', () => {
  test('of --tmpfs and --mount has size, mode and options', async () => {
    const shown = await lab.dockerOutput([
      ...['run', '--rm', '--read-only', '--tmpfs', '/t:size=64k,exec,mode=700'],
      ...['--mount', 'type=tmpfs,dst=/m,tmpfs-size=65536,tmpfs-mode=1770', image],
      ...[
        'sh',
        '-c',
        "grep -E ' /(t|m) ' /proc/mounts; stat -c %a /t /m; touch /t/x /m/x; touch /x || echo ro",
      ],
    ]);
    assert.match(shown, /tmpfs \/t tmpfs rw,nosuid,nodev,relatime,size=64k,mode=700/);
    assert.match(shown, /tmpfs \/m tmpfs rw,nosuid,nodev,noexec,relatime,size=64k,mode=1770/);
    assert.match(shown, /700\n1770\n/);
    assert.match(shown, /ro$/);
  });

  test('of --mount is shown by inspect, that of --tmpfs is not', async () => {
    await lab.docker(`create --name forgets --tmpfs /t --mount type=tmpfs,dst=/m ${image} true`);
    assert.deepEqual(await mountsOf('forgets'), [
      { Type: 'tmpfs', Source: '', Destination: '/m', Mode: '', RW: true, Propagation: '' },
    ]);
    const { HostConfig } = await api.get<{ HostConfig: { Mounts: object[]; Tmpfs: object } }>(
      '/containers/forgets/json',
    );
    assert.deepEqual(HostConfig.Mounts, [{ Type: 'tmpfs', Target: '/m' }]);
    assert.deepEqual(HostConfig.Tmpfs, { '/t': '' });
    await removeContainers(lab, 'forgets');
  });
});
