import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUlimit } from './ulimits.ts';

const parse = (Name: string, Soft: number, Hard: number) => parseUlimit({ Name, Soft, Hard });

test('limits are taken as they are, -1 for none', () => {
  for (const [soft, hard] of [
    [1, 2],
    [2, 2],
    [0, 0],
    [7, -1],
    [-1, -1],
  ] as const) {
    assert.deepEqual(parse('nofile', soft, hard), { name: 'nofile', soft, hard });
  }
});

test('unknown names, and limits that cannot be, are refused', () => {
  const refused = (limit: [string, number, number], message: RegExp) =>
    assert.throws(() => parse(...limit), { kind: 'invalid', code: 'invalid-ulimit', message });
  refused(['files', 1, 1], /^invalid ulimit type: files$/);
  refused(['NOFILE', 1, 1], /^invalid ulimit type: NOFILE$/);
  refused(['nofile', 3, 2], /^ulimit soft limit must be less than or equal to hard limit: 3 > 2$/);
  refused(['nofile', -1, 2], /soft limit must be less/);
  refused(['nofile', 1, -2], /-1 is the least/);
});
