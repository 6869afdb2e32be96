import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullLimitSupport, type LimitSupport } from '@seaway/engine';
import { limitWarnings, toDockerLimits } from './limit-info.ts';

test('where nothing is missing there is nothing to say', () => {
  assert.deepEqual(limitWarnings(fullLimitSupport), []);
  assert.deepEqual(new Set(Object.values(toDockerLimits(fullLimitSupport))), new Set([true, '1']));
});

test("what is missing is said, in the words of the control groups' version", () => {
  const nothing = Object.fromEntries(
    Object.entries(fullLimitSupport).map(([name, value]) => [name, value === true ? false : value]),
  ) as unknown as LimitSupport;
  assert.deepEqual(limitWarnings(nothing), [
    'No memory limit support',
    'No swap limit support',
    'No oom kill disable support',
    'No cpu cfs quota support',
    'No cpu cfs period support',
    'No cpu shares support',
    'No cpuset support',
    'No blkio throttle.read_bps_device support',
    'No blkio throttle.write_bps_device support',
    'No blkio throttle.read_iops_device support',
    'No blkio throttle.write_iops_device support',
  ]);
  assert.deepEqual(limitWarnings({ ...nothing, cgroupVersion: 2 }).slice(-6), [
    'No io.weight support',
    'No io.weight (per device) support',
    'No io.max (rbps) support',
    'No io.max (wbps) support',
    'No io.max (riops) support',
    'No io.max (wiops) support',
  ]);
  assert.equal(toDockerLimits({ ...nothing, swap: true }).SwapLimit, true);
});
