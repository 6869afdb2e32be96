import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { LinuxError } from './errno.ts';
import * as libc from './libc.ts';
import { PollThread } from './poll-thread.ts';
import {
  acceptSeqpacket,
  closeFd,
  connectSeqpacket,
  listenSeqpacket,
  sendMessage,
  shutdownWrite,
} from './seqpacket.ts';

/** Gathers what a watch reports. */
function recorder() {
  const messages: Uint8Array[] = [];
  const { promise: ended, resolve } = Promise.withResolvers<LinuxError | undefined>();
  return {
    messages,
    ended,
    handlers: { onMessage: (data: Uint8Array) => void messages.push(data), onEnd: resolve },
  };
}

const text = (messages: readonly Uint8Array[]) => messages.map((data) => Buffer.from(data).toString());

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    assert.ok(waited < 5000, 'it did not happen within 5 s');
    await sleep(5);
  }
}

test('messages arrive whole, in order, from several descriptors, and the end after the last', async () => {
  await using thread = PollThread.start();
  const pairs = [1, 2, 3].map(() => libc.socketpair(libc.SOCK_SEQPACKET));
  const records = pairs.map(([, fd]) => {
    const record = recorder();
    return { ...record, watch: thread.watch(fd, record.handlers) };
  });
  for (let i = 0; i < 100; i += 1) {
    for (const [n, [fd]] of pairs.entries()) assert.ok(sendMessage(fd, Buffer.from(`${n}:${i}`)));
  }
  pairs.forEach(([fd], n) => {
    if (n > 0) closeFd(fd);
    else shutdownWrite(fd);
  });
  for (const [n, { ended, messages, watch }] of records.entries()) {
    assert.equal(await ended, undefined);
    assert.deepEqual(
      text(messages),
      Array.from({ length: 100 }, (_, i) => `${n}:${i}`),
    );
    await watch.close();
  }
  closeFd(pairs[0]![0]);
  for (const [, fd] of pairs) closeFd(fd);
});

test('a slow handler holds the sender back, and nothing is lost', async () => {
  await using thread = PollThread.start();
  const [sender, receiver] = libc.socketpair(libc.SOCK_SEQPACKET);
  let received = 0;
  const { promise: ended, resolve } = Promise.withResolvers<LinuxError | undefined>();
  const watch = thread.watch(receiver, {
    onMessage(data) {
      assert.equal(Buffer.from(data).readUInt32LE(0), received);
      received += 1;
    },
    onEnd: resolve,
  });
  const message = Buffer.alloc(32 * 1024);
  let sent = 0;
  const sendAll = () => {
    while (message.writeUInt32LE(sent, 0) && sendMessage(sender, message)) sent += 1;
  };
  await sleep(200); // the thread is up; from here on the event loop is held, as a slow handler would
  for (const until = Date.now() + 300; Date.now() < until; ) sendAll();
  assert.equal(received, 0);
  assert.ok(
    sent * message.length < 2 ** 20,
    `${sent} messages were taken from the socket and kept in memory`,
  );
  while (sent < 200) {
    await sleep(1);
    sendAll();
  }
  closeFd(sender);
  assert.equal(await ended, undefined);
  assert.equal(received, sent);
  await watch.close();
  closeFd(receiver);
});

test('after close has resolved no handler is called and the descriptor can be read by others', async () => {
  await using thread = PollThread.start();
  const [sender, receiver] = libc.socketpair(libc.SOCK_SEQPACKET);
  const { messages, handlers } = recorder();
  const watch = thread.watch(receiver, handlers);
  sendMessage(sender, Buffer.from('one'));
  await until(() => messages.length === 1);
  await watch.close();
  await watch.close();
  sendMessage(sender, Buffer.from('two'));
  await sleep(50);
  assert.deepEqual(text(messages), ['one']);
  const buffer = new Uint8Array(10);
  assert.equal(libc.recv(receiver, buffer, libc.MSG_DONTWAIT), 3);
  closeFd(sender);
  closeFd(receiver);
});

test('an empty message is a message, not the end', async () => {
  await using thread = PollThread.start();
  const [sender, receiver] = libc.socketpair(libc.SOCK_SEQPACKET);
  const { messages, ended, handlers } = recorder();
  const watch = thread.watch(receiver, handlers);
  sendMessage(sender, Buffer.from('a'));
  sendMessage(sender, new Uint8Array(0));
  await until(() => messages.length === 2);
  sendMessage(sender, Buffer.from('b'));
  await until(() => messages.length === 3);
  closeFd(sender);
  assert.equal(await ended, undefined);
  assert.deepEqual(text(messages), ['a', '', 'b']);
  await watch.close();
  closeFd(receiver);
});

