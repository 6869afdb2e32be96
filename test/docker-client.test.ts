/**
 * A user's day with the docker client: the commands that tutorials and READMEs name, each with what it prints. What a
 * command does in depth is told by the story of its own.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runCommand, toArgv } from './lab/command.ts';
import { engineUnderTest } from './lab/lab.ts';
import { eventually, image, openStory } from './lab/story.ts';
import { TerminalClient } from './lab/terminal.ts';

const lab = await openStory();
const peer = engineUnderTest === 'dockerd';
const aboutOurs = { skip: peer && 'about our daemon alone' };

/** Another version than the one on the path, where there are two. */
const debiansClient = existsSync('/usr/bin/docker') ? '/usr/bin/docker' : 'docker';

/** What a command prints; words with spaces as a list. */
const docker = (command: string | readonly string[]) => lab.dockerOutput(command);
const lines = async (command: string | readonly string[]) => (await docker(command)).split('\n');

/** What a command that fails complains about. */
async function complaint(command: string | readonly string[], code = 1): Promise<string> {
  const result = await lab.docker(command, { allowFailure: true });
  assert.equal(result.code, code, result.stdout + result.stderr);
  return result.stderr;
}

describe('on a terminal', () => {
  test('run -it is a shell of the size of the window, and --rm leaves nothing', async () => {
    await using shell = new TerminalClient(lab, `docker run -it --rm --name shell -e PS1='> ' ${image} sh`);
    await shell.shows(/> /);
    shell.type('until stty size | grep -q "33 77"; do :; done; echo it" "fits\n');
    await shell.shows(/it fits/);
    shell.type('sleep 60\n');
    await eventually(async () => assert.match(await docker('exec shell ps'), /sleep 60/));
    shell.type('\u0003');
    shell.type('exit 6\n');
    await shell.ended;
    assert.match(shell.shown, /code 6\r\n$/);
    assert.equal(await docker('ps -aq --filter name=shell'), '');
  });

  test('a container is left with ctrl-p ctrl-q, and attached again with other keys', async () => {
    const script = 'echo ready; while read line; do echo "got $line"; done';
    await using first = new TerminalClient(lab, `docker run -it --name left ${image} sh -c '${script}'`);
    await first.shows(/ready/);
    first.type('\u0010\u0011');
    await first.ended;
    assert.equal(await docker(['ps', '--filter', 'name=left', '--format', '{{.State}}']), 'running');

    await using second = new TerminalClient(lab, 'docker attach --detach-keys=ctrl-x left');
    second.type('one\n');
    await second.shows(/got one/);
    second.type('\u0018');
    await second.ended;
    assert.match(second.shown, /read escape sequence/);
    await docker('rm -f left');
  });
});

