/** The bridge driver: one bridge in the host's namespace for each network, one veth pair for each endpoint. */
import { broadcastAddress, mustParseSubnet } from '../base/address.ts';
import { conflict, internal, messageOf } from '../base/errors.ts';
import { shortId } from '../base/ids.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { BridgeOutcome, BridgeRequest } from '../kernel/operations.ts';
import { containerGateway, type EndpointRecord, type NetworkRecord } from '../model/network.ts';
import type { NetworkDriver } from './driver.ts';

/** Builds the mark that links bear (as their alias, see ip-link(8)) from the installation's id. */
export function markPrefix(installation: string): string {
  return `seaway:${installation}:`;
}

export function endpointMark(installation: string, endpoint: EndpointRecord): string {
  return `${markPrefix(installation)}endpoint:${shortId(endpoint.id)}`;
}

export function networkMark(installation: string, network: NetworkRecord): string {
  return `${markPrefix(installation)}network:${shortId(network.id)}`;
}

export class BridgeDriver implements NetworkDriver {
  readonly #kernel: Kernel;
  readonly #installation: string;

  constructor(kernel: Kernel, installation: string) {
    this.#kernel = kernel;
    this.#installation = installation;
  }

  async ensureNetwork(network: NetworkRecord, endpoints: readonly EndpointRecord[]): Promise<void> {
    const outcome = await this.#kernel.changes.run('ensureBridge', this.#bridgeRequest(network));
    if (outcome.kind === 'foreign') throw foreignBridge(network, outcome);
    const links = endpoints.flatMap(({ hostInterface }) => hostInterface ?? []);
    await this.#kernel.changes.run('ensurePorts', { bridgeIndex: outcome.index, links });
  }

  #bridgeRequest(network: NetworkRecord): BridgeRequest {
    const { device, mtuBytes } = network.bridge!;
    const { gateway, subnet: block } = network.subnets[0]!;
    const subnet = mustParseSubnet(block);
    const broadcast = broadcastAddress(subnet);
    return {
      name: device,
      mark: networkMark(this.#installation, network),
      ...(mtuBytes === undefined ? {} : { mtuBytes }),
      macAddress: bridgeMacAddress(network.id),
      address: gateway,
      prefixLength: subnet.prefixLength,
      ...(broadcast ? { broadcast } : {}),
    };
  }

  async connect(
    network: NetworkRecord,
    endpoint: EndpointRecord,
    namespace: string,
  ): Promise<{ readonly made: boolean }> {
    const subnet = network.subnets[0]!;
    const bridge = this.#bridgeRequest(network);
    const outcome = await this.#kernel.changes
      .run('attachToBridge', {
        namespace,
        bridge,
        hostInterface: endpoint.hostInterface!,
        interfaceName: endpoint.interfaceName!,
        macAddress: endpoint.macAddress,
        ...(bridge.mtuBytes === undefined ? {} : { mtuBytes: bridge.mtuBytes }),
        mark: endpointMark(this.#installation, endpoint),
        address: endpoint.ipv4Address!,
        prefixLength: bridge.prefixLength,
        ...(network.internal ? {} : { gateway: containerGateway(subnet) }),
      })
      .catch((error) => {
        const message = `failed to set up container networking: attach ${endpoint.hostInterface} to ${bridge.name}: ${messageOf(error)}`;
        throw internal('attach-failed', message, { endpoint: endpoint.id, network: network.id }, error);
      });
    if (outcome.kind === 'foreign') throw foreignBridge(network, outcome);
    return { made: outcome.created };
  }

  async silence(endpoint: EndpointRecord, namespace: string): Promise<void> {
    await this.#kernel.changes.run('cutInterface', { namespace, interfaceName: endpoint.interfaceName! });
  }

  async remove(endpoint: EndpointRecord): Promise<void> {
    await this.#kernel.deletions.run('removeLink', endpoint.hostInterface!);
  }
}

function foreignBridge(network: NetworkRecord, outcome: Extract<BridgeOutcome, { kind: 'foreign' }>) {
  const { device } = network.bridge!;
  const owner = outcome.mark === '' ? '' : ` (marked "${outcome.mark}")`;
  return conflict(
    'foreign-bridge',
    `${outcome.linkKind} ${device} exists and was not made by this Seaway${owner}: it is left as it is. ` +
      'Choose another name with --bridge, or delete it first',
    { device },
  );
}

/**
 * A bridge without an address of its own takes the lowest of its ports', and then changes it as ports come and go:
 * every container's ARP entry for the gateway would break each time. So it gets a locally administered one.
 */
function bridgeMacAddress(networkId: string): string {
  return ['02', ...networkId.slice(0, 10).match(/../g)!].join(':');
}