test('a message over the limit and a bad descriptor end the watch with an error', async () => {
  await using thread = PollThread.start();
  const [sender, receiver] = libc.socketpair(libc.SOCK_SEQPACKET);
  const long = recorder();
  const first = thread.watch(receiver, long.handlers, { maxMessageBytes: 10 });
  sendMessage(sender, Buffer.from('0123456789'));
  sendMessage(sender, Buffer.from('0123456789x'));
  assert.equal((await long.ended)?.code, 'EMSGSIZE');
  assert.deepEqual(text(long.messages), ['0123456789']);
  await first.close();
  closeFd(sender);
  closeFd(receiver);
  const closed = recorder();
  const second = thread.watch(receiver, closed.handlers);
  assert.equal((await closed.ended)?.code, 'EBADF');
  await second.close();
});

test('a socket of a path longer than sun_path can be listened on and connected to', async () => {
  const folder = mkdtempSync(join(tmpdir(), `${'long-'.repeat(30)}`));
  await using thread = PollThread.start();
  const path = join(folder, 'attach');
  const listener = listenSeqpacket(path);
  const client = connectSeqpacket(path);
  const server = acceptSeqpacket(listener);
  const { messages, ended, handlers } = recorder();
  const watch = thread.watch(client, handlers);
  sendMessage(server, Buffer.from('hello'));
  closeFd(server);
  await ended;
  assert.deepEqual(text(messages), ['hello']);
  await watch.close();
  assert.throws(() => sendMessage(client, Buffer.from('x')), { code: 'EPIPE' });
  closeFd(client);
  closeFd(listener);
  rmSync(folder, { recursive: true });
  assert.throws(() => connectSeqpacket(path), { code: 'ENOENT' });
  assert.throws(() => connectSeqpacket('/nonexistent'), /connect to \/nonexistent: ENOENT/);
});

test('sending to a full queue says so instead of waiting', () => {
  const [sender, receiver] = libc.socketpair(libc.SOCK_SEQPACKET);
  const message = Buffer.alloc(8192);
  let sent = 0;
  while (sendMessage(sender, message)) sent += 1;
  assert.ok(sent > 0 && sent < 1000);
  closeFd(sender);
  closeFd(receiver);
});

test('the process ends while the thread waits: by itself when nothing is watched, and on process.exit', async () => {
  const module = JSON.stringify(new URL('./poll-thread.ts', import.meta.url).href);
  const libcModule = JSON.stringify(new URL('./libc.ts', import.meta.url).href);
  const run = (script: string) =>
    promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 });
  await run(`import { PollThread } from ${module}; PollThread.start(); setTimeout(() => {}, 150);`);
  await run(`
    import { PollThread } from ${module};
    import { socketpair, SOCK_SEQPACKET } from ${libcModule};
    const [, fd] = socketpair(SOCK_SEQPACKET);
    PollThread.start().watch(fd, { onMessage() {}, onEnd() {} });
    setTimeout(() => process.exit(0), 150);
  `);
});

test('a handler that returns a promise holds the sender back until it settles, and loses nothing', async () => {
  await using thread = PollThread.start();
  const [near, far] = libc.socketpair(libc.SOCK_SEQPACKET);
  const gate = Promise.withResolvers<void>();
  let received = 0;
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const watch = thread.watch(far, {
    onMessage: (data) => {
      received += data.length;
      return gate.promise;
    },
    onEnd: () => resolve(),
  });
  const message = new Uint8Array(16 * 1024);
  let sent = 0;
  // Sends until nothing has been taken for a while: what is under way is bounded.
  for (let idle = 0; idle < 40; idle += 1) {
    while (sendMessage(near, message)) {
      sent += message.length;
      idle = 0;
      assert.ok(sent < 4 * 1024 * 1024, 'the sender is not held back');
    }
    await sleep(5);
  }
  assert.ok(received < 512 * 1024, `${received} bytes arrived although none was handled`);
  gate.resolve();
  await until(() => received === sent);
  closeFd(near);
  await ended;
  await watch.close();
  closeFd(far);
});
