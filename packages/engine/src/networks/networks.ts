/**
 * The networks: which exist, and how they are made real and taken away. Decisions come from `model` and `ipam`,
 * kernel objects from the drivers; this module keeps both in step with the store, which is written first.
 */

import { allOrFirstError } from '../base/all-or-first-error.ts';
import { conflict, forbidden, messageOf } from '../base/errors.ts';
import { type ContainerId, type NetworkId, newId, shortId } from '../base/ids.ts';
import { KeyedLock } from '../base/keyed-lock.ts';
import type { Log } from '../base/log.ts';
import { nowText } from '../base/time.ts';
import { UndoStack } from '../base/undo-stack.ts';
import { BridgeDriver, markPrefix } from '../drivers/bridge.ts';
import type { NetworkDriver } from '../drivers/driver.ts';
import type { Events } from '../events.ts';
import { addNetwork, type FirewallModel, removeNetwork, toFirewallNetwork } from '../firewall/model.ts';
import type { FirewallOpening, FirewallPort } from '../firewall/ports.ts';
import type { Kernel } from '../kernel/kernel.ts';
import {
  defaultBridge,
  type EndpointRecord,
  isPredefinedNetwork,
  type NetworkRecord,
} from '../model/network.ts';
import { type LookupPurpose, networkByPrefix } from '../model/network-reference.ts';
import type { NetworkRequest } from '../model/network-request.ts';
import { planNetwork } from '../model/plan-network.ts';
import type { Store } from '../store/store.ts';
import { AddressBook } from './address-book.ts';
import type { DefaultBridgeSettings } from './default-bridge.ts';
import { Endpoints } from './endpoints.ts';
import { Firewall } from './firewall.ts';
import { Forwarding } from './forwarding.ts';
import { HostRoutes, type OnLinkRoute } from './host-routes.ts';
import { hostServers } from './host-servers.ts';
import { LinkRemovals } from './link-removals.ts';
import { NetworkRestore } from './network-restore.ts';

export interface NetworkOptions extends DefaultBridgeSettings {
  /** Whether the daemon may turn the host into a router. */
  readonly ipForward: boolean;
}

export interface NetworksParts {
  readonly store: Store;
  readonly kernel: Kernel;
  readonly events: Events;
  readonly log: Log;
  /** Identifies the installation: its devices bear it, and its IPv6 addresses come from it. */
  readonly installation: string;
  /** The ports that lead to containers, whenever the whole ruleset is put in place. */
  readonly publishedPorts: () => readonly FirewallPort[];
  /** Ports of containers on routed networks that are open, likewise. */
  readonly openings: () => readonly FirewallOpening[];
  /** A network's bridge was gone and has been made anew. */
  readonly bridgeRemade: (network: NetworkId) => Promise<void>;
  /** There is one more network, ready for containers. */
  readonly created: () => void;
}

export class Networks {
  readonly endpoints: Endpoints;
  readonly addresses = new AddressBook();
  readonly #parts: NetworksParts;
  readonly #store: Store;
  readonly #log: Log;
  readonly #options: NetworkOptions;
  readonly #driver: NetworkDriver;
  readonly firewall: Firewall;
  readonly #removals: LinkRemovals;
  readonly #hostRoutes: HostRoutes;
  readonly #forwarding: Forwarding;
  readonly #restore: NetworkRestore;
  /** Of networks that come and go, one after another for each name of a device. */
  readonly #devices = new KeyedLock();
  /** In the store, so that nobody else gets their names and subnets, and not yet real: nobody finds them so far. */
  readonly #unfinished = new Set<NetworkId>();
  #isPruning = false;

