/**
 * Which networks a container is on, changed while it runs or stands still. Of a running container the interfaces,
 * routes, names and files change at once; of one that stands still the record does, for its next start.
 */
import { allOrFirstError } from '../base/all-or-first-error.ts';
import { EngineError, internal, invalid, notFound } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { Events } from '../events.ts';
import { type ContainerRecord, type EndpointSettings, isRunning } from '../model/container.ts';
import { checkEndpointSettings } from '../model/create-rules.ts';
import { defaultBridge, type EndpointRecord, isUserDefined, type NetworkRecord } from '../model/network.ts';
import type { Names } from '../networks/names.ts';
import type { Networks } from '../networks/networks.ts';
import type { Reservations } from '../networks/reservations.ts';
import type { Sandboxes } from '../networks/sandboxes.ts';
import type { Publishing } from '../publishing/publishing.ts';
import { emitNetworkEvent } from './container-events.ts';
import type { Launcher } from './launcher.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Links } from './links.ts';
import type { Networking } from './networking.ts';
import type { ContainerRegistry } from './registry.ts';

export interface MembershipParts {
  readonly registry: ContainerRegistry;
  readonly lifecycle: Lifecycle;
  readonly launcher: Launcher;
  readonly links: Links;
  readonly networking: Networking;
  readonly networks: Networks;
  readonly sandboxes: Sandboxes;
  readonly reservations: Reservations;
  readonly names: Names;
  readonly publishing: Publishing;
  readonly events: Events;
}

