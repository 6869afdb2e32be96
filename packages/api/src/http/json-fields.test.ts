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

test('numbers of known fields have 64 bits, those of others may be anything', () => {
  const schema = {
    properties: { size: { type: ['integer', 'null'] }, sizes: { items: { type: 'integer' } } },
  };
  for (const size of [0, -(2 ** 63), 2 ** 63, 0.5]) {
    assert.deepEqual(canonicalFields({ size, sizes: [size] }, schema), { size, sizes: [size] });
  }
  for (const size of [1e23, -1e19, Number.POSITIVE_INFINITY]) {
    assert.throws(() => canonicalFields({ SIZE: size }, schema), {
      kind: 'invalid',
      message: /does not fit 64 bits$/,
    });
    assert.throws(() => canonicalFields({ sizes: [size] }, schema), { code: 'invalid-json' });
    assert.deepEqual(canonicalFields({ other: size }, schema), { other: size });
  }
});
