/**
 * The life of a container: created, started, attached to, waited for, logged, stopped, killed, inspected, removed.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually, image, inspect, openStory, removeContainers } from './lab/story.ts';

const lab = await openStory();

/** `docker run --rm OPTIONS IMAGE sh -c SCRIPT` */
function shell(script: string, options: string[] = [], input?: string) {
  return lab.docker(['run', '--rm', '--net=none', ...options, image, 'sh', '-c', script], {
    allowFailure: true,
    ...(input === undefined ? {} : { input }),
  });
}

describe('docker run in the foreground', () => {
  test('keeps standard output and standard error apart', async () => {
    const result = await shell('echo to out; echo to err >&2');
    assert.deepEqual(result, { stdout: 'to out\n', stderr: 'to err\n', code: 0 });
  });

  test('ends with the exit code of the container', async () => {
    assert.equal((await shell('exit 7')).code, 7);
    assert.equal((await shell('exit 0')).code, 0);
  });

  test('passes standard input with -i, to its end', async () => {
    const result = await shell('read first; echo "first: $first"; cat', ['-i'], 'one\ntwo\nthree\n');
    assert.deepEqual(result, { stdout: 'first: one\ntwo\nthree\n', stderr: '', code: 0 });
  });

  test('without -i standard input is empty', async () => {
    assert.equal((await shell('wc -c', [], 'ignored')).stdout.trim(), '0');
  });

  test('carries every byte of a large output in order', async () => {
    const result = await shell('seq 1 50000');
    const expected = Array.from({ length: 50_000 }, (_, index) => `${index + 1}\n`).join('');
    assert.equal(result.stdout, expected);
  });

  test('carries every byte of a large input', async () => {
    const input = 'x'.repeat(1_000_000);
    assert.equal((await shell('wc -c', ['-i'], input)).stdout.trim(), '1000000');
  });

  test('with --rm nothing of the container is left', async () => {
    await shell('true', ['--name', 'short']);
    const listed = await lab.dockerOutput(['ps', '-a', '-q', '--filter', 'name=short']);
    assert.equal(listed, '');
  });

  test('with -t the container has a terminal', async () => {
    const id = await lab.dockerOutput(['run', '-d', '-t', '--net=none', image, 'sh', '-c', 'tty; echo done']);
    assert.equal(await lab.dockerOutput(`wait ${id}`), '0');
    assert.match(await lab.dockerOutput(`logs ${id}`), /^\/dev\/(pts\/\d+|console)\r\ndone$/);
    await removeContainers(lab, id);
  });
});

