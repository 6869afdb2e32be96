import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ErrorKind } from '../base/errors.ts';
import type { ContainerRecord, ResourceLimits } from '../model/container.ts';
import { type ContainerChange, changedLimits } from './updating.ts';

const MB = 1024 * 1024;
const container = (resources: ResourceLimits, rest: object = {}) =>
  ({ id: 'one', host: { resources, autoRemove: false, ...rest }, ...rest }) as unknown as ContainerRecord;

describe('limits that change', () => {
  const rows: readonly (readonly [has: ResourceLimits, limits: ResourceLimits, expected: ResourceLimits])[] =
    [
      [{ memoryBytes: 8, cpuShares: 2 }, { cpuShares: 3 }, { memoryBytes: 8, cpuShares: 3 }],
      [
        { memoryBytes: 8, memorySwapBytes: 16 },
        { memoryBytes: 16 },
        { memoryBytes: 16, memorySwapBytes: 16 },
      ],
      [{ memorySwapBytes: -1 }, { memoryBytes: 16 }, { memoryBytes: 16, memorySwapBytes: -1 }],
      [{}, { memoryBytes: 9, memorySwapBytes: 9 }, { memoryBytes: 9, memorySwapBytes: 9 }],
      [{ nanoCpus: 1 }, { nanoCpus: 2 }, { nanoCpus: 2 }],
      [{ pidsLimit: 9 }, { pidsLimit: -1 }, { pidsLimit: -1 }],
    ];
  for (const [has, limits, expected] of rows) {
    test(`${JSON.stringify(has)} by ${JSON.stringify(limits)}`, () =>
      assert.deepEqual(changedLimits(container(has), { limits }), expected));
  }
});

describe('changes that do not go with what there is', () => {
  const always: ContainerChange = { limits: {}, restartPolicy: { name: 'always', maximumRetryCount: 0 } };
  const rows: readonly (readonly [ContainerRecord, ContainerChange, ErrorKind, RegExp])[] = [
    [
      container({ cpuPeriodUs: 1 }),
      { limits: { nanoCpus: 1 } },
      'conflict',
      /Nano CPUs cannot be .* CPU Period/,
    ],
    [
      container({ cpuQuotaUs: 1 }),
      { limits: { nanoCpus: 1 } },
      'conflict',
      /Nano CPUs cannot be .* CPU Quota/,
    ],
    [
      container({ nanoCpus: 1 }),
      { limits: { cpuPeriodUs: 1 } },
      'conflict',
      /CPU Period cannot be .* NanoCPUs/,
    ],
    [
      container({ nanoCpus: 1 }),
      { limits: { cpuQuotaUs: 1 } },
      'conflict',
      /CPU Quota cannot be .* NanoCPUs/,
    ],
    [
      container({ memoryBytes: 8 * MB, memorySwapBytes: 8 * MB }),
      { limits: { memoryBytes: 9 * MB } },
      'internal',
      /Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time$/,
    ],
    [
      container({}, { autoRemove: true }),
      always,
      'conflict',
      /because AutoRemove is enabled for the container$/,
    ],
    [container({}, { removing: true }), { limits: {} }, 'conflict', /container is marked for removal/],
  ];
  for (const [record, change, kind, message] of rows) {
    test(String(message), () => assert.throws(() => changedLimits(record, change), { kind, message }));
    test(`${message} is said of the container`, () =>
      assert.throws(() => changedLimits(record, change), { message: /^Cannot update container one: / }));
  }
});
