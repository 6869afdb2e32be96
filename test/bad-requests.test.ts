/**
 * Requests that no client should send: each endpoint with references to nothing and bodies of the wrong kind, and
 * things that are hardly HTTP. None is answered with 500, none leaves anything behind, and the daemon goes on.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { buildApi } from '@seaway/api';
import { fakeEngine } from '../packages/api/src/fixtures/engine.ts';
import { MAX_JSON_BYTES } from '../packages/api/src/http/errors.ts';
import { RawApi, type Refusal, testRefusals } from './lab/raw-api.ts';
import { image, openStory } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);
await lab.docker(`run -d --name box ${image} sleep 600`);

interface Problem {
  readonly message?: string;
}

describe('every endpoint', () => {
  const { endpoints } = buildApi(fakeEngine({}), { version: '1' });
  const known = endpoints.filter(
    (endpoint) => !/ \/(swarm|services|nodes|tasks|secrets|configs)\b/.test(endpoint),
  );
  /** Such as `/containers/nope/json`. */
  const pathOf = (endpoint: string) =>
    endpoint.split(' ')[1]!.replaceAll(/:\w+/g, 'nope').replace('*', 'nope/json');
  const ask = (endpoint: string, body?: object | string) =>
    lab.api<Problem>(endpoint.split(' ')[0]!, `/v1.41${pathOf(endpoint)}`, body, { timeoutMs: 5000 });

  test('about one thing says that there is none of that name', async () => {
    const needsMore =
      /\/(archive|logs|exec|resize|connect|disconnect|update|rename)$|^PUT|GET \/distribution|attach\/ws$/;
    const aboutOne = known.filter((endpoint) => /[:*]/.test(endpoint) && !needsMore.test(endpoint));
    assert.ok(aboutOne.length > 20);
    for (const endpoint of aboutOne) {
      const { status, json, text } = await ask(endpoint);
      assert.equal(status, 404, `${endpoint}: ${status} ${text}`);
      assert.match(json?.message ?? text, /nope|page not found/, endpoint);
    }
  });

  test('about one thing that needs more says so as well, once it has that', async () => {
    const archive = Buffer.alloc(1024);
    for (const [endpoint, body, name] of [
      ['HEAD /containers/nope/archive?path=/etc', undefined, ''],
      ['GET /containers/nope/archive?path=/etc', undefined, 'container: nope'],
      ['PUT /containers/nope/archive?path=/etc', archive, 'container: nope'],
      ['GET /containers/nope/logs?stdout=1', undefined, 'container: nope'],
      ['POST /containers/nope/exec', { Cmd: ['true'] }, 'container: nope'],
      ['POST /containers/nope/resize?h=1&w=1', undefined, 'container: nope'],
      ['POST /containers/nope/rename?name=other', undefined, 'container: nope'],
      ['POST /containers/nope/update', { Memory: 64 << 20 }, 'container: nope'],
      ['POST /containers/nope/attach?stream=1', undefined, 'container: nope'],
      ['POST /commit?container=nope', {}, 'container: nope'],
      ['POST /exec/nope/start', {}, 'exec instance: nope'],
      ['POST /exec/nope/resize?h=1&w=1', undefined, 'exec instance: nope'],
      ['POST /networks/nope/connect', { Container: 'box' }, 'network nope not found'],
      ['POST /networks/bridge/connect', { Container: 'nope' }, 'container: nope'],
      ['POST /networks/nope/disconnect', { Container: 'box' }, 'network nope not found'],
      ['POST /images/nope/tag?repo=x&tag=1', undefined, 'image: nope'],
      ['GET /images/get?names=nope', undefined, 'image: nope'],
      ['POST /containers/create', { Image: 'nope', Cmd: ['true'] }, 'image: nope'],
    ] as const) {
      const [method = '', path = ''] = endpoint.split(' ');
      const { status, text } = await lab.api(method, `/v1.41${path}`, body, { timeoutMs: 5000 });
      assert.equal(status, 404, `${endpoint}: ${text}`);
      assert.ok(text.includes(name), `${endpoint}: ${text}`);
    }
  });

  test('that takes a body refuses what is none, or of another shape', async () => {
    const bodies = ['{', '[]', '7', '"text"', '{"a":1} {"b":2}', `{"a":"\\u0000"}`, '{"a":'.repeat(50_000)];
    const withBody = known.filter((endpoint) => /create$|connect$|\/exec$|\/update$|\/auth$/.test(endpoint));
    assert.ok(withBody.length > 6, withBody.join());
    for (const endpoint of withBody.filter((one) => !one.includes('/images/'))) {
      for (const body of bodies) {
        const { status, text } = await ask(endpoint, body);
        assert.equal(status, 400, `${endpoint} ${body.slice(0, 40)}: ${status} ${text}`);
      }
    }
  });

  test('refuses filters that are none, and query parameters out of their range', async () => {
    for (const endpoint of known.filter((one) =>
      /^GET \/(containers\/json|images\/json|networks|volumes|events|plugins)$|prune$/.test(one),
    )) {
      if (endpoint.includes('/build/')) continue;
      const [method = '', path = ''] = endpoint.split(' ');
      for (const filters of [
        'junk',
        '[]',
        '7',
        '{"name":7}',
        '{"label":[1]}',
        '{"label":{"a":"b"}}',
        '{"nope":["a"]}',
      ]) {
        const query = `filters=${encodeURIComponent(filters)}&until=1`;
        const { status, text } = await lab.api(method, `/v1.41${path}?${query}`, undefined, {
          timeoutMs: 5000,
        });
        assert.equal(status, 400, `${endpoint} ${filters}: ${text}`);
      }
    }
    for (const [path, message] of [
      ['/containers/json?limit=x', /parsing "x": invalid syntax/],
      ['/containers/json?limit=99999999999999999999', /value out of range/],
      ['/containers/box/logs?stdout=1&since=yesterday', /since/],
      ['/events?since=NaN', /since/],
    ] as const) {
      const { status, json } = await lab.api<Problem>('GET', `/v1.41${path}`);
      assert.equal(status, 400, path);
      assert.match(json.message ?? '', message);
    }
  });

  test('takes patterns that would keep others busy for ever', async () => {
    const name = 'a'.repeat(60);
    await lab.docker(`run -d --name ${name} ${image} sleep 600`);
    const filters = encodeURIComponent('{"name":["^/?(a+)+$x","^(a|a)*$x"]}');
    const begin = performance.now();
    const { json } = await lab.api<object[]>('GET', `/containers/json?filters=${filters}`);
    assert.deepEqual(json, []);
    assert.ok(performance.now() - begin < 5000);
    await lab.docker(`rm -f ${name}`);
  });
});

