import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerSample } from '@seaway/engine';
import { statsLine } from './stats.ts';

const subject = { id: 'c0ffee', name: 'web' };
const MACHINE = 1000n;

const sample: ContainerSample = {
  readAt: '2026-01-02T03:04:05.000000001Z',
  cgroupVersion: 1,
  machine: { cpuNs: 2n ** 60n + 1n, cpus: 2 },
  cpu: {
    totalNs: 50n,
    kernelNs: 20n,
    userNs: 30n,
    perCpuNs: [25n, 25n],
    periods: 1n,
    throttledPeriods: 2n,
    throttledNs: 3n,
  },
  memory: { usageBytes: 7n, maxUsageBytes: 9n, limitBytes: 2n ** 62n, failures: 0n, details: { cache: 1n } },
  blockIo: { bytes: [{ major: 8n, minor: 0n, operation: 'Read', value: 4096n }], operations: [] },
  pids: { current: 3n },
  interfaces: {
    eth0: {
      rxBytes: 1n,
      rxPackets: 2n,
      rxErrors: 3n,
      rxDropped: 4n,
      txBytes: 5n,
      txPackets: 6n,
      txErrors: 7n,
      txDropped: 8n,
    },
  },
};

const noBlockIo = {
  io_service_bytes_recursive: null,
  io_serviced_recursive: null,
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
};
const noCpu = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

test('a container that does not run has zeros', () => {
  assert.deepEqual(JSON.parse(statsLine(subject, undefined, undefined, MACHINE)), {
    name: '/web',
    id: 'c0ffee',
    read: '0001-01-01T00:00:00Z',
    preread: '0001-01-01T00:00:00Z',
    pids_stats: {},
    blkio_stats: noBlockIo,
    num_procs: 0,
    storage_stats: {},
    cpu_stats: noCpu,
    precpu_stats: noCpu,
    memory_stats: {},
  });
});

test("one that runs has all of Docker's fields, the look before and exact numbers", () => {
  const previous = { ...sample, readAt: '2026-01-02T03:04:04.000000001Z' };
  const line = statsLine(subject, sample, previous, MACHINE);
  assert.ok(line.endsWith('}\n'));
  assert.ok(line.includes('"system_cpu_usage":1152921504606846977,'), 'not rounded');
  const shown = JSON.parse(line);
  assert.deepEqual([shown.read, shown.preread], [sample.readAt, previous.readAt]);
  assert.deepEqual(shown.pids_stats, { current: 3 });
  assert.deepEqual(shown.cpu_stats, {
    cpu_usage: { total_usage: 50, percpu_usage: [25, 25], usage_in_kernelmode: 20, usage_in_usermode: 30 },
    system_cpu_usage: Number(2n ** 60n + 1n),
    online_cpus: 2,
    throttling_data: { periods: 1, throttled_periods: 2, throttled_time: 3 },
  });
  assert.deepEqual(shown.precpu_stats, shown.cpu_stats);
  assert.deepEqual(shown.memory_stats, { usage: 7, max_usage: 9, stats: { cache: 1 }, limit: 1000 });
  assert.deepEqual(shown.blkio_stats, {
    ...noBlockIo,
    io_service_bytes_recursive: [{ major: 8, minor: 0, op: 'Read', value: 4096 }],
  });
  assert.deepEqual(shown.networks.eth0, {
    rx_bytes: 1,
    rx_packets: 2,
    rx_errors: 3,
    rx_dropped: 4,
    tx_bytes: 5,
    tx_packets: 6,
    tx_errors: 7,
    tx_dropped: 8,
  });
});

test('limits are those of the container where it has some', () => {
  const { interfaces: _, ...rest } = sample;
  const limited = {
    ...rest,
    memory: { ...sample.memory, limitBytes: 64n, failures: 2n },
    pids: { current: 1n, limit: 9n },
  };
  const shown = JSON.parse(statsLine(subject, limited, undefined, MACHINE));
  assert.deepEqual(
    [shown.memory_stats.limit, shown.memory_stats.failcnt, shown.pids_stats.limit],
    [64, 2, 9],
  );
  assert.equal('networks' in shown, false);
  const unified = statsLine(subject, { ...sample, cgroupVersion: 2 }, undefined, MACHINE);
  assert.ok(unified.includes('"pids_stats":{"current":3,"limit":18446744073709551615}'));
});
