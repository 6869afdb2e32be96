/** What all routes have in common: headers, versions, content types, bodies and refusals. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EngineError, internal } from '@seaway/engine';
import { fakeEngine, runningRecord } from '../fixtures/engine.ts';
import { MAX_JSON_BYTES } from '../http/errors.ts';
import { MAX_API_VERSION, MIN_API_VERSION } from '../http/version.ts';
import { buildApi } from '../server.ts';
import { unsupportedEndpoints } from './unsupported.ts';

const api = buildApi(
  fakeEngine({
    containers: [runningRecord()],
    methods: {
      start: async () => {
        throw new EngineError('notModified', 'it runs', { code: 'already-running' });
      },
      restart: async () => {
        throw internal('x', 'the disk is on fire');
      },
      kill: async () => {
        throw new TypeError('a mistake of ours');
      },
      create: async () => ({ id: 'c'.repeat(64) }),
    },
  }),
  { version: '1.2.3', labels: ['a=b'] },
);

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'PATCH';

const send = (method: Method, url: string, payload?: string, type = 'application/json') =>
  api.inject({
    method,
    url,
    ...(payload === undefined ? {} : { payload, headers: { 'content-type': type } }),
  });

async function refuses(
  method: Method,
  url: string,
  status: number,
  message: string,
  payload?: string,
  type?: string,
) {
  const answer = await send(method, url, payload, type);
  assert.equal(answer.body, `${JSON.stringify({ message })}\n`);
  assert.equal(answer.statusCode, status);
  assert.equal(answer.headers['content-type'], 'application/json');
}

describe('every response', () => {
  for (const [method, url, status] of [
    ['GET', '/_ping', 200],
    ['HEAD', '/_ping', 200],
    ['GET', '/v1.41/version', 200],
    ['GET', '/info', 200],
    ['GET', '/containers/json', 200],
    ['GET', '/containers/nope/json', 404],
    ['POST', '/containers/web/start', 304],
    ['POST', '/containers/web/restart', 500],
    ['GET', '/networks', 200],
    ['GET', '/nope', 404],
    ['POST', '/build', 501],
    ['GET', '/v1.99/info', 400],
    ['GET', '/v1.2/nope', 400],
  ] as const) {
    test(`names the daemon: ${method} ${url}`, async () => {
      const { headers, statusCode, body } = await send(method, url);
      assert.equal(statusCode, status, body);
      assert.equal(headers['api-version'], MAX_API_VERSION);
      assert.equal(headers['docker-experimental'], 'false');
      assert.equal(headers.ostype, 'linux');
      assert.equal(headers.server, 'Docker/1.2.3 (linux)');
    });
  }

  test('in JSON is exactly application/json: the docker client shows errors of no other type', async () => {
    for (const url of ['/version', '/containers/json', '/networks/bridge', '/nope', '/swarm']) {
      assert.equal((await send('GET', url)).headers['content-type'], 'application/json', url);
    }
  });
});

describe('ping', () => {
  for (const method of ['GET', 'HEAD'] as const) {
    test(`${method} is plain text that no cache keeps`, async () => {
      const { headers, body } = await send(method, '/_ping');
      assert.equal(body, method === 'GET' ? 'OK' : '');
      assert.match(String(headers['content-type']), /^text\/plain/);
      assert.equal(headers['cache-control'], 'no-cache, no-store, must-revalidate');
      assert.equal(headers.pragma, 'no-cache');
      assert.equal(headers['builder-version'], '1');
      assert.equal(headers.swarm, 'inactive');
      assert.equal(headers['content-length'], method === 'GET' ? '2' : '0');
    });
  }
});

describe('versions', () => {
  test('in the path are all from the oldest to the newest, or none', async () => {
    for (const prefix of ['', `/v${MIN_API_VERSION}`, '/v1.30', `/v${MAX_API_VERSION}`]) {
      assert.equal((await send('GET', `${prefix}/containers/json?all=1`)).json().length, 1, prefix);
    }
  });

  test('beyond those are refused before anything else', async () => {
    const tooNew = `client version 1.51 is too new. Maximum supported API version is ${MAX_API_VERSION}`;
    const tooOld = `client version 1.23 is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`;
    for (const path of ['/info', '/nope', '/containers/nope/json']) {
      await refuses('GET', `/v1.51${path}`, 400, tooNew);
      await refuses('GET', `/v1.23${path}`, 400, tooOld);
    }
    await refuses('POST', '/v1.51/containers/create', 400, tooNew, '{');
  });
});

describe('what is not there', () => {
  for (const path of [
    '/',
    '//',
    '/nope',
    '/v1.41',
    '/v1.41/',
    '/v1/info',
    '/containers',
    '/containers/a/b/c',
    '/images',
    '/?x=1',
  ]) {
    test(`${path} is a 404`, () => refuses('GET', path, 404, 'page not found'));
  }
  test('is a 404 for methods that a path does not take, too', () =>
    refuses('PATCH', '/containers/json', 404, 'page not found'));

  for (const [method, template, hint] of unsupportedEndpoints) {
    const path = template.replaceAll(/\{\w+\.\.\.\}/g, 'team/app').replaceAll(/\{\w+\}/g, 'x');
    test(`${method} ${template} is a 501 that says so`, async () => {
      const { statusCode, body } = await send(method, `/v1.41${path}?x=1`);
      const message = `${method} ${path} is not supported by this version of Seaway${hint ? `: ${hint}` : ''}`;
      assert.equal(statusCode, 501);
      if (method !== 'HEAD') assert.equal(body, `${JSON.stringify({ message })}\n`);
    });
  }
});

test('what is not served is refused before its body is read', async () => {
  const archive = Buffer.alloc(MAX_JSON_BYTES + 1);
  for (const [url, status] of [
    ['/build', 501],
    ['/nope', 404],
  ] as const) {
    const answer = await api.inject({
      method: 'POST',
      url,
      payload: archive,
      headers: { 'content-type': 'application/x-tar' },
    });
    assert.equal(answer.statusCode, status, answer.body);
  }
});

describe('failures', () => {
  test('304 has no body', async () => {
    const answer = await send('POST', '/containers/web/start');
    assert.equal(answer.statusCode, 304);
    assert.equal(answer.body, '');
  });
  test('of the engine keep their message', () =>
    refuses('POST', '/containers/web/restart', 500, 'the disk is on fire'));
  test('that nobody thought of are 500 with their message', () =>
    refuses('POST', '/containers/web/kill', 500, 'a mistake of ours'));
  test('of a path with a broken escape are 400 in JSON', async () => {
    const answer = await send('GET', '/containers/%zz/json');
    assert.equal(answer.statusCode, 400);
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.equal(typeof answer.json().message, 'string');
  });
});

describe('bodies', () => {
  const url = '/v1.41/containers/create';

  for (const [what, body, message] of [
    ['cut off', '{"Image":"x"', /^invalid JSON: /],
    ['not JSON at all', 'Image=x', /^invalid JSON: /],
    ['followed by more', '{"Image":"x"} {}', /^unexpected content after JSON$/],
    ['a list', '[]', /^invalid JSON: body must be object$/],
    ['a text', '"x"', /^invalid JSON: body must be object$/],
    ['of the wrong shape', '{"Image":7}', /^invalid JSON: Image must be string,null$/],
    [
      'of the wrong shape inside',
      '{"HostConfig":{"Memory":"1g"}}',
      /^invalid JSON: HostConfig\.Memory must be integer,null$/,
    ],
    ['of the wrong shape in a list', '{"Cmd":["a",1]}', /^invalid JSON: Cmd\.1 must be string$/],
  ] as const) {
    test(`${what} are refused`, async () => {
      const answer = await send('POST', url, body);
      assert.equal(answer.statusCode, 400);
      assert.match(answer.json().message, message);
      assert.ok(answer.body.endsWith('}\n'));
    });
  }

  test('that are empty, null or missing lack what the endpoint needs', async () => {
    const message = 'Config cannot be empty in order to create a container';
    for (const body of ['', ' ', 'null', '{}']) await refuses('POST', url, 400, message, body);
    await refuses('POST', url, 400, message);
    await refuses('POST', url, 400, message, '', 'text/plain');
  });

  test('must be called JSON, with or without a character set', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx']) {
      await refuses(
        'POST',
        url,
        400,
        `unsupported Content-Type header (${type}): must be 'application/json'`,
        '{}',
        type,
      );
    }
    for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON']) {
      assert.equal((await send('POST', url, '{"Image":"x"}', type)).statusCode, 201, type);
    }
    const untyped = await api.inject({ method: 'POST', url, payload: Buffer.from('{}') });
    assert.equal(untyped.statusCode, 400);
    assert.match(
      untyped.json().message,
      /^unsupported Content-Type header \(.*\): must be 'application\/json'$/,
    );
  });

  test('that are too large are a 413', () =>
    refuses(
      'POST',
      url,
      413,
      `request body too large: at most ${MAX_JSON_BYTES} bytes are allowed`,
      `{"Image":"${'x'.repeat(MAX_JSON_BYTES)}"}`,
    ));

  test('have field names in any case, as in Go', async () => {
    const answer = await send('POST', url, '{"image":"x","hostconfig":{"memory":1}}');
    assert.deepEqual(answer.json(), { message: 'Minimum memory limit allowed is 6MB' });
  });

  test('may have fields that nobody knows', async () => {
    const answer = await send('POST', url, '{"Image":"x","Whatever":{"a":[1]},"HostConfig":{"New":true}}');
    assert.equal(answer.statusCode, 201, answer.body);
    assert.deepEqual(answer.json(), { Id: 'c'.repeat(64), Warnings: [] });
  });
});
