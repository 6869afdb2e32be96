/**
 * Containers that come back: restart policies, what a user's stop means to them, and what a killed daemon finds when it
 * is started again.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { expectSameInventory, takeInventory } from './lab/inventory.ts';
import { engineUnderTest } from './lab/lab.ts';
import { RawApi, testRefusals } from './lab/raw-api.ts';
import { eventually, image, openStory, removeContainers } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);
/** Where Debian's dockerd is known to do otherwise. */
const peer = engineUnderTest === 'dockerd';

await lab.docker(`run --rm ${image} true`);

interface Shown {
  readonly RestartCount: number;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Restarting: boolean;
    readonly Pid: number;
    readonly ExitCode: number;
    readonly StartedAt: string;
  };
  readonly HostConfig: { readonly RestartPolicy: object };
}

const show = (name: string) => api.get<Shown>(`/containers/${name}/json`);

/** `docker run -d --name NAME --restart POLICY IMAGE sh -c SCRIPT` */
function run(name: string, policy: string, script: string, options: readonly string[] = []) {
  const command = ['run', '-d', '--name', name, '--restart', policy, ...options];
  return lab.dockerOutput([...command, image, 'sh', '-c', script]);
}

/** Waits until the container is started again, for at least the given time. */
function restarted(name: string, count = 1): Promise<void> {
  return eventually(async () => assert.ok((await show(name)).RestartCount >= count));
}

const statusOf = async (name: string) => (await show(name)).State.Status;
const becomes = (name: string, status: string) =>
  eventually(async () => assert.equal(await statusOf(name), status));

/** The kernel takes its time with what is left of the last container. */
const linksAreGone = () =>
  eventually(async () => assert.equal((await lab.run('ip -o link show master docker0')).stdout, ''));

/** The pid of the container's first process as the test sees it. */
async function killProcess(name: string): Promise<void> {
  const { Pid } = (await show(name)).State;
  await lab.run(['kill', '-9', String(Pid)]);
}