describe('one container', () => {
  before(async () => {
    const script = 'echo started; trap "exit 0" TERM; httpd -p 80 -h /www; while :; do sleep 0.1; done';
    await docker([
      ...['run', '-d', '--name', 'web', '--hostname', 'web-host', '-e', 'COLOUR=blue', '-l', 'tier=front'],
      ...['-p', '8080:80', '-p', '127.0.0.1::81', image, 'sh', '-c', script],
    ]);
  });
  after(() => lab.docker('rm -f web site', { allowFailure: true }));

  test('ps in a format of the user', async () => {
    const format =
      '{{.Names}}|{{.Image}}|{{.State}}|{{.Ports}}|{{.Label "tier"}}|{{.Networks}}|{{.RunningFor}}';
    assert.match(
      await docker(['ps', '--filter', 'name=web', '--format', format]),
      /^web\|busybox\|running\|0\.0\.0\.0:8080->80\/tcp, .*127\.0\.0\.1:\d+->81\/tcp\|front\|bridge\|.+ ago$/,
    );
    const [shown] = (await lines('ps --no-trunc --format json')).map((line) => JSON.parse(line));
    assert.equal(shown.ID.length, 64);
    assert.match(shown.Command, /^"sh -c 'echo started/);
  });

  test('inspect in a format of the user, and its parts by type', async () => {
    const format =
      '{{.State.Status}} {{.Config.Hostname}} {{index .Config.Labels "tier"}} {{json .NetworkSettings.Ports}}';
    const [status, hostname, label, ports] = (await docker(['inspect', '--format', format, 'web'])).split(
      ' ',
    );
    assert.deepEqual([status, hostname, label], ['running', 'web-host', 'front']);
    assert.deepEqual(Object.keys(JSON.parse(ports!)), ['80/tcp', '81/tcp']);
    const address = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
    assert.match(await docker(['inspect', '-f', address, 'web']), /^172\.17\.0\.\d+$/);
    const [byType] = JSON.parse(await docker('inspect --type container web')) as [{ Name: string }];
    assert.equal(byType.Name, '/web');
    assert.match(await complaint('inspect nope'), /No such object: nope/);
  });

  test('port, and the page behind it', async () => {
    assert.match(await docker('port web 80'), /^0\.0\.0\.0:8080(\n\[::\]:8080)?$/);
    assert.match(
      await docker('port web'),
      /^80\/tcp -> 0\.0\.0\.0:8080\n[\s\S]*81\/tcp -> 127\.0\.0\.1:\d+$/,
    );
    const page = await lab.run('curl -sf http://127.0.0.1:8080/');
    assert.equal(page.stdout, 'hello from the container\n');
  });

  test('exec, with variables, user and folder', async () => {
    assert.equal(await docker('exec web sh -c env').then((env) => /^COLOUR=blue$/m.test(env)), true);
    const script = 'echo $MOOD $(id -un) $(pwd)';
    assert.equal(
      await docker(['exec', '-e', 'MOOD=good', '-u', 'www', '-w', '/tmp', 'web', 'sh', '-c', script]),
      'good www /tmp',
    );
  });

  test('logs, as they come and from a point in time', async () => {
    assert.equal(await docker('logs web'), 'started');
    assert.equal(await docker('logs --tail 0 web'), '');
    assert.match(await docker('logs -t web'), /^\d{4}-\d\d-\d\dT[\d:.]+Z started$/);
    assert.equal(await docker('logs --since 1h web'), 'started');
    assert.equal(await docker('logs --until 1h web'), '');
  });

  test('rename, and what answers to the new name', async () => {
    await docker('rename web site');
    assert.match(await complaint('inspect --type container web'), /No such container: web/);
    assert.equal(await docker(['inspect', '-f', '{{.Name}}', 'site']), '/site');
    await docker('rename site web');
  });

  test('restart, stop, start, kill and wait', async () => {
    const started = () => docker(['inspect', '-f', '{{.State.StartedAt}} {{.State.Pid}}', 'web']);
    const first = await started();
    assert.equal(await docker('restart -t 5 web'), 'web');
    assert.notEqual(await started(), first);
    assert.equal(await docker('stop web'), 'web');
    assert.equal(await docker(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'web']), 'exited 0');
    assert.match(await docker('ps -a --filter name=web --format {{.Status}}'), /^Exited \(0\) .+ ago$/);
    assert.equal(await docker('start web'), 'web');
    const waiting = docker('wait web');
    assert.equal(await docker('kill web'), 'web');
    assert.equal(await waiting, '137');
  });
});

describe('what is inside a container', () => {
  before(async () => {
    await docker([
      ...['run', '-d', '--name', 'box', '--ulimit', 'core=-1', '--memory', '64m', '-v', 'data:/data', image],
      ...['sh', '-c', 'echo begun > /begun; exec sleep 600'],
    ]);
  });
  after(() => lab.docker('rm -fv box copy', { allowFailure: true }));

  test('cp, in and out, of files and folders', async () => {
    const folder = join(lab.directory, 'files');
    mkdirSync(folder);
    writeFileSync(join(folder, 'a.txt'), 'from the host\n');
    await docker('cp files box:/tmp');
    assert.equal(await docker('exec box cat /tmp/files/a.txt'), 'from the host');
    await docker(['exec', 'box', 'sh', '-c', 'echo changed > /tmp/files/a.txt']);
    await docker('cp box:/tmp/files/a.txt back.txt');
    assert.equal(readFileSync(join(lab.directory, 'back.txt'), 'utf8'), 'changed\n');
    assert.match(await complaint('cp box:/nope .'), /Could not find the file \/nope in container box/);
  });

  test('diff and top tell what has become of it', async () => {
    const changes = await lines('diff box');
    assert.ok(changes.includes('A /begun') && changes.includes('A /tmp/files/a.txt'), changes.join());
    assert.match(await docker('top box'), /^UID .* CMD\n.* sleep 600$/);
    assert.match(await docker('top box -o pid,comm'), /^PID\s+COMMAND\n\d+\s+sleep$/);
  });

  test('stats and update, of what it uses and may use', async () => {
    const format = '{{.Name}} {{.MemUsage}} {{.PIDs}}';
    assert.match(await docker(['stats', '--no-stream', '--format', format, 'box']), /^box .+ \/ 64MiB 1$/);
    await docker('update --memory 96m --memory-swap 96m --restart on-failure:2 box');
    assert.match(await docker(['stats', '--no-stream', '--format', format, 'box']), / 96MiB 1$/);
    const policy = '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}';
    assert.equal(await docker(['inspect', '-f', policy, 'box']), 'on-failure 2');
    const limits = 'ulimit -c; grep core /proc/1/limits';
    assert.match(await docker(['exec', 'box', 'sh', '-c', limits]), /^unlimited\n.*unlimited +unlimited/);
  });

  test('pause keeps it from doing anything', async () => {
    await docker('pause box');
    assert.match(await docker('ps --filter name=box --format {{.Status}}'), /\(Paused\)$/);
    assert.match(await complaint('exec box true'), /is paused, unpause the container before exec/);
    await docker('unpause box');
    assert.equal(await docker('exec box cat /begun'), 'begun');
  });

  test('commit, export and import make images of it, save and load carry them', async () => {
    assert.match(
      await docker(['commit', '-m', 'a change', '-c', 'CMD cat /begun', 'box', 'made:1']),
      /^sha256:/,
    );
    assert.equal(await docker('run --rm made:1'), 'begun');
    await docker('export -o box.tar box');
    await docker('import box.tar made:2');
    assert.equal(await docker('run --rm made:2 cat /begun'), 'begun');
    await docker('save -o made.tar made:1 made:2');
    await docker('rmi made:1 made:2');
    assert.deepEqual((await lines('load -i made.tar')).sort(), [
      'Loaded image: made:1',
      'Loaded image: made:2',
    ]);
    assert.equal(await docker('run --rm made:1'), 'begun');
    await docker('rmi made:1 made:2');
  });

  test('a volume outlives it', async () => {
    await docker(['exec', 'box', 'sh', '-c', 'echo kept > /data/file']);
    assert.match(await complaint('volume rm data'), /volume is in use/);
    await docker('rm -f box');
    assert.deepEqual(await lines('volume ls -q'), ['data']);
    const mount = 'type=volume,source=data,target=/data,readonly';
    assert.equal(await docker(`run --rm --mount ${mount} ${image} cat /data/file`), 'kept');
    assert.equal(await docker('volume inspect -f {{.Driver}} data'), 'local');
    assert.equal(await docker('volume rm data'), 'data');
  });
});

