import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DatagramBatch, sendDatagram } from './datagrams.ts';
import { Epoll } from './epoll.ts';
import { isErrno } from './errno.ts';
import { EventFlag } from './event-flag.ts';
import { lockFile } from './file-lock.ts';
import { openInetSocket, portOf, startConnecting } from './inet-socket.ts';
import * as libc from './libc.ts';
import { copyDescriptor } from './process.ts';

/** A socket on loopback that is closed after the test. */
function loopbackSocket(t: { after(fn: () => void): void }, protocol: 'udp' | 'tcp' = 'udp') {
  const socket = openInetSocket(protocol, 'ipv4', '127.0.0.1');
  t.after(() => libc.close(socket.fd));
  return socket;
}

describe('datagrams', () => {
  test('arrive in a batch and are answered in one, each to its sender', (t) => {
    const server = loopbackSocket(t);
    const clients = Array.from({ length: 5 }, () => loopbackSocket(t));
    for (const [index, { fd }] of clients.entries()) {
      startConnecting(fd, '127.0.0.1', server.port);
      libc.send(fd, Buffer.from(`hello ${index}`));
    }
    const batch = new DatagramBatch(4, 64, 64);
    const seen: string[] = [];
    for (let count = batch.receive(server.fd); count > 0; count = batch.receive(server.fd)) {
      assert.ok(count <= 4);
      for (let index = 0; index < count; index++) {
        const text = Buffer.from(batch.data(index).subarray(0, batch.length(index))).toString();
        seen.push(text);
        assert.equal(batch.isCut(index), false);
        if (text.endsWith('1')) continue;
        const reply = Buffer.from(`you are ${text.at(-1)}`);
        batch.replySlot().set(reply);
        batch.addReply(index, reply.length);
      }
      batch.sendReplies(server.fd);
    }
    assert.deepEqual(
      seen,
      clients.map((_, index) => `hello ${index}`),
    );
    const buffer = Buffer.alloc(64);
    for (const [index, { fd }] of clients.entries()) {
      if (index === 1) {
        assert.throws(
          () => libc.recv(fd, buffer),
          (error) => isErrno(error, 'EAGAIN'),
        );
      } else {
        assert.equal(buffer.toString('latin1', 0, libc.recv(fd, buffer)), `you are ${index}`);
      }
    }
  });

  test('that are too long are cut, and say so', (t) => {
    const server = loopbackSocket(t);
    const client = loopbackSocket(t);
    startConnecting(client.fd, '127.0.0.1', server.port);
    libc.send(client.fd, Buffer.alloc(65));
    libc.send(client.fd, Buffer.alloc(64));
    const batch = new DatagramBatch(4, 64, 64);
    assert.equal(batch.receive(server.fd), 2);
    assert.deepEqual([batch.isCut(0), batch.length(0)], [true, 64]);
    assert.deepEqual([batch.isCut(1), batch.length(1)], [false, 64]);
  });

  test('can be answered later, to a copy of the address', (t) => {
    const server = loopbackSocket(t);
    const client = loopbackSocket(t);
    startConnecting(client.fd, '127.0.0.1', server.port);
    libc.send(client.fd, Buffer.from('later'));
    const batch = new DatagramBatch(1, 64, 64);
    assert.equal(batch.receive(server.fd), 1);
    const sender = batch.sender(0).slice();
    assert.equal(batch.receive(server.fd), 0);
    sendDatagram(server.fd, Buffer.from('now'), sender);
    assert.equal(libc.recv(client.fd, new Uint8Array(9)), 3);
  });
});

test('epoll reports ready descriptors by their number, until they are empty or removed', (t) => {
  const epoll = new Epoll(4);
  const flags = [EventFlag.open(), EventFlag.open()] as const;
  t.after(() => {
    epoll.close();
    for (const flag of flags) flag.close();
  });
  epoll.add(flags[0].fd, 7);
  epoll.add(flags[1].fd, 0xffffffff);
  assert.equal(epoll.wait(0), 0);
  flags[1].raise();
  EventFlag.of(flags[1].fd).raise();
  assert.equal(epoll.wait(), 1);
  assert.equal(epoll.id(0), 0xffffffff);
  assert.equal(epoll.wait(), 1);
  flags[1].lower();
  assert.equal(epoll.wait(0), 0);
  flags[0].raise();
  flags[1].raise();
  assert.equal(epoll.wait(), 2);
  epoll.remove(flags[1].fd);
  assert.equal(epoll.wait(), 1);
  assert.equal(epoll.id(0), 7);
});

describe('internet sockets', () => {
  test('know their ports and connect without waiting, over both families', (t) => {
    for (const [family, address] of [
      ['ipv4', '127.0.0.1'],
      ['ipv6', '::1'],
    ] as const) {
      const listening = openInetSocket('tcp', family, address);
      t.after(() => libc.close(listening.fd));
      libc.listen(listening.fd, 1);
      assert.ok(listening.port > 0);
      assert.equal(portOf(listening.fd), listening.port);
      const client = openInetSocket('tcp', family);
      t.after(() => libc.close(client.fd));
      assert.equal(client.port, 0);
      startConnecting(client.fd, address, listening.port);
      const accepted = libc.accept(listening.fd);
      libc.close(accepted);
    }
  });

  test('refuse addresses that are none or that nobody has here', () => {
    assert.throws(() => openInetSocket('udp', 'ipv4', 'localhost'), RangeError);
    assert.throws(() => openInetSocket('udp', 'ipv6', 'fe80::1%lo'), RangeError);
    assert.throws(
      () => openInetSocket('udp', 'ipv4', '192.0.2.1'),
      (error) => isErrno(error, 'EADDRNOTAVAIL'),
    );
  });
});

test('a file is locked once, until its holder closes it', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'seaway-lock-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'lock');
  const first = lockFile(path);
  assert.ok(first !== undefined);
  assert.equal(lockFile(path), undefined);
  libc.close(first);
  const second = lockFile(path);
  assert.ok(second !== undefined);
  libc.close(second);
});

test('a descriptor of another process can be copied', (t) => {
  const socket = loopbackSocket(t);
  const copy = copyDescriptor(process.pid, socket.fd);
  t.after(() => libc.close(copy));
  assert.notEqual(copy, socket.fd);
  assert.equal(portOf(copy), socket.port);
  assert.throws(
    () => copyDescriptor(process.pid, 1 << 20),
    (error) => isErrno(error, 'EBADF'),
  );
});
