import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { conflict } from '@seaway/engine';
import { describeFailure, errorBody } from './errors.ts';
import { encodeFrame } from './frames.ts';
import {
  matches,
  matchesLabels,
  matchesPattern,
  parseFilters,
  queryBoolean,
  queryFlag,
  queryInteger,
} from './query.ts';
import { checkVersion, parseVersion, splitVersion } from './version.ts';

describe('API versions', () => {
  it('are taken off the path', () => {
    assert.deepEqual(splitVersion('/v1.41/containers/json?all=1'), {
      version: '1.41',
      path: '/containers/json?all=1',
    });
    assert.deepEqual(splitVersion('/_ping'), { version: undefined, path: '/_ping' });
    assert.deepEqual(splitVersion('/volumes'), { version: undefined, path: '/volumes' });
    assert.deepEqual(splitVersion('/v1.24'), { version: '1.24', path: '/' });
  });

  it('are refused outside the range that is spoken', () => {
    assert.equal(checkVersion('1.24'), 124);
    assert.equal(checkVersion(undefined), parseVersion('1.50'));
    assert.throws(() => checkVersion('1.99'), {
      message: 'client version 1.99 is too new. Maximum supported API version is 1.50',
    });
    assert.throws(() => checkVersion('1.5'), {
      message:
        'client version 1.5 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
    });
  });
});

describe('frames', () => {
  it('carry stream, length and data', () => {
    assert.equal(encodeFrame('stdout', Buffer.from('hi')).toString('hex'), '0100000000000002' + '6869');
    assert.equal(
      encodeFrame('stderr', new Uint8Array(258)).subarray(0, 8).toString('hex'),
      '0200000000000102',
    );
  });
});

describe('query strings', () => {
  it('read flags, numbers and booleans as Go does', () => {
    assert.ok(queryFlag({ all: '1' }, 'all') && queryFlag({ all: 'yes' }, 'all'));
    assert.ok(!queryFlag({}, 'all') && !queryFlag({ all: 'False' }, 'all') && !queryFlag({ all: '' }, 'all'));
    assert.equal(queryInteger({ t: '-1' }, 't'), -1);
    assert.throws(() => queryInteger({ t: '1x' }, 't'), /invalid value for t: .*"1x"/);
    assert.equal(queryBoolean({ verbose: 'true' }, 'verbose'), true);
    assert.throws(() => queryBoolean({ verbose: 'zz' }, 'verbose'), {
      message: 'invalid value for verbose: zz: strconv.ParseBool: parsing "zz": invalid syntax',
    });
  });

  it('read filters in both encodings', () => {
    for (const filters of ['{"name":["a","b"]}', '{"name":{"a":true,"b":true,"c":false}}']) {
      assert.deepEqual(parseFilters({ filters }, ['name']).get('name'), ['a', 'b']);
    }
    assert.throws(() => parseFilters({ filters: '{' }, []), { message: 'invalid filter' });
    assert.throws(() => parseFilters({ filters: '[]' }, []), { message: 'invalid filter' });
    assert.throws(() => parseFilters({ filters: '{"name":7}' }, ['name']), { message: 'invalid filter' });
    assert.throws(() => parseFilters({ filters: '{"junk":["x"]}' }, ['name']), {
      message: "invalid filter 'junk'",
    });
  });

  it('match any value of a key, and all labels', () => {
    const filters = parseFilters({ filters: '{"name":["a","b"],"label":["x","y=1"]}' }, ['name', 'label']);
    assert.ok(matches(filters, 'name', (v) => v === 'b') && !matches(filters, 'name', (v) => v === 'c'));
    assert.ok(
      matches(filters, 'driver', () => false),
      'a filter that was not given lets all pass',
    );
    assert.ok(matchesLabels(filters, { x: '', y: '1' }));
    assert.ok(!matchesLabels(filters, { x: '', y: '2' }) && !matchesLabels(filters, { y: '1' }));
    assert.ok(
      matchesPattern('we', 'web') && matchesPattern('^web$', 'web') && !matchesPattern('^we$', 'web'),
    );
    assert.throws(() => matchesPattern('[', 'web'), /no regular expression/);
  });
});

describe('failures', () => {
  it('have the status of their kind and end in a newline', () => {
    assert.deepEqual(describeFailure(conflict('x', 'taken')), { status: 409, message: 'taken' });
    assert.deepEqual(describeFailure(new Error('boom')), { status: 500, message: 'boom' });
    assert.equal(errorBody('no'), '{"message":"no"}\n');
  });

  it('name the field that has the wrong shape', () => {
    const error = { validation: [{ instancePath: '/HostConfig/Memory', message: 'must be integer' }] };
    assert.deepEqual(describeFailure(error), {
      status: 400,
      message: 'invalid JSON: HostConfig.Memory must be integer',
    });
  });
});

it('filters are lists of texts or sets of them, and nothing else', () => {
  const read = (filters: string) => parseFilters({ filters }, ['name']).get('name');
  assert.deepEqual(read('{"name":["a","b"]}'), ['a', 'b']);
  assert.deepEqual(read('{"name":{"a":true,"b":false}}'), ['a']);
  for (const nothing of ['', 'null', '{}']) assert.equal(read(nothing), undefined);
  for (const bad of [
    '7',
    '[]',
    '"a"',
    '{"name":7}',
    '{"name":"a"}',
    '{"name":[7]}',
    '{"name":{"a":1}}',
    '{"name":null}',
  ]) {
    assert.throws(() => read(bad), { code: 'invalid-filter', message: 'invalid filter' }, bad);
  }
});

it('whole numbers have 64 bits', () => {
  const read = (limit: string) => queryInteger({ limit }, 'limit');
  assert.deepEqual([read(''), read('-1'), read('007')], [undefined, -1, 7]);
  for (const bad of ['x', '1.5', '0x1', ' 1']) assert.throws(() => read(bad), /invalid syntax$/, bad);
  assert.throws(() => read('9'.repeat(20)), /value out of range$/);
});
