import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatFilters } from './filters.ts';

test('filters are grouped by key, and a value may contain an equals sign', () => {
  assert.equal(
    formatFilters(['status=exited', 'label=a=b', 'Status=running']),
    '{"status":{"exited":true,"running":true},"label":{"a=b":true}}',
  );
  assert.equal(formatFilters([]), undefined);
});
