/**
 * The network side of a container's way up and down: where it lives, its interfaces there, and the names it is found
 * by. Each step of the way down can be repeated.
 */
import { allOrFirstError } from '../base/all-or-first-error.ts';
import { conflict, internal, notFound } from '../base/errors.ts';
import type { ContainerId, NetworkId, SandboxId } from '../base/ids.ts';
import {
  type ContainerRecord,
  type EndpointSettings,
  isRunning,
  type NetworkMode,
} from '../model/container.ts';
import {
  type EndpointAddresses,
  type EndpointRecord,
  isUserDefined,
  type NetworkRecord,
  type SandboxRecord,
} from '../model/network.ts';
import type { Names } from '../networks/names.ts';
import type { Networks } from '../networks/networks.ts';
import type { Reservations } from '../networks/reservations.ts';
import type { Sandboxes } from '../networks/sandboxes.ts';
import type { Publishing } from '../publishing/publishing.ts';
import type { ContainerRegistry } from './registry.ts';

export interface NetworkingParts {
  readonly registry: ContainerRegistry;
  readonly networks: Networks;
  readonly sandboxes: Sandboxes;
  readonly reservations: Reservations;
  readonly names: Names;
  readonly publishing: Publishing;
}

/** Where a container's network is: its own sandbox, somebody else's, or the host's. */
export type Placement =
  | { readonly kind: 'own'; readonly sandbox: SandboxRecord; readonly ipv6: boolean }
  | { readonly kind: 'joined'; readonly owner: ContainerRecord }
  | { readonly kind: 'host' };

/** A network that a container is to be on, and how. */
interface WantedNetwork {
  readonly network: NetworkRecord;
  readonly settings: EndpointSettings;
}

/** What {@link Networking.restore} found. */
export interface RestoredEndpoints {
  readonly left: readonly EndpointRecord[];
  readonly removed: readonly EndpointRecord[];
  readonly isChanged: boolean;
}

export class Networking {
  readonly #parts: NetworkingParts;

  constructor(parts: NetworkingParts) {
    this.#parts = parts;
  }

  /** Path of the namespace that a running container lives in; the host's own in host mode. */
  namespaceOf({ sandboxId }: ContainerRecord): string {
    return sandboxId ? this.#parts.sandboxes.path(sandboxId) : '/proc/1/ns/net';
  }

  /** The owner of the sandbox that the container lives in, which may be itself. */
  ownerOf({ sandboxId }: ContainerRecord): ContainerRecord | undefined {
    const sandbox = sandboxId && this.#parts.sandboxes.get(sandboxId);
    return sandbox && this.#parts.registry.find(sandbox.ownerId);
  }

  /** Whether names of the users' networks are answered in the container's own sandbox. */
  hasResolver({ id }: ContainerRecord): boolean {
    return this.#parts.sandboxes.ownedBy(id)?.hasResolver ?? false;
  }

  hasIpv6({ id }: ContainerRecord): boolean {
    return this.#parts.networks.endpoints.attachments(id).some(({ network }) => network.enableIpv6);
  }

  /**
   * Decides where the container's network is, and commits sandbox and endpoints; nothing is real yet.
   * @returns also the record, which knows its networks and its sandbox from now on
   * @throws notFound for a missing network or container, conflict when a joined one does not run, and as
   *   {@link Endpoints.claim}; what was committed is to be {@link release}d then
   */
  place(container: ContainerRecord): { readonly placement: Placement; readonly placed: ContainerRecord } {
    const { registry, sandboxes } = this.#parts;
    const { id } = container;
    const mode = container.host.networkMode;
    if (mode.kind === 'container') {
      const placement = this.#placeJoined(container, mode);
      const sandboxId = placement.kind === 'joined' ? placement.owner.sandboxId : undefined;
      return { placement, placed: registry.update(id, { sandboxId }) };
    }
    const wanted = this.#wantedNetworks(container);
    const networks = settingsByName(wanted);
    const sandbox = mode.kind === 'host' ? undefined : sandboxes.claim(container);
    for (const { network, settings } of wanted) this.claim(container, network, settings, sandbox);
    const placed = registry.update(id, { sandboxId: sandbox?.id, networks });
    if (!sandbox) return { placement: { kind: 'host' }, placed };
    const ipv6 = wanted.some(({ network }) => network.enableIpv6);
    return { placement: { kind: 'own', sandbox, ipv6 }, placed };
  }