describe('networks', () => {
  test('from create to prune', async () => {
    assert.match(await docker('network create --subnet 10.77.0.0/24 --label team=a shop'), /^[0-9a-f]{64}$/);
    await docker(`run -d --name db --network shop --network-alias data ${image} sleep 600`);
    await docker(`run -d --name app ${image} sleep 600`);
    await docker('network connect --alias front --ip 10.77.0.9 shop app');
    assert.match(await docker('exec db getent hosts front'), /^10\.77\.0\.9\s/);
    assert.match(await docker('exec app getent hosts data'), /^10\.77\.0\.2\s/);
    const members = '{{range .Containers}}{{.Name}} {{.IPv4Address}};{{end}}';
    assert.deepEqual((await docker(['network', 'inspect', '-f', members, 'shop'])).split(';').sort(), [
      '',
      'app 10.77.0.9/24',
      'db 10.77.0.2/24',
    ]);
    await docker('network disconnect shop app');
    assert.match(await complaint('network rm shop'), /has active endpoints/);
    assert.deepEqual(await lines('network ls --filter label=team --format {{.Name}}'), ['shop']);
    assert.match(await complaint('network create shop'), /network with name shop already exists/);
    await docker('rm -f db app');
    assert.match(await docker('network prune -f'), /^Deleted Networks:\nshop$/);
    assert.deepEqual((await lines('network ls --format {{.Name}}')).sort(), ['bridge', 'host', 'none']);
  });
});

describe('images', () => {
  test('list, history, tags and removal', async () => {
    await docker(`tag ${image} team/tool:1`);
    assert.deepEqual((await lines(['images', '--format', '{{.Repository}}:{{.Tag}}'])).sort(), [
      'busybox:latest',
      'team/tool:1',
    ]);
    assert.match(await docker('image ls team/tool --quiet'), /^[0-9a-f]{12}$/);
    assert.match(
      await docker(['image', 'inspect', '-f', '{{.Os}}/{{.Architecture}}', image]),
      /^linux\/\w+$/,
    );
    assert.match(await docker(`history --no-trunc --format {{.ID}} ${image}`), /^sha256:[0-9a-f]{64}$/);
    assert.match(await docker('rmi team/tool:1'), /^Untagged: team\/tool:1$/);
    assert.match(await complaint('image inspect team/tool:1'), /No such image: team\/tool:1/);
  });
});

