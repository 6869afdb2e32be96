/** What the engine asks of a network driver. A driver makes networks and endpoints real; it decides nothing. */
import type { EndpointRecord, NetworkRecord } from '../model/network.ts';

export interface NetworkDriver {
  /**
   * Makes the network real, or finds it as it should be.
   * @param endpoints those whose interfaces exist already and belong to it
   */
  ensureNetwork(network: NetworkRecord, endpoints: readonly EndpointRecord[]): Promise<void>;
  /**
   * Gives the endpoint its interface in the sandbox's namespace, and makes the network real again where somebody took
   * it away. On failure nothing of the endpoint is left.
   * @param namespace path of the sandbox's namespace
   * @returns whether the network had to be made, so that other endpoints have lost it
   */
  connect(
    network: NetworkRecord,
    endpoint: EndpointRecord,
    namespace: string,
  ): Promise<{ readonly made: boolean }>;
  /** Cuts the endpoint's traffic at once, so that its addresses can be given to another. Repeatable. */
  silence(endpoint: EndpointRecord, namespace: string): Promise<void>;
  /** Removes the endpoint's interface; may take the kernel tens of milliseconds. Repeatable. */
  remove(endpoint: EndpointRecord): Promise<void>;
}
