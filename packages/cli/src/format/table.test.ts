import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ellipsize, formatTable, truncateId } from './table.ts';

test('columns are as wide as their widest cell and three spaces', () => {
  const rows = [
    ['CONTAINER ID', 'IMAGE', 'NAMES'],
    ['1ab7c5d2708e', 'registry/long-name', 'web'],
  ];
  assert.equal(
    formatTable(rows),
    'CONTAINER ID   IMAGE                NAMES\n1ab7c5d2708e   registry/long-name   web\n',
  );
});

test('a narrow column takes ten places, so an empty one keeps its place', () => {
  assert.equal(
    formatTable([
      ['PORTS', 'NAMES'],
      ['', 'web'],
    ]),
    'PORTS     NAMES\n          web\n',
  );
});

test('an ellipsis counts as one place', () => {
  assert.equal(
    formatTable([
      ['"12345678…"', 'x'],
      ['', 'y'],
    ]),
    '"12345678…"   x\n              y\n',
  );
});

test('no rows give no text', () => {
  assert.equal(formatTable([]), '');
});

test('ellipsize keeps what fits and cuts what does not', () => {
  assert.equal(ellipsize('exactly-twenty-chars', 20), 'exactly-twenty-chars');
  assert.equal(ellipsize('exactly-twenty-chars!', 20), 'exactly-twenty-char…');
});

test('an id is cut to twelve digits, without its algorithm', () => {
  assert.equal(truncateId(`sha256:${'a'.repeat(64)}`), 'a'.repeat(12));
  assert.equal(truncateId('0123456789abcdef'), '0123456789ab');
  assert.equal(truncateId('short'), 'short');
});
