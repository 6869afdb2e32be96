/** The networks at the daemon's start: the default ones are made, all become real again, and what nothing claims goes. */
import { addressBits, mustParseSubnet, parseAddress, subnetOf } from '../base/address.ts';
import { messageOf } from '../base/errors.ts';
import { type NetworkId, newId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { nowText } from '../base/time.ts';
import { endpointMark, markPrefix, networkMark } from '../drivers/bridge.ts';
import type { NetworkDriver } from '../drivers/driver.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { defaultBridge, isPredefinedNetwork, type NetworkRecord } from '../model/network.ts';
import type { Store } from '../store/store.ts';
import type { AddressBook } from './address-book.ts';
import { type DefaultBridgeSettings, planDefaultBridge } from './default-bridge.ts';
import type { Endpoints } from './endpoints.ts';
import type { OnLinkRoute } from './host-routes.ts';
import { hostServers } from './host-servers.ts';
import type { LinkRemovals } from './link-removals.ts';

export interface NetworkRestoreParts {
  readonly store: Store;
  readonly kernel: Kernel;
  readonly log: Log;
  readonly addresses: AddressBook;
  readonly endpoints: Endpoints;
  readonly driver: NetworkDriver;
  readonly removals: LinkRemovals;
  /** What the host reaches without a gateway, but for our own bridges. */
  readonly foreignRoutes: () => Promise<OnLinkRoute[]>;
  /** Of the installation, as {@link markPrefix} takes it. */
  readonly mark: string;
}

/** Works before the first request is served: there are no networks that are just being made. */
export class NetworkRestore {
  readonly #parts: NetworkRestoreParts;
  readonly #options: DefaultBridgeSettings;

  constructor(parts: NetworkRestoreParts, options: DefaultBridgeSettings) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Makes the default networks where they are missing, and every bridge real again. */
  async restore(): Promise<void> {
    for (const [name, driver] of [['host', 'host'] as const, ['none', 'null'] as const]) {
      if (!this.#byName(name)) this.#parts.store.networks.put(plainNetwork(name, driver));
    }
    await this.#restoreDefaultBridge();
    for (const network of this.#all()) {
      if (network.bridge) await this.#restoreNetwork(network);
    }
  }

  #all(): NetworkRecord[] {
    return [...this.#parts.store.networks.all()];
  }

  #byName(name: string): NetworkRecord | undefined {
    return this.#all().find((network) => network.name === name);
  }

  async #restoreDefaultBridge(): Promise<void> {
    const existing = this.#byName(defaultBridge);
    const isInUse = existing !== undefined && this.#parts.endpoints.of(existing.id).length > 0;
    if (this.#options.bridge === 'none') {
      if (isInUse)
        this.#parts.log.warn({ network: 'bridge' }, 'the default bridge goes when no container runs on it');
      else if (existing) this.#parts.store.networks.delete(existing.id);
      return;
    }
    const known = existing?.subnets[0];
    const avoid = known || this.#options.bip ? [] : await this.#subnetsInUse();
    const wanted: NetworkRecord = {
      ...plainNetwork('bridge', 'bridge'),
      ...(existing ? { id: existing.id, createdAt: existing.createdAt } : {}),
      ...planDefaultBridge(this.#options, known, avoid),
    };
    if (isInUse && placeOf(existing) !== placeOf(wanted)) {
      this.#parts.log.warn(
        { network: 'bridge', subnets: existing.subnets, device: existing.bridge?.device },
        'the changed name or addresses of the default bridge take effect when no container runs on it',
      );
      return;
    }
    this.#parts.store.networks.put(wanted);
  }

  async #subnetsInUse() {
    const [routes, servers] = [await this.#parts.foreignRoutes(), hostServers()];
    const ours = this.#all().flatMap((network) => network.subnets.map(({ subnet }) => subnet));
    const taken = [...routes.map(({ destination }) => destination), ...ours].map(mustParseSubnet);
    return [
      ...taken,
      // A server behind a gateway has no route of its own, and would vanish behind a bridge of the same subnet.
      ...servers
        .flatMap((server) => parseAddress(server) ?? [])
        .map((server) => subnetOf(server, addressBits[server.family])),
    ];
  }

  async #restoreNetwork(network: NetworkRecord): Promise<void> {
    const endpoints = this.#parts.endpoints.of(network.id);
    this.#parts.addresses.open(network, endpoints);
    try {
      await this.#parts.driver.ensureNetwork(network, endpoints);
    } catch (error) {
      // Without its default bridge the daemon is not what its flags say; one of the user's networks can wait.
      if (isPredefinedNetwork(network.name)) throw error;
      this.#parts.log.error({ network: network.name, error: messageOf(error) }, 'network not restored');
    }
  }

  /**
   * Deletes links that bear this installation's mark and that no endpoint or network of the store claims. Only when
   * containers are restored does the store say which endpoints are left.
   */
  async removeUnclaimedLinks(): Promise<void> {
    const claimed = new Set([
      ...[...this.#parts.store.endpoints.all()].map((endpoint) => endpointMark(this.#parts.mark, endpoint)),
      ...this.#all().map((network) => `${networkMark(this.#parts.mark, network)} ${network.bridge?.device}`),
    ]);
    const links = await this.#parts.kernel.changes.run('markedLinks', markPrefix(this.#parts.mark));
    for (const { name, mark } of links) {
      // A bridge is claimed under its name: the network may have moved to another device.
      if (claimed.has(mark) || claimed.has(`${mark} ${name}`)) continue;
      this.#parts.log.warn({ link: name, mark }, 'removing a link that nothing claims');
      this.#parts.removals.remove(name);
    }
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
