import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { FakeContext, FakeDaemon, failWith, routes } from '../testing/fake-daemon.ts';
import { buildExecRequest, spec } from './exec.ts';
import { parseCommand } from './spec.ts';

const upgraded = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';

function frame(stream: number, payload: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(payload), 4);
  return Buffer.concat([header, Buffer.from(payload)]);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return JSON.parse(text);
}

/** Runs the command against a daemon that plays the process through `connected`. */
async function run(
  argv: readonly string[],
  connected: (socket: Socket, context: FakeContext) => void,
  table: Record<string, unknown> = {},
) {
  const starts: unknown[] = [];
  await using daemon = await FakeDaemon.open(
    routes({
      'POST /containers/web/exec': { Id: 'e1' },
      'GET /exec/e1/json': { ExitCode: 7 },
      'POST /exec/e1/resize': {},
      'POST /exec/e1/start': {},
      ...table,
    }),
  );
  const stdin = new PassThrough();
  using context = new FakeContext(daemon, stdin);
  context.isInteractive = true;
  context.size = { rows: 24, columns: 80 };
  daemon.onUpgrade = (socket, request) => {
    socket.on('error', () => {}).on('end', () => socket.end());
    void bodyOf(request).then((body) => {
      starts.push(body);
      socket.write(upgraded);
      connected(socket, context);
      socket.resume();
    });
  };
  const { args, options } = parseCommand(spec as never, argv);
  const code = await spec.run(context, args, options as never);
  return { code, context, starts, requests: daemon.requests, created: daemon.bodies.map(String)[0] };
}

test("output goes where it belongs, and the exit code is the command's", async () => {
  const { code, context, starts, created } = await run(['-u', 'www', 'web', 'ls', '-l'], (socket) => {
    socket.end(Buffer.concat([frame(1, 'out'), frame(2, 'err')]));
  });
  assert.deepEqual([code, context.stdout, context.stderr], [7, 'out', 'err']);
  assert.deepEqual(starts, [{ Detach: false, Tty: false }]);
  const { Cmd, User, AttachStdin } = JSON.parse(created!);
  assert.deepEqual([Cmd, User, AttachStdin], [['ls', '-l'], 'www', false]);
});

test('a terminal is raw, starts with our size, follows it, and is given back', async () => {
  const { code, context, starts, requests } = await run(['-it', 'web', 'sh'], (socket, context) => {
    socket.once('data', (data) => {
      assert.equal(context.isRaw, true);
      context.size = { rows: 30, columns: 90 };
      context.resize();
      setTimeout(() => socket.end(`typed ${data}\r\n`), 50);
    });
    (context.terminal.stdin as PassThrough).write('x');
  });
  assert.deepEqual([code, context.stdout, context.isRaw], [7, 'typed x\r\n', false]);
  assert.deepEqual(starts, [{ Detach: false, Tty: true, ConsoleSize: [24, 80] }]);
  assert.ok(requests.includes('POST /exec/e1/resize?h=30&w=90'));
});

test('the keys that detach leave the command running', async () => {
  const { code, requests } = await run(['-it', 'web', 'sh'], (_socket, context) => {
    (context.terminal.stdin as PassThrough).write('\u0010\u0011');
  });
  assert.equal(code, 0);
  assert.ok(!requests.includes('GET /exec/e1/json'));
});

test('-d starts and prints nothing', async () => {
  const { code, context, requests } = await run(['-d', 'web', 'true'], () => {});
  assert.deepEqual([code, context.stdout], [0, '']);
  assert.deepEqual(requests, ['POST /containers/web/exec', 'POST /exec/e1/start']);
});

test("the daemon's refusal is the failure's message", async () => {
  const table = { 'POST /containers/web/exec': failWith(409, 'Container web is not running') };
  await assert.rejects(
    run(['web', 'true'], () => {}, table),
    { message: 'Container web is not running' },
  );
});

test('a connection that is cut is no success', async () => {
  const table = { 'GET /exec/e1/json': { ExitCode: null } };
  await assert.rejects(
    run(['web', 'true'], (socket) => socket.end(), table),
    { message: 'the connection was lost before the command ended' },
  );
});

test('nothing is attached in the background, and variables come from our own environment', () => {
  const request = buildExecRequest(
    ['env'],
    { detach: true, interactive: true, env: ['A', 'B=2', 'C'] },
    { A: '1' },
  );
  assert.deepEqual([request.AttachStdin, request.AttachStdout, request.Env], [false, false, ['A=1', 'B=2']]);
});
