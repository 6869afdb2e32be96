/** Which limits on containers the kernel and its control groups can keep here. */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

export interface LimitSupport {
  readonly cgroupVersion: 1 | 2;
  /** CPUs that this process may use. */
  readonly cpus: number;
  readonly memory: boolean;
  readonly swap: boolean;
  readonly memoryReservation: boolean;
  readonly memorySwappiness: boolean;
  readonly oomKillDisable: boolean;
  readonly cpuShares: boolean;
  /** Quotas over periods. */
  readonly cpuQuota: boolean;
  readonly cpuRealtime: boolean;
  readonly cpuset: boolean;
  /** CPUs and memory nodes that containers may be bound to, as the kernel lists them: `0-3,8`. */
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly pids: boolean;
  readonly blkioWeight: boolean;
  readonly blkioWeightDevice: boolean;
  /** Rates of bytes and of operations. */
  readonly blkioRates: boolean;
  readonly cgroupNamespaces: boolean;
}

/** Where nothing is missing. */
export const fullLimitSupport: LimitSupport = {
  cgroupVersion: 1,
  cpus: 1024,
  memory: true,
  swap: true,
  memoryReservation: true,
  memorySwappiness: true,
  oomKillDisable: true,
  cpuShares: true,
  cpuQuota: true,
  cpuRealtime: true,
  cpuset: true,
  cpusetCpus: '0-1023',
  cpusetMems: '0',
  pids: true,
  blkioWeight: true,
  blkioWeightDevice: true,
  blkioRates: true,
  cgroupNamespaces: true,
};

/** How {@link limitSupport} asks for files; undefined where there is none. */
export type ReadFile = (path: string) => string | undefined;

/**
 * Finds out from the files that the kernel offers. Sources: cgroup-v1/*.rst and cgroup-v2.rst of the kernel.
 * @param root where control groups are mounted
 */
export function limitSupport(read: ReadFile = readIfExists, root = '/sys/fs/cgroup'): LimitSupport {
  const cpus = availableParallelism();
  const cgroupNamespaces = read('/proc/self/ns/cgroup') !== undefined;
  const controllers = read(join(root, 'cgroup.controllers'));
  if (controllers !== undefined)
    return unified(controllers.split(/\s+/), { cpus, cgroupNamespaces }, read, root);
  const has = (path: string) => read(join(root, path)) !== undefined;
  return {
    cgroupVersion: 1,
    cpus,
    memory: has('memory/memory.limit_in_bytes'),
    swap: has('memory/memory.memsw.limit_in_bytes'),
    memoryReservation: has('memory/memory.soft_limit_in_bytes'),
    memorySwappiness: has('memory/memory.swappiness'),
    oomKillDisable: has('memory/memory.oom_control'),
    cpuShares: has('cpu/cpu.shares'),
    cpuQuota: has('cpu/cpu.cfs_quota_us'),
    cpuRealtime: has('cpu/cpu.rt_period_us'),
    cpuset: has('cpuset/cpuset.cpus'),
    cpusetCpus: read(join(root, 'cpuset/cpuset.cpus'))?.trim() ?? '',
    cpusetMems: read(join(root, 'cpuset/cpuset.mems'))?.trim() ?? '',
    pids: has('pids/cgroup.procs'),
    blkioWeight: has('blkio/blkio.weight'),
    blkioWeightDevice: has('blkio/blkio.weight_device'),
    blkioRates: has('blkio/blkio.throttle.read_bps_device'),
    cgroupNamespaces,
  };
}

function unified(
  controllers: readonly string[],
  facts: Pick<LimitSupport, 'cpus' | 'cgroupNamespaces'>,
  read: ReadFile,
  root: string,
): LimitSupport {
  const has = (controller: string) => controllers.includes(controller);
  // The root has no limits of its own: our own group shows whether swap is counted.
  const own = /^0::(.*)$/m.exec(read('/proc/self/cgroup') ?? '')?.[1] ?? '/';
  return {
    ...facts,
    cgroupVersion: 2,
    memory: has('memory'),
    swap: has('memory') && (own === '/' || read(join(root, own, 'memory.swap.max')) !== undefined),
    memoryReservation: has('memory'),
    memorySwappiness: false,
    oomKillDisable: false,
    cpuShares: has('cpu'),
    cpuQuota: has('cpu'),
    cpuRealtime: false,
    cpuset: has('cpuset'),
    cpusetCpus: read(join(root, 'cpuset.cpus.effective'))?.trim() ?? '',
    cpusetMems: read(join(root, 'cpuset.mems.effective'))?.trim() ?? '',
    pids: has('pids'),
    blkioWeight: has('io'),
    blkioWeightDevice: has('io'),
    blkioRates: has('io'),
  };
}

function readIfExists(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return existsSync(path) ? '' : undefined;
  }
}

/**
 * The numbers of a list such as `0-2,5`. @throws RangeError with the text for what is no list
 * @param most the largest number that makes sense
 */
export function parseCpuList(text: string, most = 8192): Set<number> {
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    if (part === '') continue;
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
    if (!match || last < first || last > most) throw new RangeError(`failed to parse "${text}"`);
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return numbers;
}
