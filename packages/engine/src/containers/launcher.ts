/**
 * Makes a container real and takes it back: namespace, interfaces, files, root filesystem, processes. Each step of
 * the way up is followed by how to undo it; each step of the way down can be repeated, so that whatever a crash left
 * behind is cleaned by the same functions.
 */
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { processStartTime } from '@seaway/linux';
import { allOrFirstError } from '../base/all-or-first-error.ts';
import { internal, messageOf } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { nowText } from '../base/time.ts';
import { UndoStack } from '../base/undo-stack.ts';
import type { ImageStore } from '../images/image-store.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { type ContainerRecord, type ContainerState, zeroTime } from '../model/container.ts';
import { probeCommand, startingHealth } from '../model/health.ts';
import type { EndpointRecord } from '../model/network.ts';
import type { ResolverOverrides } from '../model/network-files.ts';
import type { Networks } from '../networks/networks.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { buildOciSpec } from '../runtime/spec/oci-spec.ts';
import type { ContainerMounts, RuntimeMounts } from '../volumes/container-mounts.ts';
import type { Links } from './links.ts';
import { logLimits } from './log-limits.ts';
import { makeRoom } from './log-rotation.ts';
import type { Networking, Placement } from './networking.ts';
import type { ContainerRegistry } from './registry.ts';
import { makeFolder, RootFilesystems } from './root-filesystems.ts';
import {
  changeHostsFile,
  effectiveHostname,
  type FileFacts,
  ownAddresses,
  sandboxFiles,
  updateResolvConf,
  writeSandboxFiles,
} from './sandbox-files.ts';
import { sharedNamespaces, sharesIpc } from './shared-namespaces.ts';
import { specInput } from './spec-input.ts';

export interface LauncherParts {
  readonly registry: ContainerRegistry;
  readonly networking: Networking;
  readonly links: Links;
  readonly mounts: ContainerMounts;
  readonly networks: Networks;
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
  /** What `host-gateway` stands for; empty: the default bridge's addresses. */
  readonly hostGateways: readonly string[];
}

export class Launcher {
  readonly rootfs: RootFilesystems;
  readonly #parts: LauncherParts;
  readonly #options: LauncherOptions;
  readonly #cgroupVersion: 1 | 2 = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1;

  constructor(parts: LauncherParts, options: LauncherOptions) {
    this.#parts = parts;
    this.#options = options;
    this.rootfs = new RootFilesystems(parts, (id) => this.folder(id));
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
    const isJoined = container.host.networkMode.kind === 'container';
    const owner = isJoined ? this.#parts.networking.ownerOf(container) : undefined;
    return sandboxFiles(this.folder(owner?.id ?? container.id));
  }

  /**
   * Brings a stopped container up. On failure everything is taken back and the container is as it was.
   * @param beforeStart called when its processes exist and its program has not begun, so that no output is lost
   * @returns the record, committed as running
   */
  async launch(container: ContainerRecord, beforeStart: (bundle: string) => void): Promise<ContainerRecord> {
    const { registry, runtime, networking, links, log } = this.#parts;
    const { id } = container;
    const folder = this.folder(id);
    // A crash may have come between record and folder, or a failure have kept what runc knows of an earlier life.
    await makeFolder(folder);
    await runtime.deleteLeftover(id);
    await using undo = new UndoStack(log.child({ container: id }));
    undo.add('release network', () => this.#releaseNetwork(id));
    undo.add('forget placement', () => void registry.update(id, { sandboxId: undefined }));
    const { placement, placed } = networking.place(container);
    links.check(placed);
    const linkEnvironment = links.environment(placed);

    undo.add('release volumes', () => this.#parts.mounts.release(id));
    undo.add('unmount root filesystem', () => this.#unmount(id));
    undo.add('delete processes', () => runtime.delete(id));
    await runtime.forgetExit(id);
    await rm(join(folder, 'oom'), { force: true });
    const logMaxBytes = await makeRoom(this.logPath(id), logLimits(container.host.logging));
    const pid = await runtime.create(
      id,
      {
        bundle: folder,
        name: container.name,
        ...(container.host.logging?.driver === 'none' ? {} : { logPath: this.logPath(id) }),
        ...(logMaxBytes === undefined ? {} : { logMaxBytes }),
        terminal: container.config.tty,
        stdin: container.config.openStdin,
        // A terminal is not closed by a client that leaves it: the next one types on.
        keepStdinOpen: container.config.tty || !container.config.stdinOnce,
      },
      this.#prepare(placed, placement, linkEnvironment),
    );
    beforeStart(folder);
    const startTime = processStartTime(pid);
    await runtime.start(id, pid);
    const running = registry.updateState(id, {
      status: 'running',
      pid,
      ...(startTime === undefined ? {} : { processStartTime: startTime }),
      health: this.#hasHealthCheck(container) ? startingHealth(container.state.health) : undefined,
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAt: nowText(),
      finishedAt: zeroTime,
    } satisfies ContainerState);
    undo.keep();
    return running;
  }

  #hasHealthCheck({ config, imageId }: ContainerRecord): boolean {
    const shell = this.#parts.images.get(imageId)?.config.shell ?? undefined;
    return probeCommand(config.healthCheck, shell) !== undefined;
  }

  /** Namespace and interfaces, root filesystem and configuration, and files, side by side. */
  async #prepare(
    container: ContainerRecord,
    placement: Placement,
    linkEnvironment: readonly string[],
  ): Promise<void> {
    await allOrFirstError([
      this.#parts.networking.plumb(container.id, placement),
      this.rootfs
        .mount(container)
        .then(() => this.#parts.mounts.mount(container))
        .then((mounts) => this.#writeSpec(container, placement, linkEnvironment, mounts)),
      this.#writeFiles(container, placement),
      this.#mountSharedMemory(container),
    ]);
  }

  async #mountSharedMemory({ id, host }: ContainerRecord): Promise<void> {
    if (!sharesIpc(host)) return;
    const request = { target: this.#sharedFolder(id), sizeBytes: host.shmSizeBytes };
    await this.#parts.kernel.changes.run('ensureSharedMemory', request);
  }

  #sharedFolder(id: ContainerId): string {
    return join(this.folder(id), 'shm');
  }

  async #writeFiles(container: ContainerRecord, placement: Placement): Promise<void> {
    if (placement.kind === 'joined') return;
    const ipv6 = placement.kind === 'own' ? placement.ipv6 : true;
    await writeSandboxFiles(this.folder(container.id), this.#fileFacts(container, ipv6));
  }

  #fileFacts(container: ContainerRecord, ipv6: boolean): FileFacts {
    const { networks } = this.#parts;
    const { hostGateways } = this.#options;
    return {
      container,
      addresses: ownAddresses(networks.endpointsOfContainer(container.id)),
      links: () => this.#parts.links.hostsEntries(container),
      ipv6,
      hostGateways: hostGateways.length > 0 ? hostGateways : networks.hostAddresses(),
      daemonResolver: this.#options.resolver,
      hasEmbeddedServer: this.#parts.networking.hasResolver(container),
    };
  }

  /** Adds and takes away lines of a running container's hosts file. */
  async changeHosts(
    container: ContainerRecord,
    change: { readonly added: readonly EndpointRecord[]; readonly removed: readonly EndpointRecord[] },
  ): Promise<void> {
    const ipv6 = change.added.some(({ ipv6Address }) => ipv6Address !== undefined);
    await changeHostsFile(this.folder(container.id), this.#fileFacts(container, ipv6), {
      added: ownAddresses(change.added),
      removed: ownAddresses(change.removed),
    });
  }

