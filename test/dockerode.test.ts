/**
 * The engine as programs use it through dockerode, the usual client in JavaScript.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import Docker from 'dockerode';
import { busyboxRootfs } from './lab/rootfs.ts';
import { image, openStory } from './lab/story.ts';
import { encodeTar } from './lab/tar.ts';

const lab = await openStory();
const docker = new Docker({ socketPath: lab.engine.socket });

/** What a container wrote, its two streams apart. */
async function readBoth(stream: NodeJS.ReadableStream): Promise<{ stdout: string; stderr: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, stdout, stderr);
  stream.once('end', () => {
    stdout.end();
    stderr.end();
  });
  const [out, err] = await Promise.all([text(stdout), text(stderr)]);
  return { stdout: out, stderr: err };
}

/** The status that dockerode gives with an error. */
const status = (statusCode: number, reason: RegExp) => (error: Error & { statusCode?: number }) => {
  assert.equal(error.statusCode, statusCode);
  assert.match(error.message, reason);
  return true;
};

test('ping, version and info', async () => {
  assert.equal(String(await docker.ping()), 'OK');
  assert.equal((await docker.version()).Os, 'linux');
  const info = await docker.info();
  assert.equal(info.OSType, 'linux');
  assert.equal(info.Images, 1);
});

test('a container from create to remove, attached from before its start', async () => {
  const container = await docker.createContainer({
    name: 'job',
    Image: image,
    Cmd: ['sh', '-c', 'read line; echo "got $line"; echo complaint >&2; exit 4'],
    OpenStdin: true,
    StdinOnce: true,
    Labels: { story: 'dockerode' },
  });
  const attached = await container.attach({
    stream: true,
    stdin: true,
    stdout: true,
    stderr: true,
    hijack: true,
  });
  const output = readBoth(attached);
  await container.start();
  attached.end('a line\n');
  assert.deepEqual(await container.wait(), { StatusCode: 4 });
  const expected = { stdout: 'got a line\n', stderr: 'complaint\n' };
  assert.deepEqual(await output, expected);

  const log = await container.logs({ stdout: true, stderr: true });
  assert.deepEqual(await readBoth(Readable.from([log])), expected);

  const { State, Config, Name } = await container.inspect();
  assert.deepEqual([Name, State.Status, State.ExitCode], ['/job', 'exited', 4]);
  assert.deepEqual(Config.Labels, { story: 'dockerode' });

  await container.remove();
  await assert.rejects(container.inspect(), status(404, /No such container/));
});

test('a service is followed, listed by filters, stopped and removed', async () => {
  const container = await docker.createContainer({
    name: 'service',
    Image: image,
    Cmd: ['sh', '-c', 'trap "exit 0" TERM; echo ready; while :; do sleep 0.1; done'],
    Labels: { role: 'server' },
  });
  await container.start();
  await assert.rejects(container.start(), status(304, /./));
  const followed = await container.logs({ follow: true, stdout: true, stderr: true });
  const output = readBoth(followed as unknown as NodeJS.ReadableStream);

  const ways: Record<string, string[]>[] = [
    { label: ['role=server'] },
    { name: ['^/service$'] },
    { network: ['bridge'] },
  ];
  for (const filters of ways) {
    const found = await docker.listContainers({ filters });
    assert.deepEqual(
      found.map(({ Id }) => Id),
      [container.id],
      JSON.stringify(filters),
    );
  }
  const { NetworkSettings } = await container.inspect();
  assert.match(NetworkSettings.Networks.bridge?.IPAddress ?? '', /^172\.17\./);
  const members = (await docker.getNetwork('bridge').inspect()).Containers;
  assert.equal(members?.[container.id]?.Name, 'service');

  await assert.rejects(container.remove(), status(409, /container is running/));
  await container.stop({ t: 5 });
  await assert.rejects(container.stop(), status(304, /./));
  assert.deepEqual(await output, { stdout: 'ready\n', stderr: '' });
  assert.deepEqual(await docker.listContainers({ filters: { label: ['role=server'] } }), []);
  assert.equal((await docker.listContainers({ all: true, filters: { label: ['role=server'] } })).length, 1);
  await container.remove();
});

