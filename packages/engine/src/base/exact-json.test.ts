import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exactNumber, parseExactJson } from './exact-json.ts';

const largest = '18446744073709551615';

test('the largest number of 64 bits is written and read digit by digit', () => {
  const text = JSON.stringify({ hard: exactNumber(largest), soft: 1.5, names: ['a', 7] });
  assert.equal(text, `{"hard":${largest},"soft":1.5,"names":["a",7]}`);
  assert.equal(JSON.stringify(parseExactJson(text)), text);
});

test('other values are what JSON.parse makes of them', () => {
  for (const text of ['1', '-9007199254740991', '"18446744073709551616"', '[0.25,1e3,null]', '{}']) {
    assert.deepEqual(parseExactJson(text), JSON.parse(text));
  }
});
