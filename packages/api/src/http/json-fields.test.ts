import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalFields } from './json-fields.ts';

const text = { type: 'string' };
const schema = {
  properties: {
    Image: text,
    Labels: { additionalProperties: text },
    HostConfig: { properties: { Ulimits: { items: { properties: { Soft: text } } } } },
    Endpoints: { additionalProperties: { properties: { IPAMConfig: text } } },
  },
};

const cases: readonly (readonly [what: string, given: unknown, expected: unknown])[] = [
  ['a field of any case', { image: 'a' }, { Image: 'a' }],
  ['the last of two spellings', { Image: 'a', IMAGE: 'b' }, { Image: 'b' }],
  [
    'fields of fields and of list items',
    { hostconfig: { ulimits: [{ soft: 1 }] } },
    { HostConfig: { Ulimits: [{ Soft: 1 }] } },
  ],
  [
    'fields below names that users choose',
    { endpoints: { Mine: { ipamconfig: 1 } } },
    { Endpoints: { Mine: { IPAMConfig: 1 } } },
  ],
  ['names that users choose', { labels: { image: 'x', Image: 'y' } }, { Labels: { image: 'x', Image: 'y' } }],
  ['fields that are not known', { whatever: { Image: 1, image: 2 } }, { whatever: { Image: 1, image: 2 } }],
  [
    'null, texts and lists where objects were expected',
    { HostConfig: null, Labels: [1], Endpoints: 'x' },
    { HostConfig: null, Labels: [1], Endpoints: 'x' },
  ],
];

for (const [what, given, expected] of cases) {
  test(`keeps or corrects ${what}`, () => assert.deepEqual(canonicalFields(given, schema), expected));
}

test('a field called __proto__ stays a field', () => {
  const value = canonicalFields(JSON.parse('{"__proto__":{"Image":"x"}}'), schema) as object;
  assert.equal((value as { Image?: string }).Image, undefined);
  assert.deepEqual(Object.keys(value), ['__proto__']);
});
