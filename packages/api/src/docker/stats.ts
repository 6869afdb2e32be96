/** Docker's JSON of what a container uses. Pure. */
import {
  type BlockIoEntry,
  type ContainerSample,
  type CpuSample,
  type InterfaceSample,
  type Look,
  zeroTime,
} from '@seaway/engine';

export interface StatsSubject {
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
}

/** No limit, as Docker writes it for control groups of version 2: the largest number of 64 bits. */
const NO_LIMIT = 2n ** 64n - 1n;

/**
 * One object, as a line.
 * @param look undefined: the container does not run, and all is zero
 * @param previous the look before, which clients take the difference to
 * @param machineBytes memory of the whole machine, which stands for "no limit"
 */
export function statsLine(
  { id, name }: StatsSubject,
  look: Look,
  previous: Look,
  machineBytes: bigint,
): string {
  const stats = {
    name: `/${name}`,
    id,
    read: look?.readAt ?? zeroTime,
    preread: previous?.readAt ?? zeroTime,
    pids_stats: look ? pidsOf(look) : {},
    blkio_stats: blockIoOf(look),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuOf(look),
    precpu_stats: cpuOf(previous),
    memory_stats: look ? memoryOf(look, machineBytes) : {},
    ...(look?.interfaces ? { networks: mapValues(look.interfaces, interfaceOf) } : {}),
  };
  return `${JSON.stringify(stats, exactIntegers)}\n`;
}

/** The text of a number that JavaScript's own cannot hold. */
declare global {
  interface JSON {
    rawJSON(text: string): unknown;
  }
}

function exactIntegers(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? JSON.rawJSON(String(value)) : value;
}

function pidsOf({ pids, cgroupVersion }: ContainerSample) {
  const limit = pids.limit ?? (cgroupVersion === 2 ? NO_LIMIT : undefined);
  return { current: pids.current, ...(limit === undefined ? {} : { limit }) };
}

function blockIoOf(look: Look) {
  const entries = (list: readonly BlockIoEntry[] | undefined) =>
    list && list.length > 0
      ? list.map(({ major, minor, operation: op, value }) => ({ major, minor, op, value }))
      : null;
  return {
    io_service_bytes_recursive: entries(look?.blockIo.bytes),
    io_serviced_recursive: entries(look?.blockIo.operations),
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  };
}

const noCpu: CpuSample = {
  totalNs: 0n,
  kernelNs: 0n,
  userNs: 0n,
  periods: 0n,
  throttledPeriods: 0n,
  throttledNs: 0n,
};

function cpuOf(look: Look) {
  const cpu = look?.cpu ?? noCpu;
  return {
    cpu_usage: {
      total_usage: cpu.totalNs,
      ...(cpu.perCpuNs ? { percpu_usage: cpu.perCpuNs } : {}),
      usage_in_kernelmode: cpu.kernelNs,
      usage_in_usermode: cpu.userNs,
    },
    ...(look ? { system_cpu_usage: look.machine.cpuNs, online_cpus: look.machine.cpus } : {}),
    throttling_data: {
      periods: cpu.periods,
      throttled_periods: cpu.throttledPeriods,
      throttled_time: cpu.throttledNs,
    },
  };
}

function memoryOf({ memory }: ContainerSample, machineBytes: bigint) {
  const { limitBytes: limit, maxUsageBytes: maximum, failures } = memory;
  return {
    usage: memory.usageBytes,
    ...(maximum === undefined ? {} : { max_usage: maximum }),
    stats: memory.details,
    ...(failures > 0n ? { failcnt: failures } : {}),
    limit: limit === undefined || limit > machineBytes ? machineBytes : limit,
  };
}

function interfaceOf(sample: InterfaceSample) {
  return {
    rx_bytes: sample.rxBytes,
    rx_packets: sample.rxPackets,
    rx_errors: sample.rxErrors,
    rx_dropped: sample.rxDropped,
    tx_bytes: sample.txBytes,
    tx_packets: sample.txPackets,
    tx_errors: sample.txErrors,
    tx_dropped: sample.txDropped,
  };
}

function mapValues<T, R>(record: Readonly<Record<string, T>>, change: (value: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
