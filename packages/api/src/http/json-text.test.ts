import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJsonText } from './json-text.ts';

const refused = (text: string, message: RegExp) =>
  assert.throws(() => parseJsonText(text), { kind: 'invalid', code: 'invalid-json', message });

test('nothing at all is no fields', () => {
  for (const text of ['', ' \n']) assert.deepEqual(parseJsonText(text), {});
  assert.equal(parseJsonText('null'), null);
});

test('what is no JSON is refused, and what follows it', () => {
  refused('{', /^invalid JSON: /);
  refused('{} {}', /^unexpected content after JSON$/);
});

test('nesting has a limit, whatever it is of; brackets in texts do not count', () => {
  const nested = (depth: number, open: string, close: string) => open.repeat(depth) + 1 + close.repeat(depth);
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
  ] as const) {
    assert.ok(parseJsonText(nested(500, open, close)));
    refused(nested(501, open, close), /^invalid JSON: exceeded max depth of 500$/);
    refused(nested(100_000, open, close), /max depth/);
  }
  const text = JSON.stringify({ a: `\\"${'['.repeat(2000)}\\`, b: '{'.repeat(2000) });
  assert.deepEqual(parseJsonText(text), JSON.parse(text));
  assert.equal((parseJsonText(`[${'[],'.repeat(1000)}1]`) as []).length, 1001);
});

test('the character NUL is refused, a text that looks like it is not', () => {
  refused('{"a":"b\\u0000c"}', /character NUL$/);
  refused('{"\\u0000":1}', /character NUL$/);
  refused('"\\\\\\u0000"', /character NUL$/);
  assert.equal(parseJsonText('"\\\\u0000"'), '\\u0000');
});
