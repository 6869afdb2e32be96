/** Turns a container record into what the OCI configuration is built from. */
import { constants, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { arch, release } from 'node:os';
import { join } from 'node:path';
import { invalid } from '../base/errors.ts';
import type { ContainerRecord, HostConfig, ResourceLimits } from '../model/container.ts';
import { parseCapabilityMask, resolveCapabilities } from '../runtime/spec/capabilities.ts';
import { resolveEnv } from '../runtime/spec/command.ts';
import type { OciMount, OciSpecInput } from '../runtime/spec/oci-spec.ts';
import { type ResolvedUser, resolveGroups, resolveUser } from '../runtime/spec/user.ts';
import { tmpfsMount } from '../volumes/runtime-mounts.ts';
import { effectiveHostname, type SandboxFiles } from './sandbox-files.ts';

export interface SpecFacts {
  readonly container: ContainerRecord;
  readonly rootfs: string;
  /** Path of the network namespace, or undefined in the host's. */
  readonly namespace: string | undefined;
  /** Whether the namespace is the container's own. */
  readonly ownsNetwork: boolean;
  readonly files: SandboxFiles;
  /** Variables that tell of linked containers; the container's own win. */
  readonly linkEnvironment: readonly string[];
  /** The joined container's host name, in container mode. */
  readonly hostname?: string;
  /** Volumes, folders of the host and memory. */
  readonly mounts: readonly OciMount[];
  readonly rootPropagation?: 'shared' | 'rslave';
  readonly cgroupParent: string;
  readonly cgroupVersion: 1 | 2;
}

const [kernelMajor = 0, kernelMinor = 0] = release().split('.').map(Number);

/** @throws invalid when the user, a group or a security option is unknown */
export async function specInput(facts: SpecFacts): Promise<OciSpecInput> {
  const { container, rootfs } = facts;
  const { config, host } = container;
  const hostname = facts.hostname ?? effectiveHostname(container);
  const user = await findIdentity(config.user, host.groupAdd, rootfs);
  const security = parseSecurityOptions(host.securityOpt);
  return {
    rootfs,
    readonlyRootfs: host.readonlyRootfs,
    args: [container.path, ...container.args],
    env: resolveEnv({
      env: [...facts.linkEnvironment, ...config.env],
      home: user.home,
      hostname,
      tty: config.tty,
    }),
    cwd: config.workingDir || '/',
    terminal: config.tty,
    user,
    hostname,
    ...(config.domainname ? { domainname: config.domainname } : {}),
    network: facts.namespace === undefined ? { kind: 'host' } : { kind: 'path', path: facts.namespace },
    ownsNetwork: facts.ownsNetwork,
    // Docker keeps a UTS namespace of its own in host mode, filled with the host's name.
    uts: host.utsMode,
    pid: 'private',
    ipc: 'private',
    cgroupsPath: `${host.cgroupParent || facts.cgroupParent}/${container.id}`,
    cgroupVersion: facts.cgroupVersion,
    capabilities: containerCapabilities(host),
    privileged: false,
    ...security,
    mounts: [...fileMounts(facts.files, host.readonlyRootfs), ...facts.mounts, ...memoryMounts(host)],
    ...(facts.rootPropagation ? { rootPropagation: facts.rootPropagation } : {}),
    shmSizeBytes: host.shmSizeBytes,
    sysctls: host.sysctls,
    rlimits: host.rlimits.map(({ name, soft, hard }) => ({
      type: `RLIMIT_${name.toUpperCase()}`,
      soft,
      hard,
    })),
    resources: resources(host.resources),
    annotations: {},
    architecture: arch() === 'arm64' ? 'arm64' : 'x64',
    kernel: [kernelMajor, kernelMinor],
    oomScoreAdj: host.oomScoreAdj,
  };
}

/**
 * Looks a process's user up in the container's own files.
 * @param spec Docker's `user[:group]`
 * @param groupAdd names or numbers of further groups
 * @throws invalid when the user or a group is unknown
 */
export async function findIdentity(
  spec: string,
  groupAdd: readonly string[],
  rootfs: string,
): Promise<ResolvedUser> {
  const [passwd, group] = await Promise.all(
    ['etc/passwd', 'etc/group'].map((file) => readAccountFile(join(rootfs, file))),
  );
  const user = resolveUser(spec, passwd, group);
  // The primary group is named once more: without it a file that denies that group could still be read.
  const additionalGids = [user.gid, ...user.additionalGids, ...resolveGroups(groupAdd, group)];
  return { ...user, additionalGids };
}

/** More than any account file has: the file is the container's, which may put anything there. */
const MAX_ACCOUNT_FILE_BYTES = 4 * 1024 * 1024;

/** The file's text, or undefined for what is no file or too large. Never waits for a pipe's other end. */
async function readAccountFile(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const facts = await file.stat();
    if (!facts.isFile() || facts.size > MAX_ACCOUNT_FILE_BYTES) return undefined;
    return await file.readFile('utf8');
  } catch {
    return undefined;
  }
}

