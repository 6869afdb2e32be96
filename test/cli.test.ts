/**
 * Our own command line does what Docker's does, in Docker's grammar, with the same words and exit codes.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { busyboxRootfs } from './lab/rootfs.ts';
import { image, openStory } from './lab/story.ts';

const lab = await openStory();

async function output(command: string | readonly string[]): Promise<string> {
  return (await lab.seaway(command)).stdout.trim();
}

test('run in the foreground: output, errors, input and exit code', async () => {
  const script = 'echo out; echo err >&2; cat; exit 7';
  const result = await lab.seaway(['run', '--rm', '-i', '--net=none', image, 'sh', '-c', script], {
    input: 'typed\n',
    allowFailure: true,
  });
  assert.deepEqual(result, { stdout: 'out\ntyped\n', stderr: 'err\n', code: 7 });
});

test('the four modes', async () => {
  await lab.seaway(['run', '-d', '--name', 'web', image, 'httpd', '-f', '-p', '80', '-h', '/www']);
  const address = (
    await output(['run', '--rm', '--net=container:web', image, 'ip', '-br', '-4', 'addr'])
  ).match(/172\.17\.0\.\d+/)?.[0];
  assert.match(await output(['run', '--rm', image, 'wget', '-qO-', `http://${address}/`]), /^hello/);
  assert.match(
    await output(`run --rm --network=container:web ${image} wget -qO- http://127.0.0.1/`),
    /^hello/,
  );
  assert.match(await output(`run --rm --net=none ${image} ip -br link`), /^lo\s[^\n]*$/);
  assert.equal(await output(`run --rm --net host ${image} hostname`), 'lab-host');
  await lab.seaway('rm -f web');
});

test('run -d, ps, logs, inspect, stop, wait and rm', async () => {
  const script = 'echo started as $NAME in $(pwd); trap "exit 3" TERM; while :; do sleep 0.05; done';
  const id = await output([
    ...['run', '-d', '--name', 'box', '-e', 'NAME=box', '-w', '/tmp', '--label', 'a=1', image],
    ...['sh', '-c', script],
  ]);
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.match(await output('ps'), /^CONTAINER ID\s+IMAGE\s+COMMAND\s+CREATED\s+STATUS\s+PORTS\s+NAMES$/m);
  assert.match(await output('ps'), new RegExp(`^${id.slice(0, 12)}\\s+${image}\\s.*Up .*box$`, 'm'));
  assert.equal(await output('ps -q --filter label=a=1'), id.slice(0, 12));
  const [seen] = JSON.parse(await output('inspect box')) as { Id: string; State: { Running: boolean } }[];
  assert.equal(seen?.Id, id);
  assert.equal(seen?.State.Running, true);
  const deadline = performance.now() + 5000;
  while ((await output('logs box')) === '' && performance.now() < deadline);
  assert.equal(await output('logs box'), 'started as box in /tmp');
  assert.equal(await output('stop box'), 'box');
  assert.equal(await output('wait box'), '3');
  assert.equal(await output('ps -q'), '');
  assert.match(await output('ps -a'), /Exited \(3\) .*box$/m);
  assert.equal(await output('rm box'), 'box');
  assert.equal(await output('ps -a -q'), '');
});

test('what the docker client made is seen, and the other way round', async () => {
  await lab.docker(`create --name theirs ${image} true`);
  await lab.seaway(`create --name ours ${image} true`);
  assert.deepEqual((await output('ps -a --format {{.Names}}')).split('\n').sort(), ['ours', 'theirs']);
  const listed = await lab.dockerOutput('ps -a --format {{.Names}}');
  assert.deepEqual(listed.split('\n').sort(), ['ours', 'theirs']);
  await lab.seaway('rm theirs ours');
});

test('images, import, tag and rmi', async () => {
  const archive = join(lab.directory, 'rootfs.tar');
  writeFileSync(archive, busyboxRootfs());
  assert.match(await output(`import ${archive} mine:1`), /^sha256:[0-9a-f]{64}$/);
  await lab.seaway('tag mine:1 mine:2');
  const table = await output('images');
  assert.match(table, /^REPOSITORY\s+TAG\s+IMAGE ID\s+CREATED\s+SIZE$/m);
  assert.match(table, /^mine\s+1\s/m);
  assert.match(table, /^mine\s+2\s/m);
  assert.match(await output('rmi mine:1 mine:2'), /Untagged: mine:1[\s\S]*Deleted: sha256:/);
});

test('volumes: -v, --mount, --tmpfs, --volumes-from, and the commands about them', async () => {
  assert.equal(await output('volume create --label a=b store'), 'store');
  await lab.seaway(['run', '--rm', '-v', 'store:/s', image, 'sh', '-c', 'echo kept > /s/file']);
  const mounted = [
    '--mount',
    'type=volume,src=store,dst=/s,readonly',
    '--tmpfs',
    '/t:size=64k',
    '-v',
    '/own',
  ];
  await lab.seaway(['create', '--name', 'holder', ...mounted, image, 'cat', '/s/file']);
  assert.equal(await output('start -a holder'), 'kept');
  assert.equal(await output(['run', '--rm', '--volumes-from', 'holder', image, 'cat', '/s/file']), 'kept');
  assert.match(await output('volume ls'), /^DRIVER\s+VOLUME NAME$/m);
  assert.equal(await output('volume ls -q --filter label=a'), 'store');
  assert.match(await output('inspect -f {{.Mountpoint}} store'), /volumes\/store\/_data$/);
  await lab.seaway('rm -v holder');
  assert.equal(await output('volume ls -q'), 'store', 'what had no name went with the container');
  assert.equal(await output('volume prune -af'), 'Deleted Volumes:\nstore\n\nTotal reclaimed space: 5B');
});

test('network ls and network inspect', async () => {
  assert.match(await output('network ls'), /^NETWORK ID\s+NAME\s+DRIVER\s+SCOPE$/m);
  assert.match(await output('network ls'), /^[0-9a-f]{12}\s+bridge\s+bridge\s+local$/m);
  const [bridge] = JSON.parse(await output('network inspect bridge')) as {
    Name: string;
    IPAM: { Config: { Subnet: string }[] };
  }[];
  assert.equal(bridge?.Name, 'bridge');
  assert.deepEqual(
    bridge?.IPAM.Config.map((pool) => pool.Subnet),
    ['172.17.0.0/16'],
  );
});

test("mistakes: one clear sentence, Docker's exit codes", async () => {
  for (const [command, code, complaint] of [
    [`run --rm ${image} no-such-program`, 127, /executable file not found/],
    [`run --rm ${image} /etc/not-executable`, 126, /permission denied/],
    [`run --rm --net=nope ${image} true`, 125, /network nope not found/],
    ['run --rm', 1, /requires at least 1 argument|missing required argument/],
    ['run --no-such-flag x', 125, /unknown (flag|option).*--no-such-flag/],
    ['inspect nope', 1, /no such (object|container)/i],
    ['logs nope', 1, /No such container: nope/],
    ['frobnicate', 1, /frobnicate/],
  ] as const) {
    const result = await lab.seaway(command, { allowFailure: true });
    assert.match(result.stderr, complaint, command);
    assert.equal(result.code, code, `${command}: ${result.stderr}`);
    assert.doesNotMatch(result.stderr, /^\s+at /m, 'no stack trace');
  }
});

test('without a daemon it says where it looked', async () => {
  const missing = join(lab.directory, 'missing.sock');
  const result = await lab.seaway(['-H', `unix://${missing}`, 'ps'], { allowFailure: true });
  assert.notEqual(result.code, 0);
  assert.ok(result.stderr.includes(missing), result.stderr);
});

test('version and help', async () => {
  assert.match(await output('version'), /Server/);
  assert.match(await output('--help'), /network\s+/);
  assert.match(await output('run --help'), /--net/);
});
