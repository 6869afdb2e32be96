import assert from 'node:assert/strict';
import { type AddressInfo, createConnection } from 'node:net';
import { describe, test } from 'node:test';
import {
  conflict,
  type ExecRecord,
  type ExecRequest,
  invalid,
  notFound,
  type TerminalSize,
} from '@seaway/engine';
import { fakeEngine } from '../fixtures/engine.ts';
import { encodeFrame } from '../http/frames.ts';
import { buildApi, createApiServer } from '../server.ts';

interface Handlers {
  onData(stream: 'stdout' | 'stderr', data: Uint8Array): void | Promise<void>;
  onEnd(): void;
}

/** What the engine was asked for. */
let asked: Record<string, unknown> = {};

const record = (id: string): ExecRecord => {
  if (!['plain', 'fails', 'again'].includes(id)) {
    throw notFound('exec-not-found', `No such exec instance: ${id}`);
  }
  const request = {
    attachStdin: true,
    attachStdout: true,
    attachStderr: true,
    command: ['cat'],
    detachKeys: '',
  };
  return { id, containerId: 'c', request, status: 'created', pid: 0, since: 0 } as unknown as ExecRecord;
};

const engine = fakeEngine({
  execMethods: {
    create: (container: string, request: ExecRequest) => {
      asked = { container, command: request.command };
      return { id: 'made' };
    },
    get: record,
    checkStart: (id: string) => {
      if (id === 'again') throw conflict('exec-already-started', 'Error: Exec command again has already run');
      return record(id);
    },
    startDetached: async (id: string) => {
      asked = { detached: id };
      if (id === 'fails') throw invalid('runtime-failed', 'no such program');
    },
    /** Repeats what it is told on both streams, and ends with its input. */
    start: (id: string, handlers: Handlers, size?: TerminalSize) => {
      asked = { size };
      const begun = id === 'fails' ? Promise.reject(new Error('no such program')) : Promise.resolve();
      return {
        begun,
        session: {
          write: async (data: Uint8Array) => {
            handlers.onData('stdout', data);
            handlers.onData('stderr', data);
          },
          endInput: async () => handlers.onEnd(),
          close: async () => {},
        },
      };
    },
    resize: async (id: string, size: TerminalSize) => {
      asked = { id, size };
    },
  },
});
const api = buildApi(engine, { version: '1' });

const post = (url: string, body?: object) =>
  api.inject({ method: 'POST', url, ...(body ? { payload: body } : {}) });

test('an exec is made', async () => {
  const answer = await post('/containers/web/exec', { cmd: ['ls'] });
  assert.deepEqual([answer.statusCode, answer.json()], [201, { Id: 'made' }]);
  assert.deepEqual(asked, { container: 'web', command: ['ls'] });
});

test('a detached start is answered when the process has begun, or why it has not', async () => {
  assert.equal((await post('/exec/plain/start', { Detach: true })).statusCode, 200);
  assert.deepEqual(asked, { detached: 'plain' });
  const failed = await post('/exec/fails/start', { Detach: true });
  assert.deepEqual([failed.statusCode, failed.json()], [400, { message: 'no such program' }]);
});

test('the size of the terminal arrives', async () => {
  assert.equal((await post('/exec/plain/resize?h=3&w=4')).statusCode, 200);
  assert.deepEqual(asked, { id: 'plain', size: { rows: 3, columns: 4 } });
});

for (const [url, body, status, message] of [
  ['/exec/nope/start', {}, 404, 'No such exec instance: nope'],
  ['/exec/again/start', {}, 409, 'Error: Exec command again has already run'],
  ['/exec/plain/start', { Tty: 'x' }, 400, 'invalid JSON: Tty must be boolean,null'],
  ['/exec/plain/start', { ConsoleSize: [1] }, 400, /^ConsoleSize is a number of rows/],
  ['/exec/plain/resize', undefined, 400, 'a terminal has at least 1 row (h) and 1 column (w)'],
  ['/containers/web/exec', { Cmd: 1 }, 400, 'invalid JSON: Cmd must be array,string,null'],
] as const) {
  test(`refused with ${status}: ${url} ${JSON.stringify(body)}`, async () => {
    const answer = await post(url, body);
    const { message: text } = answer.json() as { message: string };
    if (typeof message === 'string') assert.equal(text, message);
    else assert.match(text, message);
    assert.equal(answer.statusCode, status);
  });
}

