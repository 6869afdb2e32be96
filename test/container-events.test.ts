/**
 * What is told of containers while they come and go, and how they are found and cleared away.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { engineUnderTest } from './lab/lab.ts';
import { RawApi, testRefusals } from './lab/raw-api.ts';
import { eventually, image, openStory, removeContainers } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);
const peer = engineUnderTest === 'dockerd';

interface Told {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: string;
  readonly time: number;
  readonly timeNano: number;
}

const now = async () => (await lab.run('date +%s.%N')).stdout.trim();

/** What was told between two points in time. */
async function told(since: string, filters: object = {}, until?: string): Promise<Told[]> {
  const query = `since=${since}&until=${until ?? (await now())}&filters=${encodeURIComponent(JSON.stringify(filters))}`;
  const { text } = await api.send('GET', `/events?${query}`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

test('each step of a life is told with names, labels and what belongs to it', async () => {
  const since = await now();
  const script = 'trap "exit 3" TERM; trap "exit 12" USR2; echo up; while :; do sleep 0.02; done';
  await lab.docker([
    ...['create', '--name', 'web', '--net=none', '--label', 'tier=front', '-t'],
    ...[image, 'sh', '-c', script],
  ]);
  await lab.docker('start web');
  await eventually(async () => assert.match(await lab.dockerOutput('logs web'), /up/));
  await api.ask('POST', '/containers/web/resize?h=30&w=90');
  await lab.docker('pause web');
  await lab.docker('unpause web');
  await lab.docker('rename web site');
  await lab.docker('kill -s USR2 site');
  assert.equal(await lab.dockerOutput('wait site'), '12');
  await lab.docker('start site');
  await eventually(async () => assert.match(await lab.dockerOutput('logs site'), /up\s+up/));
  await lab.docker('stop site');
  await lab.docker('rm site');
  const events = await told(since, { type: ['container'] });
  const actions = events.map(({ Action }) => Action);
  const expected = [
    'create',
    'start',
    'resize',
    'pause',
    'unpause',
    'rename',
    'kill',
    'die',
    'start',
    'kill',
    'die',
    'stop',
    'destroy',
  ];
  assert.deepEqual(actions, expected);
  const of = (action: string, nth = 0) =>
    events.filter(({ Action }) => Action === action)[nth]!.Actor.Attributes;
  for (const { Actor, scope, time, timeNano } of events) {
    assert.equal(Actor.Attributes.image, image);
    assert.equal(Actor.Attributes.tier, 'front');
    assert.equal(scope, 'local');
    assert.equal(Math.floor(timeNano / 1e9), time);
  }
  assert.deepEqual([of('resize').height, of('resize').width], ['30', '90']);
  assert.deepEqual([of('rename').oldName, of('rename').name], ['/web', 'site']);
  assert.deepEqual([of('kill').signal, of('kill', 1).signal], ['12', '15']);
  assert.equal(of('die').exitCode, '12');
  assert.equal(of('die', 1).exitCode, '3');
  if (!peer) assert.match(of('die', 1).execDuration ?? '', /^\d$/);
  const mark = await now();
  assert.equal(await lab.dockerOutput(`run --rm --net=none ${image} echo seen`), 'seen');
  assert.deepEqual((await told(mark, { type: ['container'] })).map(({ Action }) => Action).slice(0, 4), [
    'create',
    'attach',
    'start',
    'die',
  ]);
  assert.deepEqual(await told(since, { container: ['si'] }).then((some) => some[0]?.Action), 'rename');
});

test('a stream of events ends at its time, and has what happens until then', async () => {
  const until = Date.now() / 1000 + 1.2;
  const stream = lab.dockerOutput([
    ...[
      'events',
      '--until',
      String(until),
      '--filter',
      'type=container',
      '--format',
      '{{.Action}} {{.Actor.Attributes.name}}',
    ],
  ]);
  // The client listens at some time after this; each round is told or not as a whole.
  for (let round = 0; Date.now() / 1000 < until - 0.3; round++) {
    await api.createContainer(`round${round}`, 'none');
    await removeContainers(lab, `round${round}`);
  }
  const lines = (await stream).split('\n').filter((line) => line !== '');
  assert.ok(lines.length >= 2, lines.join('\n'));
  assert.match(lines.at(-1) ?? '', /^destroy round\d+$/);
});

test('running out of memory is told, and seen', async () => {
  const since = await now();
  const limits = ['-m', '16m', '--memory-swap', '16m'];
  await lab.docker(['run', '--name', 'hungry', '--net=none', ...limits, image, 'tail', '/dev/zero'], {
    allowFailure: true,
  });
  const { State } = await api.get<{ State: { OOMKilled: boolean; ExitCode: number } }>(
    '/containers/hungry/json',
  );
  assert.deepEqual([State.OOMKilled, State.ExitCode], [true, 137]);
  const actions = (await told(since, { container: ['hungry'] })).map(({ Action }) => Action);
  assert.ok(actions.includes('oom'), `${actions}`);
  await removeContainers(lab, 'hungry');
});

test('who waits is told of each end, or of the removal alone', async () => {
  await lab.docker([
    'run',
    '-d',
    '--name',
    'loops',
    '--net=none',
    '--restart=always',
    image,
    'sh',
    '-c',
    'exit 4',
  ]);
  const wait = (condition: string) =>
    api.ask<{ StatusCode: number }>('POST', `/containers/loops/wait?condition=${condition}`);
  let isRemoved = false;
  const removal = wait('removed').then(({ StatusCode }) => {
    isRemoved = true;
    return StatusCode;
  });
  for (const condition of ['next-exit', 'next-exit', 'not-running']) {
    assert.equal((await wait(condition)).StatusCode, 4);
  }
  assert.equal(isRemoved, false);
  await removeContainers(lab, 'loops');
  assert.equal(await removal, 4);
  // Of one that never runs, too.
  await api.createContainer('idle', 'none');
  const waiting = api.ask('POST', '/containers/idle/wait?condition=next-exit');
  await eventually(async () => assert.ok(await api.inspect('idle')));
  await removeContainers(lab, 'idle');
  await waiting;
});

describe('docker container prune', () => {
  test('removes what stands still and is meant, and says what it gave back', async () => {
    const since = await now();
    await lab.docker([
      'run',
      '--name',
      'wrote',
      '--net=none',
      '--label',
      'stage=old',
      image,
      'dd',
      'if=/dev/zero',
      'of=/big',
      'bs=1024',
      'count=2000',
    ]);
    await lab.docker(`create --name made --net=none ${image} true`);
    await lab.docker(`create --name kept --net=none --label keep ${image} true`);
    await lab.docker(`run -d --name runs --net=none ${image} sleep 600`);
    await lab.docker(`run -d --name still --net=none ${image} sleep 600`);
    await lab.docker('pause still');
    await lab.docker(['run', '-d', '--name', 'loops', '--net=none', '--restart=always', image, 'false']);
    const prune = (filters: object) =>
      api.ask<{ ContainersDeleted: string[] | null; SpaceReclaimed: number }>(
        'POST',
        `/containers/prune?filters=${encodeURIComponent(JSON.stringify(filters))}`,
      );
    assert.deepEqual(await prune({ until: ['1h'] }), { ContainersDeleted: null, SpaceReclaimed: 0 });
    const first = await prune({ label: { 'stage=old': true } });
    assert.equal(first.ContainersDeleted?.length, 1);
    assert.ok(
      first.SpaceReclaimed >= 2_048_000 && first.SpaceReclaimed < 2_100_000,
      `${first.SpaceReclaimed}`,
    );
    const second = await prune({ 'label!': ['keep'] });
    assert.equal(second.ContainersDeleted?.length, 1);
    const left = (await lab.dockerOutput('ps -a --format {{.Names}}')).split('\n').sort();
    assert.deepEqual(left, ['kept', 'loops', 'runs', 'still']);
    const reclaimed = (await told(since, { type: ['container'], event: ['prune'] })).map(
      ({ Actor }) => Actor.Attributes.reclaimed,
    );
    assert.deepEqual(reclaimed, ['0', String(first.SpaceReclaimed), String(second.SpaceReclaimed)]);
    await removeContainers(lab, ...left);
  });
});

test('a container is found by an image that its own was made from', async () => {
  await lab.docker(['run', '--name', 'base', '--net=none', image, 'touch', '/more']);
  await lab.docker('commit base more:1');
  await lab.docker('create --name upper --net=none more:1 true');
  const found = async (filter: string) =>
    (await lab.dockerOutput(['ps', '-a', '--filter', filter, '--format', '{{.Names}}'])).split('\n');
  assert.deepEqual(await found(`ancestor=${image}`), ['upper', 'base']);
  assert.deepEqual(await found('ancestor=more:1'), ['upper']);
  await removeContainers(lab, 'base', 'upper');
});

testRefusals(lab, 'events and pruning', [
  {
    what: 'an unknown filter',
    path: '/containers/prune?filters={"name":["x"]}',
    status: 400,
    message: /^[Ii]nvalid filter 'name'$/,
  },
  ...(peer
    ? []
    : [
        {
          what: 'two times',
          path: `/containers/prune?filters=${encodeURIComponent('{"until":["1h","2h"]}')}`,
          status: 400,
          message: 'more than one until filter specified',
        },
        { what: 'no JSON', path: '/containers/prune?filters={', status: 400, message: 'invalid filter' },
        {
          what: 'events from the future to the past',
          method: 'GET',
          path: '/events?since=2&until=1',
          status: 400,
          message: /cannot be after/,
        },
        {
          what: 'a time that is none',
          method: 'GET',
          path: '/events?since=soon',
          status: 400,
          message: 'invalid value for since: "soon" is no time',
        },
      ]),
]);
