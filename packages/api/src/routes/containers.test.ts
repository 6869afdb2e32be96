import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContainerRecord, CreateRequest } from '@seaway/engine';
import { bridgeId, containerRecord, fakeEngine, imageId, runningRecord } from '../fixtures/engine.ts';
import { buildApi } from '../server.ts';

const asId = (digit: string) => digit.repeat(64) as ContainerRecord['id'] & string;

/** From the oldest to the newest: a web server, a job that has ended, one that never ran, one on the host's network. */
const containers = [
  runningRecord({
    id: asId('1'),
    name: 'web',
    createdAt: '2026-01-01T00:00:01Z',
    config: { labels: { tier: 'front', a: '1' }, exposedPorts: ['80/tcp'] },
    publishedPorts: [
      { port: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080 },
      { port: 80, protocol: 'tcp', hostAddress: '::', hostPort: 8080 },
      { port: 53, protocol: 'udp', hostAddress: '127.0.0.1', hostPort: 5353 },
    ],
    host: { binds: [{ source: '/srv', destination: '/www', readonly: false, text: '/srv:/www' }] },
  } as object),
  containerRecord({
    id: asId('2'),
    name: 'job',
    createdAt: '2026-01-01T00:00:02Z',
    config: { labels: { tier: 'back' } },
    state: { status: 'exited', exitCode: 3 },
  } as object),
  containerRecord({
    id: asId('3'),
    name: 'web-2',
    createdAt: '2026-01-01T00:00:03Z',
    imageId: `sha256:${'b'.repeat(64)}`,
  } as object),
  runningRecord({
    id: asId('4'),
    name: 'agent',
    createdAt: '2026-01-01T00:00:04Z',
    host: { networkMode: { kind: 'host' }, networkModeText: 'host' },
    networks: {},
  } as object),
];

/** What was called, with which arguments. */
const calls: unknown[][] = [];
const record =
  (name: string, answer?: unknown) =>
  (...args: unknown[]) => {
    calls.push([name, ...args]);
    return answer;
  };

const engine = fakeEngine({
  containers,
  methods: {
    create: record('create', { id: asId('9') }),
    start: record('start'),
    stop: record('stop'),
    restart: record('restart'),
    kill: record('kill'),
    rename: record('rename'),
    remove: record('remove'),
    resize: record('resize'),
    wait: (id: string, condition: string) => {
      calls.push(['wait', id, condition]);
      return Promise.resolve(id === 'job' ? { exitCode: 3 } : { exitCode: 127, error: 'no such file' });
    },
  },
});
const api = buildApi(engine, { version: '1' });

async function names(query: string): Promise<string[]> {
  const answer = await api.inject({ url: `/v1.41/containers/json?${query}` });
  assert.equal(answer.statusCode, 200, answer.body);
  return (answer.json() as { Names: string[] }[]).map(({ Names }) => Names[0]!.slice(1));
}
const filtered = (filters: object, query = 'all=1') =>
  names(`${query}&filters=${encodeURIComponent(JSON.stringify(filters))}`);

async function refuses(
  url: string,
  status: number,
  message: string,
  method: 'GET' | 'POST' | 'DELETE' = 'GET',
) {
  const answer = await api.inject({ method, url });
  assert.deepEqual(answer.json(), { message });
  assert.equal(answer.statusCode, status);
}