test('run, the shorthand, with a terminal and without', async () => {
  for (const Tty of [true, false]) {
    const stdout = new PassThrough();
    const output = text(stdout);
    const streams = Tty ? stdout : [stdout, new PassThrough()];
    const [result, container] = (await docker.run(image, ['echo', 'hello'], streams as never, { Tty })) as [
      { StatusCode: number },
      Docker.Container,
    ];
    assert.equal(result.StatusCode, 0);
    stdout.end();
    assert.equal((await output).trim(), 'hello');
    await container.remove();
  }
});

test('networks are listed with filters', async () => {
  const names = async (filters: Record<string, string[]>) =>
    (await docker.listNetworks({ filters })).map(({ Name }) => Name).sort();
  assert.deepEqual(await names({}), ['bridge', 'host', 'none']);
  assert.deepEqual(await names({ driver: ['bridge'] }), ['bridge']);
  assert.deepEqual(await names({ type: ['custom'] }), []);
});

test('events arrive as they happen', async () => {
  const stream = await docker.getEvents({ filters: { type: ['container'], event: ['create', 'destroy'] } });
  const lines = createInterface({ input: stream as unknown as NodeJS.ReadableStream });
  const seen: string[] = [];
  lines.on('line', (line) => {
    const { Action, Actor } = JSON.parse(line) as { Action: string; Actor: { Attributes: { name: string } } };
    seen.push(`${Action} ${Actor.Attributes.name}`);
  });
  const container = await docker.createContainer({ name: 'brief', Image: image, Cmd: ['true'] });
  await container.start();
  await container.wait();
  await container.remove();
  while (seen.length < 2) await once(lines, 'line', { signal: AbortSignal.timeout(10_000) });
  assert.deepEqual(seen, ['create brief', 'destroy brief']);
  (stream as unknown as Readable).destroy();
});

test('an image is imported, tagged, inspected and removed', async () => {
  const progress = await docker.importImage(Readable.from([busyboxRootfs()]) as never, {
    repo: 'imported',
    tag: '1',
  });
  await new Promise<void>((resolve, reject) =>
    docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve())),
  );
  const imported = docker.getImage('imported:1');
  const { Id } = await imported.inspect();
  await imported.tag({ repo: 'team/app', tag: '2' });
  assert.equal((await docker.getImage('team/app:2').inspect()).Id, Id);
  const listed = await docker.listImages({ filters: { reference: ['team/*'] } });
  assert.deepEqual(
    listed.map(({ RepoTags }) => RepoTags),
    [['team/app:2']],
  );
  await imported.remove();
  await docker.getImage('team/app:2').remove();
  await assert.rejects(imported.inspect(), status(404, /No such image/));
});

