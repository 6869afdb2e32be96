/** Limits on what a container may use: read from a request, held to Docker's bounds, and shown. Pure. */
import { invalid, type LimitSupport, parseCpuList, type ResourceLimits } from '@seaway/engine';
import type { FromSchema } from 'json-schema-to-ts';

const integer = { type: ['integer', 'null'] } as const;
const text = { type: ['string', 'null'] } as const;
const flag = { type: ['boolean', 'null'] } as const;

const rates = {
  type: ['array', 'null'],
  items: {
    type: 'object',
    required: ['Path', 'Rate'],
    properties: { Path: { type: 'string' }, Rate: { type: 'integer', minimum: 0 } },
  },
} as const;

/** The fields of a request, in `HostConfig` of a new container and in the body of an update. */
export const resourceFields = {
  Memory: integer,
  MemorySwap: integer,
  MemorySwappiness: integer,
  MemoryReservation: integer,
  OomKillDisable: flag,
  NanoCpus: integer,
  CpuShares: integer,
  CpuPeriod: integer,
  CpuQuota: integer,
  CpuRealtimePeriod: integer,
  CpuRealtimeRuntime: integer,
  CpusetCpus: text,
  CpusetMems: text,
  PidsLimit: integer,
  BlkioWeight: { type: ['integer', 'null'], minimum: 0, maximum: 65535 },
  BlkioWeightDevice: {
    type: ['array', 'null'],
    items: {
      type: 'object',
      required: ['Path', 'Weight'],
      properties: { Path: { type: 'string' }, Weight: { type: 'integer', minimum: 0, maximum: 65535 } },
    },
  },
  BlkioDeviceReadBps: rates,
  BlkioDeviceWriteBps: rates,
  BlkioDeviceReadIOps: rates,
  BlkioDeviceWriteIOps: rates,
} as const;

const resourceBody = { type: 'object', properties: resourceFields } as const;
export type DockerResources = FromSchema<typeof resourceBody>;

const MIN_MEMORY_BYTES = 6 * 1024 * 1024;

/**
 * The limits that a request asks for, without those that it leaves open and those that this machine cannot keep, of
 * which a warning tells.
 * @param update whether a container has others already, which these change
 * @throws invalid with Docker's texts
 */
export function parseResources(
  docker: DockerResources,
  support: LimitSupport,
  update = false,
): { readonly limits: ResourceLimits; readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  const wanted = read(docker);
  checkMemory(wanted, update);
  checkCpus(wanted, support);
  checkCpuset(wanted.cpusetCpus, support.cpusetCpus, support, { what: 'cpus', thing: 'CPUs' });
  checkCpuset(wanted.cpusetMems, support.cpusetMems, support, { what: 'mems', thing: 'memory nodes' });
  const weight = wanted.blkioWeight;
  if (weight && (weight < 10 || weight > 1000)) throw bad('Range of blkio weight is from 10 to 1000');
  const limits = withoutUnsupported(wanted, support, warnings);
  if (limits.oomKillDisable && !limits.memoryBytes && !update) {
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    );
  }
  // Docker gives as much swap as memory where nothing else is asked for.
  if (limits.memoryBytes && !limits.memorySwapBytes && !update && support.swap) {
    return { limits: { ...limits, memorySwapBytes: limits.memoryBytes * 2 }, warnings };
  }
  return { limits, warnings };
}

type Limits = { -readonly [K in keyof ResourceLimits]: ResourceLimits[K] };

