import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitSupport, parseCpuList } from './limit-support.ts';

const reading = (files: Readonly<Record<string, string>>) => (path: string) => files[path];

test('version 1 has what its hierarchies have files for', () => {
  const support = limitSupport(
    reading({
      '/cg/memory/memory.limit_in_bytes': '1',
      '/cg/memory/memory.oom_control': '1',
      '/cg/cpu/cpu.shares': '1',
      '/cg/cpuset/cpuset.cpus': '0-3\n',
      '/cg/cpuset/cpuset.mems': '0\n',
      '/cg/pids/cgroup.procs': '',
      '/proc/self/ns/cgroup': '',
    }),
    '/cg',
  );
  const { cpus, ...rest } = support;
  assert.ok(cpus >= 1);
  assert.deepEqual(rest, {
    cgroupVersion: 1,
    memory: true,
    swap: false,
    memoryReservation: false,
    memorySwappiness: false,
    oomKillDisable: true,
    cpuShares: true,
    cpuQuota: false,
    cpuRealtime: false,
    cpuset: true,
    cpusetCpus: '0-3',
    cpusetMems: '0',
    pids: true,
    blkioWeight: false,
    blkioWeightDevice: false,
    blkioRates: false,
    cgroupNamespaces: true,
  });
});

test('version 2 has what its controllers are, and never what it has no file for', () => {
  const files = {
    '/cg/cgroup.controllers': 'cpuset cpu io memory pids\n',
    '/cg/cpuset.cpus.effective': '0-1\n',
    '/cg/cpuset.mems.effective': '0\n',
    '/proc/self/cgroup': '0::/user.slice\n',
  };
  const support = limitSupport(reading(files), '/cg');
  assert.equal(support.cgroupVersion, 2);
  assert.deepEqual(
    [support.memory, support.cpuQuota, support.pids, support.blkioRates],
    [true, true, true, true],
  );
  assert.deepEqual([support.swap, support.oomKillDisable, support.memorySwappiness], [false, false, false]);
  assert.equal(support.cpusetCpus, '0-1');
  const withSwap = limitSupport(reading({ ...files, '/cg/user.slice/memory.swap.max': 'max' }), '/cg');
  assert.equal(withSwap.swap, true);
  assert.equal(limitSupport(reading({ '/cg/cgroup.controllers': '' }), '/cg').memory, false);
});

test('lists of numbers', () => {
  assert.deepEqual([...parseCpuList('0-2,5,7-7')], [0, 1, 2, 5, 7]);
  assert.deepEqual([...parseCpuList('')], []);
  for (const bad of ['a', '1-', '-1', '2-1', '1 2', '0-100000'])
    assert.throws(() => parseCpuList(bad), RangeError, bad);
});