  constructor(parts: NetworksParts, options: NetworkOptions) {
    const { store, kernel, log, installation } = parts;
    this.#parts = parts;
    this.#store = store;
    this.#log = log;
    this.#options = options;
    const mark = installation.slice(0, 12);
    this.#driver = new BridgeDriver(kernel, mark);
    this.firewall = new Firewall(kernel, () => this.#firewallModel(), log);
    this.#removals = new LinkRemovals(kernel, markPrefix(mark), log);
    this.#hostRoutes = new HostRoutes(kernel, log);
    this.#forwarding = new Forwarding({ store, kernel, log }, options.ipForward);
    const shared = { store, log, addresses: this.addresses, driver: this.#driver, removals: this.#removals };
    const { firewall } = this;
    this.endpoints = new Endpoints({ ...shared, firewall, bridgeRemade: parts.bridgeRemade });
    const foreignRoutes = () => this.#foreignRoutes();
    this.#restore = new NetworkRestore(
      { ...shared, kernel, endpoints: this.endpoints, foreignRoutes, mark },
      options,
    );
  }

  /** Makes the default networks where they are missing, and every network real again. */
  async restore(): Promise<void> {
    await this.#forwarding.open();
    await this.#restore.restore();
    await this.#forwarding.enable('ipv4');
    if (this.list().some(({ enableIpv6, bridge }) => enableIpv6 && bridge)) {
      await this.#forwarding.enable('ipv6');
    }
    await this.firewall.apply();
    await this.firewall.reportObstacles();
    this.firewall.watch();
  }

  /** As {@link NetworkRestore.removeUnclaimedLinks}. */
  removeUnclaimedLinks(): Promise<void> {
    return this.#restore.removeUnclaimedLinks();
  }

  /** Without those of our own bridges, which the store knows. */
  #foreignRoutes(): Promise<OnLinkRoute[]> {
    const own = this.#all().flatMap(({ subnets }) => subnets.map(({ subnet }) => subnet));
    return this.#hostRoutes.list(new Set(own));
  }

