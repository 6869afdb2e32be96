/**
 * The networks and their endpoints: which exist, who has which address, and how they become real.
 * Decisions come from `model` and `ipam`, kernel objects from the drivers; this module keeps both in step with the
 * store, which is written first.
 */
import { readFile } from 'node:fs/promises';
import {
  addressBits,
  formatAddress,
  formatSubnet,
  mustParseAddress,
  mustParseSubnet,
  parseAddress,
  type Subnet,
  subnetOf,
} from '../base/address.ts';
import { internal, invalid, notFound } from '../base/errors.ts';
import { type ContainerId, type EndpointId, type NetworkId, newId, type SandboxId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { nowText } from '../base/time.ts';
import { BridgeDriver, endpointMark, markPrefix, networkMark } from '../drivers/bridge.ts';
import type { NetworkDriver } from '../drivers/driver.ts';
import { compileRuleset, type FirewallNetwork } from '../firewall/model.ts';
import { AddressPool, defaultGateway } from '../ipam/address-pool.ts';
import { claimSubnet, type SubnetPool } from '../ipam/subnet-pools.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { ContainerRecord } from '../model/container.ts';
import {
  type DefaultBridgeOptions,
  defaultBridgeSubnet,
  type EndpointRecord,
  hostInterfaceName,
  isInterfaceName,
  macAddressFor,
  type NetworkRecord,
  type SubnetConfig,
} from '../model/network.ts';
import { parseResolvConf } from '../model/network-files.ts';
import type { Store } from '../store/store.ts';
import { LinkReaper } from './link-reaper.ts';

export interface NetworkOptions extends DefaultBridgeOptions {
  /** Device of the network `bridge`; `none` leaves that network out. */
  readonly bridge: string;
  readonly mtuBytes: number;
  readonly interContainer: boolean;
  readonly masquerade: boolean;
  /** Whether the daemon may turn the host into a router. */
  readonly ipForward: boolean;
  readonly addressPools: readonly SubnetPool[];
}

export class Networks {
  readonly #store: Store;
  readonly #kernel: Kernel;
  readonly #log: Log;
  readonly #options: NetworkOptions;
  readonly #installation: string;
  readonly #bridgeDriver: NetworkDriver;
  readonly #pools = new Map<NetworkId, AddressPool>();
  readonly #reaper: LinkReaper;

  constructor(store: Store, kernel: Kernel, installation: string, options: NetworkOptions, log: Log) {
    this.#store = store;
    this.#kernel = kernel;
    this.#installation = installation;
    this.#options = options;
    this.#log = log;
    this.#bridgeDriver = new BridgeDriver(kernel, installation);
    this.#reaper = new LinkReaper(kernel, log);
  }

  /** Makes the default networks where they are missing, and every network real again. */
  async restore(): Promise<void> {
    for (const [name, driver] of [['host', 'host'] as const, ['none', 'null'] as const]) {
      if (!this.#byName(name)) this.#store.networks.put(plainNetwork(name, driver));
    }
    await this.#restoreDefaultBridge();
    for (const network of this.#store.networks.all()) {
      if (network.driver === 'bridge') await this.#restoreBridgeNetwork(network);
    }
    await this.#applyFirewall();
  }

  async #restoreDefaultBridge(): Promise<void> {
    const existing = this.#byName('bridge');
    if (this.#options.bridge === 'none') {
      if (existing) this.#store.networks.delete(existing.id);
      return;
    }
    const wanted = await this.#planDefaultBridge(existing);
    if (existing && this.endpointsOf(existing.id).length > 0 && placeOf(existing) !== placeOf(wanted)) {
      this.#log.warn(
        { network: 'bridge', subnets: existing.subnets, device: existing.bridge?.device },
        'the changed name or addresses of the default bridge take effect when no container runs on it',
      );
      return;
    }
    this.#store.networks.put(wanted);
  }

  async #planDefaultBridge(existing: NetworkRecord | undefined): Promise<NetworkRecord> {
    const { bridge, mtuBytes, interContainer, masquerade } = this.#options;
    if (!isInterfaceName(bridge)) {
      throw invalid(
        'invalid-bridge-name',
        `--bridge ${bridge}: an interface's name has 1 to 15 characters without '/', ':' or spaces`,
      );
    }
    const avoid = existing || this.#options.bip ? [] : await this.#subnetsInUse();
    const subnet = defaultBridgeSubnet(
      this.#options,
      () => existing?.subnets[0] ?? this.#automaticSubnet(avoid),
    );
    return {
      ...plainNetwork('bridge', 'bridge'),
      ...(existing ? { id: existing.id, createdAt: existing.createdAt } : {}),
      subnets: [subnet],
      options: {
        'com.docker.network.bridge.default_bridge': 'true',
        'com.docker.network.bridge.enable_icc': String(interContainer),
        'com.docker.network.bridge.enable_ip_masquerade': String(masquerade),
        'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
        'com.docker.network.bridge.name': bridge,
        'com.docker.network.driver.mtu': String(mtuBytes),
      },
      bridge: {
        device: bridge,
        mtuBytes,
        masquerade,
        interContainer,
        interfacePrefix: 'eth',
        gatewayModes: { ipv4: 'nat', ipv6: 'nat' },
        inhibitIpv4: false,
      },
    };
  }

  #automaticSubnet(avoid: readonly Subnet[]): SubnetConfig {
    const subnet = claimSubnet(this.#options.addressPools, avoid);
    return { subnet: formatSubnet(subnet), gateway: formatAddress(defaultGateway(subnet)) };
  }

  async #subnetsInUse(): Promise<Subnet[]> {
    const routes = await this.#kernel.changes.run('onLinkRoutes');
    const ours = this.list().flatMap((network) => network.subnets.map(({ subnet }) => subnet));
    const nameservers = parseResolvConf(
      await readFile('/etc/resolv.conf', 'utf8').catch(() => ''),
    ).nameservers;
    const servers = nameservers.flatMap((server) => parseAddress(server) ?? []);
    return [
      ...[...routes, ...ours].map(mustParseSubnet),
      // A server behind a gateway has no route of its own, and would vanish behind a bridge of the same subnet.
      ...servers.map((server) => subnetOf(server, addressBits[server.family])),
    ];
  }

  async #restoreBridgeNetwork(network: NetworkRecord): Promise<void> {
    const config = network.subnets[0]!;
    const pool = new AddressPool({
      subnet: mustParseSubnet(config.subnet),
      ...(config.range ? { range: mustParseSubnet(config.range) } : {}),
      reserved: [config.gateway, ...Object.values(config.auxiliary ?? {})].map(mustParseAddress),
    });
    const endpoints = this.endpointsOf(network.id);
    for (const { ipv4Address } of endpoints) if (ipv4Address) pool.claim(mustParseAddress(ipv4Address));
    this.#pools.set(network.id, pool);
    await this.#bridgeDriver.ensureNetwork(network, endpoints);
  }

  async #applyFirewall(): Promise<void> {
    const networks = this.list().flatMap((network): FirewallNetwork[] =>
      network.bridge
        ? [
            {
              device: network.bridge.device,
              subnets: network.subnets.map(({ subnet }) => subnet),
              masquerade: network.bridge.masquerade,
              interContainer: network.bridge.interContainer,
            },
          ]
        : [],
    );
    const bootId = await this.#kernel.changes.run('bootId');
    const enabledNow = this.#options.ipForward && (await this.#kernel.changes.run('enableForwarding'));
    if (enabledNow) this.#store.meta.put({ id: 'forwarding-enabled-in-boot', value: bootId });
    // A host that was no router before must not become one for others because containers need it.
    const dropOtherForwarding = this.#store.meta.get('forwarding-enabled-in-boot')?.value === bootId;
    await this.#kernel.changes.run('applyFirewall', compileRuleset({ networks, dropOtherForwarding }));
  }

  /**
   * Deletes links that bear this installation's mark and that no endpoint or network of the store claims. Only when
   * containers are restored does the store say which endpoints are left.
   */
  async removeUnclaimedLinks(): Promise<void> {
    const claimed = new Set([
      ...[...this.#store.endpoints.all()].map((endpoint) => endpointMark(this.#installation, endpoint)),
      ...this.list().map(
        (network) => `${networkMark(this.#installation, network)} ${network.bridge?.device}`,
      ),
    ]);
    const links = await this.#kernel.changes.run('markedLinks', markPrefix(this.#installation));
    for (const { name, mark } of links) {
      // A bridge is claimed under its name: the network may have moved to another device.
      if (claimed.has(mark) || claimed.has(`${mark} ${name}`)) continue;
      this.#log.warn({ link: name, mark }, 'removing a link that nothing claims');
      await this.#kernel.deletions.run('removeLink', name);
    }
  }

  list(): NetworkRecord[] {
    return [...this.#store.networks.all()];
  }

  /**
   * Finds a network by full id, exact name or unique id prefix, in that order; `default` means `bridge`.
   * @throws notFound, invalid when a prefix fits several
   */
  resolve(reference: string): NetworkRecord {
    const name = reference === 'default' ? 'bridge' : reference;
    const exact = this.#store.networks.get(name) ?? this.#byName(name);
    if (exact) return exact;
    const matches = reference === '' ? [] : this.list().filter((network) => network.id.startsWith(reference));
    if (matches.length > 1) {
      throw invalid(
        'network-ambiguous',
        `${matches.length} matches found based on ID prefix: network ${reference} is ambiguous`,
        { reference },
      );
    }
    if (!matches[0]) throw notFound('network-not-found', `network ${reference} not found`, { reference });
    return matches[0];
  }

  get(id: NetworkId): NetworkRecord | undefined {
    return this.#store.networks.get(id);
  }

  /** The live endpoints of a network. */
  endpointsOf(id: NetworkId): EndpointRecord[] {
    return [...this.#store.endpoints.all()].filter((endpoint) => endpoint.networkId === id);
  }

  /** The live endpoints of a container. */
  endpointsOfContainer(id: ContainerId): EndpointRecord[] {
    return [...this.#store.endpoints.all()].filter((endpoint) => endpoint.containerId === id);
  }

  /**
   * Claims an address and commits the endpoint; nothing is real yet.
   * @throws internal when the network has no free address left
   */
  claimEndpoint(
    network: NetworkRecord,
    container: ContainerRecord,
    sandboxId: SandboxId | undefined,
  ): EndpointRecord {
    const id = newId<EndpointId>();
    const base = {
      id,
      networkId: network.id,
      containerId: container.id,
      containerName: container.name,
      ...(sandboxId ? { sandboxId } : {}),
      macAddress: '',
    };
    if (network.driver !== 'bridge') return this.#store.endpoints.put(base);
    const pool = this.#pools.get(network.id)!;
    const address = pool.claimNext();
    if (!address) {
      throw internal(
        'addresses-exhausted',
        `no available IPv4 addresses on this network's address pools: ${network.name} (${network.id})`,
        { network: network.id },
      );
    }
    const ipv4Address = formatAddress(address);
    try {
      return this.#store.endpoints.put({
        ...base,
        ipv4Address,
        macAddress: macAddressFor(ipv4Address),
        hostInterface: this.#freeInterfaceName(id),
        interfaceName: `${network.bridge!.interfacePrefix}0`,
      });
    } catch (error) {
      pool.release(address);
      throw error;
    }
  }

  /** Seven hex digits collide once in 268 million, which is rare and not never. */
  #freeInterfaceName(id: EndpointId): string {
    const taken = new Set([...this.#store.endpoints.all()].map((endpoint) => endpoint.hostInterface));
    let attempt = 0;
    while (taken.has(hostInterfaceName(id, attempt))) attempt++;
    return hostInterfaceName(id, attempt);
  }

  /** Makes a claimed endpoint real inside the namespace. */
  async connect(endpoint: EndpointRecord, namespace: string): Promise<void> {
    const network = this.get(endpoint.networkId)!;
    if (network.driver !== 'bridge') return;
    const { made } = await this.#bridgeDriver.connect(network, endpoint, namespace);
    if (made) {
      this.#log.warn({ network: network.name }, 'the bridge was gone and has been made again');
      await this.#bridgeDriver.ensureNetwork(network, this.endpointsOf(network.id));
    }
  }

  /** Cuts the endpoint's traffic, then gives its address back and forgets it. Its interface may still be there. */
  async releaseEndpoint(endpoint: EndpointRecord, namespace: string | undefined): Promise<void> {
    if (endpoint.interfaceName && namespace) await this.#bridgeDriver.silence(endpoint, namespace);
    this.#store.endpoints.delete(endpoint.id);
    if (endpoint.ipv4Address) {
      this.#pools.get(endpoint.networkId)?.release(mustParseAddress(endpoint.ipv4Address));
    }
  }

  /** The interfaces go with their namespace, which was removed; those that stay behind are deleted a little later. */
  expectInterfacesGone(endpoints: readonly EndpointRecord[]): void {
    this.#reaper.expectGone(endpoints.flatMap(({ hostInterface }) => hostInterface ?? []));
  }

  /** What is still to be removed is removed now. */
  async close(): Promise<void> {
    await this.#reaper.close();
  }

  /** The host's address on the default bridge, by which containers can reach it. */
  hostAddress(): string | undefined {
    return this.#byName('bridge')?.subnets[0]?.gateway;
  }

  /** Removes the interface of an endpoint whose namespace lives on. */
  async removeInterface(endpoint: EndpointRecord): Promise<void> {
    if (endpoint.hostInterface) await this.#bridgeDriver.remove(endpoint);
  }

  /** Live endpoints carry their container's name for those who list a network. */
  renameEndpoints(id: ContainerId, containerName: string): void {
    for (const endpoint of this.endpointsOfContainer(id))
      this.#store.endpoints.put({ ...endpoint, containerName });
  }

  #byName(name: string): NetworkRecord | undefined {
    return this.list().find((network) => network.name === name);
  }
}

/** What of a bridge network cannot change under running containers. */
function placeOf({ subnets, bridge }: NetworkRecord): string {
  return JSON.stringify([subnets, bridge?.device]);
}

function plainNetwork(name: string, driver: NetworkRecord['driver']): NetworkRecord {
  return {
    id: newId<NetworkId>(),
    name,
    driver,
    createdAt: nowText(),
    internal: false,
    attachable: false,
    enableIpv4: true,
    enableIpv6: false,
    subnets: [],
    options: {},
    labels: {},
    configOnly: false,
  };
}
