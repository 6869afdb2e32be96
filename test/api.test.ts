/**
 * The HTTP API as clients other than the docker command line see it.
 */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { describe, test } from 'node:test';
import { fromDockerClient } from '../packages/api/src/fixtures/docker-client-body.ts';
import { engineUnderTest } from './lab/lab.ts';
import { image, openStory } from './lab/story.ts';

const lab = await openStory();
const peer = engineUnderTest === 'dockerd';
const aboutOurs = { skip: peer && 'about our daemon alone' };

interface Problem {
  readonly message: string;
}

test('the socket is for its owner and group only', () => {
  const { mode } = statSync(lab.engine.socket);
  assert.equal((mode & 0o777).toString(8), '660');
});

describe('ping', () => {
  for (const method of ['GET', 'HEAD']) {
    test(`${method} tells what the client needs to negotiate`, async () => {
      const answer = await lab.api(method, '/_ping');
      assert.equal(answer.status, 200);
      assert.equal(answer.text, method === 'GET' ? 'OK' : '');
      assert.match(String(answer.headers['content-type']), /^text\/plain/);
      assert.match(String(answer.headers['api-version']), /^1\.\d\d$/);
      assert.equal(answer.headers.ostype, 'linux');
      assert.equal(answer.headers['docker-experimental'], 'false');
      assert.match(String(answer.headers.server), /^Docker\/.+ \(linux\)$/);
      assert.equal(answer.headers['cache-control'], 'no-cache, no-store, must-revalidate');
      assert.equal(answer.headers.pragma, 'no-cache');
    });
  }
});

describe('versions', () => {
  test('the path may name a version or not', async () => {
    const newest = (await lab.api('GET', '/_ping')).headers['api-version'];
    for (const prefix of ['', '/v1.24', '/v1.41', `/v${newest}`]) {
      const answer = await lab.api<{ ApiVersion: string; MinAPIVersion: string; Os: string }>(
        'GET',
        `${prefix}/version`,
      );
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.ApiVersion, newest);
      assert.equal(answer.json.Os, 'linux');
    }
  });

  test('the docker client 28 negotiates down and up', async () => {
    for (const DOCKER_API_VERSION of ['1.24', '1.41']) {
      const shown = await lab.dockerOutput(['version', '--format', '{{.Client.APIVersion}}'], {
        env: { DOCKER_API_VERSION },
      });
      assert.equal(shown, DOCKER_API_VERSION);
      assert.equal(
        await lab.dockerOutput(`run --rm ${image} echo ok`, { env: { DOCKER_API_VERSION } }),
        'ok',
      );
    }
  });

  test('the newest version is the one the docker client 28 speaks', aboutOurs, async () => {
    const client = await lab.dockerOutput([
      'version',
      '--format',
      '{{.Client.DefaultAPIVersion}} {{.Client.APIVersion}}',
    ]);
    const [own, negotiated] = client.split(' ');
    assert.equal(negotiated, own);
  });

  test('too new and too old', async () => {
    const tooNew = await lab.api<Problem>('GET', '/v1.99/version');
    assert.equal(tooNew.status, 400);
    assert.match(
      tooNew.json.message,
      /^client version 1\.99 is too new\. Maximum supported API version is 1\.\d\d$/,
    );
    const tooOld = await lab.api<Problem>('GET', '/v1.11/version');
    assert.equal(tooOld.status, 400);
    assert.match(tooOld.text, /client version 1\.11 is too old\. Minimum supported API version is 1\.\d\d/);
  });
});

describe('what does not exist', () => {
  test('an unknown path is a 404 in JSON', async () => {
    for (const path of ['/nope', '/v1.41/nope', '/v1.41/containers/a/b/c', '/']) {
      const answer = await lab.api<Problem>('GET', path);
      assert.equal(answer.status, 404, path);
      assert.match(String(answer.headers['content-type']), /^application\/json/);
      assert.equal(answer.json.message, 'page not found');
    }
  });

  test('what only other engines have says so in JSON', aboutOurs, async () => {
    for (const [method, path, status] of [
      ['POST', '/v1.41/swarm/init', 501],
      ['POST', '/v1.41/build', 501],
      ['GET', '/v1.41/services', 503],
    ] as const) {
      const answer = await lab.api<Problem>(method, path, method === 'POST' ? {} : undefined);
      assert.equal(answer.status, status, path);
      assert.ok(answer.json.message.length > 0);
    }
  });

  test('an unknown method is refused in JSON', async () => {
    const answer = await lab.api<Problem>('PATCH', '/v1.41/containers/json');
    assert.ok(answer.status === 404 || answer.status === 405, `${answer.status}`);
    assert.ok(answer.json.message.length > 0);
  });
});

