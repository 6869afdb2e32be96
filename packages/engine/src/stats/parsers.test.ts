import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseCgroupV1 } from './cgroup-v1.ts';
import { parseCgroupV2 } from './cgroup-v2.ts';
import { parseInterfaces, parseMachineStat } from './proc.ts';

describe('control groups of version 1', () => {
  const files = {
    'cpuacct.usage': '15336069932572\n',
    'cpuacct.usage_percpu': '7546471547426 7789598385146 \n',
    'cpuacct.stat': 'user 1046435\nsystem 487173\n',
    'cpu.stat': 'nr_periods 10\nnr_throttled 3\nthrottled_time 420000\nnr_bursts 0\n',
    'memory.usage_in_bytes': '33554432\n',
    'memory.max_usage_in_bytes': '40000000\n',
    'memory.limit_in_bytes': '9223372036854771712\n',
    'memory.failcnt': '7\n',
    'memory.stat':
      'cache 4096\nrss 8192\nshmem 1\nhierarchical_memory_limit 9223372036854771712\ntotal_inactive_file 5\n',
    'blkio.throttle.io_service_bytes_recursive':
      '8:16 Read 4096\n8:16 Write 8192\n8:16 Discard 0\n8:16 Total 12288\nTotal 12288\n',
    'blkio.throttle.io_serviced_recursive': 'Total 0\n',
    'pids.current': '3\n',
    'pids.max': 'max\n',
  };

  test('are read in nanoseconds and bytes, exactly', () => {
    const { cpu, memory, blockIo, pids } = parseCgroupV1(files);
    assert.deepEqual(cpu, {
      totalNs: 15336069932572n,
      kernelNs: 4871730000000n,
      userNs: 10464350000000n,
      perCpuNs: [7546471547426n, 7789598385146n],
      periods: 10n,
      throttledPeriods: 3n,
      throttledNs: 420000n,
    });
    assert.equal(memory.limitBytes, 9223372036854771712n, 'more than a JavaScript number holds');
    assert.deepEqual([memory.usageBytes, memory.maxUsageBytes, memory.failures], [33554432n, 40000000n, 7n]);
    const { cache, total_inactive_file: inactive, pgfault } = memory.details;
    assert.deepEqual([cache, inactive, pgfault], [4096n, 5n, 0n]);
    assert.equal('shmem' in memory.details, false, 'Docker has no such row');
    assert.deepEqual(blockIo.operations, []);
    assert.deepEqual(blockIo.bytes[1], { major: 8n, minor: 16n, operation: 'Write', value: 8192n });
    assert.equal(blockIo.bytes.length, 4);
    assert.deepEqual(pids, { current: 3n });
    assert.deepEqual(parseCgroupV1({ ...files, 'pids.max': '20\n' }).pids, { current: 3n, limit: 20n });
  });

  test('that are gone, or are nonsense, count as zeros', () => {
    for (const bad of [{}, Object.fromEntries(Object.keys(files).map((name) => [name, 'x y\n-1\n']))]) {
      const { cpu, memory, blockIo, pids } = parseCgroupV1(bad);
      assert.deepEqual([cpu.totalNs, memory.usageBytes, pids.current], [0n, 0n, 0n]);
      assert.deepEqual([memory.limitBytes, blockIo.bytes, pids.limit], [undefined, [], undefined]);
    }
  });
});

describe('control groups of version 2', () => {
  test('are read into the same', () => {
    const { cpu, memory, blockIo, pids } = parseCgroupV2({
      'cpu.stat':
        'usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 4\nnr_throttled 2\nthrottled_usec 9\n',
      'memory.current': '4096\n',
      'memory.max': 'max\n',
      'memory.events': 'low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\n',
      'memory.stat': 'anon 100\nfile 200\ninactive_file 50\nhugetlb 1\n',
      'io.stat': '8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n7:0 \n',
      'pids.current': '1\n',
      'pids.max': '64\n',
    });
    assert.deepEqual(cpu, {
      totalNs: 1500000n,
      kernelNs: 500000n,
      userNs: 1000000n,
      periods: 4n,
      throttledPeriods: 2n,
      throttledNs: 9000n,
    });
    assert.deepEqual([memory.usageBytes, memory.limitBytes, memory.failures], [4096n, undefined, 2n]);
    const { anon, inactive_file: inactive, thp_collapse_alloc: absent } = memory.details;
    assert.deepEqual([anon, inactive, absent, memory.details.hugetlb], [100n, 50n, 0n, undefined]);
    assert.deepEqual(blockIo.bytes.slice(0, 2), [
      { major: 8n, minor: 0n, operation: 'read', value: 4096n },
      { major: 8n, minor: 0n, operation: 'write', value: 8192n },
    ]);
    assert.deepEqual(blockIo.bytes[2], { major: 7n, minor: 0n, operation: 'read', value: 0n });
    assert.deepEqual(pids, { current: 1n, limit: 64n });
    assert.deepEqual(parseCgroupV2({}).cpu.totalNs, 0n);
  });
});

test("the machine's CPUs are counted, and their time without what guests took", () => {
  const text =
    'cpu  1 2 3 4 5 6 7 800 900 1000\ncpu0 1 1 1 1 1 1 1 0 0 0\ncpu1 0 1 2 3 4 5 6 0 0 0\nintr 9\n';
  assert.deepEqual(parseMachineStat(text), { cpuNs: 280000000n, cpus: 2 });
  assert.deepEqual(parseMachineStat(''), { cpuNs: 0n, cpus: 0 });
});

test('interfaces are known by their names, whatever these are', () => {
  const heading = 'Inter-|   Receive\n face |bytes\n';
  const interfaces = parseInterfaces(
    `${heading}    lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n  eth0:2370470800   82923    1    2    0     0          0         0 99 3    4    5    0     0       0          0\n a:b: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\nbad: x\n`,
  );
  assert.deepEqual([...interfaces.keys()], ['lo', 'eth0', 'a:b']);
  assert.deepEqual(interfaces.get('eth0'), {
    rxBytes: 2370470800n,
    rxPackets: 82923n,
    rxErrors: 1n,
    rxDropped: 2n,
    txBytes: 99n,
    txPackets: 3n,
    txErrors: 4n,
    txDropped: 5n,
  });
});
