/** What containers wrote, as `docker logs` and others read it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineUnderTest } from './lab/lab.ts';
import { newestVersion, RawApi, testRefusals } from './lab/raw-api.ts';
import { eventually, openStory } from './lab/story.ts';
import { demultiplex, Wire } from './lab/wire.ts';

const lab = await openStory();
const api = new RawApi(lab);
const aboutOurs = { skip: engineUnderTest === 'dockerd' && 'about our daemon alone' };

/** Runs a script in a container to its end. */
async function finished(name: string, script: string, body: object = {}): Promise<void> {
  await api.run(name, 'none', { Cmd: ['sh', '-c', script], ...body });
  await api.ask('POST', `/containers/${name}/wait`);
}

async function logs(
  container: string,
  query = 'stdout=1&stderr=1',
): Promise<{ stdout: string; stderr: string }> {
  const answer = await lab.api('GET', `/v${newestVersion}/containers/${container}/logs?${query}`);
  assert.equal(answer.status, 200, answer.text);
  return demultiplex(answer.text);
}

/** A client that follows. */
function follow(container: string, query = ''): Wire {
  const wire = new Wire(lab.engine.socket);
  wire.send('GET', `/v1.41/containers/${container}/logs?follow=1&stdout=1&stderr=1${query}`);
  return wire;
}

/** Whether the answer is at its end: it is sent in chunks, the last of which is empty. */
function isComplete({ body }: Wire): boolean {
  return body.endsWith('\r\n0\r\n\r\n') || body.startsWith('0\r\n');
}

