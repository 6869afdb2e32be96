/**
 * Makes a container real and takes it back: namespace, interfaces, files, root filesystem, processes. Each step of
 * the way up is followed by how to undo it; each step of the way down can be repeated, so that whatever a crash left
 * behind is cleaned by the same functions.
 */
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, processStartTime } from '@seaway/linux';
import { conflict, internal, messageOf } from '../base/errors.ts';
import type { ContainerId, SandboxId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { nowText } from '../base/time.ts';
import { UndoStack } from '../base/undo-stack.ts';
import type { ImageStore } from '../images/image-store.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { type ContainerRecord, type ContainerState, isRunning, zeroTime } from '../model/container.ts';
import type { EndpointRecord, NetworkRecord, SandboxRecord } from '../model/network.ts';
import type { ResolverOverrides } from '../model/network-files.ts';
import type { Networks } from '../networks/networks.ts';
import type { Sandboxes } from '../networks/sandboxes.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { buildOciSpec } from '../runtime/spec/oci-spec.ts';
import type { ContainerRegistry } from './registry.ts';
import { effectiveHostname, sandboxFiles, writeSandboxFiles } from './sandbox-files.ts';
import { specInput } from './spec-input.ts';

export interface LauncherParts {
  readonly registry: ContainerRegistry;
  readonly networks: Networks;
  readonly sandboxes: Sandboxes;
  readonly images: ImageStore;
  readonly runtime: Runtime;
  readonly kernel: Kernel;
  readonly log: Log;
}

export interface LauncherOptions {
  /** Parent of the containers' folders. */
  readonly folder: string;
  readonly cgroupParent: string;
  readonly resolver: ResolverOverrides;
  /** What `host-gateway` stands for; undefined: the default bridge's address. */
  readonly hostGateway?: string;
}

/** Where a container's network is: its own sandbox, somebody else's, or the host's. */
type Placement =
  | {
      readonly kind: 'own';
      readonly sandbox: SandboxRecord;
      readonly endpoints: readonly EndpointRecord[];
      readonly ipv6: boolean;
    }
  | { readonly kind: 'joined'; readonly owner: ContainerRecord }
  | { readonly kind: 'host' };

export class Launcher {
  readonly #parts: LauncherParts;
  readonly #options: LauncherOptions;
  readonly #cgroupVersion: 1 | 2 = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1;

  constructor(parts: LauncherParts, options: LauncherOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** The container's own folder: its bundle, files and log. */
  folder(id: ContainerId): string {
    return join(this.#options.folder, id);
  }

  logPath(id: ContainerId): string {
    return join(this.folder(id), 'container.log');
  }

  /** The folder whose hosts, hostname and resolv.conf the container sees: its own or the joined container's. */
  filesOf(container: ContainerRecord) {
    const owner = container.host.networkMode.kind === 'container' ? this.#joined(container) : undefined;
    return sandboxFiles(this.folder(owner?.id ?? container.id));
  }

  sandboxPath({ sandboxId }: ContainerRecord): string {
    return sandboxId ? this.#parts.sandboxes.path(sandboxId) : '/proc/1/ns/net';
  }

  #joined(container: ContainerRecord): ContainerRecord | undefined {
    const sandbox = container.sandboxId && this.#parts.sandboxes.get(container.sandboxId);
    return sandbox && this.#parts.registry.find(sandbox.ownerId);
  }

  /**
   * Brings a stopped container up. On failure everything is taken back and the container is as it was.
   * @param beforeStart called when its processes exist and its program has not begun, so that no output is lost
   * @returns the record, committed as running
   */
  async launch(container: ContainerRecord, beforeStart: (bundle: string) => void): Promise<ContainerRecord> {
    const { registry, runtime, log } = this.#parts;
    const { id } = container;
    const folder = this.folder(id);
    // A crash may have come between record and folder, or a failure have kept what runc knows of an earlier life.
    await makeFolder(folder);
    await runtime.deleteLeftover(id);
    await using undo = new UndoStack(log.child({ container: id }));
    undo.add('release sandbox', () => this.#releaseSandbox(id));
    const placement = this.#place(container);
    const placed = registry.update(id, { sandboxId: sandboxOf(placement) });
    undo.add('forget placement', () => void registry.update(id, { sandboxId: undefined }));

    undo.add('unmount root filesystem', () => this.#unmount(id));
    undo.add('delete processes', () => runtime.delete(id));
    await runtime.forgetExit(id);
    const pid = await runtime.create(
      id,
      {
        bundle: folder,
        name: container.name,
        logPath: this.logPath(id),
        terminal: container.config.tty,
        stdin: container.config.openStdin,
        keepStdinOpen: !container.config.stdinOnce,
      },
      this.#prepare(placed, placement),
    );
    beforeStart(folder);
    const startTime = processStartTime(pid);
    await runtime.start(id, pid);
    const running = registry.updateState(id, {
      status: 'running',
      pid,
      ...(startTime === undefined ? {} : { processStartTime: startTime }),
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAt: nowText(),
      finishedAt: zeroTime,
    } satisfies ContainerState);
    undo.keep();
    return running;
  }

  /** Decides where the container's network is, and commits sandbox and endpoints. */
  #place(container: ContainerRecord): Placement {
    const mode = container.host.networkMode;
    switch (mode.kind) {
      case 'container':
        return this.#placeJoined(container, mode.container);
      case 'host':
        this.#claimEndpoints(container, [this.#parts.networks.resolve('host')], undefined);
        return { kind: 'host' };
      case 'none':
      case 'network': {
        const names = mode.kind === 'none' ? ['none'] : Object.keys(container.networks);
        const networks = names.map((name) => this.#parts.networks.resolve(name));
        const sandbox = this.#parts.sandboxes.claim(container);
        return {
          kind: 'own',
          sandbox,
          endpoints: this.#claimEndpoints(container, networks, sandbox),
          ipv6: networks.some((network) => network.enableIpv6),
        };
      }
    }
  }

  #placeJoined(container: ContainerRecord, reference: string): Placement {
    const target = this.#parts.registry.resolve(reference);
    if (target.id === container.id) {
      throw internal('joins-itself', 'cannot join own network namespace', { container: container.id });
    }
    if (!isRunning(target)) {
      throw conflict(
        'joined-container-not-running',
        `cannot join network namespace of a non running container: container ${target.name} is ${target.state.status}`,
        { container: target.id },
      );
    }
    if (target.sandboxId === undefined) return { kind: 'host' };
    return { kind: 'joined', owner: target };
  }

  #claimEndpoints(
    container: ContainerRecord,
    networks: readonly NetworkRecord[],
    sandbox: SandboxRecord | undefined,
  ): EndpointRecord[] {
    return networks.map((network) => this.#parts.networks.claimEndpoint(network, container, sandbox?.id));
  }

  /** Namespace and interfaces, root filesystem and configuration, and files, side by side. */
  async #prepare(container: ContainerRecord, placement: Placement): Promise<void> {
    await allOrFirstError([
      this.#plumb(placement),
      this.#mountRootfs(container).then(() => this.#writeSpec(container, placement)),
      this.#writeFiles(container, placement),
    ]);
  }

  async #plumb(placement: Placement): Promise<void> {
    if (placement.kind !== 'own') return;
    const { sandbox, endpoints, ipv6 } = placement;
    await this.#parts.sandboxes.ensure(sandbox, { ipv6 });
    const namespace = this.#parts.sandboxes.path(sandbox.id);
    for (const endpoint of endpoints) await this.#parts.networks.connect(endpoint, namespace);
  }

  async #mountRootfs({ id, imageId }: ContainerRecord): Promise<void> {
    const folder = this.folder(id);
    const lower = this.#parts.images.rootfs(imageId);
    const upper = join(folder, 'overlay', 'upper');
    if (!existsSync(lower)) {
      throw internal('image-incomplete', `the root filesystem of image ${imageId} is missing`, {
        id,
        imageId,
      });
    }
    if (!existsSync(upper)) {
      // The upper folder's own mode and owner become those of the container's "/".
      const { mode, uid, gid } = await stat(lower);
      await makeFolder(join(folder, 'overlay'));
      await makeFolder(upper);
      await chmod(upper, mode & 0o7777);
      await chown(upper, uid, gid);
    }
    const request = {
      lower: [lower],
      upper,
      work: join(folder, 'overlay', 'work'),
      target: join(folder, 'rootfs'),
    };
    await this.#parts.kernel.changes.run('ensureOverlay', request).catch((error) => {
      // Overlayfs takes most local file systems below its writable layer; not itself, and none of the network.
      const hint = isErrno(error, 'EINVAL')
        ? ' (the data root must lie on a file system such as ext4, xfs, btrfs or tmpfs)'
        : '';
      throw internal(
        'overlay-failed',
        `cannot mount the root filesystem: ${messageOf(error)}${hint}`,
        { id },
        error,
      );
    });
  }

  async #writeFiles(container: ContainerRecord, placement: Placement): Promise<void> {
    if (placement.kind === 'joined') return;
    const isOwn = placement.kind === 'own';
    await writeSandboxFiles(this.folder(container.id), {
      container,
      addresses: isOwn ? placement.endpoints.flatMap(({ ipv4Address }) => ipv4Address ?? []) : [],
      ipv6: isOwn ? placement.ipv6 : true,
      hostGateway: this.#options.hostGateway ?? this.#parts.networks.hostAddress(),
      daemonResolver: this.#options.resolver,
    });
  }

  async #writeSpec(container: ContainerRecord, placement: Placement): Promise<void> {
    const folder = this.folder(container.id);
    const spec = buildOciSpec(
      await specInput({
        container,
        rootfs: join(folder, 'rootfs'),
        namespace: container.sandboxId && this.#parts.sandboxes.path(container.sandboxId),
        ownsNetwork: placement.kind === 'own',
        files: this.filesOf(container),
        ...(placement.kind === 'joined' ? { hostname: this.#hostnameOf(placement.owner) } : {}),
        cgroupParent: this.#options.cgroupParent,
        cgroupVersion: this.#cgroupVersion,
      }),
    );
    await writeFile(join(folder, 'config.json'), JSON.stringify(spec));
  }

  /** A chain of joined containers has the name of the one that owns the sandbox. */
  #hostnameOf(target: ContainerRecord): string {
    return effectiveHostname(this.#joined(target) ?? target);
  }

  /**
   * The first half of the way down: cuts the traffic and gives addresses back. Quick; users wait for it.
   * @returns the endpoints whose interfaces are still to be removed
   */
  async releaseNetwork(id: ContainerId): Promise<EndpointRecord[]> {
    const { networks, sandboxes } = this.#parts;
    const endpoints = networks.endpointsOfContainer(id);
    for (const endpoint of endpoints) {
      await networks.releaseEndpoint(endpoint, endpoint.sandboxId && sandboxes.path(endpoint.sandboxId));
    }
    return endpoints;
  }

  /**
   * The second half, behind the answer: mounts, interfaces and the namespace. Repeatable. What runc keeps is deleted
   * apart from this, because nobody has to wait for it but the container's next start.
   */
  async cleanUp(id: ContainerId, endpoints: readonly EndpointRecord[]): Promise<void> {
    const sandbox = this.#parts.sandboxes.ownedBy(id);
    await allOrFirstError([
      this.#parts.runtime.forgetExit(id),
      this.#unmount(id),
      this.#removeSandbox(sandbox, endpoints),
      this.#sweepJoinedSandboxes(sandbox),
    ]);
  }

  async #removeSandbox(
    sandbox: SandboxRecord | undefined,
    endpoints: readonly EndpointRecord[],
  ): Promise<void> {
    if (!sandbox) return;
    if (await this.#parts.sandboxes.release(sandbox.id)) {
      this.#parts.networks.expectInterfacesGone(endpoints);
    } else {
      // Somebody still lives there: the namespace stays, and loses the interfaces that belonged to its owner.
      for (const endpoint of endpoints) await this.#parts.networks.removeInterface(endpoint);
    }
  }

  /** A container that was the last member of another's sandbox takes that along. */
  async #sweepJoinedSandboxes(own: SandboxRecord | undefined): Promise<void> {
    for (const sandbox of this.#parts.sandboxes.abandoned()) {
      if (sandbox.id !== own?.id) await this.#parts.sandboxes.release(sandbox.id);
    }
  }

  async #releaseSandbox(id: ContainerId): Promise<void> {
    const endpoints = await this.releaseNetwork(id);
    const sandbox = this.#parts.sandboxes.ownedBy(id);
    await this.#removeSandbox(sandbox, endpoints);
    // The owner of a sandbox that was about to be joined may have ended meanwhile, and left it to its members.
    await this.#sweepJoinedSandboxes(sandbox);
  }

  async #unmount(id: ContainerId): Promise<void> {
    await this.#parts.kernel.deletions.run('removeMount', join(this.folder(id), 'rootfs'));
  }

  /** Deletes the container's folder with everything it wrote, and what runc could not delete before. */
  async deleteFolder(id: ContainerId): Promise<void> {
    if (!this.#parts.runtime.isDeleting(id)) await this.#parts.runtime.deleteLeftover(id);
    await this.#unmount(id);
    try {
      await rm(this.folder(id), { recursive: true, force: true });
    } catch (error) {
      throw internal(
        'folder-not-deleted',
        `cannot delete the folder of container ${id}: ${messageOf(error)}`,
        { id },
        error,
      );
    }
  }
}

function sandboxOf(placement: Placement): SandboxId | undefined {
  switch (placement.kind) {
    case 'own':
      return placement.sandbox.id;
    case 'joined':
      return placement.owner.sandboxId;
    case 'host':
      return undefined;
  }
}

/** Not `recursive`: with that, Node calls a read-only file system "no such file or directory". */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o710 });
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}

/** Waits for all, so that nothing goes on behind a failure's undoing; then throws the first error. */
async function allOrFirstError(work: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
