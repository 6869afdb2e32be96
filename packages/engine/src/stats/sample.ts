/** What a container used up to one moment. Counters only grow while it runs; they may exceed what a number holds. */

export interface CpuSample {
  /** Nanoseconds, as the next ones. */
  readonly totalNs: bigint;
  readonly kernelNs: bigint;
  readonly userNs: bigint;
  /** For each CPU that the kernel knows; control groups of version 1 alone. */
  readonly perCpuNs?: readonly bigint[];
  readonly periods: bigint;
  readonly throttledPeriods: bigint;
  readonly throttledNs: bigint;
}

export interface MemorySample {
  readonly usageBytes: bigint;
  /** Control groups of version 1 alone. */
  readonly maxUsageBytes?: bigint;
  /** Undefined: none. */
  readonly limitBytes?: bigint;
  /** How often the limit was in the way. */
  readonly failures: bigint;
  /** The kernel's own figures, by its names. */
  readonly details: Readonly<Record<string, bigint>>;
}

export interface BlockIoEntry {
  readonly major: bigint;
  readonly minor: bigint;
  /** `read`, `Read`, `Total`, ... */
  readonly operation: string;
  readonly value: bigint;
}

export interface BlockIoSample {
  readonly bytes: readonly BlockIoEntry[];
  /** Control groups of version 1 alone. */
  readonly operations?: readonly BlockIoEntry[];
}

export interface PidsSample {
  readonly current: bigint;
  /** Undefined: none. */
  readonly limit?: bigint;
}

export interface InterfaceSample {
  readonly rxBytes: bigint;
  readonly rxPackets: bigint;
  readonly rxErrors: bigint;
  readonly rxDropped: bigint;
  readonly txBytes: bigint;
  readonly txPackets: bigint;
  readonly txErrors: bigint;
  readonly txDropped: bigint;
}

/** What the control groups tell. */
export interface GroupSample {
  readonly cpu: CpuSample;
  readonly memory: MemorySample;
  readonly blockIo: BlockIoSample;
  readonly pids: PidsSample;
}

/** The whole machine's CPUs. */
export interface MachineSample {
  /** Nanoseconds of all of them, idle or not. */
  readonly cpuNs: bigint;
  readonly cpus: number;
}

export interface ContainerSample extends GroupSample {
  /** RFC 3339 with nanoseconds. */
  readonly readAt: string;
  readonly cgroupVersion: 1 | 2;
  readonly machine: MachineSample;
  /** By the interfaces' names; undefined where the network is not the container's own. */
  readonly interfaces?: Readonly<Record<string, InterfaceSample>>;
}
