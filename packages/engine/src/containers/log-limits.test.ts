import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogSettings } from '../model/isolation.ts';
import { type LogLimits, logLimits } from './log-limits.ts';

const json = (options: LogSettings['options']): LogSettings => ({ driver: 'json-file', options });

const rows: readonly (readonly [logging: LogSettings | undefined, expected: LogLimits])[] = [
  [undefined, { maxFiles: 1 }],
  [json({ tag: 'x' }), { maxFiles: 1 }],
  [json({ 'max-size': '10m' }), { maxSizeBytes: 10_000_000, maxFiles: 1 }],
  [json({ 'max-size': '10m', 'max-file': '3' }), { maxSizeBytes: 10_000_000, maxFiles: 3 }],
  [json({ 'max-size': '1.5kB' }), { maxSizeBytes: 1500, maxFiles: 1 }],
  [json({ 'max-size': '100' }), { maxSizeBytes: 100, maxFiles: 1 }],
  [json({ 'max-size': '-1' }), { maxFiles: 1 }],
  [json({ 'max-size': '1g', 'max-file': '2', compress: 'true' }), { maxSizeBytes: 1e9, maxFiles: 2 }],
  [
    { driver: 'local', options: {} },
    { maxSizeBytes: 20 << 20, maxFiles: 5 },
  ],
  [
    { driver: 'local', options: { 'max-size': '1m' } },
    { maxSizeBytes: 1 << 20, maxFiles: 5 },
  ],
  [{ driver: 'none', options: { 'max-size': 'x' } }, { maxFiles: 1 }],
];
for (const [logging, expected] of rows) {
  test(JSON.stringify(logging) ?? 'nothing', () => assert.deepEqual(logLimits(logging), expected));
}

for (const [options, why] of [
  [{ 'max-size': 'abc' }, "invalid size: 'abc'"],
  [{ 'max-size': '' }, "invalid size: ''"],
  [{ 'max-size': '0' }, 'max-size must be a positive number'],
  [{ 'max-file': '0' }, 'max-file cannot be less than 1'],
  [{ 'max-file': 'x' }, 'strconv.Atoi: parsing "x": invalid syntax'],
  [{ compress: 'x' }, 'strconv.ParseBool: parsing "x": invalid syntax'],
  [
    { compress: '1', 'max-size': '1m' },
    'compress cannot be true when max-file is less than 2 or max-size is not set',
  ],
] as const) {
  test(`${JSON.stringify(options)}: ${why}`, () =>
    assert.throws(() => logLimits(json(options)), {
      kind: 'internal',
      message: `failed to create task for container: failed to initialize logging driver: ${why}`,
    }));
}