describe('containers over raw HTTP', () => {
  const body = {
    Image: image,
    Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 4'],
    HostConfig: { NetworkMode: 'none' },
  };

  test('every answer has the headers of the daemon', async () => {
    for (const path of ['/v1.41/containers/json', '/v1.41/containers/nope/json']) {
      const { headers } = await lab.api('GET', path);
      assert.match(String(headers['api-version']), /^1\.\d\d$/);
      assert.match(String(headers.server), /^Docker\//);
      assert.equal(headers.ostype, 'linux');
    }
  });

  test('create, start, wait, logs, inspect, remove', async () => {
    const created = await lab.api<{ Id: string; Warnings: unknown }>(
      'POST',
      '/v1.41/containers/create?name=raw',
      body,
    );
    assert.equal(created.status, 201);
    assert.match(created.json.Id, /^[0-9a-f]{64}$/);
    assert.deepEqual(created.json.Warnings, []);
    const started = await lab.api('POST', '/v1.41/containers/raw/start');
    assert.equal(started.status, 204);
    assert.equal(started.text, '');
    const waited = await lab.api<{ StatusCode: number }>('POST', '/v1.41/containers/raw/wait');
    assert.equal(waited.json.StatusCode, 4);
    const logs = await lab.api('GET', '/v1.41/containers/raw/logs?stdout=1&stderr=1');
    // Eight bytes before each piece: stream, three zeros, length (docs: "Stream format").
    for (const frame of ['\u0001\0\0\0\0\0\0\u0004out\n', '\u0002\0\0\0\0\0\0\u0004err\n']) {
      assert.ok(logs.text.includes(frame), JSON.stringify(logs.text));
    }
    assert.equal(logs.text.length, 24);
    assert.equal((await lab.api('DELETE', '/v1.41/containers/raw')).status, 204);
    assert.equal((await lab.api('GET', '/v1.41/containers/raw/json')).status, 404);
  });

  test('the headers of wait come before the container ends', async () => {
    await lab.api('POST', '/v1.41/containers/create?name=slow', { ...body, Cmd: ['sleep', '600'] });
    await lab.api('POST', '/v1.41/containers/slow/start');
    const head = await new Promise<string>((resolve, reject) => {
      const socket = createConnection(lab.engine.socket, () => {
        socket.write('POST /v1.41/containers/slow/wait?condition=next-exit HTTP/1.1\r\nHost: docker\r\n\r\n');
      });
      socket.once('data', (chunk) => {
        resolve(chunk.toString());
        socket.destroy();
      });
      socket.once('error', reject);
    });
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
    assert.equal((await lab.api('DELETE', '/v1.41/containers/slow?force=1')).status, 204);
  });

  test('attach answers 101 to an upgrade and carries framed output from the very start', async () => {
    await lab.api('POST', '/v1.41/containers/create?name=attached', body);
    const received = await new Promise<string>((resolve, reject) => {
      const socket = createConnection(lab.engine.socket, () => {
        socket.write(
          'POST /v1.41/containers/attached/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\n' +
            'Host: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n',
        );
      });
      let text = '';
      socket.on('data', (chunk) => {
        if (text === '') lab.api('POST', '/v1.41/containers/attached/start').catch(reject);
        text += chunk.toString('latin1');
      });
      socket.once('close', () => resolve(text));
      socket.once('error', reject);
    });
    assert.match(received, /^HTTP\/1\.1 101 UPGRADED\r\n/);
    assert.match(received, /Content-Type: application\/vnd\.docker\.raw-stream\r\n/i);
    assert.ok(received.includes('\u0001\0\0\0\0\0\0\u0004out\n'));
    assert.ok(received.includes('\u0002\0\0\0\0\0\0\u0004err\n'));
    await lab.api('DELETE', '/v1.41/containers/attached?force=1');
  });

  test('the fields that the docker client sends empty are tolerated', async () => {
    const { HostConfig, ...fields } = fromDockerClient;
    const everything = {
      ...fields,
      ...body,
      Env: [],
      Entrypoint: [],
      HostConfig: { ...HostConfig, NetworkMode: 'none' },
      NetworkingConfig: {
        EndpointsConfig: { none: { IPAMConfig: null, Links: null, Aliases: null, DriverOpts: null } },
      },
    };
    const created = await lab.api('POST', '/v1.41/containers/create?name=full', everything);
    assert.equal(created.status, 201, created.text);
    assert.equal((await lab.api('POST', '/v1.41/containers/full/start')).status, 204);
    await lab.api('DELETE', '/v1.41/containers/full?force=1');
  });

  test('both encodings of filters are understood, and junk is refused', async () => {
    await lab.api('POST', '/v1.41/containers/create?name=findme', { ...body, Labels: { a: '1' } });
    for (const filters of [
      '{"name":["findme"]}',
      '{"name":{"findme":true}}',
      '{"label":["a=1"]}',
      '{"label":{"a":true}}',
    ]) {
      const path = `/v1.41/containers/json?all=1&filters=${encodeURIComponent(filters)}`;
      const { json } = await lab.api<{ Names: string[] }[]>('GET', path);
      assert.deepEqual(
        json.map((container) => container.Names),
        [['/findme']],
        filters,
      );
    }
    const unknown = await lab.api<Problem>(
      'GET',
      `/v1.41/containers/json?filters=${encodeURIComponent('{"junk":["x"]}')}`,
    );
    assert.equal(unknown.status, 400);
    assert.match(unknown.json.message, /invalid filter 'junk'/i);
    const junk = await lab.api<Problem>('GET', '/v1.41/containers/json?filters=junk');
    assert.equal(junk.status, peer ? 500 : 400);
    await lab.api('DELETE', '/v1.41/containers/findme');
  });
});

test('a request that is not HTTP does not disturb the daemon', async () => {
  await new Promise<void>((resolve) => {
    const socket = createConnection(lab.engine.socket, () => socket.end('\0\u0001garbage\r\n\r\n'));
    socket.on('data', () => {});
    socket.once('close', () => resolve());
    socket.once('error', () => resolve());
  });
  assert.equal((await lab.api('GET', '/_ping')).text, 'OK');
});