test('the client that Debian has, which is older, does the same', async () => {
  const env = { ...lab.env, DOCKER_HOST: `unix://${lab.engine.socket}` };
  const older = async (command: string) =>
    (await runCommand([debiansClient, ...toArgv(command)], { env, cwd: lab.directory })).stdout.trim();
  assert.match(await older('version'), /Version: +\d+\.\d+/);
  await older('network create old');
  await older(`run -d --name old --network old --network-alias older -p 8090:80 ${image} httpd -f -h /www`);
  assert.match(await older('ps --format {{.Names}}={{.Ports}}'), /^old=0\.0\.0\.0:8090->80\/tcp/m);
  assert.equal(
    await older(`run --rm --network old ${image} wget -qO- http://older/`),
    'hello from the container',
  );
  assert.equal(await older('exec old hostname'), await older('inspect -f {{.Config.Hostname}} old'));
  await older('cp old:/www/index.html old.html');
  assert.equal(readFileSync(join(lab.directory, 'old.html'), 'utf8'), 'hello from the container\n');
  assert.equal(await older('logs old'), '');
  assert.match(await older('stats --no-stream --format {{.Name}} old'), /^old$/);
  await older('restart -t 0 old');
  await older('rm -f old');
  await older('network rm old');
});

describe('the daemon', () => {
  test('tells how much room everything takes, and what has happened', async () => {
    const since = String(Math.floor(Date.now() / 1000) - 1);
    await docker(`run --rm --name told --label story=told ${image} true`);
    const until = String(Math.ceil(Date.now() / 1000));
    const format = '{{.Type}} {{.Action}}';
    const told = await lines([
      'events',
      '--since',
      since,
      '--until',
      until,
      '--filter',
      'label=story=told',
      '--format',
      format,
    ]);
    for (const event of ['create', 'start', 'die', 'destroy'])
      assert.ok(told.includes(`container ${event}`), told.join());
    assert.match(
      await docker('system df'),
      /^TYPE .*\nImages +1 .*\nContainers +0 .*\nLocal Volumes +0 .*\nBuild Cache +0 /,
    );
  });

  test('takes away what nobody uses', async () => {
    await docker(`run --name over ${image} true`);
    await docker('network create idle');
    const pruned = await docker('system prune -f');
    assert.match(
      pruned,
      /^Deleted Containers:\n[0-9a-f]{64}\n\nDeleted Networks:\nidle\n\nTotal reclaimed space: /,
    );
    assert.deepEqual(await lines('ps -aq'), ['']);
  });

  test('is reached through a context, too', async () => {
    const host = `host=unix://${lab.engine.socket}`;
    const env = { DOCKER_HOST: undefined, DOCKER_CONFIG: join(lab.directory, 'contexts') };
    await lab.docker(['context', 'create', 'lab', '--docker', host], { env });
    const shown = await lab.docker(['--context', 'lab', 'version', '-f', '{{.Server.Os}}'], { env });
    assert.equal(shown.stdout, 'linux\n');
  });

  test('shows everything in info and version', async () => {
    const info = JSON.parse(await docker('info --format json'));
    assert.deepEqual(
      [info.OSType, info.Swarm.LocalNodeState, info.DefaultRuntime, info.Images],
      ['linux', 'inactive', 'runc', 1],
    );
    assert.match(await docker('version'), /API version: +1\.\d\d \(minimum version 1\.\d\d\)/);
  });
});

describe('what there is not', aboutOurs, () => {
  test('build is refused, however large the context is', async () => {
    const folder = join(lab.directory, 'context');
    mkdirSync(folder);
    writeFileSync(join(folder, 'Dockerfile'), `FROM ${image}\n`);
    writeFileSync(join(folder, 'large'), Buffer.alloc(20_000_000, 'x'));
    assert.match(
      await complaint('build context'),
      /POST \/build is not supported by this version of Seaway: build the/,
    );
  });

  test('Swarm says that it is not there', async () => {
    assert.match(await complaint('swarm init'), /Swarm is not supported by Seaway/);
    assert.match(await complaint('swarm join 192.0.2.1:2377'), /Swarm is not supported by Seaway/);
    assert.match(await complaint('swarm leave'), /This node is not part of a swarm/);
    for (const command of ['service ls', 'node ls', 'stack ls', 'secret ls', 'config ls']) {
      assert.match(await complaint(command), /This node is not a swarm manager\. Use "docker swarm init"/);
    }
  });

  test('there are no plugins, checkpoints or build caches', async () => {
    assert.deepEqual(await lines('plugin ls --format {{.Name}}'), ['']);
    assert.match(await complaint('plugin install nope'), /not supported by this version of Seaway/);
    assert.match(await complaint('plugin inspect nope'), /plugin "nope" not found/);
    assert.match(await complaint('checkpoint ls nope'), /experimental/);
    assert.match(await docker('builder prune -f'), /Total reclaimed space: 0B/);
  });
});