describe('a container that ends by itself', () => {
  test('is tried as often as on-failure says, and each time has an address', async () => {
    await run('thrice', 'on-failure:3', 'ip -4 -o addr show eth0 | grep -c inet; exit 7');
    await becomes('thrice', 'exited');
    const { RestartCount, State, HostConfig } = await show('thrice');
    assert.equal(RestartCount, 3);
    assert.equal(State.ExitCode, 7);
    assert.deepEqual(HostConfig.RestartPolicy, { Name: 'on-failure', MaximumRetryCount: 3 });
    assert.equal(await lab.dockerOutput('logs thrice'), '1\n1\n1\n1');
    await removeContainers(lab, 'thrice');
  });

  test('is not tried again by on-failure when it succeeded, and by no at all', async () => {
    await run('done', 'on-failure', 'true');
    await run('once', 'no', 'exit 3');
    await becomes('done', 'exited');
    await becomes('once', 'exited');
    assert.equal((await show('done')).RestartCount, 0);
    await removeContainers(lab, 'done', 'once');
  });

  test('is shown as restarting while it waits, and stop ends that', async () => {
    await run('loops', 'always', 'exit 4');
    await restarted('loops', 3);
    await becomes('loops', 'restarting');
    const { State } = await show('loops');
    assert.deepEqual(
      { ...State, StartedAt: '' },
      { ...State, Running: true, Restarting: true, Pid: 0, ExitCode: 4, StartedAt: '' },
    );
    await eventually(async () =>
      assert.match(
        await lab.dockerOutput('ps --format {{.Status}} --filter name=loops'),
        /^Restarting \(4\) (Less than a|\d) seconds? ago$/,
      ),
    );
    assert.equal(await lab.dockerOutput('ps --filter status=restarting --format {{.Names}}'), 'loops');
    const id = (await api.get<{ Id: string }>('/containers/loops/json')).Id;
    for (const path of ['pause', 'exec']) {
      // Once more where its next try has just begun.
      await eventually(async () => {
        await becomes('loops', 'restarting');
        const { status, json } = await api.send('POST', `/containers/loops/${path}`, { Cmd: ['true'] });
        if (path === 'pause' && status === 204) await lab.docker('unpause loops');
        assert.equal(json.message, `Container ${id} is restarting, wait until the container is running`);
        assert.equal(status, 409);
      });
    }
    assert.equal((await api.send('POST', '/containers/loops/start')).status, 304);
    const refused = await api.send('DELETE', '/containers/loops');
    assert.equal(refused.status, 409);
    const waiting = lab.dockerOutput('wait loops');
    await lab.docker('stop loops');
    assert.equal(await waiting, '4');
    assert.equal(await statusOf('loops'), 'exited');
    const { RestartCount } = await show('loops');
    await lab.docker('start loops');
    assert.ok(RestartCount > (await show('loops')).RestartCount, 'a user starts anew');
    await removeContainers(lab, 'loops');
  });

  test('a user who stops or kills it is respected, and another signal is not such a user', async () => {
    const script = 'trap "exit 5" USR1; echo up; while :; do sleep 0.02; done';
    for (const [name, command] of [
      ['stopped', 'stop -t 0'],
      ['killed', 'kill'],
    ] as const) {
      await run(name, 'always', script);
      await lab.docker(`${command} ${name}`);
      await becomes(name, 'exited');
      assert.equal((await show(name)).RestartCount, 0);
    }
    await run('signalled', 'unless-stopped', script, ['--stop-signal', 'TERM']);
    await eventually(async () => assert.match(await lab.dockerOutput('logs signalled'), /up/));
    if (!peer) {
      await lab.docker('kill -s USR1 signalled');
      await restarted('signalled');
    }
    await becomes('signalled', 'running');
    await killProcess('signalled');
    await restarted('signalled', peer ? 1 : 2);
    await removeContainers(lab, 'stopped', 'killed', 'signalled');
  });

  test('and the policy that counts is the one at its end', async () => {
    await run('changes', 'always', 'sleep 600');
    await lab.docker('update --restart no changes');
    await killProcess('changes');
    await becomes('changes', 'exited');
    await lab.docker('update --restart on-failure:9 changes');
    await lab.docker('start changes');
    await killProcess('changes');
    await restarted('changes');
    await becomes('changes', 'running');
    await removeContainers(lab, 'changes');
  });

  test('one that removes itself stays when it is restarted', async () => {
    await lab.docker(`run -d --rm --name stays ${image} sleep 600`);
    await lab.docker('restart -t 0 stays');
    assert.equal(await statusOf('stays'), 'running');
    await lab.docker('stop -t 0 stays');
    await eventually(async () => assert.equal(await lab.dockerOutput('ps -aq --filter name=stays'), ''));
  });
});

