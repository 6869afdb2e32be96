/** Linux capabilities: which exist, which Docker gives, and what `--cap-add` and `--cap-drop` make of them. */
import { invalid } from '../../base/errors.ts';

/** Every capability, in the order of its number. Source: linux/capability.h (v6.18). */
export const allCapabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const;

export type Capability = (typeof allCapabilities)[number];

/** What a container has when nobody asks for more or less: Docker's fourteen. */
export const defaultCapabilities: readonly Capability[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SYS_CHROOT',
  'CAP_MKNOD',
  'CAP_AUDIT_WRITE',
  'CAP_SETFCAP',
];

export interface CapabilityRequest {
  /** Names with or without `CAP_`, in any case; `ALL` stands for every one. */
  readonly add?: readonly string[];
  /** As `add`. What is both added and dropped is dropped, unless it was dropped only by `ALL`. */
  readonly drop?: readonly string[];
  /** Every capability; `add` and `drop` are then only checked. */
  readonly privileged?: boolean;
  /**
   * What this process itself may give away: its bounding set. `ALL` and `privileged` mean all of these, because
   * the runtime cannot grant what it does not have (an engine that runs in a container, for example).
   * @default every capability
   */
  readonly available?: readonly Capability[];
}

/**
 * The capabilities of a container, in the order of their numbers.
 * Throws `invalid` for a name that no kernel knows, and for one named outright that is not available.
 */
export function resolveCapabilities(request: CapabilityRequest = {}): Capability[] {
  const add = (request.add ?? []).map((name) => parse(name, 'CapAdd'));
  const drop = (request.drop ?? []).map((name) => parse(name, 'CapDrop'));
  const available = new Set<Capability>(request.available ?? allCapabilities);
  for (const name of add) {
    if (name !== 'ALL' && !available.has(name)) {
      throw invalid(
        'capability-unavailable',
        `invalid CapAdd: capability not supported by your kernel or not available in the current environment: "${name}"`,
        { capability: name },
      );
    }
  }
  const inKernelOrder = (wanted: (name: Capability) => boolean): Capability[] =>
    allCapabilities.filter((name) => available.has(name) && wanted(name));

  if (request.privileged) return inKernelOrder(() => true);
  if (add.includes('ALL')) return inKernelOrder((name) => !drop.includes(name));
  // `--cap-drop ALL --cap-add X` is how people ask for exactly X.
  if (drop.includes('ALL')) return inKernelOrder((name) => add.includes(name));
  return inKernelOrder(
    (name) => (defaultCapabilities.includes(name) || add.includes(name)) && !drop.includes(name),
  );
}

/** Reads the `CapBnd` mask of /proc/PID/status (16 hex digits; proc(5)) into names. */
export function parseCapabilityMask(hex: string): Capability[] {
  const mask = BigInt(`0x${hex.trim()}`);
  return allCapabilities.filter((_, number) => ((mask >> BigInt(number)) & 1n) === 1n);
}

const known: ReadonlySet<string> = new Set(allCapabilities);

function parse(name: string, field: 'CapAdd' | 'CapDrop'): Capability | 'ALL' {
  const upper = name.trim().toUpperCase();
  if (upper === 'ALL' || upper === 'CAP_ALL') return 'ALL';
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (known.has(full)) return full as Capability;
  throw invalid('capability-unknown', `invalid ${field}: unknown capability: "${full}"`, {
    capability: name,
  });
}
