import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { test } from 'node:test';
import { fromDockerAuth, readRegistryAuth } from './registry-auth.ts';
import { progressBar, toDockerProgress } from './transfer-progress.ts';

const header = (value: unknown, encoding: BufferEncoding = 'base64url') => ({
  'x-registry-auth': Buffer.from(JSON.stringify(value)).toString(encoding),
});

test('credentials are read in all the forms that clients send', () => {
  const plain = { username: 'a', password: 'b' };
  assert.deepEqual(readRegistryAuth({}), {});
  assert.deepEqual(readRegistryAuth({ 'x-registry-auth': '' }), {});
  assert.deepEqual(readRegistryAuth({ 'x-registry-auth': 'e30=' }), {});
  assert.deepEqual(readRegistryAuth(header(null)), {});
  assert.deepEqual(readRegistryAuth(header({ ...plain, serveraddress: 'x', email: null })), plain);
  assert.deepEqual(readRegistryAuth(header({ Username: 'a', PASSWORD: 'b' }, 'base64')), plain);
  assert.deepEqual(fromDockerAuth({ auth: Buffer.from('a:b:c').toString('base64') }), {
    username: 'a',
    password: 'b:c',
  });
  assert.deepEqual(fromDockerAuth({ identitytoken: 't', registrytoken: 'r' }), {
    identityToken: 't',
    registryToken: 'r',
  });
});

test('a header that is none is refused with the reason, and never shown', () => {
  const rows: [IncomingHttpHeaders, RegExp][] = [
    [{ 'x-registry-auth': 'not base64!' }, /it is no base64$/],
    [{ 'x-registry-auth': Buffer.from('{').toString('base64') }, /it holds no JSON$/],
    [header(['secret']), /it holds no JSON object$/],
    [header('secret'), /it holds no JSON object$/],
    [header({ password: { secret: 1 } }), /password is no text$/],
  ];
  for (const [headers, message] of rows) {
    assert.throws(
      () => readRegistryAuth(headers),
      (error: Error) => message.test(error.message) && !error.message.includes('secret'),
    );
  }
});

test('progress looks as it does from Docker', () => {
  const rows: [number, number, string][] = [
    [0, 0, '      0B'],
    [512, 0, '    512B'],
    [0, 1000, `[>${' '.repeat(50)}]       0B/1kB`],
    [500, 1000, `[${'='.repeat(25)}>${' '.repeat(25)}]     500B/1kB`],
    [1234567, 2469134, `[${'='.repeat(25)}>${' '.repeat(25)}]  1.235MB/2.469MB`],
    [1000, 1000, `[${'='.repeat(50)}>]      1kB/1kB`],
    [2000, 1000, `[${'='.repeat(50)}>]      2kB`],
  ];
  for (const [current, total, text] of rows) assert.equal(progressBar(current, total), text);
  assert.deepEqual(toDockerProgress({ kind: 'status', status: 's' }), { status: 's' });
  assert.deepEqual(toDockerProgress({ kind: 'layer', id: 'i', status: 's' }), {
    status: 's',
    progressDetail: {},
    id: 'i',
  });
  assert.deepEqual(toDockerProgress({ kind: 'pushed', tag: 't', digest: 'd', sizeBytes: 3 }), {
    progressDetail: {},
    aux: { Tag: 't', Digest: 'd', Size: 3 },
  });
});
