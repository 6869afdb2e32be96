import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { FakeDaemon, failWith, routes } from '../testing/fake-daemon.ts';
import { ConnectionError, DaemonError } from './daemon-error.ts';
import { Client, formatQuery, imagePath, segment } from './http-client.ts';

function connect(daemon: FakeDaemon): Client {
  return new Client({ kind: 'unix', path: daemon.path });
}

test('queries leave out what is undefined, write truth as 1 and repeat lists', () => {
  assert.equal(formatQuery(), '');
  assert.equal(formatQuery({ a: undefined }), '');
  assert.equal(formatQuery({ all: true, t: -1, s: 'a b&c' }), '?all=1&t=-1&s=a+b%26c');
  assert.equal(
    formatQuery({ x: 1 }, { changes: ['CMD a', 'ENV b=c'] }),
    '?x=1&changes=CMD+a&changes=ENV+b%3Dc',
  );
});

test('names are escaped, and image references keep their slashes and colons', () => {
  assert.equal(segment('a/../b?c'), 'a%2F..%2Fb%3Fc');
  assert.equal(imagePath('localhost:5000/a/b:1@sha256:c'), 'localhost:5000/a/b:1@sha256:c');
  assert.equal(imagePath('a?b#c'), 'a%3Fb%23c');
});

test('JSON goes out and comes in', async () => {
  await using daemon = await FakeDaemon.open(routes({ 'POST /containers/create': { Id: 'abc' } }));
  const client = connect(daemon);
  const body = { Image: 'büsybox' };
  assert.deepEqual(await client.json('POST', '/containers/create', { query: { name: 'w' }, body }), {
    Id: 'abc',
  });
  assert.deepEqual(daemon.requests, ['POST /containers/create?name=w']);
  assert.deepEqual(JSON.parse(daemon.bodies[0]!.toString()), body);
  client.close();
});

test('an empty answer is undefined', async () => {
  await using daemon = await FakeDaemon.open((_request, response) => response.writeHead(204).end());
  assert.equal(await connect(daemon).json('POST', '/x'), undefined);
});

test("an error status throws the daemon's message", async () => {
  await using daemon = await FakeDaemon.open(failWith(409, 'it is in use'));
  await assert.rejects(connect(daemon).json('GET', '/x'), (error) => {
    assert.ok(error instanceof DaemonError);
    assert.deepEqual([error.status, error.message], [409, 'it is in use']);
    return true;
  });
});

test('an answer that breaks off throws', async () => {
  await using daemon = await FakeDaemon.open((_request, response) => {
    response.writeHead(200, { 'Content-Length': 100 });
    response.write('{"half":');
    setImmediate(() => response.destroy());
  });
  await assert.rejects(connect(daemon).json('GET', '/x'), ConnectionError);
});

test('no daemon is a connection error that names the address', async () => {
  const client = new Client({ kind: 'unix', path: '/nonexistent/seaway.sock' });
  await assert.rejects(client.json('GET', '/x'), (error) => {
    assert.ok(error instanceof ConnectionError);
    assert.equal(
      error.message,
      'cannot connect to the daemon at unix:///nonexistent/seaway.sock: is it running?',
    );
    return true;
  });
});

test('an upload is streamed as a tar archive', async () => {
  await using daemon = await FakeDaemon.open((request, response) => {
    response.end(JSON.stringify(request.headers['content-type']));
  });
  const client = connect(daemon);
  const upload = Readable.from([Buffer.from('one'), Buffer.from('two')]);
  assert.equal(await client.json('POST', '/images/load', { upload }), 'application/x-tar');
  assert.equal(daemon.bodies[0]!.toString(), 'onetwo');
  client.close();
});

test('an archive that cannot be read fails with its own error', async () => {
  await using daemon = await FakeDaemon.open(routes({}));
  const upload = new PassThrough();
  const call = connect(daemon).open('POST', '/images/load', { upload });
  upload.write('some');
  setImmediate(() => upload.destroy(new Error('disk on fire')));
  await assert.rejects(call, /disk on fire/);
});

test('an upgrade hands over the connection with the bytes that came along', async () => {
  await using daemon = await FakeDaemon.open(routes({}));
  daemon.onUpgrade = (socket) => {
    socket.end('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst output');
  };
  const { socket, multiplexed } = await connect(daemon).upgrade('/containers/a/attach', {
    query: { stream: true },
  });
  assert.equal(await text(socket), 'first output');
  assert.equal(multiplexed, undefined);
  assert.deepEqual(daemon.requests, ['POST /containers/a/attach?stream=1']);
});

test('an upgrade notices the content type that promises frames', async () => {
  await using daemon = await FakeDaemon.open(routes({}));
  daemon.onUpgrade = (socket) => {
    const type = 'Content-Type: application/vnd.docker.multiplexed-stream';
    socket.end(`HTTP/1.1 101 UPGRADED\r\n${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
  };
  const { socket, multiplexed } = await connect(daemon).upgrade('/containers/a/attach', {});
  assert.equal(multiplexed, true);
  socket.destroy();
});

test("a refused upgrade throws the daemon's message", async () => {
  await using daemon = await FakeDaemon.open(routes({}));
  daemon.onUpgrade = (socket) => {
    const body = '{"message":"No such container: a"}';
    socket.end(`HTTP/1.1 404 Not Found\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  };
  await assert.rejects(
    connect(daemon).upgrade('/containers/a/attach', {}),
    /^DaemonError: No such container: a$/,
  );
});
