/** The engine: joins networks, containers and images over one store and one kernel, and brings them back at start. */
import { randomBytes } from 'node:crypto';
import { mkdir, realpath } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { internal, messageOf, unavailable } from './base/errors.ts';
import type { ContainerId } from './base/ids.ts';
import { type Log, silentLog } from './base/log.ts';
import { UndoStack } from './base/undo-stack.ts';
import { Commits } from './containers/commits.ts';
import { ContainerFiles } from './containers/container-files.ts';
import { Containers } from './containers/containers.ts';
import { Execs } from './containers/execs.ts';
import { HealthChecks } from './containers/health-checks.ts';
import { Launcher } from './containers/launcher.ts';
import { Lifecycle } from './containers/lifecycle.ts';
import { Links } from './containers/links.ts';
import { LogRotation } from './containers/log-rotation.ts';
import { Membership } from './containers/membership.ts';
import { Networking } from './containers/networking.ts';
import { Pausing } from './containers/pausing.ts';
import { Pruning } from './containers/pruning.ts';
import { ContainerRegistry } from './containers/registry.ts';
import { Stopping } from './containers/stopping.ts';
import { Updating } from './containers/updating.ts';
import { Events } from './events.ts';
import { ImageStore } from './images/image-store.ts';
import { checkRegistrySettings, type RegistrySettings } from './images/registry/endpoints.ts';
import { defaultSubnetPools } from './ipam/subnet-pools.ts';
import { KeeperClient } from './keeper/keeper-client.ts';
import { closeKernel, openKernel } from './kernel/kernel.ts';
import { isUserDefined } from './model/network.ts';
import type { ResolverOverrides } from './model/network-files.ts';
import { type FirewallReport, reportFirewall } from './networks/firewall-report.ts';
import { Names } from './networks/names.ts';
import { type NetworkOptions, Networks } from './networks/networks.ts';
import { Reservations } from './networks/reservations.ts';
import { Sandboxes } from './networks/sandboxes.ts';
import { Publishing } from './publishing/publishing.ts';
import { closeAttachments } from './runtime/attachment.ts';
import { canMountReadonlyBelow } from './runtime/features.ts';
import { type LimitSupport, limitSupport } from './runtime/limit-support.ts';
import { Runtime } from './runtime/runtime.ts';
import { Stats } from './stats/stats.ts';
import { Store } from './store/store.ts';
import { ContainerMounts } from './volumes/container-mounts.ts';
import { Volumes } from './volumes/volumes.ts';

export interface EngineOptions {
  /** Folder for everything that must outlive a reboot: database, images, containers. */
  readonly dataRoot: string;
  /** Folder for what a reboot makes void: namespaces, runc's state, exit codes. */
  readonly execRoot: string;
  /** The default bridge and the pools that networks take their subnets from. @default Docker's defaults */
  readonly network?: Partial<NetworkOptions>;
  /** Resolver settings of containers that bring none. @default the host's */
  readonly resolver?: ResolverOverrides;
  /**
   * What `host-gateway` stands for in extra hosts, at most one address of each family.
   * @default the default bridge's addresses
   */
  readonly hostGateways?: readonly string[];
  /** How registries are reached, and which are asked before Docker Hub. @default those on loopback without encryption */
  readonly registries?: RegistrySettings;
  /** Parent of the containers' cgroups, as a path below each hierarchy's root. @default '/seaway' */
  readonly cgroupParent?: string;
  /** Path or name of the OCI runtime. @default 'runc' */
  readonly runc?: string;
  /** Path or name of the container monitor. @default 'conmon' */
  readonly conmon?: string;
  /** @default silence */
  readonly log?: Log;
}

/** The options with all defaults filled in. */
export type EngineSettings = Required<Omit<EngineOptions, 'network'>> & { readonly network: NetworkOptions };

function withDefaults(options: EngineOptions): EngineSettings {
  return {
    resolver: { dns: [], dnsSearch: [], dnsOptions: [] },
    hostGateways: [],
    registries: { insecureRegistries: [], mirrors: [] },
    cgroupParent: '/seaway',
    runc: 'runc',
    conmon: 'conmon',
    log: silentLog,
    ...options,
    network: {
      bridge: 'docker0',
      mtuBytes: 1500,
      interContainer: true,
      masquerade: true,
      ipForward: true,
      addressPools: defaultSubnetPools,
      ...options.network,
    },
  };
}

type EngineParts = Omit<Engine, 'close' | typeof Symbol.asyncDispose>;