describe('an attached start', () => {
  /** Sends pieces over a connection of its own, each in a packet, then closes its half; reads to the end. */
  async function send(pieces: readonly string[]): Promise<string> {
    const server = await createApiServer(api);
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    let received = '';
    socket.on('data', (data) => {
      received += data.toString('latin1');
    });
    const ended = new Promise<void>((resolve, reject) => {
      socket.once('end', resolve).once('error', reject);
    });
    for (const piece of pieces) {
      socket.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    socket.end();
    await ended;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    return received;
  }

  const upgrade = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';
  const head = (id: string, more: string) =>
    `POST /v1.42/exec/${id}/start HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n${more}\r\n`;
  const repeated = (text: string) =>
    encodeFrame('stdout', Buffer.from(text)).toString('latin1') +
    encodeFrame('stderr', Buffer.from(text)).toString('latin1');
  const body = '{"Tty":false,"ConsoleSize":[5,6]}';
  const sized = `${upgrade}Content-Length: ${body.length}\r\n`;

  for (const [what, pieces] of [
    ['in one packet', [`${head('plain', sized)}${body}input`]],
    ['apart', [head('plain', sized), body, 'input']],
    [
      'cut anywhere',
      [
        head('plain', sized).slice(0, 30),
        head('plain', sized).slice(30) + body.slice(0, 9),
        body.slice(9),
        'input',
      ],
    ],
    [
      'with input behind the rest of the body',
      [head('plain', sized) + body.slice(0, 5), `${body.slice(5)}input`],
    ],
    [
      'in chunks',
      [
        `${head('plain', `${upgrade}Transfer-Encoding: chunked\r\n`)}5\r\n${body.slice(0, 5)}\r\n`,
        `${(body.length - 5).toString(16)}\r\n${body.slice(5)}\r\n0\r\n\r\ninput`,
      ],
    ],
  ] as const) {
    test(`takes head, body and input ${what}`, async () => {
      asked = {};
      const received = await send(pieces);
      assert.match(
        received,
        /^HTTP\/1\.1 101 UPGRADED\r\nContent-Type: application\/vnd\.docker\.multiplexed-stream\r\n/,
      );
      assert.equal(received.slice(received.indexOf('\r\n\r\n') + 4), repeated('input'));
      assert.deepEqual(asked, { size: { rows: 5, columns: 6 } });
    });
  }

  test('without an upgrade takes input once the head of its answer is there', async () => {
    const received = await send([
      `${head('plain', `Content-Length: ${body.length}\r\n`)}${body}`,
      'GET x',
      'more',
    ]);
    assert.match(received, /^HTTP\/1\.1 200 OK\r\n/);
    assert.equal(received.slice(received.indexOf('\r\n\r\n') + 4), repeated('GET x') + repeated('more'));
  });

  test('with a terminal is not framed', async () => {
    const raw = '{"Tty":true}';
    const received = await send([`${head('plain', `${upgrade}Content-Length: ${raw.length}\r\n`)}${raw}x`]);
    assert.match(received, /vnd\.docker\.raw-stream\r\n/);
    assert.equal(received.slice(received.indexOf('\r\n\r\n') + 4), 'xx');
  });

  test('that fails says why in the stream', async () => {
    const received = await send([`${head('fails', `${upgrade}Content-Length: 2\r\n`)}{}`]);
    const reason = encodeFrame('stdout', Buffer.from('no such program\r\n')).toString('latin1');
    assert.equal(received.slice(received.indexOf('\r\n\r\n') + 4), reason);
  });

  test('that is refused is answered as HTTP, whatever follows', async () => {
    assert.match(await send([`${head('nope', sized)}${body}input`]), /^HTTP\/1\.1 404 Not Found\r\n/);
    const broken = await send([`${head('plain', `${upgrade}Content-Length: 1\r\n`)}{`]);
    assert.match(broken, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*"invalid JSON: /);
    const large = await send([
      `${head('plain', `${upgrade}Content-Length: 5000000\r\n`)}${' '.repeat(5_000_000)}`,
    ]);
    assert.match(large, /^HTTP\/1\.1 413 /);
  });
});
