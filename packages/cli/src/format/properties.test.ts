import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProperties } from './properties.ts';

test('values are aligned, and empty ones are left out', () => {
  assert.equal(
    formatProperties([
      ['Version', '1'],
      ['API version', '1.49'],
      ['Commit', undefined],
      ['Labels', ''],
    ]),
    ' Version:      1\n API version:  1.49\n',
  );
});