  /** Brings a running container's resolv.conf in step with its networks. */
  async updateResolver(container: ContainerRecord): Promise<void> {
    const ipv6 = this.#parts.networking.hasIpv6(container);
    await updateResolvConf(this.folder(container.id), this.#fileFacts(container, ipv6));
  }

  async #writeSpec(
    container: ContainerRecord,
    placement: Placement,
    linkEnvironment: readonly string[],
    mounts: RuntimeMounts,
  ): Promise<void> {
    const folder = this.folder(container.id);
    const spec = buildOciSpec(
      await specInput({
        container,
        ...mounts,
        rootfs: join(folder, 'rootfs'),
        namespace: container.sandboxId && this.#parts.networking.namespaceOf(container),
        ownsNetwork: placement.kind === 'own',
        files: this.filesOf(container),
        linkEnvironment,
        ...(placement.kind === 'joined' ? { hostname: this.#hostnameOf(placement.owner) } : {}),
        ...sharedNamespaces(container, {
          resolve: (reference) => this.#parts.registry.resolve(reference),
          sharedFolder: (id) => this.#sharedFolder(id),
        }),
        cgroupParent: this.#options.cgroupParent,
        cgroupVersion: this.#cgroupVersion,
      }),
    );
    await writeFile(join(folder, 'config.json'), JSON.stringify(spec));
  }

  /** A chain of joined containers has the name of the one that owns the sandbox. */
  #hostnameOf(target: ContainerRecord): string {
    return effectiveHostname(this.#parts.networking.ownerOf(target) ?? target);
  }

  /**
   * The second half of the way down, behind the answer: mounts, interfaces and the namespace. Repeatable. What runc
   * keeps is deleted apart from this, because nobody has to wait for it but the container's next start.
   * @param endpoints what releasing the network has left
   */
  async cleanUp(id: ContainerId, endpoints: readonly EndpointRecord[]): Promise<void> {
    await allOrFirstError([
      this.#parts.runtime.forgetExit(id),
      this.#unmount(id),
      this.#parts.mounts.release(id),
      this.#parts.networking.cleanUp(id, endpoints),
    ]);
  }

  async #releaseNetwork(id: ContainerId): Promise<void> {
    const { networking } = this.#parts;
    await networking.cleanUp(id, await networking.release(id));
  }

  async #unmount(id: ContainerId): Promise<void> {
    await this.rootfs.unmount(id);
    const shared = this.#sharedFolder(id);
    if (existsSync(shared)) await this.#parts.kernel.deletions.run('removeMount', shared);
  }

  /** Deletes the container's folder with everything it wrote, and what runc could not delete before. */
  async deleteFolder(id: ContainerId): Promise<void> {
    const { runtime, log } = this.#parts;
    if (runtime.isDeleting(id)) {
      // Nobody waits for that, but should it fail, this is the last time that somebody thinks of it.
      runtime.deleteLeftover(id).catch((error) => {
        log.error(
          { container: id, error: messageOf(error) },
          'what runc keeps of a removed container was not deleted',
        );
      });
    } else {
      await runtime.deleteLeftover(id);
    }
    await this.rootfs.unmount(id, { evenIfBorrowed: true });
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
