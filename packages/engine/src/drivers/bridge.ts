/** The bridge driver: one bridge in the host's namespace for each network, one veth pair for each endpoint. */
import { mustParseSubnet } from '../base/address.ts';
import { conflict, internal, messageOf } from '../base/errors.ts';
import { shortId } from '../base/ids.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { containerGateway, type EndpointRecord, type NetworkRecord } from '../model/network.ts';
import type { NetworkDriver } from './driver.ts';

/** Builds the mark that links bear (as their alias, see ip-link(8)) from the installation's id. */
export function markPrefix(installation: string): string {
  return `seaway:${installation}:`;
}

export function endpointMark(installation: string, endpoint: EndpointRecord): string {
  return `${markPrefix(installation)}endpoint:${shortId(endpoint.id)}`;
}

export class BridgeDriver implements NetworkDriver {
  readonly #kernel: Kernel;
  readonly #installation: string;
  readonly #bridgeIndexes = new Map<string, number>();

  constructor(kernel: Kernel, installation: string) {
    this.#kernel = kernel;
    this.#installation = installation;
  }

  async ensureNetwork(network: NetworkRecord): Promise<void> {
    const { device, mtuBytes } = network.bridge!;
    const subnet = network.subnets[0]!;
    const outcome = await this.#kernel.changes.run('ensureBridge', {
      name: device,
      mark: `${markPrefix(this.#installation)}network:${shortId(network.id)}`,
      mtuBytes,
      macAddress: bridgeMacAddress(network.id),
      address: subnet.gateway,
      prefixLength: mustParseSubnet(subnet.subnet).prefixLength,
    });
    if (outcome.kind === 'foreign') {
      const owner = outcome.mark === '' ? '' : ` (marked "${outcome.mark}")`;
      throw conflict(
        'foreign-bridge',
        `${outcome.linkKind} ${device} exists and was not made by this Seaway${owner}: it is left as it is. ` +
          'Choose another name with --bridge, or delete it first',
        { device },
      );
    }
    this.#bridgeIndexes.set(network.id, outcome.index);
  }

  async connect(network: NetworkRecord, endpoint: EndpointRecord, namespace: string): Promise<void> {
    const subnet = network.subnets[0]!;
    try {
      await this.#kernel.changes.run('attachToBridge', {
        namespace,
        bridgeIndex: this.#bridgeIndexes.get(network.id)!,
        hostInterface: endpoint.hostInterface!,
        interfaceName: endpoint.interfaceName!,
        macAddress: endpoint.macAddress,
        mtuBytes: network.bridge!.mtuBytes,
        mark: endpointMark(this.#installation, endpoint),
        address: endpoint.ipv4Address!,
        prefixLength: mustParseSubnet(subnet.subnet).prefixLength,
        ...(network.internal ? {} : { gateway: containerGateway(subnet) }),
      });
    } catch (error) {
      const message = `failed to set up container networking: attach ${endpoint.hostInterface} to ${network.bridge!.device}: ${messageOf(error)}`;
      throw internal('attach-failed', message, { endpoint: endpoint.id, network: network.id }, error);
    }
  }

  async silence(endpoint: EndpointRecord, namespace: string): Promise<void> {
    await this.#kernel.changes.run('cutInterface', { namespace, interfaceName: endpoint.interfaceName! });
  }

  async remove(endpoint: EndpointRecord): Promise<void> {
    await this.#kernel.deletions.run('removeLink', endpoint.hostInterface!);
  }
}

/**
 * A bridge without an address of its own takes the lowest of its ports', and then changes it as ports come and go:
 * every container's ARP entry for the gateway would break each time. So it gets a locally administered one.
 */
function bridgeMacAddress(networkId: string): string {
  return ['02', ...networkId.slice(0, 10).match(/../g)!].join(':');
}
