import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeConnectionFailure, parseErrorBody } from './daemon-error.ts';

test("the daemon's message is taken from its JSON", () => {
  assert.equal(parseErrorBody(404, '{"message":"No such container: x"}\n'), 'No such container: x');
});

test('plain text is the message, and an empty body names the status', () => {
  assert.equal(parseErrorBody(400, 'client is too old\n'), 'client is too old');
  assert.equal(parseErrorBody(500, '{"message":""}'), '{"message":""}');
  assert.equal(parseErrorBody(502, ''), 'the daemon answered with status 502 and no message');
});

test('a failed connection says what to check', () => {
  const at = 'unix:///run/seaway.sock';
  assert.match(describeConnectionFailure(at, 'ENOENT', ''), /is it running\?/);
  assert.match(describeConnectionFailure(at, 'ECONNREFUSED', ''), /is it running\?/);
  assert.match(describeConnectionFailure(at, 'EACCES', ''), /permission denied/);
  assert.match(describeConnectionFailure(at, 'ECONNRESET', ''), /closed the connection/);
  assert.match(describeConnectionFailure(at, undefined, 'odd'), /odd/);
});
