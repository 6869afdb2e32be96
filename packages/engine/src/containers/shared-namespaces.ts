/** The process and IPC namespaces of a container: its own, the host's, or those of another container. Pure. */
import { conflict, EngineError, invalid } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import { type ContainerRecord, type HostConfig, isRunning } from '../model/container.ts';
import { joinedContainer, joinMode } from '../model/isolation.ts';
import type { NamespaceSource, SharedMemory } from '../runtime/spec/oci-spec.ts';

export interface SharedNamespaces {
  readonly pid: NamespaceSource;
  readonly ipc: NamespaceSource;
  readonly sharedMemory: SharedMemory;
}

export interface NamespaceParts {
  /** @throws notFound, invalid when a prefix fits several */
  readonly resolve: (reference: string) => ContainerRecord;
  /** Where the shared memory of a container that shares it is mounted. */
  readonly sharedFolder: (id: ContainerId) => string;
}

/** Whether others may join the container's IPC namespace. */
export function sharesIpc({ ipcMode }: HostConfig): boolean {
  return ipcMode === 'shareable';
}

/**
 * The namespaces that a container starts with.
 * @throws invalid for one to join that is unknown or shares nothing, conflict for one that does not run
 */
export function sharedNamespaces({ id, host }: ContainerRecord, parts: NamespaceParts): SharedNamespaces {
  const pidOwner = joinedContainer(host.pidMode);
  const pid: NamespaceSource =
    pidOwner === undefined
      ? host.pidMode === 'host'
        ? 'host'
        : 'private'
      : { path: namespacePath(running(pidOwner, 'PID', parts), 'pid') };
  const ipcOwner = joinedContainer(host.ipcMode);
  if (ipcOwner !== undefined) {
    const owner = running(ipcOwner, 'IPC', parts);
    const path = sharedMemoryOf(owner, parts);
    return { pid, ipc: { path: namespacePath(owner, 'ipc') }, sharedMemory: { kind: 'folder', path } };
  }
  switch (host.ipcMode) {
    case 'host':
      return { pid, ipc: 'host', sharedMemory: { kind: 'folder', path: '/dev/shm' } };
    case 'none':
      return { pid, ipc: 'private', sharedMemory: { kind: 'none' } };
    case 'shareable':
      return { pid, ipc: 'private', sharedMemory: { kind: 'folder', path: parts.sharedFolder(id) } };
    default:
      return { pid, ipc: 'private', sharedMemory: { kind: 'own', sizeBytes: host.shmSizeBytes } };
  }
}

function running(reference: string, kind: 'PID' | 'IPC', { resolve }: NamespaceParts): ContainerRecord {
  const failure = `failed to join ${kind} namespace`;
  let owner: ContainerRecord;
  try {
    owner = resolve(reference);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw invalid('namespace-owner-missing', `${failure}: ${error.message}`, { container: reference });
  }
  if (isRunning(owner)) return owner;
  throw conflict('not-running', `${failure}: container ${owner.id} is not running`, { id: owner.id });
}

/** One that joined another's namespace shares what that one has. */
function sharedMemoryOf(owner: ContainerRecord, parts: NamespaceParts): string {
  const { ipcMode } = owner.host;
  if (ipcMode === 'host') return '/dev/shm';
  if (sharesIpc(owner.host)) return parts.sharedFolder(owner.id);
  const next = joinedContainer(ipcMode);
  if (next !== undefined && next !== owner.id) return sharedMemoryOf(running(next, 'IPC', parts), parts);
  throw invalid(
    'ipc-not-shareable',
    `failed to join IPC namespace: container ${owner.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
    { id: owner.id },
  );
}

function namespacePath({ state }: ContainerRecord, kind: 'pid' | 'ipc'): string {
  return `/proc/${state.pid}/ns/${kind}`;
}

/** The same with ids where containers to join are named; one that is not known stays as it is, until the start. */
export function withJoinedIds(host: HostConfig, resolve: NamespaceParts['resolve']): HostConfig {
  const withId = (mode: string | undefined) => {
    const name = joinedContainer(mode);
    if (name === undefined) return mode;
    try {
      return joinMode(resolve(name).id);
    } catch {
      return mode;
    }
  };
  const [pidMode, ipcMode] = [withId(host.pidMode), withId(host.ipcMode)];
  if (pidMode === host.pidMode && ipcMode === host.ipcMode) return host;
  return { ...host, ...(pidMode ? { pidMode } : {}), ...(ipcMode ? { ipcMode } : {}) };
}
