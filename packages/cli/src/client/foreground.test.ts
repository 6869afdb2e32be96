import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { FakeContext, FakeDaemon, failWith, type Handler, routes } from '../testing/fake-daemon.ts';
import { type ForegroundOptions, runInForeground } from './foreground.ts';

const plain: ForegroundOptions = {
  attachStdin: false,
  attachStdout: true,
  attachStderr: true,
  tty: false,
  proxySignals: true,
  autoRemove: false,
};

function frame(stream: number, payload: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(payload), 4);
  return Buffer.concat([header, Buffer.from(payload)]);
}

/** A daemon with one container, whose life the test plays through `onStart` and `end`. */
class OneContainer implements AsyncDisposable {
  daemon!: FakeDaemon;
  socket!: Socket;
  input = '';
  inputEnded = false;
  onStart: () => void = () => {};
  onInput: () => void = () => {};
  start: Handler = (_request, response) => {
    response.writeHead(204).end();
    this.onStart();
  };
  #wait!: ServerResponse;

  static async open(): Promise<OneContainer> {
    const container = new OneContainer();
    container.daemon = await FakeDaemon.open(
      routes({
        'POST /containers/c1/wait': ((_request, response) => {
          container.#wait = response;
          response.writeHead(200).flushHeaders();
        }) satisfies Handler,
        'POST /containers/c1/start': ((...args) => container.start(...args)) satisfies Handler,
        'POST /containers/c1/kill': ((_request, response) => {
          response.writeHead(204).end();
          container.end(143);
        }) satisfies Handler,
        'POST /containers/c1/resize': {},
      }),
    );
    container.daemon.onUpgrade = (socket) => {
      container.socket = socket;
      // An engine leaves its side open when the client has closed its own.
      socket.allowHalfOpen = true;
      socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        container.input += chunk.toString();
        container.onInput();
      });
      socket.on('end', () => {
        container.inputEnded = true;
        container.onInput();
      });
    };
    return container;
  }

  end(code: number): void {
    this.socket.end();
    this.#wait.end(JSON.stringify({ StatusCode: code, Error: null }));
  }

  loseDaemon(): void {
    this.socket.destroy();
    this.#wait.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket?.destroy();
    await this.daemon[Symbol.asyncDispose]();
  }
}

test('attach and wait come before the start, and the exit code is the result', async () => {
  await using container = await OneContainer.open();
  using context = new FakeContext(container.daemon);
  container.onStart = () => {
    container.socket.write(frame(1, 'out'));
    container.socket.write(frame(2, 'err'));
    container.end(7);
  };
  assert.equal(await runInForeground(context, 'c1', plain), 7);
  assert.deepEqual([context.stdout, context.stderr], ['out', 'err']);
  assert.deepEqual(container.daemon.requests, [
    'POST /containers/c1/attach?stream=1&stdout=1&stderr=1',
    'POST /containers/c1/wait?condition=next-exit',
    'POST /containers/c1/start',
  ]);
});

test('a container that removes itself is waited for until it is gone', async () => {
  await using container = await OneContainer.open();
  using context = new FakeContext(container.daemon);
  container.onStart = () => container.end(0);
  await runInForeground(context, 'c1', { ...plain, autoRemove: true });
  assert.equal(container.daemon.requests[1], 'POST /containers/c1/wait?condition=removed');
});

test('input is sent, its end closes one side only, and output still comes', async () => {
  await using container = await OneContainer.open();
  const stdin = new PassThrough();
  using context = new FakeContext(container.daemon, stdin);
  stdin.end('hello');
  container.onInput = () => {
    if (!container.inputEnded) return;
    container.socket.write(frame(1, `got ${container.input}`));
    container.end(0);
  };
  assert.equal(await runInForeground(context, 'c1', { ...plain, attachStdin: true }), 0);
  assert.equal(context.stdout, 'got hello');
});

test('signals are passed on, an early one after the start', async () => {
  await using container = await OneContainer.open();
  using context = new FakeContext(container.daemon);
  const start = container.start;
  container.start = (...args) => {
    context.signal('SIGTERM');
    setTimeout(start, 20, ...args);
  };
  assert.equal(await runInForeground(context, 'c1', plain), 143);
  assert.deepEqual(container.daemon.requests.slice(2), [
    'POST /containers/c1/start',
    'POST /containers/c1/kill?signal=SIGTERM',
  ]);
});

test('a failed start throws and gives the terminal back', async () => {
  await using container = await OneContainer.open();
  using context = new FakeContext(container.daemon);
  container.start = failWith(400, 'exec: "x": executable file not found in $PATH');
  await assert.rejects(
    runInForeground(context, 'c1', { ...plain, attachStdin: true }),
    /executable file not found/,
  );
  assert.equal(context.isRaw, false);
});

test('a terminal is raw while the container has it, and its size follows', async () => {
  await using container = await OneContainer.open();
  using context = new FakeContext(container.daemon);
  context.isInteractive = true;
  context.size = { rows: 24, columns: 80 };
  const sawRaw: boolean[] = [];
  container.onStart = () => {
    setTimeout(() => {
      sawRaw.push(context.isRaw);
      context.size = { rows: 50, columns: 120 };
      context.resize();
      container.socket.write('plain\r\n');
      setTimeout(() => container.end(0), 30);
    }, 30);
  };
  await runInForeground(context, 'c1', { ...plain, tty: true, attachStdin: true });
  assert.deepEqual([sawRaw, context.isRaw, context.stdout], [[true], false, 'plain\r\n']);
  assert.deepEqual(container.daemon.requests.slice(3), [
    'POST /containers/c1/resize?h=24&w=80',
    'POST /containers/c1/resize?h=50&w=120',
  ]);
});

test('the detach keys leave the container running and give exit code 0', async () => {
  await using container = await OneContainer.open();
  const stdin = new PassThrough();
  using context = new FakeContext(container.daemon, stdin);
  context.isInteractive = true;
  container.onStart = () => void stdin.write('ls\x10\x11');
  assert.equal(await runInForeground(context, 'c1', { ...plain, tty: true, attachStdin: true }), 0);
  assert.equal(context.isRaw, false);
});

test('a daemon that goes away is an error with exit code 125', async () => {
  await using container = await OneContainer.open();
  using context = new FakeContext(container.daemon);
  container.onStart = () => setTimeout(() => container.loseDaemon(), 10);
  await assert.rejects(runInForeground(context, 'c1', plain), {
    exitCode: 125,
    message: /connection to the daemon was lost/,
  });
});
