/** What the engine asks of a network driver. A driver makes networks and endpoints real; it decides nothing. */
import type { EndpointRecord, NetworkRecord } from '../model/network.ts';

export interface NetworkDriver {
  /** Makes the network real, or finds it as it should be. */
  ensureNetwork(network: NetworkRecord): Promise<void>;
  /**
   * Gives the endpoint its interface in the sandbox's namespace. On failure nothing of it is left.
   * @param namespace path of the sandbox's namespace
   */
  connect(network: NetworkRecord, endpoint: EndpointRecord, namespace: string): Promise<void>;
  /** Cuts the endpoint's traffic at once, so that its addresses can be given to another. Repeatable. */
  silence(endpoint: EndpointRecord, namespace: string): Promise<void>;
  /** Removes the endpoint's interface; may take the kernel tens of milliseconds. Repeatable. */
  remove(endpoint: EndpointRecord): Promise<void>;
}