  #placeJoined(
    container: ContainerRecord,
    mode: Extract<NetworkMode, { kind: 'container' }>,
  ): Extract<Placement, { kind: 'joined' | 'host' }> {
    const target = this.#parts.registry.resolve(mode.container);
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

  #wantedNetworks({ networks }: ContainerRecord): WantedNetwork[] {
    return Object.entries(networks).map(([name, settings]) => ({
      network: this.#networkOf(name, settings),
      settings,
    }));
  }

  /** A network that the container has been on is meant by its id: another one of that name is not the same. */
  #networkOf(name: string, { networkId }: EndpointSettings): NetworkRecord {
    if (networkId === undefined) return this.#parts.networks.resolve(name, 'connect');
    const network = this.#parts.networks.get(networkId);
    if (!network) throw notFound('network-not-found', `network ${networkId} not found`, { name, networkId });
    return network;
  }

  /** Commits one endpoint; see {@link Endpoints.claim}. */
  claim(
    container: ContainerRecord,
    network: NetworkRecord,
    settings: EndpointSettings,
    sandbox: SandboxRecord | undefined,
  ): EndpointRecord {
    const endpoint = this.#parts.networks.endpoints.claim(network, container, settings, sandbox);
    if (sandbox && isUserDefined(network)) this.#parts.sandboxes.needResolver(sandbox.id);
    return endpoint;
  }

  /** Makes a placed container's namespace, interfaces and names real. */
  async plumb(id: ContainerId, placement: Placement): Promise<void> {
    if (placement.kind !== 'own') return;
    const { networks, sandboxes, names, publishing } = this.#parts;
    const { sandbox, ipv6 } = placement;
    await sandboxes.ensure(sandbox, { ipv6 });
    const namespace = sandboxes.path(sandbox.id);
    for (const endpoint of networks.endpointsOfContainer(id)) {
      await networks.endpoints.connect(endpoint, namespace);
    }
    await allOrFirstError([names.publish(names.changeOf(id)), publishing.publish(id)]);
  }

  /**
   * Finishes what a crash has cut short on the networks of a running container: whoever was about to be connected is,
   * whoever was about to be disconnected is not any more. The keeper is told of it with everything else.
   * @returns the endpoints that it has, those that it has no more, and whether one had to be connected anew
   */
  async restore(container: ContainerRecord): Promise<RestoredEndpoints> {
    const { networks } = this.#parts;
    const namespace = this.namespaceOf(container);
    const left: EndpointRecord[] = [];
    const removed: EndpointRecord[] = [];
    let isChanged = false;
    for (const endpoint of networks.endpointsOfContainer(container.id)) {
      const name = networks.get(endpoint.networkId)?.name;
      if (name !== undefined && name in container.networks) {
        if (await networks.endpoints.ensureConnected(endpoint, namespace)) isChanged = true;
        left.push(endpoint);
      } else {
        await networks.endpoints.release(endpoint, namespace, { livesOn: true, keepAddresses: false });
        networks.endpoints.removeInterface(endpoint);
        removed.push(endpoint);
      }
    }
    return { left, removed, isChanged: isChanged || removed.length > 0 };
  }

  /**
   * The first half of the way down: cuts the traffic and gives addresses back. Quick; users wait for it.
   * @returns the endpoints whose interfaces are still to be removed
   */
  async release(id: ContainerId): Promise<EndpointRecord[]> {
    const { networks, sandboxes, names, publishing } = this.#parts;
    const change = names.changeOf(id);
    await publishing.withdraw(id, networks.endpoints.attachments(id));
    const endpoints = networks.endpointsOfContainer(id);
    const sandbox = sandboxes.ownedBy(id);
    const livesOn = sandbox !== undefined && sandboxes.users(sandbox.id).some((user) => user.id !== id);
    if (livesOn && endpoints.length > 0) sandboxes.keepAddresses(sandbox.id, addressesByNetwork(endpoints));
    for (const endpoint of endpoints) {
      const namespace = endpoint.sandboxId && sandboxes.path(endpoint.sandboxId);
      await networks.endpoints.release(endpoint, namespace, { livesOn, keepAddresses: livesOn });
    }
    // The sandbox's own resolver goes with the sandbox.
    await names.withdraw(livesOn ? change : { ...change, sandboxes: [] });
    return endpoints;
  }

  /** The second half, behind the answer: the namespace, and interfaces where it stays. Repeatable. */
  async cleanUp(id: ContainerId, endpoints: readonly EndpointRecord[]): Promise<void> {
    const { networks, sandboxes } = this.#parts;
    const own = sandboxes.ownedBy(id);
    if (own && (await this.#releaseSandbox(own.id))) {
      networks.endpoints.expectInterfacesGone(endpoints);
    } else if (own) {
      // Somebody still lives there: the namespace stays, and loses the interfaces that belonged to its owner.
      for (const endpoint of endpoints) networks.endpoints.removeInterface(endpoint);
    }
    // A container that was the last member of another's sandbox takes that along.
    for (const sandbox of sandboxes.abandoned()) {
      if (sandbox.id !== own?.id) await this.#releaseSandbox(sandbox.id);
    }
  }

  async #releaseSandbox(id: SandboxId): Promise<boolean> {
    const { sandboxes, registry, reservations, names } = this.#parts;
    const sandbox = sandboxes.get(id);
    if (!sandbox || !(await sandboxes.release(id))) return false;
    const owner = registry.find(sandbox.ownerId);
    if (owner) reservations.update(owner);
    if (sandbox.hasResolver) await names.withdraw({ networks: [], sandboxes: [id] });
    return true;
  }
}

function settingsByName(wanted: readonly WantedNetwork[]): Record<string, EndpointSettings> {
  return Object.fromEntries(
    wanted.map(({ network, settings }) => [
      network.name,
      isUserDefined(network) ? { ...settings, networkId: network.id } : settings,
    ]),
  );
}

function addressesByNetwork(
  endpoints: readonly EndpointRecord[],
): Readonly<Record<NetworkId, EndpointAddresses>> {
  return Object.fromEntries(
    endpoints.map(({ networkId, ipv4Address, ipv6Address }) => [
      networkId,
      { ...(ipv4Address ? { ipv4Address } : {}), ...(ipv6Address ? { ipv6Address } : {}) },
    ]),
  );
}