describe('the list', () => {
  test('has the running ones, newest first', async () => assert.deepEqual(await names(''), ['agent', 'web']));
  test('has all when asked to', async () =>
    assert.deepEqual(await names('all=true'), ['agent', 'web-2', 'job', 'web']));
  test('has the newest ones up to a limit, running or not', async () => {
    assert.deepEqual(await names('limit=2'), ['agent', 'web-2']);
    assert.deepEqual(await names('limit=0'), ['agent', 'web']);
    assert.deepEqual(await names('limit=-1'), ['agent', 'web']);
  });

  for (const [filters, expected] of [
    [{ name: ['web'] }, ['web-2', 'web']],
    [{ name: ['/web'] }, ['web-2', 'web']],
    [{ name: ['^/web$'] }, ['web']],
    [{ name: ['^web$'] }, ['web']],
    [{ name: ['job', 'agent'] }, ['agent', 'job']],
    [{ id: ['2222'] }, ['job']],
    [{ label: ['tier'] }, ['job', 'web']],
    [{ label: ['tier=front'] }, ['web']],
    [{ label: ['tier=front', 'a=1'] }, ['web']],
    [{ label: ['tier=front', 'a=2'] }, []],
    [{ status: ['exited'] }, ['job']],
    [{ status: ['exited', 'created'] }, ['web-2', 'job']],
    [{ status: ['paused'] }, []],
    [{ exited: ['3'] }, ['job']],
    [{ exited: ['0'] }, []],
    [{ ancestor: ['busybox'] }, ['agent', 'job', 'web']],
    [{ ancestor: [imageId] }, ['agent', 'job', 'web']],
    [{ ancestor: ['nope'] }, []],
    [{ network: ['host'] }, ['agent']],
    [{ network: ['bridge'] }, ['web-2', 'job', 'web']],
    [{ network: [bridgeId] }, ['web-2', 'job', 'web']],
    [{ before: ['web-2'] }, ['job', 'web']],
    [{ since: ['job'] }, ['agent', 'web-2']],
    [{ since: ['job'], before: ['agent'] }, ['web-2']],
    [{ expose: ['80'] }, ['web']],
    [{ expose: ['80/udp'] }, []],
    [{ expose: ['79-81'] }, ['web']],
    [{ expose: ['81-90/tcp'] }, []],
    [{ expose: ['1', '80/TCP'] }, ['web']],
    [{ publish: ['80'] }, []],
    [{ publish: ['8080'] }, ['web']],
    [{ publish: ['8080/tcp'] }, ['web']],
    [{ publish: ['8080/udp'] }, []],
    [{ publish: ['8000-8999'] }, ['web']],
    [{ publish: ['5000-6000/udp'] }, ['web']],
    [{ publish: ['5000-6000'] }, []],
    [{ publish: ['1', '8080'] }, ['web']],
    [{ publish: ['8080'], expose: ['81'] }, []],
    [{ volume: ['/www'] }, ['web']],
    [{ volume: ['/srv'] }, ['web']],
    [{ health: ['none'] }, ['agent', 'web-2', 'job', 'web']],
    [{ health: ['healthy'] }, []],
    [{ 'is-task': ['false'] }, ['agent', 'web-2', 'job', 'web']],
    [{ 'is-task': ['true'] }, []],
    [{ name: ['web'], status: ['created'] }, ['web-2']],
    [{ name: [] }, ['agent', 'web-2', 'job', 'web']],
  ] as const) {
    test(`filtered by ${JSON.stringify(filters)}`, async () => {
      assert.deepEqual(await filtered(filters), expected);
      const asObjects = Object.fromEntries(
        Object.entries(filters).map(([key, values]) => [
          key,
          Object.fromEntries((values as readonly string[]).map((value) => [value, true])),
        ]),
      );
      assert.deepEqual(await filtered(asObjects), expected, "in the docker client's encoding");
    });
  }

  test('a filter for a status shows stopped ones without `all`', async () =>
    assert.deepEqual(await filtered({ status: ['exited'] }, ''), ['job']));

  for (const [filters, status, message] of [
    ['junk', 400, 'invalid filter'],
    ['{"junk":["x"]}', 400, "invalid filter 'junk'"],
    [
      '{"status":["x"]}',
      400,
      "invalid filter 'status=x': it should be one of created, running, paused, restarting, removing, exited, dead",
    ],
    ['{"health":["x"]}', 400, 'Unrecognised filter value for health: x'],
    ['{"is-task":["x"]}', 400, "invalid filter 'is-task=x'"],
    ['{"exited":["x"]}', 400, "invalid filter 'exited=x'"],
    ['{"publish":["8080:80"]}', 400, "invalid filter 'publish=8080:80': it should be PORT[-PORT][/PROTOCOL]"],
    ['{"expose":["x"]}', 400, "invalid filter 'expose=x': it should be PORT[-PORT][/PROTOCOL]"],
    ['{"expose":["9-8"]}', 400, "invalid filter 'expose=9-8': it should be PORT[-PORT][/PROTOCOL]"],
    ['{"name":["["]}', 400, "invalid filter: '[' is no regular expression"],
    ['{"before":["nope"]}', 404, 'No such container: nope'],
    ['{"since":["nope"]}', 404, 'No such container: nope'],
  ] as const) {
    test(`refuses ${filters}`, () =>
      refuses(`/containers/json?filters=${encodeURIComponent(filters)}`, status, message));
  }
  test('refuses a limit that is no number', () =>
    refuses(
      '/containers/json?limit=x',
      400,
      'invalid value for limit: strconv.Atoi: parsing "x": invalid syntax',
    ));
});

