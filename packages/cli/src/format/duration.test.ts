import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, formatTime, parseDuration, parseTimestamp } from './duration.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

const spans: [number, string][] = [
  [-5, 'Less than a second'],
  [999, 'Less than a second'],
  [second, '1 second'],
  [59.9 * second, '59 seconds'],
  [minute, 'About a minute'],
  [119 * second, 'About a minute'],
  [2 * minute, '2 minutes'],
  [hour - 1, '59 minutes'],
  [hour, 'About an hour'],
  [1.6 * hour, '2 hours'],
  [47 * hour, '47 hours'],
  [2 * day, '2 days'],
  [13 * day, '13 days'],
  [14 * day, '2 weeks'],
  [59 * day, '8 weeks'],
  [61 * day, '2 months'],
  [729 * day, '24 months'],
  [731 * day, '2 years'],
];

for (const [ms, words] of spans) {
  test(`${ms} ms read "${words}"`, () => {
    assert.equal(formatDuration(ms), words);
  });
}

test('spans are read with units, fractions and signs', () => {
  assert.equal(parseDuration('90s'), 90 * second);
  assert.equal(parseDuration('1h30m'), 90 * minute);
  assert.equal(parseDuration('1.5h'), 90 * minute);
  assert.equal(parseDuration('.5s'), 500);
  assert.equal(parseDuration('-2ms'), -2);
  assert.equal(parseDuration('1us'), 0.001);
});

test('text that is no span is undefined', () => {
  for (const text of ['', '10', 's', '1d', '1 h', 'h1', '1h-3m'])
    assert.equal(parseDuration(text), undefined);
});

test('a span becomes the time that long ago', () => {
  assert.equal(parseTimestamp('10m', 1_700_000_000_250), '1699999400.250000000');
});

test('Unix seconds stay as they are', () => {
  assert.equal(parseTimestamp('1700000000', 0), '1700000000');
  assert.equal(parseTimestamp('1700000000.5', 0), '1700000000.5');
});

test('dates are read with their zone and keep nanoseconds', () => {
  assert.equal(parseTimestamp('1970-01-01T00:01:00Z', 0), '60.000000000');
  assert.equal(parseTimestamp('1970-01-01T01:01:00.123456789+01:00', 0), '60.123456789');
});

test('a date without a zone is local time', () => {
  const expected = new Date(2024, 0, 2).getTime() / 1000;
  assert.equal(parseTimestamp('2024-01-02', 0), `${expected}.000000000`);
  assert.equal(parseTimestamp('2024-01-02T00:00', 0), `${expected}.000000000`);
});

test('other text is refused', () => {
  for (const text of ['x', '2024-13-01', '2024-01-01T25:00:00Z', '1e9', '']) {
    assert.throws(() => parseTimestamp(text, 0), /neither a date/);
  }
});

test('times are shown in UTC', () => {
  assert.equal(formatTime(0), '1970-01-01 00:00:00 +0000 UTC');
});
