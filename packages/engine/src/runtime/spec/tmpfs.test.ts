import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tmpfsOptions } from './tmpfs.ts';

const rows: readonly (readonly [given: string, expected: string])[] = [
  ['', 'noexec,nosuid,nodev,rprivate'],
  ['defaults', 'noexec,nosuid,nodev,rprivate'],
  ['size=64m,mode=1770', 'noexec,nosuid,nodev,rprivate,size=64m,mode=1770'],
  ['exec,rw,size=1m', 'nosuid,nodev,rprivate,exec,rw,size=1m'],
  ['size=1m,ro,size=2m,rw', 'noexec,nosuid,nodev,rprivate,size=2m,rw'],
  ['uid=1,gid=2,shared', 'noexec,nosuid,nodev,uid=1,gid=2,shared'],
];
for (const [given, expected] of rows) {
  test(`"${given}" over the safe options`, () => assert.equal(tmpfsOptions(given).join(','), expected));
}

for (const [given, named] of [
  ['junk', '["junk"]'],
  ['size', '["size"]'],
  ['size=1m,a=1,b', '["a=1" "b"]'],
  ['toString', '["toString"]'],
] as const) {
  test(`"${given}" is refused`, () =>
    assert.throws(() => tmpfsOptions(given), { kind: 'invalid', message: `invalid tmpfs option ${named}` }));
}
