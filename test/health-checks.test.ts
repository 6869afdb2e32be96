/**
 * Health checks: what they find out about a container, how that is told, and that neither a slow check nor a killed
 * daemon confuses them.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { expectSameInventory, takeInventory } from './lab/inventory.ts';
import { engineUnderTest } from './lab/lab.ts';
import { RawApi, testRefusals } from './lab/raw-api.ts';
import { eventually, image, openStory, removeContainers } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);
const peer = engineUnderTest === 'dockerd';

await lab.docker(`run --rm ${image} true`);

interface Shown {
  readonly State: {
    readonly Status: string;
    readonly Health?: {
      readonly Status: string;
      readonly FailingStreak: number;
      readonly Log: readonly {
        readonly Start: string;
        readonly End: string;
        readonly ExitCode: number;
        readonly Output: string;
      }[];
    };
  };
  readonly Config: { readonly Healthcheck?: Readonly<Record<string, unknown>> };
}

const show = (name: string) => api.get<Shown>(`/containers/${name}/json`);

async function healthOf(name: string) {
  const { Health: health } = (await show(name)).State;
  assert.ok(health, `${name} has a health`);
  return health;
}

const becomes = (name: string, status: string) =>
  eventually(async () => assert.equal((await healthOf(name)).Status, status));

/** `docker run -d --name NAME --health-cmd CHECK ... IMAGE sleep` */
function run(name: string, check: string, ...options: string[]) {
  const common = ['run', '-d', '--name', name, '--net=none', '--health-cmd', check];
  return lab.dockerOutput([...common, ...options, image, 'sleep', '600']);
}

