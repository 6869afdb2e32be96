import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseBindText, parseVolumePath, parseVolumesFrom } from './mount-text.ts';
import { cleanPath } from './mounts.ts';

describe('-v', () => {
  const bind = { type: 'bind', source: '/a', destination: '/b', readonly: false, createSource: true };
  const volume = { type: 'volume', source: 'data', destination: '/b', readonly: false };
  for (const [text, request, mode] of [
    ['/a:/b', bind, ''],
    ['/a/:/x/../b//', bind, ''],
    ['/a:/b:ro', { ...bind, readonly: true }, 'ro'],
    ['/a:/b:rw,z', bind, 'rw,z'],
    ['/a:/b:Z,ro', { ...bind, readonly: true }, 'Z,ro'],
    ['/a:/b:rshared', { ...bind, propagation: 'rshared' }, 'rshared'],
    ['/a:/b:ro,slave', { ...bind, readonly: true, propagation: 'slave' }, 'ro,slave'],
    ['/a:/b:cached', bind, 'cached'],
    ['data:/b', volume, ''],
    ['data:/b:ro,nocopy', { ...volume, readonly: true, noCopy: true }, 'ro,nocopy'],
    // A bad name is for the volume to refuse.
    ['./data:/b', { ...volume, source: './data' }, ''],
    ['/b', { ...volume, source: '' }, ''],
  ] as const) {
    it(`takes ${text}`, () => {
      const parsed = parseBindText(text, '');
      assert.deepEqual(parsed.request, request);
      assert.equal(parsed.mode, mode);
      assert.equal(parsed.text, text);
    });
  }

  it('gives volumes the driver that was named, and bind mounts none', () => {
    assert.deepEqual(parseBindText('data:/b', 'x').request, { ...volume, driver: 'x' });
    assert.deepEqual(parseBindText('/a:/b', 'x').request, bind);
  });

  const bad = (text: string, detail = '') => `invalid volume specification: '${text}'${detail}`;
  const badMount = (type: string, problem: string) => `: invalid mount config for type "${type}": ${problem}`;
  for (const [text, message] of [
    ['', bad('')],
    [':', bad(':')],
    [':/b', bad(':/b')],
    ['/a:', bad('/a:')],
    ['/b:ro', bad('/b:ro')],
    ['/a:/b:ro:z', bad('/a:/b:ro:z')],
    ['/a:b', bad('/a:b', badMount('bind', "invalid mount path: 'b' mount path must be absolute"))],
    ['data:b', bad('data:b', badMount('volume', "invalid mount path: 'b' mount path must be absolute"))],
    ['b', bad('b', badMount('volume', "invalid mount path: 'b' mount path must be absolute"))],
    ['/a:/', bad('/a:/', badMount('bind', "invalid specification: destination can't be '/'"))],
    ['/a:/b/..', bad('/a:/b/..', badMount('bind', "invalid specification: destination can't be '/'"))],
    ['a::ro', bad('a::ro', badMount('volume', 'field Target must not be empty'))],
    ['/a:/b:x', 'invalid mode: x'],
    ['/a:/b:ro,', 'invalid mode: ro,'],
    ['/a:/b:ro,rw', 'invalid mode: ro,rw'],
    ['/a:/b:z,Z', 'invalid mode: z,Z'],
    ['/a:/b:shared,slave', 'invalid mode: shared,slave'],
    ['/a:/b:RO', 'invalid mode: RO'],
  ] as const) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseBindText(text, ''), { kind: 'invalid', code: 'invalid-bind', message });
    });
  }
});

describe('--volumes-from', () => {
  it('takes a container, and whether its volumes are read-only', () => {
    assert.deepEqual(parseVolumesFrom('db'), { container: 'db', readonly: false, text: 'db' });
    assert.deepEqual(parseVolumesFrom('db:ro'), { container: 'db', readonly: true, text: 'db:ro' });
    assert.deepEqual(parseVolumesFrom('db:rw,z'), { container: 'db', readonly: false, text: 'db:rw,z' });
  });
  for (const [text, message] of [
    ['', 'volumes-from specification cannot be an empty string'],
    ['db:x', 'invalid mode: x'],
    ['db:ro:rw', 'invalid mode: ro:rw'],
    ['db:rshared', 'invalid mode: rshared'],
    ['db:nocopy', 'invalid mode: nocopy'],
  ] as const) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseVolumesFrom(text), { code: 'invalid-volumes-from', message });
    });
  }
});

describe('the destination of a volume without a name', () => {
  it('is cleaned', () => assert.equal(parseVolumePath('/a//b/'), '/a/b'));
  for (const path of ['a', '', '/', '/..']) {
    it(`is not ${JSON.stringify(path)}`, () => {
      assert.throws(() => parseVolumePath(path), { code: 'invalid-bind' });
    });
  }
});

describe('a clean path', () => {
  for (const [given, expected] of [
    ['/', '/'],
    ['', '/'],
    ['/a/./b', '/a/b'],
    ['/a/../../b', '/b'],
    ['a//', '/a'],
    ['/a b/ü', '/a b/ü'],
  ] as const) {
    it(`of ${JSON.stringify(given)}`, () => assert.equal(cleanPath(given), expected));
  }
});
