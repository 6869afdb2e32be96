/** Turns a container record into what the OCI configuration is built from. */

import { constants, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { arch, release } from 'node:os';
import { join } from 'node:path';
import { internal, unavailable } from '../base/errors.ts';
import { exactNumber } from '../base/exact-json.ts';
import type { ContainerRecord, HostConfig, ResourceLimits } from '../model/container.ts';
import { findProgram } from '../runtime/find-program.ts';
import { parseCapabilityMask, resolveCapabilities } from '../runtime/spec/capabilities.ts';
import { resolveEnv } from '../runtime/spec/command.ts';
import type { NamespaceSource, OciMount, OciSpecInput, SharedMemory } from '../runtime/spec/oci-spec.ts';
import { seccompFromProfile } from '../runtime/spec/seccomp-profile.ts';
import { tmpfsOptions } from '../runtime/spec/tmpfs.ts';
import { type ResolvedUser, resolveGroups, resolveUser } from '../runtime/spec/user.ts';
import { blockIo, givenDevices } from './devices.ts';
import { effectiveHostname, type SandboxFiles } from './sandbox-files.ts';
import { parseSecurityOptions } from './security-options.ts';

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
  readonly pid: NamespaceSource;
  readonly ipc: NamespaceSource;
  readonly sharedMemory: SharedMemory;
  readonly cgroupParent: string;
  readonly cgroupVersion: 1 | 2;
}

/** Where a container finds its init process. */
const INIT_PATH = '/sbin/docker-init';

const [kernelMajor = 0, kernelMinor = 0] = release().split('.').map(Number);
const kernel = [kernelMajor, kernelMinor] as const;
const architecture = arch() === 'arm64' ? 'arm64' : 'x64';

/** Whether the kernel confines by AppArmor; elsewhere its options have no effect, as at Docker. */
const hasAppArmor = readSetting('/sys/module/apparmor/parameters/enabled') === 'Y';

