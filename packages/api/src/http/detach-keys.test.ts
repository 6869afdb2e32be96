import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DetachScanner, parseDetachKeys } from './detach-keys.ts';

const [p, q] = ['\x10', '\x11'];

/** What is handed on of chunks, and whether the keys were found. */
function scan(keys: string, ...chunks: string[]): { passed: string; isDetached: boolean } {
  const scanner = new DetachScanner(parseDetachKeys(keys)!);
  let passed = '';
  for (const chunk of chunks) {
    const { data, isDetached } = scanner.scan(Buffer.from(chunk, 'latin1'));
    passed += Buffer.from(data).toString('latin1');
    if (isDetached) return { passed, isDetached };
  }
  return { passed, isDetached: false };
}

test('keys are characters and control keys', () => {
  assert.deepEqual(parseDetachKeys(''), [0x10, 0x11]);
  assert.deepEqual(parseDetachKeys('ctrl-p,ctrl-q'), [0x10, 0x11]);
  assert.deepEqual(parseDetachKeys('a'), [0x61]);
  assert.deepEqual(parseDetachKeys('ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_'), [0, 27, 28, 29, 30, 31]);
  assert.deepEqual(parseDetachKeys('ctrl-a,b,3,~'), [1, 0x62, 0x33, 0x7e]);
  for (const wrong of [
    'ctrl-',
    'ctrl-1',
    'ctrl-P',
    'Ctrl-p',
    'ab',
    'a,',
    ',',
    'ctrl-p ctrl-q',
    'é',
    'ctrl-é',
  ])
    assert.equal(parseDetachKeys(wrong), undefined, wrong);
});

test('the keys detach, together or apart, and what follows is dropped', () => {
  assert.deepEqual(scan('', `ls${p}${q}rest`), { passed: 'ls', isDetached: true });
  assert.deepEqual(scan('', 'ls', p, q, 'rest'), { passed: 'ls', isDetached: true });
  assert.deepEqual(scan('x', 'abx'), { passed: 'ab', isDetached: true });
  assert.deepEqual(scan('a,b,c', 'aab', 'abc'), { passed: 'aab', isDetached: true });
});

test('some of the keys are handed on with what follows', () => {
  assert.deepEqual(scan('', `${p}a`), { passed: `${p}a`, isDetached: false });
  assert.deepEqual(scan('', p, 'a'), { passed: `${p}a`, isDetached: false });
  assert.deepEqual(scan('', q, p), { passed: q, isDetached: false });
  assert.deepEqual(scan('', `${p}${p}${q}`), { passed: p, isDetached: true });
  assert.deepEqual(scan('a,b,c', 'ab', 'x'), { passed: 'abx', isDetached: false });
});

test('other bytes are as they were', () => {
  const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('');
  assert.deepEqual(scan('', bytes), {
    passed: bytes.replace(p + q, '').slice(0, 16),
    isDetached: true,
  });
  assert.deepEqual(scan('ctrl-p,x', bytes), { passed: bytes, isDetached: false });
});