export class Engine implements AsyncDisposable {
  readonly options: EngineSettings;
  /** Identifies this installation for as long as its data root lives. */
  readonly id: string;
  /** What the kernel can hold containers to. */
  readonly limits: LimitSupport;
  readonly networks: Networks;
  readonly containers: Containers;
  /** What running containers use. */
  readonly stats: Stats;
  readonly execs: Execs;
  readonly files: ContainerFiles;
  readonly commits: Commits;
  readonly images: ImageStore;
  readonly volumes: Volumes;
  readonly events: Events;
  /** What the firewall should be, what of it is live, and whether both agree. */
  readonly firewallReport: () => Promise<FirewallReport>;
  /** A running container's published ports; on routed networks with 0 for the port of the host, which it does not have. */
  readonly portsOf: Publishing['portsOf'];
  readonly #close: () => Promise<void>;

  private constructor(parts: EngineParts, close: () => Promise<void>) {
    this.options = parts.options;
    this.id = parts.id;
    this.limits = parts.limits;
    this.networks = parts.networks;
    this.containers = parts.containers;
    this.stats = parts.stats;
    this.execs = parts.execs;
    this.files = parts.files;
    this.commits = parts.commits;
    this.images = parts.images;
    this.volumes = parts.volumes;
    this.events = parts.events;
    this.firewallReport = parts.firewallReport;
    this.portsOf = parts.portsOf;
    this.#close = close;
  }