  #firewallModel(): FirewallModel {
    return {
      networks: this.#all().flatMap((network) => toFirewallNetwork(network) ?? []),
      endpoints: this.endpoints.firewallEndpoints(),
      ports: this.#parts.publishedPorts(),
      openings: this.#parts.openings(),
      links: this.endpoints.firewallLinks(),
      // A host that was no router before must not become one for others because containers need it.
      dropOtherForwarding: this.#forwarding.turnedOn(),
    };
  }

  list(): NetworkRecord[] {
    return this.#all().filter(({ id }) => !this.#unfinished.has(id));
  }

  /** With those that are being made. */
  #all(): NetworkRecord[] {
    return [...this.#store.networks.all()];
  }

  /**
   * Finds a network by full id, exact name or unique id prefix, in that order; `default` means `bridge`.
   * @throws notFound, invalid when a prefix fits several
   */
  resolve(reference: string, purpose: LookupPurpose = 'inspect'): NetworkRecord {
    const exact = this.find(reference === 'default' ? defaultBridge : reference);
    return exact ?? networkByPrefix(this.list(), reference, purpose);
  }

  /** By full id or exact name. */
  find(reference: string): NetworkRecord | undefined {
    return this.#store.networks.get(reference) ?? this.#byName(reference);
  }

  get(id: NetworkId): NetworkRecord | undefined {
    return this.#store.networks.get(id);
  }

  #byName(name: string): NetworkRecord | undefined {
    return this.list().find((network) => network.name === name);
  }

  /** The live endpoints of a network. */
  endpointsOf(id: NetworkId): EndpointRecord[] {
    return this.endpoints.of(id);
  }

  /** The live endpoints of a container. */
  endpointsOfContainer(id: ContainerId): EndpointRecord[] {
    return this.endpoints.ofContainer(id);
  }

  /**
   * Makes a network.
   * @returns a warning where the request is allowed and probably not meant
   * @throws forbidden, conflict, invalid, notFound as `planNetwork`; conflict when a device of its bridge's name is in
   *   the way
   */
  async create(request: NetworkRequest): Promise<{ readonly id: NetworkId; readonly warning: string }> {
    const [routes, servers] = [await this.#foreignRoutes(), hostServers()];
    // From here to the commit nothing waits, so that two requests for one name or subnet cannot both be granted.
    const { network, warning } = planNetwork(request, {
      id: newId<NetworkId>(),
      createdAt: nowText(),
      networks: this.#all(),
      pools: this.#options.addressPools,
      hostRoutes: routes,
      hostServers: servers,
      hostId: this.#parts.installation,
    });
    await using undo = new UndoStack(this.#log.child({ network: network.name }));
    this.#store.networks.put(network);
    this.#unfinished.add(network.id);
    undo.add('forget network', () => {
      this.#store.networks.delete(network.id);
      this.#unfinished.delete(network.id);
    });
    if (network.bridge) await this.#devices.run(network.bridge.device, () => this.#makeReal(network, undo));
    this.#unfinished.delete(network.id);
    this.#reserveFor(network);
    undo.keep();
    this.#emit('create', network);
    this.#parts.created();
    return { id: network.id, warning };
  }

  async #makeReal(network: NetworkRecord, undo: UndoStack): Promise<void> {
    const { device } = network.bridge!;
    this.addresses.open(network, []);
    undo.add('close address book', () => this.addresses.close(network.id));
    // The bridge of a network that was just removed may still have the name.
    await this.#removals.gone(device);
    const view = toFirewallNetwork(network)!;
    undo.add('take out of the firewall', () => this.firewall.change(removeNetwork(view)));
    undo.add('remove bridge', () => this.#removals.remove(device));
    // One behind the other on the kernel thread, without a way to and fro in between.
    await allOrFirstError([this.#driver.ensureNetwork(network, []), this.firewall.change(addNetwork(view))]);
    if (network.enableIpv6 && (await this.#forwarding.enable('ipv6'))) await this.firewall.apply();
  }

  /** Containers may have asked for addresses of a network before there was one of that name. */
  #reserveFor({ id, name }: NetworkRecord): void {
    for (const container of this.#store.containers.all()) {
      const settings = container.networks[name];
      if (settings && settings.networkId === undefined) this.addresses.reserve(id, container.id, [settings]);
    }
  }

  /**
   * Removes a network without live endpoints; its name and subnets are free when this resolves, its device is gone a
   * moment later.
   * @throws notFound, forbidden for a predefined one and for one in use, naming by whom
   */
  async remove(reference: string): Promise<void> {
    const network = this.resolve(reference, 'remove');
    if (isPredefinedNetwork(network.name)) {
      throw forbidden('network-predefined', `${network.name} is a pre-defined network and cannot be removed`);
    }
    const blocked = this.#blockedBy(network);
    if (blocked !== undefined) {
      throw forbidden('network-in-use', `error while removing network: ${blocked}`, { network: network.id });
    }
    this.#store.networks.delete(network.id);
    await this.#takeAway(network);
    this.#emit('destroy', network);
  }

  /** What keeps a network from being removed. */
  #blockedBy({ id, name, configOnly }: NetworkRecord): string | undefined {
    if (configOnly && this.#all().some(({ configFrom }) => configFrom === name)) {
      return `configuration network "${name}" is in use`;
    }
    const endpoints = this.endpointsOf(id);
    if (endpoints.length === 0) return undefined;
    const names = endpoints.map(
      ({ containerName, containerId }) => `name:"${containerName}" id:"${shortId(containerId)}"`,
    );
    return `network ${name} has active endpoints (${names.join(', ')})`;
  }

  async #takeAway(network: NetworkRecord): Promise<void> {
    this.addresses.close(network.id);
    if (!network.bridge) return;
    await this.#devices.run(network.bridge.device, () => this.#cut(network));
  }

  async #cut(network: NetworkRecord): Promise<void> {
    try {
      const [link] = await Promise.all([
        this.#driver.cutNetwork(network),
        this.firewall.change(removeNetwork(toFirewallNetwork(network)!)),
      ]);
      this.#removals.remove(link);
    } catch (error) {
      // It exists no more: what is left of it bears our mark, and goes at the next start of the daemon.
      this.#log.error({ network: network.name, error: messageOf(error) }, 'a removed network left traces');
    }
  }

  /**
   * Removes those of the users' networks that nothing is connected to.
   * @returns their names
   * @throws conflict while another such request is under way
   */
  async prune(isWanted: (network: NetworkRecord) => boolean): Promise<readonly string[]> {
    if (this.#isPruning) throw conflict('prune-under-way', 'a prune operation is already running');
    this.#isPruning = true;
    try {
      const removed: string[] = [];
      for (const network of this.list()) {
        const isLeft = isPredefinedNetwork(network.name) || network.configOnly || !isWanted(network);
        if (isLeft || this.#blockedBy(network) !== undefined || !this.get(network.id)) continue;
        await this.remove(network.id);
        removed.push(network.name);
      }
      this.#parts.events.emit('network', 'prune', '', { reclaimed: '0' });
      return removed;
    } finally {
      this.#isPruning = false;
    }
  }

  #emit(action: 'create' | 'destroy', { id, name, driver }: NetworkRecord): void {
    this.#parts.events.emit('network', action, id, { name, type: driver });
  }

  /** What is wrong with the host's network as far as containers are concerned, in sentences. */
  warnings(): Promise<readonly string[]> {
    return this.firewall.obstacles();
  }

  /** The host's addresses on the default bridge, by which containers can reach it. */
  hostAddresses(): string[] {
    return this.#byName(defaultBridge)?.subnets.map(({ gateway }) => gateway) ?? [];
  }

  /** What is still to be removed is removed now, and the host is no router any more where no container needs that. */
  async close(): Promise<void> {
    this.firewall.unwatch();
    this.#hostRoutes.close();
    await this.#removals.close();
    try {
      if (this.endpoints.firewallEndpoints().length > 0) return;
      if (await this.#forwarding.putBack()) await this.firewall.apply();
    } catch (error) {
      this.#log.error({ error: messageOf(error) }, 'forwarding was not put back');
    }
  }
}
