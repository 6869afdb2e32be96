/** Reads the files of control groups of version 1. Pure. Sources: cgroup-v1/*.rst of the kernel. */
import type { BlockIoEntry, GroupSample } from './sample.ts';
import { limit, number, rowsOf, table } from './text.ts';

/** The files that a sample needs, each with the controller whose hierarchy it is in. */
export const cgroupV1Files = [
  ['cpuacct', 'cpuacct.usage'],
  ['cpuacct', 'cpuacct.usage_percpu'],
  ['cpuacct', 'cpuacct.stat'],
  ['cpu', 'cpu.stat'],
  ['memory', 'memory.usage_in_bytes'],
  ['memory', 'memory.max_usage_in_bytes'],
  ['memory', 'memory.limit_in_bytes'],
  ['memory', 'memory.failcnt'],
  ['memory', 'memory.stat'],
  ['blkio', 'blkio.throttle.io_service_bytes_recursive'],
  ['blkio', 'blkio.throttle.io_serviced_recursive'],
  ['pids', 'pids.current'],
  ['pids', 'pids.max'],
] as const;

/** The tick of cpuacct.stat: USER_HZ is 100 on every architecture that we run on; time(7). */
const NS_PER_TICK = 10_000_000n;

const own = [
  ...['cache', 'rss', 'rss_huge', 'mapped_file', 'dirty', 'writeback', 'pgpgin', 'pgpgout', 'pgfault'],
  ...['pgmajfault', 'inactive_anon', 'active_anon', 'inactive_file', 'active_file', 'unevictable'],
];
const memoryRows = [
  ...own,
  'hierarchical_memory_limit',
  'hierarchical_memsw_limit',
  ...own.map((name) => `total_${name}`),
];

/** @param files contents by the files' names; one that is missing counts as zeros */
export function parseCgroupV1(files: Readonly<Record<string, string | undefined>>): GroupSample {
  const ticks = table(files['cpuacct.stat']);
  const throttling = table(files['cpu.stat']);
  const perCpuNs = (files['cpuacct.usage_percpu'] ?? '').trim().split(/\s+/).filter(Boolean).map(number);
  const pidsLimit = limit(files['pids.max']);
  const memoryLimit = limit(files['memory.limit_in_bytes']);
  return {
    cpu: {
      totalNs: number(files['cpuacct.usage']),
      kernelNs: (ticks.get('system') ?? 0n) * NS_PER_TICK,
      userNs: (ticks.get('user') ?? 0n) * NS_PER_TICK,
      ...(perCpuNs.length > 0 ? { perCpuNs } : {}),
      periods: throttling.get('nr_periods') ?? 0n,
      throttledPeriods: throttling.get('nr_throttled') ?? 0n,
      throttledNs: throttling.get('throttled_time') ?? 0n,
    },
    memory: {
      usageBytes: number(files['memory.usage_in_bytes']),
      maxUsageBytes: number(files['memory.max_usage_in_bytes']),
      ...(memoryLimit === undefined ? {} : { limitBytes: memoryLimit }),
      failures: number(files['memory.failcnt']),
      details: rowsOf(table(files['memory.stat']), memoryRows),
    },
    blockIo: {
      bytes: blockIoEntries(files['blkio.throttle.io_service_bytes_recursive']),
      operations: blockIoEntries(files['blkio.throttle.io_serviced_recursive']),
    },
    pids: {
      current: number(files['pids.current']),
      ...(pidsLimit === undefined ? {} : { limit: pidsLimit }),
    },
  };
}

/** Lines such as `8:0 Read 4096`; the last one, `Total 4096`, is of no device. */
function blockIoEntries(text = ''): BlockIoEntry[] {
  return [...text.matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)].map(([, major, minor, operation, value]) => ({
    major: BigInt(major!),
    minor: BigInt(minor!),
    operation: operation!,
    value: BigInt(value!),
  }));
}
