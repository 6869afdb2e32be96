import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatListing, type ListingShape } from './listing.ts';

const shape: ListingShape = {
  headings: { ID: 'CONTAINER ID', Names: 'NAMES', State: 'STATE' },
  columns: ['ID', 'Names'],
  id: 'ID',
};
const rows = [
  { ID: 'aaa', Names: 'web', State: 'running' },
  { ID: 'bbb', Names: 'db', State: 'exited' },
];

test('the plain table has the default columns under headings', () => {
  const expected = 'CONTAINER ID   NAMES\naaa            web\nbbb            db\n';
  assert.equal(formatListing(shape, rows, {}), expected);
  assert.equal(formatListing(shape, rows, { format: 'table' }), expected);
});

test('an empty table still has its headings', () => {
  assert.equal(formatListing(shape, [], {}), 'CONTAINER ID   NAMES\n');
});

test('quiet prints ids alone', () => {
  assert.equal(formatListing(shape, rows, { quiet: true }), 'aaa\nbbb\n');
  assert.equal(formatListing(shape, [], { quiet: true }), '');
});

test('json prints one object a line with sorted keys', () => {
  assert.equal(
    formatListing(shape, [{ State: 'running', Names: 'web', ID: 'aaa' }], { format: 'json' }),
    '{"ID":"aaa","Names":"web","State":"running"}\n',
  );
});

test('a template is rendered for each row', () => {
  assert.equal(
    formatListing(shape, rows, { format: '{{.Names}}\\t{{.State}}' }),
    'web\trunning\ndb\texited\n',
  );
});

test('a table template gets headings and aligned columns', () => {
  assert.equal(
    formatListing(shape, rows, { format: 'table {{.Names}}\\t{{.State}}' }),
    'NAMES     STATE\nweb       running\ndb        exited\n',
  );
});

test('a wrong field is an error even without rows', () => {
  assert.throws(() => formatListing(shape, [], { format: '{{.names}}' }), /there is no field "names"/);
});