describe('what the process finds', () => {
  test('environment: PATH, HOSTNAME, HOME and the variables given', async () => {
    const result = await shell('env', ['-e', 'COLOUR=deep blue', '-e', 'EMPTY=', '-h', 'named']);
    const env = new Map(
      result.stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/=(.*)/s) as [string, string]),
    );
    assert.equal(env.get('COLOUR'), 'deep blue');
    assert.equal(env.get('EMPTY'), '');
    assert.equal(env.get('HOSTNAME'), 'named');
    assert.equal(env.get('HOME'), '/root');
    assert.equal(env.get('PATH'), '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin');
  });

  test('working directory, made if it is missing', async () => {
    assert.equal((await shell('pwd', ['-w', '/www'])).stdout, '/www\n');
    assert.equal((await shell('pwd', ['-w', '/new/folder'])).stdout, '/new/folder\n');
    assert.equal((await shell('pwd')).stdout, '/\n');
  });

  test('user and groups, by number and by name', async () => {
    assert.equal((await shell('id -u; id -g', ['-u', '1000:50'])).stdout, '1000\n50\n');
    assert.equal(
      (await shell('id', ['-u', 'www'])).stdout,
      'uid=33(www) gid=33(www) groups=33(www),50(staff)\n',
    );
    assert.match((await shell('id')).stdout, /^uid=0\(root\) gid=0\(root\)/);
  });

  test('hostname: given, or the first twelve digits of the id', async () => {
    assert.equal(
      (await shell('hostname; cat /etc/hostname', ['-h', 'box.example'])).stdout,
      'box.example\nbox.example\n',
    );
    const id = await lab.dockerOutput(`run -d --net=none ${image} hostname`);
    await lab.docker(`wait ${id}`);
    assert.equal(await lab.dockerOutput(`logs ${id}`), id.slice(0, 12));
    await removeContainers(lab, id);
  });

  test('entrypoint and its arguments', async () => {
    const result = await lab.docker(`run --rm --net=none --entrypoint echo ${image} one two`);
    assert.equal(result.stdout, 'one two\n');
  });

  test('its own processes alone, as PID 1', async () => {
    assert.match((await shell('echo $$; ps | wc -l')).stdout, /^1\n[34]\n$/);
  });

  test("Docker's default capabilities, seccomp and masked paths", async () => {
    const script =
      'grep -E "^(CapEff|CapBnd|Seccomp):" /proc/self/status; cat /proc/kcore | wc -c; cat /proc/timer_list | wc -c';
    const shown = (await shell(script)).stdout;
    // capability.h: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW,
    // SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP
    assert.match(shown, /^CapEff:\t00000000a80425fb$/m);
    assert.match(shown, /^CapBnd:\t00000000a80425fb$/m);
    assert.match(shown, /^Seccomp:\t2$/m);
    assert.match(shown, /^0\n0$/m);
    const mount = await shell('mount -t tmpfs none /tmp');
    assert.match(mount.stderr, /permission denied|Operation not permitted/i);
    assert.notEqual((await shell('echo 1 > /proc/sys/kernel/panic')).code, 0);
  });

  test('a root file system of its own that others do not see', async () => {
    const script = 'ls /mine 2>/dev/null; touch /mine && rm /www/index.html && ls /mine /www';
    assert.equal((await shell(script)).stdout, '/mine\n\n/www:\n');
    assert.equal((await shell(script)).stdout, '/mine\n\n/www:\n');
  });
});