describe('a daemon that was killed', () => {
  test('brings back what waits, what died meanwhile and what is always wanted, those needed first', async () => {
    await linksAreGone();
    const clean = await takeInventory(lab, lab.engine);
    await run('waits', 'always', 'sleep 0.2; exit 1');
    await run('dies', 'unless-stopped', 'sleep 600');
    await run('fails', 'on-failure:5', 'sleep 600');
    await run('needs', 'always', 'sleep 600', ['--net=container:dies']);
    await run('linked', 'always', 'sleep 600', ['--link', 'dies:other']);
    await run('always-stopped', 'always', 'sleep 600');
    await run('user-stopped', 'unless-stopped', 'sleep 600');
    await run('plain', 'no', 'sleep 600');
    await lab.docker(`create --name never --restart always ${image} true`);
    await lab.docker('stop -t 0 always-stopped user-stopped');
    await restarted('waits', 2);
    const pids = await Promise.all(
      ['dies', 'needs', 'linked', 'fails', 'plain'].map(async (name) => (await show(name)).State.Pid),
    );
    await lab.engine.kill('SIGKILL');
    await lab.run(['kill', '-9', ...pids.map(String)]);
    await lab.engine.start();

    for (const name of ['dies', 'fails', 'needs', 'linked', 'always-stopped']) await becomes(name, 'running');
    assert.match(await lab.dockerOutput('exec linked cat /etc/hosts'), /\tother /);
    for (const name of ['user-stopped', 'plain']) assert.equal(await statusOf(name), 'exited', name);
    if (!peer) assert.equal(await statusOf('never'), 'created');
    const { RestartCount } = await show('waits');
    await restarted('waits', RestartCount + 1);

    // What a user has stopped stays so through another kill, and no second process was started for any.
    await lab.docker('stop -t 0 waits dies');
    await lab.engine.restart('SIGKILL');
    assert.equal(await statusOf('dies'), 'exited');
    await restarted('waits', 0);
    await removeContainers(
      lab,
      ...['waits', 'needs', 'linked', 'dies', 'fails', 'always-stopped', 'user-stopped', 'plain', 'never'],
    );
    await expectSameInventory(lab, clean, lab.engine);
  });
});

test('a daemon that is killed again and again loses nobody, and stops nobody twice', {
  skip: peer,
}, async () => {
  await linksAreGone();
  const clean = await takeInventory(lab, lab.engine);
  const names = ['loop1', 'loop2'];
  for (const [index, name] of names.entries()) {
    const check = ['--health-cmd', 'true', '--health-interval', '20ms'];
    await run(name, 'always', `sleep 0.${index + 1}; exit 1`, check);
  }
  await run('gone', 'always', 'sleep 0.05; exit 1');
  await run('calm', 'unless-stopped', 'sleep 600', ['--health-cmd', 'true', '--health-interval', '20ms']);
  const { Pid, StartedAt } = (await show('calm')).State;
  for (const waitMs of [30, 310, 120]) {
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    // The stop is on its way when the daemon dies: it holds, or it has never been.
    const stopping = lab.docker('stop -t 0 gone', { allowFailure: true });
    await lab.engine.kill('SIGKILL');
    await stopping;
    await lab.engine.start();
    await lab.docker('start gone');
  }
  for (const name of names) {
    const { RestartCount } = await show(name);
    await restarted(name, RestartCount + 1);
    const processes = (
      await lab.run(['pgrep', '-f', `cid [0-9a-f]* .*--name ${name} `], { allowFailure: true })
    ).stdout;
    assert.ok(
      processes.split('\n').filter((line) => line !== '').length <= 1,
      `${name} runs once: ${processes}`,
    );
  }
  const calm = (await show('calm')).State;
  assert.deepEqual([calm.Pid, calm.StartedAt], [Pid, StartedAt]);
  await lab.docker(['stop', '-t', '0', ...names, 'gone']);
  for (const name of [...names, 'gone']) assert.equal(await statusOf(name), 'exited');
  await removeContainers(lab, 'calm', 'gone', ...names);
  await expectSameInventory(lab, clean, lab.engine);
});

