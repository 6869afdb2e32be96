import assert from 'node:assert/strict';
import { type AddressInfo, createConnection } from 'node:net';
import { describe, test } from 'node:test';
import type { ContainerRecord, LogEntry } from '@seaway/engine';
import { fakeEngine, runningRecord } from '../fixtures/engine.ts';
import { encodeFrame } from '../http/frames.ts';
import { buildApi, createApiServer } from '../server.ts';

interface Handlers {
  onData(stream: 'stdout' | 'stderr', data: Uint8Array): void;
  onEnd(): void;
}

const entries: readonly LogEntry[] = [
  { stream: 'stdout', timestamp: '2026-01-01T00:00:00.000000001Z', data: Buffer.from('out\n') },
  { stream: 'stderr', timestamp: '2026-01-01T00:00:00.000000002Z', data: Buffer.from('err\n') },
];

/** What the engine was asked for. */
let asked: { options?: Record<string, unknown>; follow?: boolean } = {};
/** What came in from a client. */
let input = '';

const engine = fakeEngine({
  containers: [
    runningRecord({ name: 'plain', config: { openStdin: true } } as object),
    runningRecord({
      id: '2'.repeat(64) as ContainerRecord['id'] & string,
      name: 'terminal',
      config: { tty: true },
    } as object),
    runningRecord({ id: '3'.repeat(64) as ContainerRecord['id'] & string, name: 'broken' } as object),
  ],
  methods: {
    logs: async function* (_id: string, options: Record<string, unknown>, follow?: AbortSignal) {
      asked = { options, follow: follow !== undefined };
      yield* entries.filter(({ stream }) => options[stream]);
    },
    /** Says one thing on each stream, repeats what it is told, and ends with its input. */
    attach: (id: string, handlers: Handlers) => {
      if (id.startsWith('3')) throw new Error('its streams are gone');
      input = '';
      handlers.onData('stdout', Buffer.from('hello'));
      handlers.onData('stderr', Buffer.from('oops'));
      if (id.startsWith('2')) setImmediate(() => handlers.onEnd());
      return {
        write: async (data: Uint8Array) => {
          input += Buffer.from(data).toString();
          handlers.onData('stdout', data);
        },
        endInput: async () => handlers.onEnd(),
        close: async () => {},
      };
    },
  },
});
const api = buildApi(engine, { version: '1' });

const out = encodeFrame('stdout', Buffer.from('out\n')).toString('latin1');
const err = encodeFrame('stderr', Buffer.from('err\n')).toString('latin1');

describe('logs', () => {
  const logs = async (query: string, name = 'plain', version = 'v1.41') => {
    const answer = await api.inject({ url: `/${version}/containers/${name}/logs?${query}` });
    assert.equal(answer.statusCode, 200, answer.body);
    return { type: answer.headers['content-type'], text: answer.rawPayload.toString('latin1') };
  };

  test('are framed, with the streams that were asked for', async () => {
    assert.equal((await logs('stdout=1&stderr=1')).text, out + err);
    assert.equal((await logs('stdout=1')).text, out);
    assert.equal((await logs('stderr=true&stdout=0')).text, err);
  });

  test('of a terminal are as they came', async () => {
    assert.equal((await logs('stdout=1&stderr=1', 'terminal')).text, 'out\nerr\n');
  });

  test('say from 1.42 on whether they are framed', async () => {
    const [raw, multiplexed] = [
      'application/vnd.docker.raw-stream',
      'application/vnd.docker.multiplexed-stream',
    ];
    assert.equal((await logs('stdout=1', 'plain', 'v1.41')).type, raw);
    assert.equal((await logs('stdout=1', 'plain', 'v1.42')).type, multiplexed);
    assert.equal((await logs('stdout=1', 'terminal', 'v1.42')).type, raw);
  });

  test('have timestamps inside the frames', async () => {
    const line = Buffer.from('2026-01-01T00:00:00.000000001Z out\n');
    assert.equal((await logs('stdout=1&timestamps=1')).text, encodeFrame('stdout', line).toString('latin1'));
  });

  for (const [query, options, follow] of [
    ['tail=all', {}, false],
    ['tail=', {}, false],
    ['tail=x', {}, false],
    ['tail=0', { tail: 0 }, false],
    ['tail=5&follow=1', { tail: 5 }, true],
    ['since=0&until=0', {}, false],
    ['since=1.5', { sinceNs: 1_500_000_000n }, false],
    ['until=1970-01-01T00:00:02Z', { untilNs: 2_000_000_000n }, false],
  ] as const) {
    test(`take ${query}`, async () => {
      await logs(`stdout=1&${query}`);
      assert.deepEqual(asked, { options: { stdout: true, stderr: false, ...options }, follow });
    });
  }

  for (const [url, status, message] of [
    [
      '/containers/plain/logs',
      400,
      "Bad parameters: you must choose at least one stream: specify 'stdout' or 'stderr'",
    ],
    ['/containers/plain/logs?stdout=1&since=x', 400, 'invalid value for since: "x" is no time'],
    ['/containers/nope/logs?stdout=1', 404, 'No such container: nope'],
  ] as const) {
    test(`refuse ${url}`, async () => {
      const answer = await api.inject({ url });
      assert.equal(answer.body, `${JSON.stringify({ message })}\n`);
      assert.equal(answer.statusCode, status);
    });
  }
});

