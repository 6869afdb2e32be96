import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError, type ErrorKind } from '../../base/errors.ts';
import type { IndexEntry } from '../manifest.ts';
import { parseChallenge } from './challenge.ts';
import { checkRegistrySettings, endpointsOf, mirrorsOf, type RegistrySettings } from './endpoints.ts';
import { choosePlatform } from './platform.ts';
import { parseRefusal, pullError, registryError } from './registry-errors.ts';

test('challenges are read whatever their order, spelling and quotes', () => {
  const rows: [string | undefined, ReturnType<typeof parseChallenge>][] = [
    [undefined, undefined],
    ['', undefined],
    ['Negotiate', undefined],
    ['Basic realm="a"', { scheme: 'basic' }],
    ['basic', { scheme: 'basic' }],
    ['Bearer realm="https://auth/t"', { scheme: 'bearer', realm: 'https://auth/t' }],
    ['Bearer service="s"', undefined],
    [
      'bearer Realm="https://auth/t?a=1,2",service=reg.example,scope="repository:a/b:pull,push"',
      {
        scheme: 'bearer',
        realm: 'https://auth/t?a=1,2',
        service: 'reg.example',
        scope: 'repository:a/b:pull,push',
      },
    ],
    ['Basic realm="x", Bearer realm="y"', { scheme: 'bearer', realm: 'y' }],
    ['Bearer realm="quo\\"ted"', { scheme: 'bearer', realm: 'quo"ted' }],
  ];
  for (const [header, expected] of rows) assert.deepEqual(parseChallenge(header), expected, String(header));
});

const settings: RegistrySettings = {
  insecureRegistries: ['plain.example:5000', '10.1.0.0/16'],
  mirrors: ['http://10.1.2.3:5000/', 'https://mirror.example/hub'],
};
const addresses: Readonly<Record<string, readonly string[]>> = {
  localhost: ['127.0.0.1'],
  'inside.example': ['10.1.9.9'],
};
const lookup = async (host: string): Promise<readonly string[]> => addresses[host] ?? [];

test('encryption is left out only where that is allowed', async () => {
  const rows: [string, string[]][] = [
    ['docker.io', ['https://registry-1.docker.io!']],
    ['registry.example', ['https://registry.example!']],
    ['127.0.0.1:5000', ['https://127.0.0.1:5000', 'http://127.0.0.1:5000!']],
    ['127.9.9.9', ['https://127.9.9.9', 'http://127.9.9.9!']],
    ['[::1]:5000', ['https://[::1]:5000', 'http://[::1]:5000!']],
    ['localhost:5000', ['https://localhost:5000', 'http://localhost:5000!']],
    ['plain.example:5000', ['https://plain.example:5000', 'http://plain.example:5000!']],
    ['plain.example', ['https://plain.example!']],
    ['10.1.255.1', ['https://10.1.255.1', 'http://10.1.255.1!']],
    ['10.2.0.1', ['https://10.2.0.1!']],
    ['inside.example:443', ['https://inside.example:443', 'http://inside.example:443!']],
  ];
  for (const [domain, expected] of rows) {
    const found = await endpointsOf(domain, settings, lookup);
    assert.deepEqual(
      found.map(({ url, isVerified }) => url + (isVerified ? '!' : '')),
      expected,
    );
  }
});

test('only Docker Hub has mirrors', async () => {
  assert.deepEqual(await mirrorsOf('registry.example', settings, lookup), []);
  assert.deepEqual(await mirrorsOf('docker.io', settings, lookup), [
    { url: 'http://10.1.2.3:5000', isVerified: false },
    { url: 'https://mirror.example/hub', isVerified: true },
  ]);
});

test('bad settings are named', () => {
  checkRegistrySettings(settings);
  const insecure = ['http://x', 'a b', 'x/y', '10.0.0.0/33', ''];
  const mirrors = ['mirror.example', 'ftp://x', 'http://user@x', 'http://x?a', ''];
  for (const text of insecure) {
    assert.throws(
      () => checkRegistrySettings({ insecureRegistries: [text], mirrors: [] }),
      new RegExp(`insecure registry ${text} is not valid`),
    );
  }
  for (const text of mirrors) {
    assert.throws(
      () => checkRegistrySettings({ insecureRegistries: [], mirrors: [text] }),
      /invalid mirror: .*it should be http/,
    );
  }
});