describe('a health check', () => {
  test('finds a container healthy, then unhealthy, and healthy again, and says so', async () => {
    const since = (await lab.run('date +%s.%N')).stdout.trim();
    await run(
      'web',
      'echo checked by $(id -un); test -e /ok',
      '--health-interval=60ms',
      '--health-retries=2',
      '-u',
      'www',
    );
    assert.match(
      await lab.dockerOutput('ps --format {{.Status}}'),
      /^Up .* \((health: starting|unhealthy)\)$/,
    );
    await becomes('web', 'unhealthy');
    const { FailingStreak, Log } = await healthOf('web');
    assert.ok(FailingStreak >= 2);
    assert.equal(Log.at(-1)?.ExitCode, 1);
    assert.equal(Log.at(-1)?.Output, 'checked by www\n');
    assert.ok(Date.parse(Log[0]?.Start ?? '') <= Date.parse(Log[0]?.End ?? ''));
    await lab.docker('exec -u root web touch /ok');
    await becomes('web', 'healthy');
    assert.equal((await healthOf('web')).FailingStreak, 0);
    assert.match(await lab.dockerOutput('ps --format {{.Status}}'), /^Up .* \(healthy\)$/);
    for (const [health, names] of [
      ['healthy', 'web'],
      ['unhealthy', ''],
      ['none', ''],
    ] as const) {
      assert.equal(await lab.dockerOutput(`ps --filter health=${health} --format {{.Names}}`), names);
    }
    await eventually(async () => assert.equal((await healthOf('web')).Log.length, 5));
    await lab.docker('stop -t 0 web');
    assert.equal((await healthOf('web')).Status, 'unhealthy');
    const until = (await lab.run('date +%s.%N')).stdout.trim();
    const told = (filters: readonly string[]) =>
      lab.dockerOutput([
        'events',
        '--since',
        since,
        '--until',
        until,
        '--format',
        '{{.Action}}',
        ...filters.flatMap((each) => ['--filter', each]),
      ]);
    const changes = ['health_status: unhealthy', 'health_status: healthy'];
    assert.deepEqual((await told(['event=health_status'])).split('\n'), changes);
    if (!peer) assert.equal(await told(['event=health_status: healthy']), changes[1]);
    const actions = (await told(['container=web'])).split('\n');
    const probe = '/bin/sh -c echo checked by $(id -un); test -e /ok';
    for (const action of [`exec_create: ${probe}`, `exec_start: ${probe}`, 'exec_die'])
      assert.ok(actions.includes(action), action);
    assert.ok(!actions.slice(actions.indexOf('stop')).some((action) => action.startsWith('exec_create')));
    await removeContainers(lab, 'web');
  });

  test('that takes too long is killed with all that it started, and never runs twice at a time', async () => {
    const script = 'echo begun >> /runs; echo so far; sleep 77 & sleep 78';
    await run('slow', script, '--health-interval=20ms', '--health-timeout=250ms', '--health-retries=1');
    await becomes('slow', 'unhealthy');
    const [first] = (await healthOf('slow')).Log;
    assert.equal(first?.ExitCode, -1);
    assert.match(first?.Output ?? '', /^Health check exceeded timeout \(250ms\)(: so far\n)?$/);
    await eventually(async () => assert.ok((await healthOf('slow')).Log.length >= 3));
    if (!peer) {
      const sleepers = (await lab.dockerOutput('exec slow ps'))
        .split('\n')
        .filter((line) => /sleep 7[78]/.test(line));
      assert.ok(sleepers.length <= 2, sleepers.join('\n'));
      const runs = Number(await lab.dockerOutput('exec slow grep -c begun /runs'));
      assert.ok(Math.abs(runs - (await healthOf('slow')).Log.length) <= 2 || runs > 5);
    }
    await removeContainers(lab, 'slow');
  });

  test('keeps little of a long output, and cannot be run where its program is missing', async () => {
    await lab.docker([
      ...['run', '-d', '--name', 'long', '--net=none', '--health-interval=30ms'],
      ...['--health-cmd', 'seq 1 5000', image, 'sleep', '600'],
    ]);
    await becomes('long', 'healthy');
    const output = (await healthOf('long')).Log[0]?.Output ?? '';
    assert.ok(output.startsWith('1\n2\n3\n'));
    assert.ok(output.length >= 4096 && output.length <= 4100, `${output.length}`);
    const id = await api.run('broken', 'none', {
      Healthcheck: { Test: ['CMD', '/missing'], Interval: 3e7, Retries: 1 },
    });
    await becomes(id, 'unhealthy');
    assert.match((await healthOf(id)).Log[0]?.Output ?? '', /\/missing.*no such file or directory/);
    await removeContainers(lab, 'long', 'broken');
  });

  test('rests while the container is paused, and goes on with it', async () => {
    await run('rests', 'echo >> /count', '--health-interval=40ms');
    await becomes('rests', 'healthy');
    await lab.docker('pause rests');
    const { Log } = await healthOf('rests');
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.deepEqual((await healthOf('rests')).Log, Log);
    await lab.docker('unpause rests');
    await eventually(async () => assert.notDeepEqual((await healthOf('rests')).Log, Log));
    await removeContainers(lab, 'rests');
  });

  test('goes on after the daemon was killed, with what was known before', { skip: peer }, async () => {
    const clean = await takeInventory(lab, lab.engine);
    await run('lives', 'test -e /ok', '--health-interval=50ms', '--health-retries=1');
    await becomes('lives', 'unhealthy');
    await lab.docker('exec lives touch /ok');
    await becomes('lives', 'healthy');
    await lab.engine.restart('SIGKILL');
    const { Status, Log } = await healthOf('lives');
    assert.equal(Status, 'healthy');
    assert.ok(Log.length > 1);
    await lab.docker('exec lives rm /ok');
    await becomes('lives', 'unhealthy');
    await removeContainers(lab, 'lives');
    await expectSameInventory(lab, clean, lab.engine);
  });

  test('comes from the image, and the request changes single parts of it', async () => {
    await lab.docker(`create --name base --net=none ${image} sleep 600`);
    const check = 'HEALTHCHECK --interval=50ms --retries=2 CMD test -e /ok';
    await lab.docker(['commit', '--change', check, 'base', 'checked:1']);
    await lab.docker('run -d --name inherits --net=none --health-retries=1 checked:1');
    await becomes('inherits', 'unhealthy');
    const shown = (await show('inherits')).Config.Healthcheck;
    assert.deepEqual(shown, { Test: ['CMD-SHELL', 'test -e /ok'], Interval: 5e7, Retries: 1 });
    // An image that is made from the container has its check.
    await lab.docker('commit inherits checked:2');
    const format = ['--format', '{{json .Config.Healthcheck}}', 'checked:2'];
    assert.deepEqual(JSON.parse(await lab.dockerOutput(['image', 'inspect', ...format])), shown);
    await removeContainers(lab, 'base', 'inherits');
  });

  test('comes from the request, and can be switched off', async () => {
    const check = { Test: ['CMD', 'true'], Interval: 1e9, Timeout: 2e9, StartPeriod: 3e9, Retries: 4 };
    await api.createContainer('given', 'none', { Healthcheck: check });
    assert.deepEqual((await show('given')).Config.Healthcheck, check);
    assert.equal((await show('given')).State.Health, undefined);
    await lab.docker(`run -d --name off --net=none --no-healthcheck ${image} sleep 600`);
    assert.equal((await show('off')).State.Health, undefined);
    assert.deepEqual((await show('off')).Config.Healthcheck, { Test: ['NONE'] });
    await removeContainers(lab, 'given', 'off');
  });
});

const refused = (Healthcheck: object, message: string) => ({
  what: JSON.stringify(Healthcheck),
  path: '/containers/create',
  body: { Image: image, Cmd: ['true'], Healthcheck },
  status: 400,
  message,
});
testRefusals(lab, 'health checks', [
  refused({ Interval: 1 }, 'Interval in Healthcheck cannot be less than 1ms'),
  refused({ Timeout: -1 }, 'Timeout in Healthcheck cannot be less than 1ms'),
  refused({ StartPeriod: 999_999 }, 'StartPeriod in Healthcheck cannot be less than 1ms'),
  refused({ Retries: -1 }, 'Retries in Healthcheck cannot be negative'),
  ...(peer ? [] : [refused({ StartInterval: 5 }, 'StartInterval in Healthcheck cannot be less than 1ms')]),
]);