  /**
   * Opens the data root and makes everything in it real again.
   * @throws unavailable when another engine holds the data root or this host's network, conflict when a device
   *   that Seaway did not make is in the way, internal when the folders cannot be used
   */
  static async open(given: EngineOptions): Promise<Engine> {
    const options = withDefaults(given);
    const { log } = options;
    checkRegistrySettings(options.registries);
    await using undo = new UndoStack(log);
    const store = Store.open(options.dataRoot);
    undo.add('close store', () => store.close());
    const claim = await claimHostNetwork();
    undo.add('release host network', () => void claim.close());
    const [netnsFolder, containersFolder] = await makeFolders(options);
    const kernel = openKernel();
    undo.add('close kernel threads', () => closeKernel(kernel));

    const id = installationId(store);
    const events = new Events();
    const networks = new Networks(
      {
        store,
        kernel,
        events,
        log,
        installation: id,
        publishedPorts: () => publishing.firewallPorts(),
        openings: () => publishing.openings(),
        bridgeRemade: (network) => publishing.prepareBridge(network),
        created: () => void keeper.prepare(),
      },
      options.network,
    );
    const keeper = new KeeperClient({
      folder: options.execRoot,
      state: () => ({ ...names.state(), holders: publishing.holders() }),
      // Networks of the users' are there for containers to come.
      isExpected: () => networks.list().some(isUserDefined),
      log,
    });
    undo.add('leave the keeper', () => keeper.close());
    const { endpoints, firewall } = networks;
    const { defaultBindAddress } = options.network;
    const publishing = new Publishing(
      { store, endpoints, firewall, keeper, kernel, log },
      defaultBindAddress === undefined ? {} : { defaultBindAddress },
    );
    const [images, runtime] = await Promise.all([
      ImageStore.open({
        root: join(options.dataRoot, 'images'),
        table: store.images,
        events,
        log,
        registries: options.registries,
      }),
      Runtime.open({ runc: options.runc, conmon: options.conmon, folder: options.execRoot }),
      networks.restore(),
    ]);
    const sandboxes = new Sandboxes(store, kernel, netnsFolder);
    const registry = new ContainerRegistry(store.containers);
    const reservations = new Reservations(networks, sandboxes);
    const names = new Names({ store, endpoints, sandboxes, keeper, log }, { resolver: options.resolver });
    const networking = new Networking({ registry, networks, sandboxes, reservations, names, publishing });
    const links = new Links({ registry, networks, log }, containersFolder);
    const volumes = new Volumes({
      table: store.volumes,
      folder: join(await realpath(options.dataRoot), 'volumes'),
      usersOf: (volume) => registry.usersOfVolume(volume),
      kernel,
      events,
      log,
    });
    let canBeReadonlyBelow: Promise<boolean> | undefined;
    const mounts = new ContainerMounts(
      { registry, volumes, images, kernel, events, log },
      {
        folder: join(options.execRoot, 'mounts'),
        dataRoot: options.dataRoot,
        canBeReadonlyBelow: () => (canBeReadonlyBelow ??= canMountReadonlyBelow(options.runc)),
      },
    );
    const launcher = new Launcher(
      { registry, networking, links, mounts, networks, images, runtime, kernel, log },
      {
        folder: containersFolder,
        cgroupParent: options.cgroupParent,
        resolver: options.resolver,
        hostGateways: options.hostGateways,
      },
    );
    const shared = { registry, launcher, networking, links, mounts, networks, reservations, events, images };
    const lifecycle = new Lifecycle({ ...shared, runtime, log });
    const membership = new Membership({ ...shared, lifecycle, sandboxes, names, publishing });
    const pausing = new Pausing({ registry, lifecycle, runtime, events, log });
    const stopping = new Stopping({ registry, lifecycle, pausing, events });
    const pruning = new Pruning({ registry, lifecycle, launcher, events, log });
    const updating = new Updating({ registry, lifecycle, runtime, events });
    const containers = new Containers({
      ...{ ...shared, lifecycle, membership, names, runtime },
      ...{ pausing, pruning, stopping, updating },
    });
    const rotation = new LogRotation({
      find: (container) => registry.find(container),
      logPath: (container) => launcher.logPath(container),
      events,
      log,
    });
    undo.add('let go of logs', () => rotation.close());
    const limits = limitSupport();
    const stats = new Stats({
      cgroupVersion: limits.cgroupVersion,
      find: (container) => registry.find(container),
      cgroupsOf: (container) => runtime.cgroupsOf(container),
      interfacesOf: (container) =>
        networks.endpointsOfContainer(container).flatMap(({ interfaceName }) => interfaceName ?? []),
    });
    undo.add('end looks at containers', () => stats.close());
    const execs = new Execs({ registry, launcher, links, runtime, events, log });
    undo.add('let go of execs', () => execs.close());
    const healthChecks = new HealthChecks({ registry, execs, images, events, log });
    undo.add('end health checks', () => healthChecks.close());
    const files = new ContainerFiles({ registry, launcher, lifecycle, mounts, images, events });
    undo.add('let go of files', () => files.close());
    const commits = new Commits({ registry, files, images, pausing, events });
    await publishing.restore();
    await mounts.restore();
    await lifecycle.restore();
    for (const container of registry.list()) rotation.begin(container);
    await pausing.restore();
    await commits.restore();
    await mounts.sweep();
    await links.restore();
    await sandboxes.sweep();
    await keeper.restore();
    void keeper.prepare();
    await networks.removeUnclaimedLinks();
    undo.keep();
    healthChecks.restore();
    void lifecycle.startWaiting();
    const firewallReport = () => reportFirewall({ networks, publishing });
    const portsOf = (container: ContainerId) => publishing.portsOf(container);
    const parts: EngineParts = {
      ...{ options, id, limits, networks, containers, stats, execs },
      ...{ files, commits, images, volumes, events },
      ...{ firewallReport, portsOf },
    };
    return new Engine(parts, async () => {
      execs.close();
      stats.close();
      await rotation.close();
      await files.close();
      await lifecycle.close();
      await keeper.close();
      await networks.close();
      await closeAttachments();
      await closeKernel(kernel);
      claim.close();
      store.close();
    });
  }

  /** Lets go of everything; containers, their networks and published state stay as they are. */
  async close(): Promise<void> {
    await this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Made at the first start, 64 hex digits. */
function installationId(store: Store): string {
  const known = store.meta.get('installation');
  return (known ?? store.meta.put({ id: 'installation', value: randomBytes(32).toString('hex') })).value;
}

async function makeFolders(options: EngineSettings): Promise<readonly [string, string]> {
  const folders = [join(options.execRoot, 'netns'), join(options.dataRoot, 'containers')] as const;
  for (const folder of folders) {
    await mkdir(folder, { recursive: true, mode: 0o711 }).catch((error) => {
      throw internal(
        'folder-unusable',
        `cannot make folder ${folder}: ${messageOf(error)}`,
        { folder },
        error,
      );
    });
  }
  return folders;
}

/**
 * One engine manages a host's network: two would undo each other's firewall. An abstract unix socket is the lock,
 * because its name belongs to the network namespace and goes with the process; unix(7).
 */
function claimHostNetwork(): Promise<Server> {
  const server = createServer((socket) => socket.destroy()).unref();
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? unavailable(
              'host-network-in-use',
              "another Seaway daemon manages this host's network: stop that one first",
            )
          : error,
      ),
    );
    server.listen('\0seaway-host-network', () => resolve(server));
  });
}