test('at least one layer at a time, and one attempt', () => {
  const base = { insecureRegistries: [], mirrors: [] };
  checkRegistrySettings({ ...base, concurrentDownloads: 1, concurrentUploads: 1, attempts: 1 });
  for (const name of ['concurrentDownloads', 'concurrentUploads', 'attempts']) {
    const message = new RegExp(`^EngineError: invalid value 0 for ${name}: it should be 1 or more$`);
    assert.throws(() => checkRegistrySettings({ ...base, [name]: 0 }), message);
  }
});

test('the refusals of registries get their kind and the words that clients know', () => {
  const body = (code: string, message: string): string => JSON.stringify({ errors: [{ code, message }] });
  const rows: [number, string, ErrorKind, RegExp][] = [
    [
      404,
      body('MANIFEST_UNKNOWN', 'manifest unknown'),
      'notFound',
      /^manifest for a:1 not found: manifest unknown: manifest unknown$/,
    ],
    [404, body('NAME_UNKNOWN', 'not known'), 'notFound', /^repository a not found: name unknown: not known$/],
    [
      401,
      body('DENIED', 'no'),
      'notFound',
      /^pull access denied for a, repository does not exist or may require 'docker login': denied: no$/,
    ],
    [
      401,
      body('UNAUTHORIZED', 'authentication required'),
      'unauthorized',
      /^unauthorized: authentication required$/,
    ],
    [
      401,
      '{"details":"incorrect username or password"}',
      'unauthorized',
      /^unauthorized: incorrect username or password$/,
    ],
    [401, 'who are you?', 'unauthorized', /^unauthorized: authentication required$/],
    [403, '<html>', 'forbidden', /^error parsing HTTP 403 response body: "<html>"$/],
    [404, '', 'notFound', /^error parsing HTTP 404 response body: ""$/],
    [429, body('TOOMANYREQUESTS', 'slow down'), 'unavailable', /^toomanyrequests: slow down$/],
    [400, body('UNSUPPORTED', ''), 'internal', /^unsupported: unsupported$/],
    [500, 'oops', 'internal', /^received unexpected HTTP status: 500$/],
    [400, '{"errors":[]}', 'internal', /^error parsing HTTP 400 response body: /],
    [400, '{"errors":7}', 'internal', /^error parsing/],
  ];
  for (const [status, text, kind, message] of rows) {
    const error = pullError(parseRefusal(status, text), 'a', 'a:1');
    assert.ok(error instanceof EngineError);
    assert.match(error.message, message);
    assert.equal(error.kind, kind, text);
  }
  assert.equal(registryError(parseRefusal(403, body('DENIED', 'no'))).message, 'denied: no');
});

test('the best of the platforms that run here is chosen', () => {
  const entry = (architecture: string, variant?: string, os = 'linux'): IndexEntry => ({
    mediaType: '',
    digest: `${os}/${architecture}/${variant ?? ''}`,
    sizeBytes: 1,
    platform: { os, architecture, ...(variant ? { variant } : {}) },
  });
  const bare = { mediaType: '', digest: 'none', sizeBytes: 1 };
  const all = [
    bare,
    entry('amd64', undefined, 'windows'),
    entry('unknown', undefined, 'unknown'),
    entry('arm', 'v5'),
    entry('arm', 'v7'),
    entry('arm', 'v6'),
    entry('arm64', 'v8'),
    entry('amd64'),
    entry('amd64', 'v3'),
  ];
  const rows: [string, string | undefined, string][] = [
    ['amd64', undefined, 'linux/amd64/'],
    ['amd64', 'v2', 'linux/amd64/'],
    ['amd64', 'v4', 'linux/amd64/v3'],
    ['arm64', undefined, 'linux/arm64/v8'],
    ['arm', undefined, 'linux/arm/v7'],
    ['arm', 'v6', 'linux/arm/v6'],
  ];
  for (const [architecture, variant, digest] of rows) {
    const wanted = { os: 'linux', architecture, ...(variant ? { variant } : {}) };
    assert.equal(choosePlatform(all, wanted).digest, digest);
  }
  assert.throws(
    () => choosePlatform(all, { os: 'linux', architecture: 'arm', variant: 'v4' }),
    /^EngineError: no matching manifest for linux\/arm\/v4 in the manifest list entries$/,
  );
  assert.throws(() => choosePlatform([], { os: 'linux', architecture: 'amd64' }), /no matching manifest/);
});
