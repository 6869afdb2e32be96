import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DetachKeys } from './detach-keys.ts';

const p = '\x10';
const q = '\x11';

/** Scans chunks until the keys are found; returns what was passed on. */
function scan(...chunks: string[]): { passed: string; detached: boolean } {
  const keys = new DetachKeys();
  let passed = '';
  for (const chunk of chunks) {
    const { data, detached } = keys.scan(Buffer.from(chunk, 'latin1'));
    passed += data.toString('latin1');
    if (detached) return { passed, detached };
  }
  return { passed, detached: false };
}

test('ordinary typing is passed on unchanged', () => {
  assert.deepEqual(scan('ls\r', '\xff\x00'), { passed: 'ls\r\xff\x00', detached: false });
});

test('the two keys detach, in one chunk or in two', () => {
  assert.deepEqual(scan(`ls${p}${q}rest`), { passed: 'ls', detached: true });
  assert.deepEqual(scan('ls', p, q), { passed: 'ls', detached: true });
});

test('a first key that leads nowhere is passed on with what follows', () => {
  assert.deepEqual(scan(`${p}a`), { passed: `${p}a`, detached: false });
  assert.deepEqual(scan(p, 'a'), { passed: `${p}a`, detached: false });
  assert.deepEqual(scan(q), { passed: q, detached: false });
});

test('the first key typed twice still detaches', () => {
  assert.deepEqual(scan(`${p}${p}${q}`), { passed: p, detached: true });
});