/** What this process may hand on at most; capabilities(7), "CapBnd". */
const available = parseCapabilityMask(
  /^CapBnd:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '',
);

/** Everything that a process of a container can be allowed on this machine. */
export function grantableCapabilities(): string[] {
  return resolveCapabilities({ add: ['ALL'], drop: [], available });
}

/** @throws invalid for a capability that does not exist or that this process cannot give */
export function containerCapabilities({ capAdd, capDrop }: HostConfig): string[] {
  return resolveCapabilities({ add: capAdd, drop: capDrop, available });
}

export function fileMounts(files: SandboxFiles, readonly: boolean): OciMount[] {
  const bind = (source: string, destination: string): OciMount => ({
    type: 'bind',
    source,
    destination,
    options: ['rbind', 'rprivate', readonly ? 'ro' : 'rw'],
  });
  return [
    bind(files.resolvConfPath, '/etc/resolv.conf'),
    bind(files.hostnamePath, '/etc/hostname'),
    bind(files.hostsPath, '/etc/hosts'),
  ];
}

/** `--tmpfs`: their options are what Docker's are, in its order. */
function memoryMounts({ tmpfs }: HostConfig): OciMount[] {
  return Object.entries(tmpfs).map(([destination, options]) =>
    tmpfsMount(destination, options.split(',').filter(Boolean)),
  );
}

/** Docker's `--cpus` is a quota over its period of a tenth of a second. */
function resources({ nanoCpus, ...limits }: ResourceLimits): OciSpecInput['resources'] {
  if (!nanoCpus) return limits;
  const cpuPeriodUs = 100_000;
  return { ...limits, cpuPeriodUs, cpuQuotaUs: Math.round((nanoCpus * cpuPeriodUs) / 1e9) };
}

/** @throws invalid naming the option and those that are known */
export function parseSecurityOptions(options: readonly string[]): {
  readonly noNewPrivileges: boolean;
  readonly seccompUnconfined: boolean;
} {
  let noNewPrivileges = false;
  let seccompUnconfined = false;
  for (const option of options) {
    switch (option.replace(':', '=')) {
      case 'no-new-privileges':
      case 'no-new-privileges=true':
        noNewPrivileges = true;
        break;
      case 'no-new-privileges=false':
        noNewPrivileges = false;
        break;
      case 'seccomp=unconfined':
        seccompUnconfined = true;
        break;
      case 'apparmor=unconfined':
      case 'label=disable':
        // Seaway confines by neither, so there is nothing to switch off.
        break;
      default:
        throw invalid(
          'invalid-security-option',
          `invalid --security-opt: "${option}" (known: no-new-privileges[=true|false], seccomp=unconfined, apparmor=unconfined, label=disable)`,
          { option },
        );
    }
  }
  return { noNewPrivileges, seccompUnconfined };
}
