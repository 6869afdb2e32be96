/** What GET /info says of limits on containers. Pure. */
import type { LimitSupport } from '@seaway/engine';

export function toDockerLimits(support: LimitSupport) {
  return {
    MemoryLimit: support.memory,
    SwapLimit: support.swap,
    CpuCfsPeriod: support.cpuQuota,
    CpuCfsQuota: support.cpuQuota,
    CPUShares: support.cpuShares,
    CPUSet: support.cpuset,
    PidsLimit: support.pids,
    OomKillDisable: support.oomKillDisable,
    CgroupVersion: String(support.cgroupVersion),
  };
}

/** One sentence for each limit that cannot be kept here, as the docker client shows them below `docker info`. */
export function limitWarnings(support: LimitSupport): string[] {
  const isUnified = support.cgroupVersion === 2;
  const rows: readonly (readonly [has: boolean, what: string])[] = [
    [support.memory, 'No memory limit support'],
    [support.swap, 'No swap limit support'],
    [support.oomKillDisable || isUnified, 'No oom kill disable support'],
    [support.cpuQuota, 'No cpu cfs quota support'],
    [support.cpuQuota, 'No cpu cfs period support'],
    [support.cpuShares, 'No cpu shares support'],
    [support.cpuset, 'No cpuset support'],
    // Newer kernels have no weights in version 1, and nobody can do anything about that.
    [support.blkioWeight || !isUnified, 'No io.weight support'],
    [support.blkioWeightDevice || !isUnified, 'No io.weight (per device) support'],
    ...['read_bps', 'write_bps', 'read_iops', 'write_iops'].map(
      (what) =>
        [
          support.blkioRates,
          isUnified
            ? `No io.max (${what.replace(/^(.).*_(bps|iops)$/, '$1$2')}) support`
            : `No blkio throttle.${what}_device support`,
        ] as const,
    ),
  ];
  return rows.filter(([has]) => !has).map(([, what]) => what);
}