function readSetting(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/**
 * @throws invalid when the user, a group or a security option is unknown, internal for devices that there are not,
 *   unavailable when an init process is wanted and none is installed
 */
export async function specInput(facts: SpecFacts): Promise<OciSpecInput> {
  const { container, rootfs } = facts;
  const { config, host } = container;
  const hostname = facts.hostname ?? effectiveHostname(container);
  const user = await findIdentity(config.user, host.groupAdd, rootfs);
  const security = parseSecurityOptions(host.securityOpt);
  const capabilities = containerCapabilities(host);
  const privileged = host.privileged ?? false;
  refuseDeviceRequests(host);
  const { devices, rules } = await givenDevices(host);
  // In a PID namespace of somebody else's it would not be PID 1.
  const init = host.init && facts.pid === 'private' ? initProgram() : undefined;
  return {
    rootfs,
    readonlyRootfs: host.readonlyRootfs,
    args: [...(init ? [INIT_PATH, '--'] : []), container.path, ...container.args],
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
    pid: facts.pid,
    ipc: facts.ipc,
    cgroupns: cgroupNamespace(host, facts.cgroupVersion),
    cgroupsPath: join('/', host.cgroupParent || facts.cgroupParent, container.id),
    capabilities,
    privileged,
    noNewPrivileges: security.noNewPrivileges,
    seccomp: ['default', 'unconfined'].includes(security.seccomp)
      ? (security.seccomp as 'default' | 'unconfined')
      : seccompFromProfile(security.seccomp, { capabilities, architecture, kernel }),
    ...(hasAppArmor && !['', 'unconfined'].includes(security.apparmor)
      ? { apparmorProfile: security.apparmor }
      : {}),
    devices,
    deviceRules: rules,
    mounts: [
      ...fileMounts(facts.files, host.readonlyRootfs),
      ...facts.mounts,
      ...memoryMounts(host),
      ...(init ? [bindReadonly(init, INIT_PATH)] : []),
    ],
    ...(facts.rootPropagation ? { rootPropagation: facts.rootPropagation } : {}),
    sharedMemory: facts.sharedMemory,
    sysctls: host.sysctls,
    rlimits: host.rlimits.map(({ name, soft, hard }) => ({
      type: `RLIMIT_${name.toUpperCase()}`,
      soft: limitOf(soft),
      hard: limitOf(hard),
    })),
    resources: await specLimits(host.resources),
    annotations: host.annotations ?? {},
    architecture,
    kernel,
    oomScoreAdj: host.oomScoreAdj,
    ...(host.maskedPaths ? { maskedPaths: host.maskedPaths } : {}),
    ...(host.readonlyPaths ? { readonlyPaths: host.readonlyPaths } : {}),
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

/** RLIM_INFINITY of getrlimit(2). */
const unlimited = exactNumber('18446744073709551615');

function limitOf(limit: number): number {
  return limit === -1 ? unlimited : limit;
}

/** @throws invalid for a capability that does not exist or that this process cannot give */
export function containerCapabilities({ capAdd, capDrop, privileged = false }: HostConfig): string[] {
  return resolveCapabilities({ add: capAdd, drop: capDrop, privileged, available });
}

/** As Docker decides where the request leaves it open. */
export function cgroupNamespace(
  { cgroupnsMode }: Pick<HostConfig, 'cgroupnsMode'>,
  cgroupVersion: 1 | 2,
): 'private' | 'host' {
  return cgroupnsMode ?? (cgroupVersion === 2 ? 'private' : 'host');
}

/** Linked statically: the image may have no C library. @throws unavailable naming what to install */
export function initProgram(): string {
  const path = ['docker-init', 'tini-static'].map(findProgram).find((found) => found !== undefined);
  if (path) return path;
  throw unavailable(
    'program-missing',
    'an init process was asked for, and neither docker-init nor tini-static is installed: install tini (Debian package tini)',
    { name: 'tini-static' },
  );
}

/** Nothing here chooses devices, such as GPUs. @throws internal in Docker's words for an engine without drivers */
function refuseDeviceRequests({ deviceRequests }: HostConfig): void {
  const request = deviceRequests?.[0];
  if (!request) return;
  const capabilities = (request.capabilities ?? []).map((words) => `[${words.join(' ')}]`).join(' ');
  throw internal(
    'no-device-driver',
    `could not select device driver "${request.driver}" with capabilities: [${capabilities}]`,
    { driver: request.driver },
  );
}

function bindReadonly(source: string, destination: string): OciMount {
  return { type: 'bind', source, destination, options: ['rbind', 'rprivate', 'ro'] };
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

function memoryMounts({ tmpfs }: HostConfig): OciMount[] {
  return Object.entries(tmpfs).map(
    ([destination, options]): OciMount => ({
      type: 'tmpfs',
      source: 'tmpfs',
      destination,
      options: tmpfsOptions(options),
    }),
  );
}

/**
 * Limits as the runtime takes them. Docker's `--cpus` is a quota over its period of a tenth of a second.
 * @throws internal for a path that is no device
 */
export async function specLimits(limits: ResourceLimits): Promise<OciSpecInput['resources']> {
  const { nanoCpus, cpuRealtimePeriodUs, cpuRealtimeRuntimeUs, ...rest } = limits;
  const block = await blockIo(limits);
  const cpuPeriodUs = 100_000;
  return {
    ...rest,
    ...(nanoCpus ? { cpuPeriodUs, cpuQuotaUs: Math.round((nanoCpus * cpuPeriodUs) / 1e9) } : {}),
    ...(cpuRealtimePeriodUs ? { realtimePeriodUs: cpuRealtimePeriodUs } : {}),
    ...(cpuRealtimeRuntimeUs ? { realtimeRuntimeUs: cpuRealtimeRuntimeUs } : {}),
    ...(block ? { blockIo: block } : {}),
  };
}
