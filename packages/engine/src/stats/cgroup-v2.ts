/** Reads the files of control groups of version 2. Pure. Source: cgroup-v2.rst of the kernel. */
import type { BlockIoEntry, GroupSample } from './sample.ts';
import { limit, number, rowsOf, table } from './text.ts';

/** The files that a sample needs, all in one folder. */
export const cgroupV2Files = [
  'cpu.stat',
  'memory.current',
  'memory.max',
  'memory.events',
  'memory.stat',
  'io.stat',
  'pids.current',
  'pids.max',
] as const;

const memoryRows = [
  ...['anon', 'file', 'kernel_stack', 'slab', 'sock', 'shmem', 'file_mapped', 'file_dirty', 'file_writeback'],
  ...['anon_thp', 'inactive_anon', 'active_anon', 'inactive_file', 'active_file', 'unevictable'],
  ...['slab_reclaimable', 'slab_unreclaimable', 'pgfault', 'pgmajfault', 'workingset_refault'],
  ...['workingset_activate', 'workingset_nodereclaim', 'pgrefill', 'pgscan', 'pgsteal', 'pgactivate'],
  ...['pgdeactivate', 'pglazyfree', 'pglazyfreed', 'thp_fault_alloc', 'thp_collapse_alloc'],
];

/** @param files contents by the files' names; one that is missing counts as zeros */
export function parseCgroupV2(files: Readonly<Record<string, string | undefined>>): GroupSample {
  const cpu = table(files['cpu.stat']);
  const nanoseconds = (name: string) => (cpu.get(name) ?? 0n) * 1000n;
  const memoryLimit = limit(files['memory.max']);
  const pidsLimit = limit(files['pids.max']);
  return {
    cpu: {
      totalNs: nanoseconds('usage_usec'),
      kernelNs: nanoseconds('system_usec'),
      userNs: nanoseconds('user_usec'),
      periods: cpu.get('nr_periods') ?? 0n,
      throttledPeriods: cpu.get('nr_throttled') ?? 0n,
      throttledNs: nanoseconds('throttled_usec'),
    },
    memory: {
      usageBytes: number(files['memory.current']),
      ...(memoryLimit === undefined ? {} : { limitBytes: memoryLimit }),
      failures: table(files['memory.events']).get('oom') ?? 0n,
      details: rowsOf(table(files['memory.stat']), memoryRows),
    },
    blockIo: { bytes: blockIoEntries(files['io.stat']) },
    pids: {
      current: number(files['pids.current']),
      ...(pidsLimit === undefined ? {} : { limit: pidsLimit }),
    },
  };
}

/** Lines such as `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`. */
function blockIoEntries(text = ''): BlockIoEntry[] {
  return [...text.matchAll(/^(\d+):(\d+) (.*)$/gm)].flatMap(([, major, minor, rest]) => {
    const values = new Map(rest!.split(' ').map((pair) => pair.split('=') as [string, string]));
    const entry = (operation: string, key: string): BlockIoEntry => ({
      major: BigInt(major!),
      minor: BigInt(minor!),
      operation,
      value: number(values.get(key)),
    });
    return [entry('read', 'rbytes'), entry('write', 'wbytes')];
  });
}