describe('logs', () => {
  test('show the streams that were asked for, and as many lines', async () => {
    await finished('lines', 'for n in 1 2 3 4 5; do echo out $n; echo err $n >&2; sleep 0.01; done');
    assert.deepEqual(await logs('lines', 'stdout=1'), {
      stdout: 'out 1\nout 2\nout 3\nout 4\nout 5\n',
      stderr: '',
    });
    assert.deepEqual(await logs('lines', 'stdout=1&stderr=1&tail=2'), {
      stdout: 'out 5\n',
      stderr: 'err 5\n',
    });
    for (const tail of ['0', '-1', 'x', '99', 'all']) {
      const { stderr } = await logs('lines', `stderr=1&tail=${tail}`);
      assert.equal(stderr.split('\n').length - 1, tail === '0' ? 0 : 5, tail);
    }
    assert.equal((await lab.docker('logs --tail 1 lines')).stderr, 'err 5\n');
  });

  test('know when each line was written', async () => {
    const { stdout } = await logs('lines', 'stdout=1&timestamps=1');
    const times = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0]!);
    assert.equal(times.length, 5);
    for (const time of times) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    const fractional = (time: string) => `${Math.floor(Date.parse(time) / 1000)}.${time.slice(20, 29)}`;
    const [, , third] = times;
    assert.equal(
      (await logs('lines', `stdout=1&since=${fractional(third!)}`)).stdout,
      'out 3\nout 4\nout 5\n',
    );
    assert.equal(
      (await logs('lines', `stdout=1&until=${fractional(third!)}`)).stdout,
      'out 1\nout 2\nout 3\n',
    );
    const both = `stdout=1&since=${fractional(third!)}&until=${fractional(third!)}`;
    assert.equal((await logs('lines', both)).stdout, 'out 3\n');
    assert.equal(await lab.dockerOutput(['logs', '--since', third!, '--tail', '2', 'lines']), 'out 5');
    assert.equal(await lab.dockerOutput(['logs', '--since', '10m', '--until', '9m', 'lines']), '');
  });

  test('show what the options of the log driver add', async () => {
    const Labels = { tier: 'front end', 'a,b': 'c=d', other: '1' };
    const Config = { labels: 'tier,a,b', 'labels-regex': ',', env: 'MODE' };
    await finished('detailed', 'echo line', {
      Labels,
      Env: ['MODE=x'],
      HostConfig: { LogConfig: { Type: 'json-file', Config } },
    });
    const details = 'MODE=x,a%2Cb=c%3Dd,tier=front+end';
    assert.equal((await logs('detailed', 'stdout=1&details=1')).stdout, `${details} line\n`);
    assert.equal((await logs('detailed', 'stdout=1')).stdout, 'line\n');
    assert.match((await logs('detailed', 'stdout=1&details=1&timestamps=1')).stdout, /Z MODE=x.* line\n$/);
    assert.equal((await logs('lines', 'stdout=1&details=1&tail=1')).stdout, ' out 5\n');
  });

  test('of a container that was never started, or wrote nothing, are empty, also to a follower', async () => {
    await api.createContainer('unstarted', 'none');
    assert.deepEqual(await logs('unstarted'), { stdout: '', stderr: '' });
    const wire = follow('unstarted');
    await eventually(() => assert.ok(isComplete(wire), wire.body));
    wire.socket.destroy();
    await finished('silent', 'true');
    assert.deepEqual(await logs('silent', 'stdout=1&stderr=1&follow=1'), { stdout: '', stderr: '' });
  });

  test('go on over lives of the container, and a follower sees one to its end', async () => {
    await api.run('lives', 'none', {
      Cmd: ['sh', '-c', 'echo begun; read -t 60 x; echo got $x'],
      OpenStdin: true,
    });
    const wire = follow('lives');
    await wire.sees('begun\n');
    await lab.docker('attach --no-stdin=false lives', { input: 'first\n', allowFailure: true });
    await wire.sees('got first\n');
    await eventually(() => assert.ok(isComplete(wire)));
    wire.socket.destroy();
    await api.start('lives');
    const again = follow('lives', '&tail=0');
    await eventually(() => assert.match(again.head, /200/));
    await lab.docker('attach lives', { input: 'second\n', allowFailure: true });
    await again.sees('got second\n');
    await eventually(() => assert.ok(isComplete(again)));
    again.socket.destroy();
    assert.equal((await logs('lives')).stdout, 'begun\ngot first\nbegun\ngot second\n');
  });

  test('end at a time to come, when they are followed', async () => {
    await api.run('endless', 'none', { Cmd: ['sh', '-c', 'echo once; exec sleep 600'] });
    const wire = follow('endless', `&until=${Math.floor(Date.now() / 1000) + 2}`);
    await wire.sees('once');
    await sleep(100);
    assert.ok(!isComplete(wire));
    await eventually(() => assert.ok(isComplete(wire)));
    wire.socket.destroy();
  });

  test('are not kept by the driver `none`, and attach works without', aboutOurs, async () => {
    const run = lab.docker('run -i --network none --log-driver none --name unlogged busybox cat', {
      input: 'heard\n',
    });
    assert.equal((await run).stdout, 'heard\n');
    const { stderr } = await lab.docker('logs unlogged', { allowFailure: true });
    assert.match(stderr, /configured logging driver does not support reading/);
  });
});

describe('mistakes', aboutOurs, () => {
  testRefusals(lab, 'logs', [
    {
      what: 'no stream',
      method: 'GET',
      path: '/containers/lines/logs',
      status: 400,
      message: /you must choose at least one stream/,
    },
    {
      what: 'an unknown container',
      method: 'GET',
      path: '/containers/nope/logs?stdout=1',
      status: 404,
      message: 'No such container: nope',
    },
    ...['since', 'until'].map((name) => ({
      what: `${name} is no time`,
      method: 'GET',
      path: `/containers/lines/logs?stdout=1&${name}=yesterday`,
      status: 400,
      message: new RegExp(`invalid value for ${name}: "yesterday"`),
    })),
    {
      what: 'a container without a log',
      method: 'GET',
      path: '/containers/unlogged/logs?stdout=1',
      status: 501,
      message: 'configured logging driver does not support reading',
    },
    {
      what: 'a size that is none',
      path: '/containers/endless/resize?h=x&w=1',
      status: 400,
      message: /h: .*"x"/,
    },
    {
      what: 'the size of a container that does not run',
      path: '/containers/lines/resize?h=1&w=1',
      status: 409,
      message: /is not running/,
    },
  ]);
});
