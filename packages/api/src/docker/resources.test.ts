import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fullLimitSupport, type LimitSupport, type ResourceLimits } from '@seaway/engine';
import { type DockerResources, parseResources, toDockerResources } from './resources.ts';

const MB = 1024 * 1024;
const twoCpus: LimitSupport = { ...fullLimitSupport, cpus: 2, cpusetCpus: '0-1', cpusetMems: '0' };

describe('limits that are asked for', () => {
  const rows: readonly (readonly [given: DockerResources, expected: ResourceLimits])[] = [
    [{}, {}],
    [{ Memory: null, CpusetCpus: '', MemorySwappiness: -1, BlkioWeightDevice: [], PidsLimit: 0 }, {}],
    [{ Memory: 6 * MB }, { memoryBytes: 6 * MB, memorySwapBytes: 12 * MB }],
    [
      { Memory: 6 * MB, MemorySwap: -1 },
      { memoryBytes: 6 * MB, memorySwapBytes: -1 },
    ],
    [
      { Memory: 6 * MB, MemorySwap: 6 * MB },
      { memoryBytes: 6 * MB, memorySwapBytes: 6 * MB },
    ],
    [{ MemoryReservation: 6 * MB }, { memoryReservationBytes: 6 * MB }],
    [{ MemorySwappiness: 0 }, { memorySwappiness: 0 }],
    [{ NanoCpus: 2e9 }, { nanoCpus: 2e9 }],
    [
      { CpuShares: 2, CpuPeriod: 1000, CpuQuota: -1 },
      { cpuShares: 2, cpuPeriodUs: 1000, cpuQuotaUs: -1 },
    ],
    [
      { CpusetCpus: '0-1', CpusetMems: '0' },
      { cpusetCpus: '0-1', cpusetMems: '0' },
    ],
    [{ PidsLimit: -1 }, { pidsLimit: -1 }],
    [
      { CpuRealtimePeriod: 1000, CpuRealtimeRuntime: 500 },
      { cpuRealtimePeriodUs: 1000, cpuRealtimeRuntimeUs: 500 },
    ],
    [
      { BlkioWeight: 10, BlkioWeightDevice: [{ Path: '/dev/a', Weight: 20 }] },
      { blkioWeight: 10, blkioWeightDevices: [{ path: '/dev/a', weight: 20 }] },
    ],
    [
      {
        BlkioDeviceReadBps: [{ Path: '/dev/a', Rate: 1 }],
        BlkioDeviceWriteIOps: [{ Path: '/dev/b', Rate: 2 }],
      },
      { blkioReadBps: [{ path: '/dev/a', rate: 1 }], blkioWriteIops: [{ path: '/dev/b', rate: 2 }] },
    ],
  ];
  for (const [given, expected] of rows) {
    test(JSON.stringify(given), () =>
      assert.deepEqual(parseResources(given, twoCpus), { limits: expected, warnings: [] }),
    );
  }

  test('are shown as they were asked for', () => {
    const asked = {
      Memory: 8 * MB,
      MemorySwap: -1,
      NanoCpus: 5e8,
      PidsLimit: 7,
      CpusetCpus: '1',
      OomKillDisable: true,
    };
    const shown = toDockerResources(parseResources(asked, twoCpus).limits);
    assert.deepEqual({ ...shown, ...asked }, shown);
    const { MemorySwappiness, BlkioDeviceReadBps, CpuRealtimePeriod, OomKillDisable } = toDockerResources({});
    assert.deepEqual(
      [MemorySwappiness, BlkioDeviceReadBps, CpuRealtimePeriod, OomKillDisable],
      [null, [], 0, false],
    );
  });
});

