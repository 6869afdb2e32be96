/** Images of containers, and how much room everything takes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { engineUnderTest } from './lab/lab.ts';
import { RawApi } from './lab/raw-api.ts';
import { eventually, image, inspect, openStory } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);
const aboutOurs = { skip: engineUnderTest === 'dockerd' && 'about our daemon alone' };

interface InspectedImage {
  readonly Id: string;
  readonly Author: string;
  readonly Comment: string;
  readonly Size: number;
  readonly Config: Readonly<Record<string, unknown>>;
  readonly RootFS: { readonly Layers: readonly string[] };
}

const imageOf = (name: string) => api.get<InspectedImage>(`/images/${name}/json`);
const output = async (...args: string[]) => (await lab.docker(args)).stdout;

describe('docker commit', () => {
  test('keeps what was changed, added and deleted, and nothing of volumes', async () => {
    await lab.docker([
      'run',
      '-d',
      '--name',
      'source',
      '-v',
      '/data',
      '-e',
      'FROM=container',
      image,
      'sleep',
      '3600',
    ]);
    const script =
      'echo kept > /srv/new; ln /srv/new /srv/hard; ln -s new /srv/link; chown -h www /srv/link; rm /etc/group; rm -r /www; mkdir /www; echo x > /www/other; echo secret > /data/file; chmod 4755 /srv/new; touch "/srv/ünï"';
    await lab.docker(['exec', 'source', 'sh', '-c', script]);
    const id = (await output('commit', '-m', 'a comment', '-a', 'me', 'source', 'kept:v1')).trim();
    assert.equal((await inspect(lab, 'source')).State.Status, 'running', 'it goes on after the pause');
    const look =
      'cat /srv/hard; stat -c %a:%h /srv/new; stat -c %U /srv/link; readlink /srv/link; ls /etc/group /www /data; test -e "/srv/ünï" && echo named; echo $FROM';
    const run = await lab.docker(['run', '--rm', 'kept:v1', 'sh', '-c', look]);
    const found = ['/data:', '', '/www:', 'other', 'named', 'container'];
    assert.deepEqual(run.stdout.trim().split('\n'), ['kept', '4755:2', 'www', 'new', ...found]);
    assert.match(run.stderr, /\/etc\/group: No such file/);
    const made = await imageOf('kept:v1');
    const base = await imageOf(image);
    assert.equal(made.Id, id);
    assert.deepEqual(made.RootFS.Layers.slice(0, -1), base.RootFS.Layers);
    assert.deepEqual([made.Author, made.Comment], ['me', 'a comment']);
    assert.deepEqual(made.Config.Cmd, ['sleep', '3600']);
    const history = await api.get<{ CreatedBy: string; Comment: string }[]>('/images/kept:v1/history');
    assert.deepEqual([history[0]!.CreatedBy, history[0]!.Comment], ['sleep 3600', 'a comment']);
  });

  test('changes and the body decide over the container’s own configuration', async () => {
    const changes = [
      'CMD ["httpd"]',
      'ENV A=1 FROM=change',
      'EXPOSE 80',
      'WORKDIR /srv',
      'LABEL l=1',
      'USER www',
    ];
    await lab.docker(['commit', ...changes.flatMap((change) => ['-c', change]), 'source', 'changed']);
    const { Config } = await imageOf('changed');
    assert.deepEqual(Config.Cmd, ['httpd']);
    assert.deepEqual(Config.ExposedPorts, { '80/tcp': {} });
    assert.deepEqual([Config.WorkingDir, Config.User, Config.Labels], ['/srv', 'www', { l: '1' }]);
    const env = Config.Env as string[];
    assert.ok(
      env.includes('A=1') && env.includes('FROM=change') && !env.includes('FROM=container'),
      env.join(),
    );
    const { Id } = await api.ask<{ Id: string }>('POST', '/commit?container=source&pause=0', {
      Cmd: ['true'],
      Labels: { body: 'yes' },
    });
    const bare = await imageOf(Id);
    assert.deepEqual([bare.Config.Cmd, bare.Config.Labels], [['true'], { body: 'yes' }]);
  });

  test('an image of an image, and of a container that was never started', async () => {
    await lab.docker(['create', '--name', 'second', 'kept:v1', 'cat', '/srv/new']);
    await lab.docker('commit second twice');
    assert.equal(await output('run', '--rm', 'twice'), 'kept\n');
  });

  test('events tell of it', async () => {
    const { stdout } = await lab.docker([
      ...['events', '--since', '1h', '--until', '0s', '--filter', 'container=source'],
      ...['--format', '{{.Action}} {{index .Actor.Attributes "imageRef"}}'],
    ]);
    const lines = stdout.split('\n').map((line) => line.trim());
    assert.ok(
      lines.some((line) => /^commit .*kept:v1$/.test(line)),
      stdout,
    );
    assert.ok(lines.includes('pause') && lines.includes('unpause'), stdout);
  });

  for (const [what, query, status, message] of [
    ['no container', 'container=nobody', 404, /No such container: nobody/],
    ['a bad name', 'container=source&repo=Bad', 400, /must be lowercase/],
    ['a bad tag', 'container=source&repo=a&tag=!', 400, /invalid/],
    [
      'an instruction that is none',
      'container=source&changes=RUN%20x',
      400,
      /run is not a valid change command/,
    ],
  ] as const) {
    test(`${what}: ${status}`, aboutOurs, async () => {
      const answer = await api.send('POST', `/commit?${query}`);
      assert.match(answer.json?.message ?? '', message);
      assert.equal(answer.status, status);
    });
  }

  test('killed in the middle, the daemon lets the container go on at its next start', aboutOurs, async () => {
    await lab.docker(['exec', 'source', 'dd', 'if=/dev/urandom', 'of=/srv/big', 'bs=1M', 'count=64']);
    const commit = () => api.send('POST', '/commit?container=source').catch(() => undefined);
    const committing = Promise.all([commit(), commit()]);
    await eventually(async () => assert.equal((await inspect(lab, 'source')).State.Status, 'paused'));
    await lab.engine.kill('SIGKILL');
    await committing;
    await lab.engine.start();
    await eventually(async () => assert.equal((await inspect(lab, 'source')).State.Status, 'running'));
    assert.equal(await output('exec', 'source', 'echo', 'alive'), 'alive\n');
    await lab.docker(['exec', 'source', 'rm', '/srv/big']);
  });
});

describe('sizes', () => {
  test('of containers, with and without their image', async () => {
    await lab.docker([
      'run',
      '-d',
      '--name',
      'writer',
      image,
      'sh',
      '-c',
      'head -c 100000 /dev/zero > /srv/x; sleep 3600',
    ]);
    const { Size } = await imageOf(image);
    await eventually(async () => {
      const inspected = await api.get<{ SizeRw: number; SizeRootFs: number }>(
        '/containers/writer/json?size=1',
      );
      assert.equal(inspected.SizeRw, 100_000);
      assert.equal(inspected.SizeRootFs, inspected.SizeRw + Size);
    });
    assert.match(
      await output('ps', '-s', '--filter', 'name=writer', '--format', '{{.Size}}'),
      /^100kB \(virtual /,
    );
    const [plain] = await api.get<object[]>('/containers/json?filters={"name":["writer"]}');
    assert.ok(plain && !('SizeRw' in plain));
  });

  test('docker system df tells what everything takes, in short and in full', async () => {
    const usage = await api.get<{
      readonly LayersSize: number;
      readonly Images: readonly { Id: string; Size: number; SharedSize: number; Containers: number }[];
      readonly Containers: readonly { Names: string[]; SizeRw?: number }[];
      readonly Volumes: readonly { UsageData: { Size: number; RefCount: number } }[];
    }>('/system/df');
    const base = usage.Images.find(({ SharedSize, Size }) => SharedSize === Size)!;
    assert.ok(base, 'all of the base image is shared');
    const shared = usage.Images.filter(({ SharedSize }) => SharedSize >= base.Size);
    assert.ok(shared.length >= 4);
    assert.ok(usage.LayersSize < usage.Images.reduce((sum, { Size }) => sum + Size, 0));
    assert.equal(usage.Containers.find(({ Names }) => Names[0] === '/writer')?.SizeRw, 100_000);
    assert.deepEqual(usage.Volumes.map(({ UsageData }) => UsageData.RefCount).includes(1), true);
    const short = await output('system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}}');
    assert.match(short, new RegExp(`^Images ${usage.Images.length} \\d`, 'm'));
    assert.match(short, new RegExp(`^Containers ${usage.Containers.length} 2$`, 'm'));
    assert.match(await output('system', 'df', '-v'), /writer/);
  });

  test('of some kinds alone, and of no others', aboutOurs, async () => {
    const some = await api.get<Record<string, unknown>>('/system/df?type=volume&type=container');
    assert.equal(some.Images, null);
    assert.ok(Array.isArray(some.Volumes) && Array.isArray(some.Containers));
    await api.isRefused({
      what: 'an unknown type',
      method: 'GET',
      path: '/system/df?type=dust',
      status: 400,
      message: /unknown object type: dust/,
    });
  });

  test('docker system prune takes what nobody needs', async () => {
    await lab.docker('rm -f source');
    await lab.docker('volume create unused');
    const text = await output('system', 'prune', '-f', '--volumes');
    assert.match(text, /^Total reclaimed space: \S+/m);
    const left = await api.get<{
      readonly Images: readonly { readonly RepoTags: readonly string[] }[];
      readonly Containers: readonly { readonly Names: readonly string[] }[];
      readonly Volumes: readonly { readonly Name: string }[];
    }>('/system/df');
    assert.deepEqual(
      left.Containers.map(({ Names }) => Names[0]),
      ['/writer'],
    );
    assert.deepEqual(left.Images.flatMap(({ RepoTags }) => RepoTags).sort(), [
      'busybox:latest',
      'changed:latest',
      'kept:v1',
      'twice:latest',
    ]);
    assert.ok(
      left.Volumes.every(({ Name }) => Name === 'unused'),
      'a volume with a name is taken by --all alone',
    );
  });
});