describe('attach', () => {
  /** Sends a request over a connection of its own and reads until the server closes it. */
  async function attach(path: string, options: { upgrade?: boolean; send?: string } = {}): Promise<string> {
    const server = await createApiServer(api);
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const upgrade = options.upgrade ? 'Connection: Upgrade\r\nUpgrade: tcp\r\n' : '';
    const received = await new Promise<string>((resolve, reject) => {
      const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true }, () => {
        socket.write(`POST ${path} HTTP/1.1\r\nHost: docker\r\n${upgrade}Content-Length: 0\r\n\r\n`);
      });
      let text = '';
      socket.on('data', (data) => {
        if (text === '' && options.send !== undefined) socket.end(options.send);
        text += data.toString('latin1');
      });
      socket.once('end', () => {
        socket.end();
        resolve(text);
      });
      socket.once('error', reject);
    });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    return received;
  }
  const hello = encodeFrame('stdout', Buffer.from('hello')).toString('latin1');
  const oops = encodeFrame('stderr', Buffer.from('oops')).toString('latin1');

  test('with an upgrade answers 101 and carries both directions; the half-close ends the input', async () => {
    const received = await attach('/v1.41/containers/plain/attach?stream=1&stdin=1&stdout=1&stderr=1', {
      upgrade: true,
      send: 'tell me',
    });
    const [head = '', body = ''] = received.split('\r\n\r\n');
    assert.match(head, /^HTTP\/1\.1 101 UPGRADED\r\n/);
    for (const line of [
      'Content-Type: application/vnd.docker.raw-stream',
      'Connection: Upgrade',
      'Upgrade: tcp',
      'Ostype: linux',
      'Server: Docker/1 (linux)',
    ]) {
      assert.ok(head.split('\r\n').includes(line), line);
    }
    assert.equal(body, hello + oops + encodeFrame('stdout', Buffer.from('tell me')).toString('latin1'));
    assert.equal(input, 'tell me');
  });

  test('without an upgrade answers 200 and carries the output', async () => {
    const received = await attach('/containers/terminal/attach?stream=1&stdout=1');
    assert.match(
      received,
      /^HTTP\/1\.1 200 OK\r\nContent-Type: application\/vnd\.docker\.raw-stream\r\n[\s\S]*\r\n\r\nhello$/,
    );
  });

  test('says from 1.42 on that the stream is framed, to who asks for an upgrade', async () => {
    const path = '/containers/plain/attach?stream=0&stdout=1';
    const [raw, framed] = [/vnd\.docker\.raw-stream/, /vnd\.docker\.multiplexed-stream/];
    assert.match(await attach(`/v1.42${path}`, { upgrade: true }), framed);
    assert.match(await attach(`/v1.41${path}`, { upgrade: true }), raw);
    assert.match(await attach(`/v1.42${path}`), raw);
  });

  test('replays the log when asked to, and ends there without `stream`', async () => {
    const received = await attach('/v1.41/containers/plain/attach?logs=1&stdout=1&stderr=1', {
      upgrade: true,
    });
    assert.equal(received.split('\r\n\r\n')[1], out + err);
  });

  test('to what does not exist is a plain 404', async () => {
    const received = await attach('/v1.41/containers/nope/attach?stream=1', { upgrade: true });
    assert.match(received, /^HTTP\/1\.1 404 Not Found\r\n/);
    assert.match(received, /\{"message":"No such container: nope"\}\n$/);
  });

  test('tells in the stream why a container cannot be attached to, and ends', async () => {
    const received = await attach('/v1.41/containers/broken/attach?stream=1&stdout=1&stderr=1', {
      upgrade: true,
    });
    const reason = encodeFrame('stderr', Buffer.from('its streams are gone\n')).toString('latin1');
    assert.equal(received.split('\r\n\r\n')[1], reason);
  });
});