const creating = (what: string, body: object | string, message: string | RegExp): Refusal => ({
  what: `a container with ${what}`,
  path: '/containers/create?name=never',
  body: typeof body === 'string' ? body : { Image: image, Cmd: ['true'], ...body },
  status: 400,
  message,
});
const withHost = (HostConfig: object) => ({ HostConfig });

testRefusals(lab, 'values', [
  creating('a memory limit beyond 64 bits', withHost({ Memory: 1e23 }), /1e\+23 does not fit 64 bits/),
  creating(
    'less memory than anything needs',
    withHost({ Memory: -1 }),
    'Minimum memory limit allowed is 6MB',
  ),
  creating('half a byte', withHost({ Memory: 7e6 + 0.5 }), /HostConfig.Memory must be integer/),
  creating(
    'an unknown limit',
    withHost({ Ulimits: [{ Name: 'x', Soft: 1, Hard: 1 }] }),
    'invalid ulimit type: x',
  ),
  creating(
    'a soft limit above the hard one',
    withHost({ Ulimits: [{ Name: 'nofile', Soft: 9, Hard: 1 }] }),
    'ulimit soft limit must be less than or equal to hard limit: 9 > 1',
  ),
  creating('NUL in a variable', { Env: ['A=\0'] }, /texts may not have the character NUL/),
  creating('NUL in a path', withHost({ Binds: ['/tmp\0:/x'] }), /texts may not have the character NUL/),
  creating('an unknown signal', { StopSignal: 'SIGNOPE' }, 'Invalid signal: SIGNOPE'),
  creating('a folder that is none', { WorkingDir: 'here' }, /needs to be an absolute path/),
  creating('a port that is none', { ExposedPorts: { '99999/tcp': {} } }, /[Ii]nvalid .*port/),
  creating('a variable without a name', { Env: ['=x'] }, 'invalid environment variable: =x'),
  creating('nothing to run', '{"Image":"busybox"}', 'no command specified'),
  {
    what: 'no container at all',
    path: '/containers/create',
    body: '{}',
    status: 400,
    message: 'Config cannot be empty in order to create a container',
  },
  {
    what: 'a name of NUL',
    path: '/containers/box/rename?name=%00',
    status: 400,
    message: /^Invalid container name/,
  },
  { what: 'its own name', path: '/containers/box/rename?name=box', status: 400, message: /same name/ },
  {
    what: 'a window without rows',
    path: '/containers/box/resize?h=0&w=1',
    status: 400,
    message: /at least 1 row/,
  },
  {
    what: 'a window of words',
    path: '/containers/box/resize?h=a&w=1',
    status: 400,
    message: /invalid syntax/,
  },
  {
    what: 'a wait that never ends',
    path: '/containers/box/wait?condition=x',
    status: 400,
    message: 'invalid condition: "x"',
  },
  {
    what: 'an exec of nothing',
    path: '/containers/box/exec',
    body: {},
    status: 400,
    message: 'No exec command specified',
  },
  {
    what: 'a body of another type',
    path: '/networks/create',
    body: '{"Name":"never"}',
    headers: { 'Content-Type': 'text/plain' },
    status: 400,
    message: "unsupported Content-Type header (text/plain): must be 'application/json'",
  },
  {
    what: 'a body of a type that is none',
    path: '/networks/create',
    body: '{"Name":"never"}',
    headers: { 'Content-Type': ';;' },
    status: 400,
    message: "malformed Content-Type header: must be 'application/json'",
  },
  {
    what: 'a body beyond the limit',
    path: '/networks/create',
    body: `{"Name":"${'x'.repeat(MAX_JSON_BYTES)}"}`,
    status: 413,
    message: /^request body too large/,
  },
  {
    what: 'an image of another alphabet',
    method: 'GET',
    path: '/images/UPPER/json',
    status: 400,
    message: /must be lowercase/,
  },
]);

