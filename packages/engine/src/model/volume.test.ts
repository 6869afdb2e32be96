import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkVolumeName, checkVolumeOptions, isVolumeName } from './volume.ts';

describe('the name of a volume', () => {
  for (const name of ['ab', 'A.b_c-9', '0x', 'a'.repeat(255)]) {
    it(`may be ${name.slice(0, 20)}`, () => {
      checkVolumeName(name);
      assert.ok(isVolumeName(name));
    });
  }
  for (const name of ['a', '', '.', '..', '../x', '-a', '_a', 'a/b', 'a b', 'ä1', 'a\n', 'a'.repeat(256)]) {
    it(`is not ${JSON.stringify(name.slice(0, 20))}`, () => {
      assert.throws(() => checkVolumeName(name), { kind: 'invalid', code: 'invalid-volume-name' });
      assert.ok(!isVolumeName(name));
    });
  }
});

describe('the options of a volume', () => {
  it('are a file system, a device and what mount(8) takes', () => {
    checkVolumeOptions('v1', {});
    checkVolumeOptions('v1', { type: 'none', device: '/x', o: 'bind' });
    checkVolumeOptions('v1', { type: 'tmpfs', device: 'tmpfs' });
  });
  for (const [options, problem] of [
    [{ foo: 'x' }, 'invalid option: "foo"'],
    [{ type: 'tmpfs' }, 'missing required option: "device"'],
    [{ device: '/x' }, 'missing required option: "type"'],
    [{ o: 'bind' }, 'missing required option: "device"'],
    [{ type: 'none', device: '', o: 'bind' }, 'missing required option: "device"'],
    [{ size: '10m' }, 'quota size requested but no quota support'],
  ] as const) {
    it(`are not ${JSON.stringify(options)}`, () => {
      assert.throws(() => checkVolumeOptions('v1', options), {
        code: 'invalid-volume-option',
        message: `create v1: ${problem}`,
      });
    });
  }
});