function read(docker: DockerResources): Limits {
  const rateList = (list: DockerResources['BlkioDeviceReadBps']) =>
    list?.map(({ Path: path, Rate: rate }) => ({ path, rate }));
  const given = {
    memoryBytes: docker.Memory,
    memorySwapBytes: docker.MemorySwap,
    memoryReservationBytes: docker.MemoryReservation,
    nanoCpus: docker.NanoCpus,
    cpuShares: docker.CpuShares,
    cpuPeriodUs: docker.CpuPeriod,
    cpuQuotaUs: docker.CpuQuota,
    cpuRealtimePeriodUs: docker.CpuRealtimePeriod,
    cpuRealtimeRuntimeUs: docker.CpuRealtimeRuntime,
    cpusetCpus: docker.CpusetCpus,
    cpusetMems: docker.CpusetMems,
    pidsLimit: docker.PidsLimit,
    oomKillDisable: docker.OomKillDisable,
    blkioWeight: docker.BlkioWeight,
    blkioWeightDevices: docker.BlkioWeightDevice?.map(({ Path: path, Weight: weight }) => ({ path, weight })),
    blkioReadBps: rateList(docker.BlkioDeviceReadBps),
    blkioWriteBps: rateList(docker.BlkioDeviceWriteBps),
    blkioReadIops: rateList(docker.BlkioDeviceReadIOps),
    blkioWriteIops: rateList(docker.BlkioDeviceWriteIOps),
  };
  const set = Object.entries(given).filter(([, value]) => (Array.isArray(value) ? value.length > 0 : value));
  // The docker client sends -1 for "not given", and 0 is a request.
  const swappiness = docker.MemorySwappiness;
  return {
    ...Object.fromEntries(set),
    ...(swappiness == null || swappiness === -1 ? {} : { memorySwappiness: swappiness }),
  };
}