describe('a container in the background', () => {
  test('docker run -d prints the id; ps, inspect and logs know it by name, id and prefix', async () => {
    const script = 'echo one; echo two >&2; sleep 600';
    const id = await lab.dockerOutput([
      ...['run', '-d', '--name', 'back', '--label', 'tier=web', '--label', 'empty'],
      ...['-e', 'A=1', '-w', '/tmp', '-u', 'www', image, 'sh', '-c', script],
    ]);
    assert.match(id, /^[0-9a-f]{64}$/);
    await eventually(async () => {
      const logs = await lab.docker('logs back');
      assert.equal(logs.stdout, 'one\n');
      assert.equal(logs.stderr, 'two\n');
    });

    const seen = await inspect(lab, id.slice(0, 12));
    assert.equal(seen.Id, id);
    assert.equal(seen.Name, '/back');
    assert.equal(seen.State.Status, 'running');
    assert.equal(seen.State.Running, true);
    assert.ok(seen.State.Pid > 1);
    assert.deepEqual(seen.Config.Labels, { tier: 'web', empty: '' });
    assert.deepEqual(seen.Config.Cmd, ['sh', '-c', script]);
    assert.ok(seen.Config.Env.includes('A=1'));
    assert.equal(seen.Config.WorkingDir, '/tmp');
    assert.equal(seen.Config.User, 'www');
    assert.equal(seen.Config.Image, image);
    assert.equal(seen.Config.Hostname, id.slice(0, 12));
    assert.match(seen.Image, /^sha256:[0-9a-f]{64}$/);

    const table = await lab.dockerOutput('ps');
    assert.match(table, /^CONTAINER ID\s+IMAGE\s+COMMAND\s+CREATED\s+STATUS\s+PORTS\s+NAMES$/m);
    assert.match(
      table,
      new RegExp(`^${id.slice(0, 12)}\\s+${image}\\s+"sh -c 'echo one; ec…"\\s.*\\sUp .*\\sback$`, 'm'),
    );
    await removeContainers(lab, 'back');
  });

  test('ps filters by name, label, status and network, and shows the ended ones with -a', async () => {
    await lab.docker(`run -d --name runs --label a=1 ${image} sleep 600`);
    await lab.docker(`run --name ended --label a=2 --net=none ${image} sh -c exit`);
    const ids = (filter: string) =>
      lab
        .dockerOutput(['ps', '-a', '--format', '{{.Names}}', '--filter', filter])
        .then((text) => text.split('\n').sort());
    assert.equal(await lab.dockerOutput('ps --format {{.Names}}'), 'runs');
    assert.deepEqual(await ids('label=a'), ['ended', 'runs']);
    assert.deepEqual(await ids('label=a=2'), ['ended']);
    assert.deepEqual(await ids('status=exited'), ['ended']);
    assert.deepEqual(await ids('name=run'), ['runs']);
    assert.deepEqual(await ids('network=bridge'), ['runs']);
    assert.deepEqual(await ids('exited=0'), ['ended']);
    assert.match(await lab.dockerOutput('ps -a --format {{.Status}} --filter name=ended'), /^Exited \(0\) /);
    await removeContainers(lab, 'runs', 'ended');
  });

  test('wait blocks until the end and prints the exit code', async () => {
    await lab.docker(['run', '-d', '--name', 'brief', '--net=none', image, 'sh', '-c', 'sleep 0.3; exit 5']);
    assert.equal(await lab.dockerOutput('wait brief'), '5');
    const { State } = await inspect(lab, 'brief');
    assert.equal(State.Status, 'exited');
    assert.equal(State.ExitCode, 5);
    assert.equal(State.Pid, 0);
    assert.ok(Date.parse(State.FinishedAt) >= Date.parse(State.StartedAt));
    assert.equal(await lab.dockerOutput('wait brief'), '5', 'and again at once');
    await removeContainers(lab, 'brief');
  });

  test('stop sends SIGTERM, and SIGKILL when the time is over', async () => {
    const polite = 'trap "echo bye; exit 3" TERM; echo up; while :; do sleep 0.05; done';
    await lab.docker(['run', '-d', '--name', 'polite', '--net=none', image, 'sh', '-c', polite]);
    await eventually(async () => assert.equal(await lab.dockerOutput('logs polite'), 'up'));
    await lab.docker('stop polite');
    assert.equal((await inspect(lab, 'polite')).State.ExitCode, 3);
    assert.equal(await lab.dockerOutput('logs polite'), 'up\nbye');

    await lab.docker(`run -d --name stubborn --net=none ${image} sleep 600`);
    await lab.docker('stop -t 1 stubborn');
    assert.equal((await inspect(lab, 'stubborn')).State.ExitCode, 137);
    await lab.docker('stop stubborn'); // what is stopped stays so, without an error
    await removeContainers(lab, 'polite', 'stubborn');
  });

  test('kill sends the signal asked for', async () => {
    const script = 'trap "echo got it" USR1; echo up; while :; do sleep 0.05; done';
    await lab.docker(['run', '-d', '--name', 'target', '--net=none', image, 'sh', '-c', script]);
    await eventually(async () => assert.equal(await lab.dockerOutput('logs target'), 'up'));
    await lab.docker('kill -s USR1 target');
    await eventually(async () => assert.equal(await lab.dockerOutput('logs target'), 'up\ngot it'));
    assert.equal((await inspect(lab, 'target')).State.Running, true);
    await lab.docker('kill target');
    await eventually(async () => assert.equal((await inspect(lab, 'target')).State.ExitCode, 137));
    await removeContainers(lab, 'target');
  });

  test('start runs it again with the same file system and adds to the log', async () => {
    const script = 'echo run >> /runs; wc -l < /runs';
    await lab.docker(['create', '--name', 'again', '--net=none', image, 'sh', '-c', script]);
    assert.equal((await inspect(lab, 'again')).State.Status, 'created');
    for (const _ of [1, 2]) {
      await lab.docker('start again');
      assert.equal(await lab.dockerOutput('wait again'), '0');
    }
    assert.equal(await lab.dockerOutput('logs again'), '1\n2');
    await removeContainers(lab, 'again');
  });

  test('start -a attaches to what it starts', async () => {
    await lab.docker(['create', '--name', 'attached', '--net=none', image, 'sh', '-c', 'echo seen; exit 4']);
    const result = await lab.docker('start -a attached', { allowFailure: true });
    assert.deepEqual(result, { stdout: 'seen\n', stderr: '', code: 4 });
    await removeContainers(lab, 'attached');
  });

  test('logs -f follows to the end, --tail and --timestamps work', async () => {
    const script = 'for i in 1 2 3 4; do echo line $i; sleep 0.1; done';
    await lab.docker(['run', '-d', '--name', 'talker', '--net=none', image, 'sh', '-c', script]);
    assert.equal(await lab.dockerOutput('logs -f talker'), 'line 1\nline 2\nline 3\nline 4');
    assert.equal(await lab.dockerOutput('logs --tail 2 talker'), 'line 3\nline 4');
    assert.match(
      await lab.dockerOutput('logs -t --tail 1 talker'),
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z line 4$/,
    );
    await removeContainers(lab, 'talker');
  });

  test('restarted again and again, a container is never taken for the one that ended before', async () => {
    // It speaks first: until then SIGTERM is nothing to a process with the number 1.
    const script = 'echo up; trap "exit 3" TERM; while :; do sleep 0.02; done';
    await lab.docker(['run', '-d', '--name', 'phoenix', image, 'sh', '-c', script]);
    const pids = new Set<number>();
    for (let round = 0; round < 8; round++) {
      await lab.docker('restart -t 5 phoenix');
      const { State } = await inspect(lab, 'phoenix');
      assert.equal(State.Status, 'running');
      pids.add(State.Pid);
    }
    assert.equal(pids.size, 8);
    await eventually(async () =>
      assert.equal((await lab.dockerOutput('logs phoenix')).split('\n').length, 9),
    );
    assert.equal((await inspect(lab, 'phoenix')).State.Status, 'running');
    await removeContainers(lab, 'phoenix');
  });

  test('rm refuses what runs and takes it with -f', async () => {
    await lab.docker(`run -d --name busy --net=none ${image} sleep 600`);
    const refused = await lab.docker('rm busy', { allowFailure: true });
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /container is running|running container/);
    assert.equal(await lab.dockerOutput('rm -f busy'), 'busy');
    const gone = await lab.docker('inspect busy', { allowFailure: true });
    assert.match(gone.stderr, /No such object: busy/);
  });

  test('attach shows what follows and ends with the container', async () => {
    const script = 'echo early; sleep 2; echo late; echo also >&2; exit 6';
    await lab.docker(['run', '-d', '--name', 'listener', '--net=none', image, 'sh', '-c', script]);
    await eventually(async () => assert.equal(await lab.dockerOutput('logs listener'), 'early'));
    const result = await lab.docker('attach --no-stdin listener', { allowFailure: true });
    assert.deepEqual(result, { stdout: 'late\n', stderr: 'also\n', code: 6 });
    await removeContainers(lab, 'listener');
  });

  test('docker version and docker info tell who answers', async () => {
    assert.match(await lab.dockerOutput('version'), /Server:/);
    const version = JSON.parse(await lab.dockerOutput(['version', '--format', '{{json .Server}}']));
    assert.equal(version.Os, 'linux');
    assert.match(version.APIVersion ?? version.ApiVersion, /^1\.\d+$/);
    await lab.docker(`run -d --name counted --net=none ${image} sleep 600`);
    const info = JSON.parse(await lab.dockerOutput(['info', '--format', '{{json .}}']));
    assert.equal(info.Name, 'lab-host');
    assert.equal(info.ContainersRunning, 1);
    assert.equal(info.OSType, 'linux');
    await lab.docker('info');
    await removeContainers(lab, 'counted');
  });
});