describe('operations', () => {
  for (const [method, url, status, expected] of [
    ['POST', '/containers/web/start', 204, ['start', 'web']],
    ['POST', '/containers/web/stop', 204, ['stop', 'web', {}]],
    ['POST', '/containers/web/stop?t=0', 204, ['stop', 'web', { timeoutSeconds: 0 }]],
    [
      'POST',
      '/containers/web/stop?t=-1&signal=INT',
      204,
      ['stop', 'web', { timeoutSeconds: -1, signal: 'INT' }],
    ],
    ['POST', '/containers/web/restart?t=3', 204, ['restart', 'web', { timeoutSeconds: 3 }]],
    ['POST', '/containers/web/kill', 204, ['kill', 'web', 'SIGKILL']],
    ['POST', '/containers/web/kill?signal=', 204, ['kill', 'web', 'SIGKILL']],
    ['POST', '/containers/web/kill?signal=HUP', 204, ['kill', 'web', 'HUP']],
    ['POST', '/containers/web/rename?name=shop', 204, ['rename', 'web', 'shop']],
    ['POST', '/containers/web/rename', 204, ['rename', 'web', '']],
    ['POST', '/containers/web/resize?h=24&w=80', 200, ['resize', 'web', 24, 80]],
    ['DELETE', '/containers/web', 204, ['remove', 'web', { force: false, volumes: false }]],
    ['DELETE', '/containers/web?v=1&force=1', 204, ['remove', 'web', { force: true, volumes: true }]],
    ['DELETE', '/containers/web?force=false', 204, ['remove', 'web', { force: false, volumes: false }]],
  ] as const) {
    test(`${method} ${url}`, async () => {
      calls.length = 0;
      const answer = await api.inject({ method, url });
      assert.equal(answer.statusCode, status, answer.body);
      assert.equal(answer.body, '');
      assert.deepEqual(calls, [expected]);
    });
  }

  test('create takes the name from the query and answers id and warnings', async () => {
    calls.length = 0;
    const answer = await api.inject({
      method: 'POST',
      url: '/containers/create?name=%2Fshop&platform=',
      payload: { Image: 'busybox', HostConfig: { NetworkMode: 'host', PublishAllPorts: true } },
    });
    assert.equal(answer.statusCode, 201);
    assert.deepEqual(answer.json(), {
      Id: asId('9'),
      Warnings: ['Published ports are discarded when using host network mode'],
    });
    assert.equal((calls[0]![1] as { name: string }).name, 'shop');
  });

  test('create takes ports to publish, and refuses bad ones by their text', async () => {
    const create = (HostConfig: object) =>
      api.inject({
        method: 'POST',
        url: '/containers/create',
        payload: { Image: 'busybox', ExposedPorts: { '80/tcp': {} }, HostConfig },
      });
    calls.length = 0;
    const answer = await create({
      PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }], '81/tcp': null },
    });
    assert.equal(answer.statusCode, 201, answer.body);
    assert.deepEqual((calls[0]![1] as CreateRequest).host.portBindings, [
      { port: 80, protocol: 'tcp', hostAddress: '', hostPortFirst: 8080, hostPortLast: 8080 },
      { port: 81, protocol: 'tcp', hostAddress: '', hostPortFirst: 0, hostPortLast: 0 },
    ]);
    for (const [bindings, message] of [
      [{ '80/tcp': [{ HostPort: '99999' }] }, /^invalid port specification: "99999"$/],
      [{ '80/xxx': [{ HostPort: '80' }] }, /^invalid port specification: "80\/xxx"$/],
      [{ '80/tcp': [{ HostIp: 'junk' }] }, /^invalid IP address: junk$/],
      [{ '80/tcp': [{ HostPort: 8080 }] }, /HostPort must be string/],
      [{ '80/tcp': 'x' }, /must be array/],
    ] as const) {
      const refused = await create({ PortBindings: bindings });
      assert.equal(refused.statusCode, 400);
      assert.match(refused.json().message, message);
    }
  });

  test('start takes no body, though an empty object is none', async () => {
    const start = (payload: string) =>
      api.inject({
        method: 'POST',
        url: '/containers/web/start',
        payload,
        headers: { 'content-type': 'application/json' },
      });
    assert.equal((await start('{}')).statusCode, 204);
    assert.equal((await start('')).statusCode, 204);
    const refused = await start('{"Binds":["/a:/b"]}');
    assert.equal(refused.statusCode, 400);
    assert.match(refused.json().message, /^starting container with non-empty request body was deprecated/);
  });

  test('refuse what cannot be', async () => {
    await refuses(
      '/containers/web/stop?t=x',
      400,
      'invalid value for t: strconv.Atoi: parsing "x": invalid syntax',
      'POST',
    );
    for (const size of ['', 'h=1', 'h=0&w=5', 'h=-1&w=5']) {
      await refuses(
        `/containers/web/resize?${size}`,
        400,
        'a terminal has at least 1 row (h) and 1 column (w)',
        'POST',
      );
    }
    await refuses('/containers/nope/json', 404, 'No such container: nope');
  });
});

describe('wait', () => {
  test('answers the exit code, and why there was no program to wait for', async () => {
    const job = await api.inject({ method: 'POST', url: '/containers/job/wait' });
    assert.equal(job.headers['content-type'], 'application/json');
    assert.equal(job.body, '{"StatusCode":3}\n');
    const failed = await api.inject({ method: 'POST', url: '/containers/web-2/wait?condition=removed' });
    assert.deepEqual(failed.json(), { StatusCode: 127, Error: { Message: 'no such file' } });
  });

  for (const [query, condition] of [
    ['', 'not-running'],
    ['?condition=', 'not-running'],
    ['?condition=not-running', 'not-running'],
    ['?condition=next-exit', 'next-exit'],
    ['?condition=removed', 'removed'],
  ] as const) {
    test(`for ${query || 'nothing in particular'} is for ${condition}`, async () => {
      calls.length = 0;
      await api.inject({ method: 'POST', url: `/containers/job/wait${query}` });
      assert.deepEqual(calls, [['wait', 'job', condition]]);
    });
  }

  test('refuses other conditions', () =>
    refuses('/containers/job/wait?condition=x', 400, 'invalid condition: "x"', 'POST'));
});
