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

test('what cannot be is told with status and reason', async () => {
  await assert.rejects(docker.createContainer({ Image: 'nope' }), status(404, /No such image: nope:latest/));
  await assert.rejects(
    docker.createContainer({ Image: image, Cmd: ['true'], HostConfig: { Privileged: 'yes' as never } }),
    status(400, /invalid JSON: HostConfig\.Privileged must be boolean/),
  );
  await assert.rejects(docker.createVolume({ Name: 'x' }), status(400, /volume name is too short/));
});
