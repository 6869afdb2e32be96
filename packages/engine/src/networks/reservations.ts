/**
 * Addresses that are kept for containers while they do not run: those they ask for by themselves, and those they had
 * in a namespace in which others still live.
 */
import type { ContainerId, NetworkId } from '../base/ids.ts';
import type { ContainerRecord } from '../model/container.ts';
import type { AddressBook } from './address-book.ts';
import type { Networks } from './networks.ts';
import type { Sandboxes } from './sandboxes.ts';

export class Reservations {
  readonly #networks: Networks;
  readonly #addresses: AddressBook;
  readonly #sandboxes: Sandboxes;

  constructor(networks: Networks, sandboxes: Sandboxes) {
    this.#networks = networks;
    this.#addresses = networks.addresses;
    this.#sandboxes = sandboxes;
  }

  /** Keeps what the container's record asks for, and nothing else. */
  update(container: ContainerRecord): void {
    const kept = this.#sandboxes.ownedBy(container.id)?.keptAddresses ?? {};
    for (const [name, settings] of Object.entries(container.networks)) {
      const network = this.#networks.find(settings.networkId ?? name);
      if (!network) continue;
      this.#addresses.reserve(network.id, container.id, [settings, kept[network.id] ?? {}]);
    }
  }

  /** Keeps nothing for the container on this network any more. */
  drop(container: ContainerId, network: NetworkId): void {
    this.#addresses.reserve(network, container, []);
  }

  /** Keeps nothing for the container any more. */
  dropAll({ id, networks }: ContainerRecord): void {
    for (const [name, { networkId }] of Object.entries(networks)) {
      const network = this.#networks.find(networkId ?? name);
      if (network) this.drop(id, network.id);
    }
  }
}
