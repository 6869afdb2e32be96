/**
 * The live endpoints: which container is on which network under which address, and how that becomes real. Decisions
 * come from `model` and `ipam`, interfaces from the driver; records are committed before the kernel is asked.
 */
import type { NftCommand } from '@seaway/linux/nftables-json';
import { forbidden } from '../base/errors.ts';
import { type ContainerId, type EndpointId, type NetworkId, newId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { NetworkDriver } from '../drivers/driver.ts';
import {
  addEndpoint,
  type FirewallEndpoint,
  type FirewallLink,
  openedByLinks,
  removeBridgeTable,
  removeEndpoint,
  setLinks,
} from '../firewall/model.ts';
import type { ContainerRecord, EndpointSettings } from '../model/container.ts';
import {
  interfaceNameOption,
  interfaceSysctlsOption,
  parseInterfaceSysctls,
} from '../model/endpoint-options.ts';
import { type Attachment, chooseGateways, type WayOut } from '../model/gateways.ts';
import {
  defaultBridge,
  type EndpointAddresses,
  type EndpointRecord,
  hostInterfaceName,
  macAddressFor,
  type NetworkRecord,
  nextInterfaceName,
  type SandboxRecord,
} from '../model/network.ts';
import type { Store } from '../store/store.ts';
import type { AddressBook } from './address-book.ts';
import type { Firewall } from './firewall.ts';
import type { LinkRemovals } from './link-removals.ts';

export interface EndpointsParts {
  readonly store: Store;
  readonly addresses: AddressBook;
  readonly driver: NetworkDriver;
  readonly firewall: Firewall;
  readonly removals: LinkRemovals;
  readonly log: Log;
  /** Called when a bridge was gone and has been made anew, with its endpoints in place again. */
  readonly bridgeRemade: (network: NetworkId) => Promise<void>;
}

export interface ReleaseOptions {
  /** Whether the sandbox goes on without the endpoint, and needs its way out. */
  readonly livesOn: boolean;
  /** Whether the container may come back to the same addresses, which nobody else gets meanwhile. */
  readonly keepAddresses: boolean;
}

export class Endpoints {
  readonly #parts: EndpointsParts;
  readonly #byContainer: (id: ContainerId) => EndpointRecord[];
  readonly #byNetwork: (id: NetworkId) => EndpointRecord[];
  readonly #byHostInterface: (name: string) => EndpointRecord[];

  constructor(parts: EndpointsParts) {
    this.#parts = parts;
    const { endpoints } = parts.store;
    this.#byContainer = endpoints.groupBy(({ containerId }) => containerId);
    this.#byNetwork = endpoints.groupBy(({ networkId }) => networkId);
    this.#byHostInterface = endpoints.groupBy(({ hostInterface }) => hostInterface);
  }

  /** Those of a network. */
  of(id: NetworkId): EndpointRecord[] {
    return this.#byNetwork(id);
  }

  ofContainer(id: ContainerId): EndpointRecord[] {
    return this.#byContainer(id);
  }

  /** A container's networks with its endpoints there. */
  attachments(id: ContainerId): Attachment[] {
    return this.ofContainer(id).map((endpoint) => ({
      endpoint,
      network: this.#networkOf(endpoint),
      priority: endpoint.gatewayPriority,
    }));
  }

  #networkOf({ networkId }: EndpointRecord): NetworkRecord {
    return this.#parts.store.networks.get(networkId)!;
  }

  #waysOut(id: ContainerId): WayOut[] {
    return chooseGateways(this.attachments(id));
  }

  /**
   * Claims addresses and commits the endpoint; nothing is real yet.
   * @param sandbox absent on the network `host`, whose namespace is not the engine's
   * @throws forbidden when the container is on the network already or its address is in use, invalid for an address
   *   outside the network, internal when the network has no free address left
   */
  claim(
    network: NetworkRecord,
    container: ContainerRecord,
    settings: EndpointSettings,
    sandbox: SandboxRecord | undefined,
  ): EndpointRecord {
    const { store, addresses } = this.#parts;
    if (network.configOnly) {
      throw forbidden('network-config-only', 'cannot create endpoint on configuration-only network');
    }
    const siblings = this.ofContainer(container.id);
    if (siblings.some(({ networkId }) => networkId === network.id)) {
      throw forbidden(
        'endpoint-exists',
        `endpoint with name ${container.name} already exists in network ${network.name}`,
        { network: network.id, container: container.id },
      );
    }
    const id = newId<EndpointId>();
    const base = {
      id,
      networkId: network.id,
      containerId: container.id,
      containerName: container.name,
      ...(sandbox ? { sandboxId: sandbox.id } : {}),
      macAddress: '',
      gatewayPriority: settings.gatewayPriority,
    };
    if (network.driver !== 'bridge') return store.endpoints.put(base);
    const kept = sandbox?.keptAddresses?.[network.id];
    const claimed = addresses.claim(network, settings, container.id, kept);
    try {
      return store.endpoints.put({
        ...base,
        ...claimed,
        macAddress: settings.macAddress?.toLowerCase() ?? generatedMacAddress(claimed),
        hostInterface: this.#freeHostInterface(id),
        interfaceName: chooseInterfaceName(network, settings, siblings),
        sysctls: parseInterfaceSysctls(settings.driverOptions[interfaceSysctlsOption] ?? ''),
      });
    } catch (error) {
      addresses.release(network.id, claimed);
      throw error;
    }
  }

  /** Seven hex digits collide once in 268 million, which is rare and not never. */
  #freeHostInterface(id: EndpointId): string {
    let attempt = 0;
    while (this.#byHostInterface(hostInterfaceName(id, attempt)).length > 0) attempt++;
    return hostInterfaceName(id, attempt);
  }

  /** Makes a claimed endpoint real inside the namespace, with the default routes that lead through it. */
  async connect(endpoint: EndpointRecord, namespace: string): Promise<void> {
    const { driver, firewall, log } = this.#parts;
    const network = this.#networkOf(endpoint);
    if (network.driver !== 'bridge') return;
    await firewall.change([
      ...addEndpoint(firewallEndpoint(network, endpoint)),
      ...this.#linkCommands(network),
    ]);
    const { made } = await driver.connect(network, endpoint, namespace, this.#waysOut(endpoint.containerId));
    if (made) {
      log.warn({ network: network.name }, 'the bridge was gone and has been made again');
      await driver.ensureNetwork(network, this.of(network.id));
      await this.#parts.bridgeRemade(network.id);
    }
  }

  /**
   * As {@link connect}, for a container that runs already: does nothing where the endpoint is real.
   * @returns whether it was not
   */
  async ensureConnected(endpoint: EndpointRecord, namespace: string): Promise<boolean> {
    if (await this.#parts.driver.isConnected(endpoint, namespace)) return false;
    await this.connect(endpoint, namespace);
    return true;
  }

  /**
   * Cuts the endpoint's traffic, then gives its addresses back and forgets it. Its interface may still be there.
   * @param namespace undefined where there is none
   */
  async release(
    endpoint: EndpointRecord,
    namespace: string | undefined,
    { livesOn, keepAddresses }: ReleaseOptions,
  ): Promise<void> {
    const { store, addresses, driver, firewall } = this.#parts;
    const network = store.networks.get(endpoint.networkId);
    store.endpoints.delete(endpoint.id);
    if (namespace !== undefined) {
      if (livesOn) await driver.cut(endpoint, namespace, this.#waysOut(endpoint.containerId));
      else await driver.silence(endpoint, namespace);
    }
    addresses.release(endpoint.networkId, endpoint);
    if (keepAddresses) addresses.reserve(endpoint.networkId, endpoint.containerId, [endpoint]);
    if (network?.bridge) {
      await firewall.change([
        ...removeEndpoint(firewallEndpoint(network, endpoint)),
        ...this.#linkCommands(network),
        ...(network.bridge.interContainer || this.#someAreSilent() ? [] : removeBridgeTable()),
      ]);
    }
  }

  /** Whether there are endpoints on networks whose containers may not talk to each other. */
  #someAreSilent(): boolean {
    const networks = [...this.#parts.store.networks.all()];
    return networks.some(({ id, bridge }) => bridge?.interContainer === false && this.of(id).length > 0);
  }

  /** Deletes, behind the answer, the interface of a released endpoint whose namespace lives on. */
  removeInterface({ hostInterface }: EndpointRecord): void {
    if (hostInterface !== undefined) this.#parts.removals.remove(hostInterface);
  }

  /** The interfaces go with their namespace, which was removed; those that stay behind are deleted a little later. */
  expectInterfacesGone(endpoints: readonly EndpointRecord[]): void {
    this.#parts.removals.expectGone(endpoints.flatMap(({ hostInterface }) => hostInterface ?? []));
  }

  /** Opens what the links of containers ask for, after one of them has gone. */
  async linksChanged(): Promise<void> {
    for (const network of this.#parts.store.networks.all()) {
      await this.#parts.firewall.change(this.#linkCommands(network));
    }
  }

  /** Where links open ports, all that they open is put in place. */
  #linkCommands(network: NetworkRecord): NftCommand[] {
    return opensLinks(network) ? setLinks(this.#linksOn(network)) : [];
  }

  #linksOn({ id }: NetworkRecord): FirewallLink[] {
    return openedByLinks([...this.#parts.store.containers.all()], this.of(id));
  }

  /** The firewall's view of the links between running containers. */
  firewallLinks(): FirewallLink[] {
    const networks = [...this.#parts.store.networks.all()];
    return networks.filter(opensLinks).flatMap((network) => this.#linksOn(network));
  }

  /** Live endpoints carry their container's name for those who list a network. */
  rename(id: ContainerId, containerName: string): void {
    for (const endpoint of this.ofContainer(id)) {
      this.#parts.store.endpoints.put({ ...endpoint, containerName });
    }
  }

  /** The firewall's view of all endpoints. */
  firewallEndpoints(): FirewallEndpoint[] {
    return [...this.#parts.store.endpoints.all()].flatMap((endpoint) => {
      const network = this.#networkOf(endpoint);
      return network?.bridge ? [firewallEndpoint(network, endpoint)] : [];
    });
  }
}

function generatedMacAddress({ ipv4Address, ipv6Address }: EndpointAddresses): string {
  const address = ipv4Address ?? ipv6Address;
  return address === undefined ? '' : macAddressFor(address);
}

function chooseInterfaceName(
  network: NetworkRecord,
  settings: EndpointSettings,
  siblings: readonly EndpointRecord[],
): string {
  const taken = new Set(siblings.flatMap(({ interfaceName }) => interfaceName ?? []));
  const wanted = settings.driverOptions[interfaceNameOption];
  if (wanted === undefined) return nextInterfaceName(network.bridge!.interfacePrefix, taken);
  if (taken.has(wanted)) {
    throw forbidden('interface-name-taken', `interface name ${wanted} is already in use in the container`, {
      interfaceName: wanted,
    });
  }
  return wanted;
}

/** Containers are linked on the default bridge; it matters to the firewall where these may not talk to each other. */
function opensLinks({ name, bridge }: NetworkRecord): boolean {
  return name === defaultBridge && bridge?.interContainer === false;
}

function firewallEndpoint(network: NetworkRecord, endpoint: EndpointRecord): FirewallEndpoint {
  return { port: endpoint.hostInterface ?? '', interContainer: network.bridge?.interContainer ?? true };
}