describe('a paused container', () => {
  test('stands still, shows it and goes on', async () => {
    const script = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done';
    const id = await lab.dockerOutput(['run', '-d', '--name', 'still', image, 'sh', '-c', script]);
    const count = async () => Number((await lab.dockerOutput('logs --tail 1 still')).trim());
    await eventually(async () => assert.ok((await count()) > 0));
    await lab.docker('pause still');
    const stopped = await count();
    assert.match(
      await lab.dockerOutput('ps --format {{.Status}}'),
      /^Up (Less than a|\d+) seconds? \(Paused\)$/,
    );
    const { State } = await show('still');
    assert.deepEqual(
      [State.Status, State.Running, (State as unknown as { Paused: boolean }).Paused],
      ['paused', true, true],
    );
    const { ContainersPaused, ContainersRunning } = await api.get<Record<string, number>>('/info');
    assert.deepEqual([ContainersPaused, ContainersRunning], [1, 0]);
    for (const [method, path, status, message] of [
      ['POST', 'pause', 409, `Container ${id} is already paused`],
      ['POST', 'exec', 409, /^Container \w+ is paused, unpause the container before exec$/],
      ['POST', 'start', 409, 'cannot start a paused container, try unpause instead'],
      [
        'POST',
        'attach?stream=1&stdout=1',
        409,
        /^[Cc]ontainer \w+ is paused, unpause the container before attach$/,
      ],
    ] as const) {
      await api.isRefused({
        what: path,
        method,
        path: `/containers/still/${path}`,
        status,
        message,
        ...(path === 'exec' ? { body: { Cmd: ['true'] } } : {}),
      });
    }
    if (!peer) {
      await api.isRefused({
        what: 'rm',
        method: 'DELETE',
        path: '/containers/still',
        status: 409,
        message: 'cannot remove container "still": container is paused and must be unpaused first',
      });
    }
    // It does not need the daemon to stand still.
    await lab.engine.restart('SIGKILL');
    assert.equal(await statusOf('still'), 'paused');
    assert.equal(await count(), stopped);
    await lab.docker('unpause still');
    await eventually(async () => assert.ok((await count()) > stopped));
    assert.equal(await statusOf('still'), 'running');
    await api.isRefused({
      what: 'unpause',
      path: '/containers/still/unpause',
      status: 500,
      message: `Container ${id} is not paused`,
    });
    await removeContainers(lab, 'still');
  });

  test('can be stopped, restarted, killed and removed by force', async () => {
    const polite = 'trap "echo bye; exit 3" TERM; echo up; while :; do sleep 0.02; done';
    await lab.docker(['run', '-d', '--name', 'pp', image, 'sh', '-c', polite]);
    await eventually(async () => assert.equal(await lab.dockerOutput('logs pp'), 'up'));
    await lab.docker('pause pp');
    await lab.docker('stop pp');
    assert.equal((await show('pp')).State.ExitCode, 3, 'it could say goodbye');
    await lab.docker('start pp');
    await lab.docker('pause pp');
    await lab.docker('restart -t 0 pp');
    assert.equal(await statusOf('pp'), 'running');
    await lab.docker('pause pp');
    await lab.docker('kill pp');
    assert.equal((await show('pp')).State.ExitCode, 137);
    await lab.docker('start pp');
    await lab.docker('pause pp');
    await lab.docker('rm -f pp');
    await linksAreGone();
  });
});

const policy = (Name: string, MaximumRetryCount = 0, AutoRemove = false) => ({
  Image: image,
  Cmd: ['true'],
  HostConfig: { AutoRemove, RestartPolicy: { Name, MaximumRetryCount } },
});
if (!peer) {
  testRefusals(lab, 'restart policies and pausing', [
    ...(
      [
        ['zz', 0, false, "invalid restart policy 'zz'"],
        ['always', 3, false, "maximum retry count cannot be used with restart policy 'always'"],
        ['no', 3, false, "maximum retry count cannot be used with restart policy 'no'"],
        ['on-failure', -1, false, 'maximum retry count cannot be negative'],
        ['always', 0, true, "can't create 'AutoRemove' container with restart policy"],
      ] as const
    ).map(([name, count, autoRemove, message]) => ({
      what: `--restart ${name}:${count}${autoRemove ? ' --rm' : ''}`,
      path: '/containers/create',
      body: policy(name, count, autoRemove),
      status: 400,
      message,
    })),
    {
      what: 'pausing nobody',
      path: '/containers/nobody/pause',
      status: 404,
      message: 'No such container: nobody',
    },
    {
      what: 'unpausing nobody',
      path: '/containers/nobody/unpause',
      status: 404,
      message: 'No such container: nobody',
    },
  ]);
}