describe('limits out of bounds', () => {
  const cpus = 'range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available';
  const rows: readonly (readonly [given: DockerResources, message: string])[] = [
    [{ Memory: 6 * MB - 1 }, 'Minimum memory limit allowed is 6MB'],
    [{ Memory: -1 }, 'Minimum memory limit allowed is 6MB'],
    [
      { Memory: 8 * MB, MemorySwap: 7 * MB },
      'Minimum memoryswap limit should be larger than memory limit, see usage',
    ],
    [{ MemorySwap: 8 * MB }, 'You should always set the Memory limit when using Memoryswap limit, see usage'],
    [{ MemorySwappiness: 101 }, 'Invalid value: 101, valid memory swappiness range is 0-100'],
    [{ MemorySwappiness: -2 }, 'Invalid value: -2, valid memory swappiness range is 0-100'],
    [{ MemoryReservation: 1 }, 'Minimum memory reservation allowed is 6MB'],
    [
      { Memory: 8 * MB, MemoryReservation: 9 * MB },
      'Minimum memory limit can not be less than memory reservation limit, see usage',
    ],
    [{ NanoCpus: -1 }, cpus],
    [{ NanoCpus: 2e9 + 1 }, cpus],
    [{ NanoCpus: 1e9, CpuPeriod: 1000 }, 'Conflicting options: Nano CPUs and CPU Period cannot both be set'],
    [{ NanoCpus: 1e9, CpuQuota: 1000 }, 'Conflicting options: Nano CPUs and CPU Quota cannot both be set'],
    [
      { CpuPeriod: 999 },
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    ],
    [{ CpuQuota: 999 }, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'],
    [
      { CpuRealtimePeriod: 1, CpuRealtimeRuntime: 2 },
      'cpu real-time runtime cannot be higher than cpu real-time period',
    ],
    [{ CpusetCpus: '0-2' }, 'Requested CPUs are not available - requested 0-2, available: 0-1'],
    [{ CpusetCpus: '1-0' }, 'Invalid value 1-0 for cpuset cpus: failed to parse "1-0"'],
    [{ CpusetCpus: '0-99999999' }, 'Invalid value 0-99999999 for cpuset cpus: failed to parse "0-99999999"'],
    [{ CpusetMems: 'x' }, 'Invalid value x for cpuset mems: failed to parse "x"'],
    [{ CpusetMems: '1' }, 'Requested memory nodes are not available - requested 1, available: 0'],
    [{ BlkioWeight: 9 }, 'Range of blkio weight is from 10 to 1000'],
    [{ BlkioWeight: 1001 }, 'Range of blkio weight is from 10 to 1000'],
  ];
  for (const [given, message] of rows) {
    test(`${JSON.stringify(given)}: ${message}`, () =>
      assert.throws(() => parseResources(given, twoCpus), { kind: 'invalid', message }));
  }
});

describe('limits that the machine cannot keep', () => {
  test('are left out, with a warning each', () => {
    const nothing = Object.fromEntries(
      Object.entries(twoCpus).map(([name, value]) => [name, value === true ? false : value]),
    ) as unknown as LimitSupport;
    const asked: DockerResources = {
      Memory: 8 * MB,
      MemoryReservation: 8 * MB,
      MemorySwappiness: 1,
      OomKillDisable: true,
      PidsLimit: 9,
      CpuShares: 3,
      NanoCpus: 1e9,
      CpusetCpus: '7',
      BlkioWeight: 10,
      BlkioWeightDevice: [{ Path: '/x', Weight: 1 }],
      BlkioDeviceReadBps: [{ Path: '/x', Rate: 1 }],
    };
    const { limits, warnings } = parseResources(asked, nothing);
    assert.deepEqual(limits, {});
    assert.equal(warnings.length, 11);
    assert.ok(
      warnings.every((warning) => /^Your kernel does not support .* discarded\.$/.test(warning)),
      String(warnings),
    );
  });

  test('without swap accounting memory alone is limited', () => {
    const { limits, warnings } = parseResources(
      { Memory: 8 * MB, MemorySwap: 9 * MB },
      { ...twoCpus, swap: false },
    );
    assert.deepEqual(limits, { memoryBytes: 8 * MB });
    assert.match(warnings[0]!, /Memory limited without swap/);
  });

  test('without an OOM killer and a limit there is a warning', () => {
    const { warnings } = parseResources({ OomKillDisable: true }, twoCpus);
    assert.match(warnings[0]!, /^OOM killer is disabled for the container, but no memory limit is set/);
  });
});

test('an update may change one of two limits that belong together', () => {
  assert.deepEqual(parseResources({ MemorySwap: 8 * MB }, twoCpus, true).limits, { memorySwapBytes: 8 * MB });
  assert.deepEqual(parseResources({ Memory: 8 * MB }, twoCpus, true).limits, { memoryBytes: 8 * MB });
});