describe('what is hardly HTTP', () => {
  /** The first line and the message of the answer to these bytes. */
  function answerTo(...bytes: (string | Buffer)[]): Promise<string> {
    return new Promise((resolve, reject) => {
      let received = '';
      const socket = connect(lab.engine.socket, () =>
        socket.write(Buffer.concat(bytes.map((part) => Buffer.from(part as string, 'latin1')))),
      );
      socket.on('data', (data) => {
        received += data.toString('latin1');
        if (/\r\n\r\n(.*\n|OK)?$/.test(received)) socket.destroy();
      });
      socket.on('error', () => {});
      socket.once('close', () => resolve(received));
      socket.setTimeout(5000, () => reject(new Error(`no end after ${received}`)));
    });
  }
  const request = (line: string, headers = '') =>
    `${line} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n${headers}\r\n`;
  const sent = (headers: string, body: string) =>
    request('POST /networks/create', `Content-Type: application/json\r\n${headers}\r\n`) + body;

  for (const [what, bytes, answer] of [
    ['NUL in a path, escaped', request('GET /containers/a%00b/json'), /^HTTP\/1.1 404 .*No such container/s],
    ['NUL in a path', request('GET /containers/a\0b/json'), /^HTTP\/1.1 400/],
    ['no UTF-8, escaped', request('GET /containers/%ff%fe/json'), /^HTTP\/1.1 400 .*"message"/s],
    ['no UTF-8', request('GET /containers/\xff\xfe/json'), /^HTTP\/1.1 400/],
    ['a broken escape', request('GET /containers/%zz/json'), /^HTTP\/1.1 400 .*"message"/s],
    ['a way out of the path', request('GET /containers/..%2f..%2fetc/json'), /^HTTP\/1.1 404/],
    [
      'a name of five thousand characters',
      request(`GET /containers/${'a'.repeat(5000)}/json`),
      /^HTTP\/1.1 404/,
    ],
    ['filters of 100 kB', request(`GET /containers/json?filters=${'a'.repeat(100_000)}`), /invalid filter/],
    ['a query of 10 MB', request(`GET /networks?filters=${'a'.repeat(10_000_000)}`), /^HTTP\/1.1 431/],
    ['a header of 2 MB', request('GET /_ping', `X: ${'a'.repeat(2_000_000)}\r\n`), /^HTTP\/1.1 431/],
    ['chunks that are none', sent('Transfer-Encoding: chunked\r\n', 'zz\r\nnone'), /^HTTP\/1.1 400/],
    [
      'two lengths',
      sent('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
      /^HTTP\/1.1 400/,
    ],
    ['a negative length', sent('Content-Length: -1\r\n', ''), /^HTTP\/1.1 400/],
    ['a version of the API out of reach', request('GET /v1.99999999999999999999/info'), /is too new/],
    ['a version of the API that is none', request('GET /v-1.2/info'), /page not found/],
    ['a method that is none', request('NOPE /_ping'), /^HTTP\/1.1 400/],
    ['a method that no path has', request('TRACE /_ping'), /page not found/],
    ['HEAD of an endless answer', request('HEAD /events'), /^HTTP\/1.1 404/],
    ['another protocol', 'GET /_ping HTTP/9.9\r\n\r\n', /^HTTP\/1.1 400/],
    ['no protocol', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', /^HTTP\/1.1 400/],
    ['an expectation', request('GET /_ping', 'Expect: miracles\r\n'), /^HTTP\/1.1 417/],
    ['an upgrade of what has none', request('GET /_ping', 'Connection: Upgrade\r\nUpgrade: tcp\r\n'), /OK$/],
    ['a whole address', request('GET http://docker/v1.41/_ping'), /^HTTP\/1.1 200/],
  ] as const) {
    test(what, async () => assert.match(await answerTo(bytes), answer));
  }

  test('a body that never comes leaves others alone', async () => {
    const socket = connect(lab.engine.socket);
    socket.write(sent('Content-Length: 1000000\r\n', '{'));
    assert.equal((await lab.api('GET', '/_ping')).text, 'OK');
    socket.destroy();
    assert.equal((await api.send('GET', '/networks')).status, 200);
  });
});

test('the daemon goes on, and calls nothing of this a failure of its own', async () => {
  assert.equal((await lab.api('GET', '/_ping')).text, 'OK');
  assert.doesNotMatch(lab.engine.log(), /"level":(50|60)/);
});