export class Membership {
  readonly #parts: MembershipParts;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
  }

  /**
   * Brings a container to a network.
   * @throws notFound for a missing container, and for a missing network where the container runs; invalid for what
   *   the container's network mode or the network does not allow; forbidden when it is there already or the address
   *   is in use
   */
  async connect(network: string, container: string, settings: EndpointSettings): Promise<void> {
    const { id } = this.#resolve(container);
    await this.#parts.lifecycle.exclusively(id, () => this.#connect(network, id, settings));
  }

  #resolve(reference: string): ContainerRecord {
    if (reference === '') throw invalid('invalid-container', 'invalid name or ID supplied: ""');
    return this.#parts.registry.resolve(reference);
  }

  async #connect(reference: string, id: ContainerId, settings: EndpointSettings): Promise<void> {
    const container = this.#available(id);
    const network = this.#networkFor(reference, { mayBeMissing: !isRunning(container) });
    const name = network?.name ?? reference;
    checkCompanions(container, name);
    checkEndpointSettings(name, settings, 'connect');
    if (!isRunning(container)) {
      // The settings of the first call stay.
      if (!(name in container.networks)) this.#remember(container, name, network, settings);
      return;
    }
    if (network) await this.#connectRunning(container, network, settings);
  }

  #available(id: ContainerId): ContainerRecord {
    const container = this.#parts.registry.get(id);
    if (container.removing) {
      throw internal(
        'being-removed',
        `Container ${id} is marked for removal and cannot be connected or disconnected to the network`,
        { id },
      );
    }
    return container;
  }

  /** Undefined for a network that does not exist yet, which is fine as long as the container stands still. */
  #networkFor(
    reference: string,
    { mayBeMissing }: { readonly mayBeMissing: boolean },
  ): NetworkRecord | undefined {
    try {
      return this.#parts.networks.resolve(reference, 'connect');
    } catch (error) {
      const isMissing = error instanceof EngineError && error.kind === 'notFound';
      if (isMissing && mayBeMissing) return undefined;
      throw error;
    }
  }

  #remember(
    container: ContainerRecord,
    name: string,
    network: NetworkRecord | undefined,
    settings: EndpointSettings,
  ): ContainerRecord {
    const networkId = network && isUserDefined(network) ? { networkId: network.id } : {};
    const networks = { ...container.networks, [name]: { ...settings, ...networkId } };
    const changed = this.#parts.registry.update(container.id, { networks });
    this.#parts.reservations.update(changed);
    return changed;
  }

  async #connectRunning(
    container: ContainerRecord,
    network: NetworkRecord,
    settings: EndpointSettings,
  ): Promise<void> {
    const { networking, sandboxes, networks, registry, names, launcher, links, events } = this.#parts;
    const { id } = container;
    const sandbox = container.sandboxId && sandboxes.get(container.sandboxId);
    if (!sandbox) throw internal('no-sandbox', `container ${id} has no sandbox`, { id });
    const hadResolver = sandbox.hasResolver ?? false;
    const before = networks.endpoints.attachments(id);
    const endpoint = networking.claim(container, network, settings, sandbox);
    try {
      const connected = this.#remember(container, network.name, network, settings);
      // Each goes another way: to the kernel, to the keeper, to the disk.
      await allOrFirstError([
        networks.endpoints.connect(endpoint, sandboxes.path(sandbox.id)),
        names.publish(names.changeOf(id)),
        launcher.changeHosts(connected, { added: [endpoint], removed: [] }),
        hadResolver ? undefined : launcher.updateResolver(connected),
      ]);
      await this.#parts.publishing.follow(id, before);
      if (network.name === defaultBridge) await links.follow(id);
      emitNetworkEvent(events, 'connect', network, connected);
    } catch (error) {
      // Whatever failed, the container is as it was.
      registry.update(id, { networks: container.networks });
      await this.#takeAway(container, endpoint);
      throw error;
    }
  }

  /**
   * Takes a container off a network.
   * @param force also a container that is gone, by the name it had on the network
   * @throws notFound for a missing container or network, internal when it is not connected, invalid where the host's
   *   own network is meant
   */
  async disconnect(
    network: string,
    container: string,
    { force }: { readonly force: boolean },
  ): Promise<void> {
    const found = this.#find(container);
    if (!found) {
      if (!force) throw notFound('container-not-found', `No such container: ${container}`, { container });
      return this.#disconnectStale(network, container);
    }
    await this.#parts.lifecycle.exclusively(found.id, () => this.#disconnect(network, found.id, force));
  }

  #find(reference: string): ContainerRecord | undefined {
    try {
      return this.#resolve(reference);
    } catch (error) {
      if (error instanceof EngineError && error.kind === 'notFound') return undefined;
      throw error;
    }
  }

  /** An endpoint whose container is gone, found by the name it had. */
  async #disconnectStale(reference: string, name: string): Promise<void> {
    const { networks } = this.#parts;
    const network = networks.resolve(reference, 'connect');
    const endpoint = networks.endpointsOf(network.id).find(({ containerName }) => containerName === name);
    if (!endpoint) throw notFound('endpoint-not-found', `endpoint ${name} not found`, { name });
    await networks.endpoints.release(endpoint, undefined, { livesOn: false, keepAddresses: false });
    networks.endpoints.removeInterface(endpoint);
  }

  async #disconnect(reference: string, id: ContainerId, force: boolean): Promise<void> {
    const container = this.#available(id);
    const network = this.#networkFor(reference, { mayBeMissing: force || !isRunning(container) });
    const isHost = network?.driver === 'host';
    if (isHost && container.host.networkMode.kind === 'host') {
      throw invalid(
        'host-network',
        'cannot disconnect container from host network - container was created in host network mode',
      );
    }
    if (isRunning(container) && network) await this.#disconnectRunning(container, network);
    else this.#forget(container, network, reference);
  }

  /** Of a container that stands still only the record changes. */
  #forget(container: ContainerRecord, network: NetworkRecord | undefined, reference: string): void {
    const name = network?.name ?? reference;
    if (!(name in container.networks)) {
      throw internal(
        'not-connected',
        `container ${container.id} is not connected to the network ${reference}`,
        { container: container.id },
      );
    }
    if (network) this.#parts.reservations.drop(container.id, network.id);
    this.#parts.registry.update(container.id, { networks: without(container.networks, name) });
  }

  async #disconnectRunning(container: ContainerRecord, network: NetworkRecord): Promise<void> {
    const { networks, registry, reservations, events } = this.#parts;
    const endpoint = networks
      .endpointsOfContainer(container.id)
      .find(({ networkId }) => networkId === network.id);
    if (!endpoint) {
      throw internal(
        'not-connected',
        `container ${container.id} is not connected to network ${network.name}`,
        { container: container.id },
      );
    }
    const left = registry.update(container.id, { networks: without(container.networks, network.name) });
    reservations.drop(container.id, network.id);
    await this.#takeAway(left, endpoint);
    emitNetworkEvent(events, 'disconnect', network, left);
  }

  async #takeAway(container: ContainerRecord, endpoint: EndpointRecord): Promise<void> {
    const { networks, networking, names, launcher, publishing } = this.#parts;
    const namespace = networking.namespaceOf(container);
    const change = names.changeOf(container.id);
    const before = networks.endpoints.attachments(container.id);
    await allOrFirstError([
      networks.endpoints.release(endpoint, namespace, { livesOn: true, keepAddresses: false }),
      names.withdraw(change),
      launcher.changeHosts(container, { added: [], removed: [endpoint] }),
    ]);
    networks.endpoints.removeInterface(endpoint);
    await publishing.follow(container.id, before);
  }
}

function without<T>(entries: Readonly<Record<string, T>>, name: string): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).filter(([key]) => key !== name));
}

const shared =
  'container sharing network namespace with another container or host cannot be connected to any other network';

/** @throws invalid for a network that does not go together with those that the container is on */
function checkCompanions({ host, networks }: ContainerRecord, name: string): void {
  const mode = host.networkMode.kind;
  if (mode === 'container' || (mode === 'host' && name !== 'host')) {
    throw invalid('shared-namespace', shared);
  }
  if (name === 'host' && mode !== 'host') {
    throw invalid(
      'host-network',
      'cannot connect container to host network - container must be created in host network mode',
    );
  }
  const others = Object.keys(networks).filter((other) => other !== name);
  if (others.includes('none') || (name === 'none' && others.length > 0)) {
    throw invalid(
      'none-network',
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  }
}
