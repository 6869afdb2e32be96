import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPlatform, isOfPlatform, parsePlatform } from './platform.ts';

test('platforms are read in the spellings that clients use', () => {
  assert.equal(parsePlatform(undefined), undefined);
  assert.equal(parsePlatform(''), undefined);
  assert.equal(parsePlatform('linux'), undefined);
  for (const [text, formatted] of [
    ['linux/amd64', 'linux/amd64'],
    ['Linux/x86_64', 'linux/amd64'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm/v7', 'linux/arm/v7'],
  ] as const) {
    assert.equal(formatPlatform(parsePlatform(text)!), formatted);
  }
});

test('what is none, or of another system, is refused', () => {
  for (const text of ['windows/amd64', 'linux/', 'linux/a b', '/', 'amd64']) {
    assert.throws(() => parsePlatform(text), { kind: 'invalid', code: 'invalid-platform' }, text);
  }
});

test('an image without a variant is of every one', () => {
  const image = { os: 'linux', architecture: 'arm' };
  assert.ok(isOfPlatform(image, parsePlatform('linux/arm/v7')!));
  assert.ok(isOfPlatform({ ...image, variant: 'v7' }, parsePlatform('linux/arm')!));
  assert.ok(!isOfPlatform({ ...image, variant: 'v6' }, parsePlatform('linux/arm/v7')!));
  assert.ok(!isOfPlatform(image, parsePlatform('linux/arm64')!));
});
