import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import dns, { type Packet } from 'dns-packet';
import { HostServers } from './host-servers.ts';
import { encodeLine, lineReader, versionOfSocket } from './protocol.ts';
import { frame, frameReader, isReplyTo } from './upstream.ts';

const query: Packet = {
  type: 'query',
  id: 0x1234,
  questions: [{ type: 'A', name: 'Some.Example', class: 'IN' }],
};
const packet = dns.encode(query);
const question = { packet, questionEnd: packet.length };

describe('a reply belongs to a question', () => {
  const reply = (change: Packet, rcode = 0) =>
    isReplyTo(question, dns.encode({ ...query, type: 'response', flags: rcode, ...change }));
  const cases: readonly [what: string, isIt: boolean, expected: boolean][] = [
    ['with its id and name', reply({}), true],
    ['in other spelling', reply({ questions: [{ type: 'A', name: 'sOME.eXAMPLE' }] }), true],
    ['with records', reply({ answers: [{ type: 'A', name: 'x', data: '192.0.2.1' }] }), true],
    ['but not with another id', reply({ id: 0x1235 }), false],
    ['or another name', reply({ questions: [{ type: 'A', name: 'some.examples' }] }), false],
    ['or another type', reply({ questions: [{ type: 'AAAA', name: 'some.example' }] }), false],
    ['or as a query', isReplyTo(question, packet), false],
    ['without a question only as an error', reply({ questions: [] }, 5), true],
    ['and else not', reply({ questions: [] }), false],
    ['nor with two', reply({ questions: [...query.questions!, ...query.questions!] }), false],
    ['nor cut short', isReplyTo(question, packet.subarray(0, 11)), false],
  ];
  for (const [what, isIt, expected] of cases) test(what, () => assert.equal(isIt, expected));
});

describe('messages in a stream', () => {
  const messages = [Buffer.from('one'), Buffer.alloc(0), Buffer.alloc(3000, 7)];
  const stream = Buffer.concat(messages.map((message) => frame(message)));

  test('are found however it is cut', () => {
    for (const size of [1, 2, 3, 7, 1000, stream.length]) {
      const found: Buffer[] = [];
      const read = frameReader((message) => found.push(Buffer.from(message)));
      for (let at = 0; at < stream.length; at += size) assert.ok(read(stream.subarray(at, at + size)));
      assert.deepEqual(found, messages, `pieces of ${size} bytes`);
    }
  });

  test('of a length that is not accepted are refused as soon as they are announced', () => {
    const found: Buffer[] = [];
    const read = frameReader(
      (message) => found.push(message),
      (length) => length < 100,
    );
    assert.equal(read(frame(Buffer.alloc(99))), true);
    assert.equal(read(Buffer.of(0)), true);
    assert.equal(read(Buffer.of(100)), false);
    assert.equal(read(Buffer.of(1)), false);
    assert.equal(found.length, 1);
  });
});

describe('lines', () => {
  const messages = [
    { kind: 'hello', version: 1, pid: 2 },
    { kind: 'done', n: 7 },
  ] as const;
  const text = messages.map((message) => encodeLine(message)).join('');

  test('are found however the text is cut', () => {
    for (let size = 1; size <= text.length; size++) {
      const found: unknown[] = [];
      const read = lineReader((message) => found.push(message));
      for (let at = 0; at < text.length; at += size) read(text.slice(at, at + size));
      assert.deepEqual(found, messages, `pieces of ${size} characters`);
    }
  });

  test('that are no JSON are refused', () => {
    assert.throws(() => lineReader(() => {})('{"n":1}\nnonsense\n'), SyntaxError);
  });
});

test('the version of a keeper is in the name of its socket', () => {
  assert.equal(versionOfSocket('keeper-12.sock'), 12);
  for (const other of ['keeper-12.lock', 'keeper.log', 'keeper-.sock', 'xkeeper-1.sock']) {
    assert.equal(versionOfSocket(other), undefined);
  }
});

test("the host's servers are read again when their file has changed, at most once a second", (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'seaway-resolv-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'resolv.conf');
  const servers = new HostServers(path);
  assert.deepEqual(servers.list(0), []);
  writeFileSync(path, 'search example\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n');
  assert.deepEqual(servers.list(999), []);
  assert.deepEqual(servers.list(1000), ['192.0.2.1', '2001:db8::1']);
  writeFileSync(path, 'nameserver 192.0.2.2\n');
  assert.deepEqual(servers.list(1999), ['192.0.2.1', '2001:db8::1']);
  assert.deepEqual(servers.list(2000), ['192.0.2.2']);
  // As programs do that manage the file: the new one takes the old one's place.
  writeFileSync(`${path}.new`, 'nameserver 192.0.2.3\n');
  renameSync(`${path}.new`, path);
  assert.deepEqual(servers.list(3000), ['192.0.2.3']);
  rmSync(path);
  assert.deepEqual(servers.list(4000), []);
});