test('exec, with input, in a terminal and inspected', async () => {
  const container = await docker.createContainer({ name: 'host', Image: image, Cmd: ['sleep', '600'] });
  await container.start();
  const exec = await container.exec({
    Cmd: ['sh', '-c', 'cat; echo oops >&2; exit 3'],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({ hijack: true, stdin: true });
  const output = readBoth(stream);
  stream.end('typed\n');
  assert.deepEqual(await output, { stdout: 'typed\n', stderr: 'oops\n' });
  const { Running, ExitCode } = await exec.inspect();
  assert.deepEqual([Running, ExitCode], [false, 3]);

  const onTerminal = await container.exec({ Cmd: ['tty'], AttachStdout: true, Tty: true });
  assert.equal(await text(await onTerminal.start({ Tty: true, hijack: true })), '/dev/pts/0\r\n');
  await container.remove({ force: true });
});

test('archives go in and come out, and changes are told', async () => {
  const container = await docker.createContainer({ name: 'files', Image: image, Cmd: ['sleep', '600'] });
  const archive = encodeTar([
    { kind: 'file', path: 'a.txt', data: Buffer.from('first\n') },
    { kind: 'file', path: 'b.txt', data: Buffer.from('second\n') },
  ]);
  await container.putArchive(archive, { path: '/tmp' });
  const { headers } = (await container.infoArchive({ path: '/tmp/a.txt' })) as unknown as {
    headers: Record<string, string>;
  };
  const stat = JSON.parse(
    Buffer.from(headers['x-docker-container-path-stat'] ?? '', 'base64').toString(),
  ) as { name: string; size: number };
  assert.deepEqual([stat.name, stat.size], ['a.txt', 6]);
  assert.match(
    await text(await container.getArchive({ path: '/tmp/b.txt' })),
    /^b\.txt\0[\s\S]*\0second\n\0/,
  );
  const changes = (await container.changes()) as { Path: string; Kind: number }[];
  assert.ok(changes.some(({ Path, Kind }) => Path === '/tmp/a.txt' && Kind === 1));
  assert.match(await text(await container.export()), /tmp\/b\.txt\0/);
  await assert.rejects(container.getArchive({ path: '/nope' }), status(404, /Could not find the file/));
  const made = (await container.commit({ repo: 'made', tag: '1' })) as { Id: string };
  assert.equal((await docker.getImage('made:1').inspect()).Id, made.Id);
  await container.remove();
  await docker.getImage('made:1').remove();
});

test('statistics, processes, limits and pauses', async () => {
  const container = await docker.createContainer({
    name: 'measured',
    Image: image,
    Cmd: ['sleep', '600'],
    HostConfig: { Memory: 64 << 20 },
  });
  await container.start();
  const shown = await container.stats({ stream: false, 'one-shot': true });
  assert.equal(shown.memory_stats.limit, 64 << 20);
  assert.ok(shown.networks.eth0);
  const lines = createInterface({ input: (await container.stats({ stream: true })) as Readable });
  const [first] = (await once(lines, 'line', { signal: AbortSignal.timeout(10_000) })) as [string];
  assert.equal((JSON.parse(first) as { name: string }).name, '/measured');
  lines.close();
  assert.match(JSON.stringify(await container.top()), /sleep 600/);
  await container.update({ Memory: 96 << 20, MemorySwap: 96 << 20 });
  assert.equal((await container.inspect()).HostConfig.Memory, 96 << 20);
  await container.pause();
  assert.equal((await container.inspect()).State.Paused, true);
  await container.unpause();
  await container.remove({ force: true });
});

test('volumes and networks are made, used, listed and pruned', async () => {
  await docker.createVolume({ Name: 'data', Labels: { team: 'a' } });
  const network = await docker.createNetwork({ Name: 'shop', Labels: { team: 'a' } });
  const container = await docker.createContainer({
    name: 'user',
    Image: image,
    Cmd: ['sh', '-c', 'echo kept > /data/file; exec sleep 600'],
    HostConfig: { Mounts: [{ Type: 'volume', Source: 'data', Target: '/data' }], NetworkMode: 'none' },
  });
  await (docker.getNetwork('none') as Docker.Network).disconnect({ Container: container.id });
  await network.connect({ Container: container.id, EndpointConfig: { Aliases: ['keeper'] } });
  await container.start();
  const { Mounts, NetworkSettings } = await container.inspect();
  assert.deepEqual([Mounts[0]?.Type, Mounts[0]?.Name], ['volume', 'data']);
  assert.deepEqual(NetworkSettings.Networks.shop?.Aliases, ['keeper']);
  await assert.rejects(docker.getVolume('data').remove(), status(409, /volume is in use/));
  await container.remove({ force: true });
  const { Volumes } = await docker.listVolumes({ filters: { label: ['team=a'] } });
  assert.deepEqual(
    Volumes.map(({ Name }) => Name),
    ['data'],
  );
  await docker.getVolume('data').remove();
  const pruned = await docker.pruneNetworks({ filters: { label: ['team=a'] } });
  assert.deepEqual(pruned.NetworksDeleted, ['shop']);
});

test('what cannot be is told with status and reason', async () => {
  await assert.rejects(docker.createContainer({ Image: 'nope' }), status(404, /No such image: nope:latest/));
  await assert.rejects(
    docker.createContainer({ Image: image, Cmd: ['true'], HostConfig: { Privileged: 'yes' as never } }),
    status(400, /invalid JSON: HostConfig\.Privileged must be boolean/),
  );
  await assert.rejects(docker.createVolume({ Name: 'x' }), status(400, /volume name is too short/));
});