function checkMemory(limits: Limits, update: boolean): void {
  const {
    memoryBytes: memory = 0,
    memorySwapBytes: swap = 0,
    memoryReservationBytes: reservation = 0,
  } = limits;
  if (memory !== 0 && memory < MIN_MEMORY_BYTES) {
    throw invalid('memory-too-small', 'Minimum memory limit allowed is 6MB');
  }
  if (memory > 0 && swap > 0 && swap < memory) {
    throw bad('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (memory === 0 && swap > 0 && !update) {
    throw bad('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  const swappiness = limits.memorySwappiness ?? 0;
  if (swappiness < 0 || swappiness > 100) {
    throw bad(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  }
  if (reservation > 0 && reservation < MIN_MEMORY_BYTES)
    throw bad('Minimum memory reservation allowed is 6MB');
  if (reservation > 0 && memory > 0 && memory < reservation) {
    throw bad('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
}

function checkCpus(limits: Limits, { cpus, cpuRealtime }: LimitSupport): void {
  const { nanoCpus = 0, cpuPeriodUs: period = 0, cpuQuotaUs: quota = 0 } = limits;
  const { cpuRealtimePeriodUs: rtPeriod = 0, cpuRealtimeRuntimeUs: rtRuntime = 0 } = limits;
  if ((rtPeriod !== 0 || rtRuntime !== 0) && !cpuRealtime) {
    throw bad('kernel does not support CPU real-time scheduler');
  }
  if (rtPeriod !== 0 && rtRuntime > rtPeriod) {
    throw bad('cpu real-time runtime cannot be higher than cpu real-time period');
  }
  if (nanoCpus > 0 && period > 0) {
    throw bad('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  }
  if (nanoCpus > 0 && quota > 0) {
    throw bad('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  }
  if (nanoCpus < 0 || nanoCpus > cpus * 1e9) {
    throw invalid(
      'invalid-cpus',
      `range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`,
    );
  }
  if (period !== 0 && (period < 1000 || period > 1_000_000)) {
    throw bad('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  if (quota > 0 && quota < 1000) throw bad('CPU cfs quota can not be less than 1ms (i.e. 1000)');
}

function checkCpuset(
  wanted: string | undefined,
  available: string,
  { cpuset }: LimitSupport,
  { what, thing }: { readonly what: string; readonly thing: string },
): void {
  if (!wanted || !cpuset) return;
  let numbers: Set<number>;
  try {
    numbers = parseCpuList(wanted);
  } catch (error) {
    throw bad(`Invalid value ${wanted} for cpuset ${what}: ${(error as Error).message}`);
  }
  const there = parseCpuList(available);
  if ([...numbers].some((number) => !there.has(number))) {
    throw bad(`Requested ${thing} are not available - requested ${wanted}, available: ${available}`);
  }
}

/** What each limit needs, and what is said where that is missing. */
const needs: readonly (readonly [
  support: keyof LimitSupport,
  limits: readonly (keyof ResourceLimits)[],
  warning: string,
])[] = [
  [
    'memory',
    ['memoryBytes', 'memorySwapBytes'],
    'Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.',
  ],
  [
    'swap',
    ['memorySwapBytes'],
    'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
  ],
  [
    'memorySwappiness',
    ['memorySwappiness'],
    'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
  ],
  [
    'memoryReservation',
    ['memoryReservationBytes'],
    'Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. Limitation discarded.',
  ],
  [
    'oomKillDisable',
    ['oomKillDisable'],
    'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
  ],
  [
    'pids',
    ['pidsLimit'],
    'Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.',
  ],
  [
    'cpuShares',
    ['cpuShares'],
    'Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.',
  ],
  [
    'cpuQuota',
    ['cpuPeriodUs', 'cpuQuotaUs', 'nanoCpus'],
    'Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.',
  ],
  [
    'cpuset',
    ['cpusetCpus', 'cpusetMems'],
    'Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.',
  ],
  [
    'blkioWeight',
    ['blkioWeight'],
    'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
  ],
  [
    'blkioWeightDevice',
    ['blkioWeightDevices'],
    'Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.',
  ],
  [
    'blkioRates',
    ['blkioReadBps', 'blkioWriteBps', 'blkioReadIops', 'blkioWriteIops'],
    'Your kernel does not support Block I/O limits or the cgroup is not mounted. Block I/O limits discarded.',
  ],
];

function withoutUnsupported(wanted: Limits, support: LimitSupport, warnings: string[]): ResourceLimits {
  const limits = { ...wanted };
  for (const [needed, names, warning] of needs) {
    const asked = names.filter((name) => limits[name] !== undefined);
    if (support[needed] || asked.length === 0) continue;
    warnings.push(warning);
    for (const name of asked) delete limits[name];
  }
  return limits;
}

/** As `HostConfig` shows them. */
export function toDockerResources(limits: ResourceLimits) {
  const rateList = (list: ResourceLimits['blkioReadBps'] = []) =>
    list.map(({ path, rate }) => ({ Path: path, Rate: rate }));
  return {
    CpuShares: limits.cpuShares ?? 0,
    Memory: limits.memoryBytes ?? 0,
    NanoCpus: limits.nanoCpus ?? 0,
    BlkioWeight: limits.blkioWeight ?? 0,
    BlkioWeightDevice: (limits.blkioWeightDevices ?? []).map(({ path, weight }) => ({
      Path: path,
      Weight: weight,
    })),
    BlkioDeviceReadBps: rateList(limits.blkioReadBps),
    BlkioDeviceWriteBps: rateList(limits.blkioWriteBps),
    BlkioDeviceReadIOps: rateList(limits.blkioReadIops),
    BlkioDeviceWriteIOps: rateList(limits.blkioWriteIops),
    CpuPeriod: limits.cpuPeriodUs ?? 0,
    CpuQuota: limits.cpuQuotaUs ?? 0,
    CpuRealtimePeriod: limits.cpuRealtimePeriodUs ?? 0,
    CpuRealtimeRuntime: limits.cpuRealtimeRuntimeUs ?? 0,
    CpusetCpus: limits.cpusetCpus ?? '',
    CpusetMems: limits.cpusetMems ?? '',
    MemoryReservation: limits.memoryReservationBytes ?? 0,
    MemorySwap: limits.memorySwapBytes ?? 0,
    MemorySwappiness: limits.memorySwappiness ?? null,
    OomKillDisable: limits.oomKillDisable ?? false,
    PidsLimit: limits.pidsLimit ?? null,
  };
}

function bad(message: string) {
  return invalid('invalid-resources', message);
}
