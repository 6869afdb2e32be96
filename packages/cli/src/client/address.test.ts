import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress } from './address.ts';

test('sockets and TCP addresses are read', () => {
  assert.deepEqual(parseAddress('unix:///run/seaway.sock'), { kind: 'unix', path: '/run/seaway.sock' });
  assert.deepEqual(parseAddress('tcp://127.0.0.1:2376'), { kind: 'tcp', host: '127.0.0.1', port: 2376 });
  assert.deepEqual(parseAddress('tcp://localhost/'), { kind: 'tcp', host: 'localhost', port: 2375 });
  assert.deepEqual(parseAddress('tcp://[::1]:80'), { kind: 'tcp', host: '::1', port: 80 });
});

test('what is formatted can be read again', () => {
  for (const text of ['unix:///run/seaway.sock', 'tcp://127.0.0.1:2375', 'tcp://[::1]:80']) {
    assert.equal(formatAddress(parseAddress(text)), text);
  }
});

test('anything else is refused', () => {
  const wrong = [
    '',
    '/run/x.sock',
    'unix://relative',
    'unix://',
    'tcp://',
    'tcp://h:0',
    'tcp://h:65536',
    'tcp://::1:80',
  ];
  for (const text of [...wrong, 'ssh://host', 'tcp://a/b', 'http://h:1']) {
    assert.throws(() => parseAddress(text), /invalid host/, text);
  }
});
