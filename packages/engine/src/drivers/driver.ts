/** What the engine asks of a network driver. A driver makes networks and endpoints real; it decides nothing. */
import type { WayOut } from '../model/gateways.ts';
import type { EndpointRecord, NetworkRecord } from '../model/network.ts';

export interface NetworkDriver {
  /**
   * Makes the network real, or finds it as it should be.
   * @param endpoints those whose interfaces exist already and belong to it
   */
  ensureNetwork(network: NetworkRecord, endpoints: readonly EndpointRecord[]): Promise<void>;
  /**
   * Cuts a network without endpoints off, so that its subnets can be given to another. Repeatable.
   * @returns the host's link that is still to be deleted
   */
  cutNetwork(network: NetworkRecord): Promise<string>;
  /**
   * Gives the endpoint its interface in the sandbox's namespace, and makes the network real again where somebody took
   * it away. On failure nothing of the endpoint is left.
   * @param namespace path of the sandbox's namespace
   * @param waysOut the sandbox's ways out from now on; those over other endpoints are in place already
   * @returns whether the network had to be made, so that other endpoints have lost it
   */
  connect(
    network: NetworkRecord,
    endpoint: EndpointRecord,
    namespace: string,
    waysOut: readonly WayOut[],
  ): Promise<{ readonly made: boolean }>;
  /**
   * Whether the endpoint has the interface that {@link connect} gave it. Of one that was cut short in the middle nothing
   * is left after this.
   */
  isConnected(endpoint: EndpointRecord, namespace: string): Promise<boolean>;
  /** Cuts the endpoint's traffic at once, so that its addresses can be given to another. Repeatable. */
  silence(endpoint: EndpointRecord, namespace: string): Promise<void>;
  /**
   * As {@link silence}, in a sandbox that goes on without the endpoint: the interface's name is free again, though the
   * interface may still be there. Repeatable.
   * @param waysOut the sandbox's ways out from now on
   */
  cut(endpoint: EndpointRecord, namespace: string, waysOut: readonly WayOut[]): Promise<void>;
}
