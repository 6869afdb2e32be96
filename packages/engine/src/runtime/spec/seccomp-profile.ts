/**
 * Turns a seccomp profile as Docker's users write it into the runtime's filter. Such a profile may be for several
 * machines at once: entries hold for some architectures, kernels and capabilities alone. Pure.
 */
import { invalid } from '../../base/errors.ts';
import type { OciSeccomp, OciSeccompRule } from './oci-types.ts';
import type { SeccompArchitecture, SeccompInput } from './seccomp.ts';

interface ProfileCondition {
  readonly caps?: readonly string[] | null;
  readonly arches?: readonly string[] | null;
  /** `4.8` */
  readonly minKernel?: string | null;
}

interface ProfileRule extends Omit<OciSeccompRule, 'names' | 'args' | 'errnoRet'> {
  readonly name?: string;
  readonly names?: readonly string[] | null;
  readonly args?: OciSeccompRule['args'] | null;
  readonly errnoRet?: number | null;
  readonly includes?: ProfileCondition | null;
  readonly excludes?: ProfileCondition | null;
}

interface Profile {
  readonly defaultAction?: string;
  readonly defaultErrnoRet?: number | null;
  readonly architectures?: readonly string[] | null;
  readonly archMap?:
    | readonly { readonly architecture: string; readonly subArchitectures?: readonly string[] | null }[]
    | null;
  readonly flags?: readonly string[] | null;
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly ProfileRule[] | null;
}

/** How the conditions and the maps name this machine. */
const names = {
  x64: { go: 'amd64', scmp: 'SCMP_ARCH_X86_64' },
  arm64: { go: 'arm64', scmp: 'SCMP_ARCH_AARCH64' },
} as const satisfies Record<SeccompArchitecture, object>;

/**
 * The filter that a profile means on this machine.
 * @param text the profile's JSON
 * @throws invalid for what is no profile
 */
export function seccompFromProfile(text: string, input: SeccompInput): OciSeccomp {
  const profile = parse(text);
  const { defaultAction } = profile;
  if (!defaultAction) throw badProfile('it has no defaultAction');
  if (profile.architectures?.length && profile.archMap?.length) {
    throw badProfile(
      "'architectures' and 'archMap' were specified in the seccomp profile, use either 'architectures' or 'archMap'",
    );
  }
  return {
    defaultAction,
    ...(profile.defaultErrnoRet == null ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: architecturesOf(profile, input.architecture),
    ...(profile.flags?.length ? { flags: profile.flags } : {}),
    ...(profile.listenerPath ? { listenerPath: profile.listenerPath } : {}),
    ...(profile.listenerMetadata ? { listenerMetadata: profile.listenerMetadata } : {}),
    syscalls: (profile.syscalls ?? []).filter((rule) => holds(rule, input)).map(toRule),
  };
}

function parse(text: string): Profile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw badProfile((error as Error).message);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw badProfile('it is no object');
  }
  const { syscalls } = parsed as Profile;
  if (syscalls != null && !Array.isArray(syscalls)) throw badProfile("'syscalls' is no list");
  return parsed as Profile;
}

function architecturesOf(
  { architectures, archMap }: Profile,
  machine: SeccompArchitecture,
): readonly string[] {
  if (architectures?.length) return architectures;
  const own = archMap?.find(({ architecture }) => architecture === names[machine].scmp);
  return own ? [own.architecture, ...(own.subArchitectures ?? [])] : [];
}

function toRule(rule: ProfileRule): OciSeccompRule {
  if (rule.name && rule.names?.length) {
    throw badProfile(
      "'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'",
    );
  }
  return {
    names: rule.name ? [rule.name] : (rule.names ?? []),
    action: rule.action,
    ...(rule.errnoRet == null ? {} : { errnoRet: rule.errnoRet }),
    ...(rule.args?.length ? { args: rule.args } : {}),
  };
}

function holds({ includes, excludes }: ProfileRule, input: SeccompInput): boolean {
  const architecture: string = names[input.architecture].go;
  const has = (capability: string) => input.capabilities.includes(capability);
  if (excludes?.arches?.includes(architecture)) return false;
  if (excludes?.caps?.some(has)) return false;
  if (excludes?.minKernel && isAtLeast(input.kernel, excludes.minKernel)) return false;
  if (includes?.arches?.length && !includes.arches.includes(architecture)) return false;
  if (includes?.caps && !includes.caps.every(has)) return false;
  return !includes?.minKernel || isAtLeast(input.kernel, includes.minKernel);
}

function isAtLeast(kernel: readonly [number, number], wanted: string): boolean {
  const match = /^(\d+)\.(\d+)$/.exec(wanted);
  if (!match) throw badProfile(`invalid kernel version: "${wanted}": expected "MAJOR.MINOR"`);
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return kernel[0] > major || (kernel[0] === major && kernel[1] >= minor);
}

function badProfile(why: string) {
  return invalid('invalid-seccomp-profile', `Decoding seccomp profile failed: ${why}`);
}
