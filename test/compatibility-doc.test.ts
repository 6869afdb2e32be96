/**
 * The page on compatibility says what the server does: it has every route, no route that does not exist, and the status
 * of what is not planned; and it names the tests and the versions that there are.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildApi } from '@seaway/api';
import type { Engine } from '@seaway/engine';
import { MAX_API_VERSION, MIN_API_VERSION } from '../packages/api/src/http/version.ts';
import { unsupportedEndpoints } from '../packages/api/src/routes/unsupported.ts';

const repository = fileURLToPath(new URL('../', import.meta.url));
const read = (path: string) => readFileSync(join(repository, path), 'utf8');
const page = read('docs/compatibility.md');

/** `GET /containers/{id}/json` and its state. */
const described = [
  ...page.matchAll(/^\| `((?:GET|HEAD|POST|PUT|DELETE) [^`]+)` \| (.*?) \| ?(.*?) ?\|$/gm),
].map(([, endpoint = '', state = '', remark = '']) => ({ endpoint, state, remark }));

/** Every request ends in an error of this engine; what matters is that a route took it. */
const engine = new Proxy(
  { options: { log: { error: () => {} } } },
  {
    get: (target, name) =>
      name in target
        ? target[name as 'options']
        : new Proxy({}, { get: () => () => assert.fail('reached the engine') }),
  },
) as unknown as Engine;
const api = buildApi(engine, { version: '0' });

test('every state is one of those that the page explains, and nothing is described twice', () => {
  assert.ok(described.length > 100);
  for (const { endpoint, state, remark } of described) {
    assert.match(state, /^(works|differs|404|501|503)$/, endpoint);
    if (state === 'differs') assert.notEqual(remark, '', `${endpoint} differs: how?`);
  }
  assert.equal(new Set(described.map(({ endpoint }) => endpoint)).size, described.length);
});

test('what works is taken by a route, and what is not planned answers as the page says', async () => {
  for (const { endpoint, state } of described) {
    const [method = '', path = ''] = endpoint.split(' ');
    // A stream would not end.
    const url = `${path.replaceAll(/\{[\w.]+\}/g, 'x')}${path === '/events' ? '?until=x' : ''}`;
    const answer = await api.inject({ method: method as 'GET', url });
    if (state === 'works' || state === 'differs') {
      assert.doesNotMatch(answer.body, /page not found|by this version of Seaway/, endpoint);
      if (method === 'HEAD') assert.notEqual(answer.statusCode, 404, endpoint);
    } else if (!/\/volumes\//.test(path)) {
      assert.equal(answer.statusCode, Number(state), `${endpoint}: ${answer.body}`);
      assert.doesNotMatch(answer.body, /page not found/, endpoint);
    }
  }
});

test('every route is described', () => {
  const names = described.map(({ endpoint }) => endpoint);
  for (const route of api.endpoints) {
    // Routes that end in a wildcard tell their endpoints apart by the rest of the path.
    const endpoint = route.replaceAll(/:(\w+)/g, '{$1}');
    const isDescribed = endpoint.endsWith('*')
      ? names.some((name) => name.startsWith(endpoint.slice(0, -1)))
      : names.includes(endpoint);
    assert.ok(isDescribed, route);
  }
});

test('what answers 501 because there is no route is described so', () => {
  for (const [method, path] of unsupportedEndpoints) {
    const found = described.find(({ endpoint }) => endpoint === `${method} ${path}`);
    assert.equal(found?.state, '501', `${method} ${path}`);
  }
});

test('the clients and their tests are those that there are', () => {
  const clients = page.split('## Clients')[1]!.split('\n## ')[0]!;
  const files = [...clients.matchAll(/`(test\/[\w.-]+)`/g)].map(([, file = '']) => file);
  assert.ok(files.length >= 6);
  for (const file of files) assert.ok(existsSync(join(repository, file)), file);
  const { devDependencies } = JSON.parse(read('package.json')) as {
    devDependencies: Record<string, string>;
  };
  for (const name of ['dockerode', 'testcontainers']) {
    const [version = ''] = /\d+\.\d+/.exec(devDependencies[name] ?? '') ?? [];
    assert.match(clients, new RegExp(`\\| \`${name}\` \\| ${version.replace('.', '\\.')}`), name);
  }
  assert.ok(clients.includes(`API ${MIN_API_VERSION} to ${MAX_API_VERSION}`));
});

test('the changes of versions are those that are tested', () => {
  const versions = page.split('## Versions of the API')[1]!.split('\n## ')[0]!;
  const told = [...versions.matchAll(/^\| (1\.\d+) \|/gm)].map(([, version]) => version);
  const tested = [...read('test/api-versions.test.ts').matchAll(/^ {2}since\('(1\.\d+)'/gm)].map(
    ([, version]) => version,
  );
  assert.deepEqual(told, [...new Set(tested)].sort());
});
