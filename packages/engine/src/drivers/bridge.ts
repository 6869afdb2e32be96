/** The bridge driver: one bridge in the host's namespace for each network, one veth pair for each endpoint. */
import { broadcastAddress, type Family, mustParseSubnet } from '../base/address.ts';
import { conflict, internal, messageOf } from '../base/errors.ts';
import { shortId } from '../base/ids.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { BridgeOutcome, BridgeRequest, InterfaceAddress } from '../kernel/operations.ts';
import { sysctlPath } from '../model/endpoint-options.ts';
import type { WayOut } from '../model/gateways.ts';
import {
  type EndpointRecord,
  macAddressFor,
  type NetworkRecord,
  type SubnetConfig,
  subnetOfFamily,
} from '../model/network.ts';
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
    if (links.length === 0) return;
    await this.#kernel.changes.run('ensurePorts', { bridgeIndex: outcome.index, links });
  }

  #bridgeRequest(network: NetworkRecord): BridgeRequest {
    const { device, mtuBytes, gatewayModes, inhibitIpv4 } = network.bridge!;
    const hasAddress = (family: Family) =>
      gatewayModes[family] !== 'isolated' && !(family === 'ipv4' && inhibitIpv4);
    return {
      name: device,
      mark: networkMark(this.#installation, network),
      ...(mtuBytes === undefined ? {} : { mtuBytes }),
      macAddress: bridgeMacAddress(network.id),
      addresses: network.subnets.flatMap((config) =>
        hasAddress(mustParseSubnet(config.subnet).family) ? inSubnet(config, config.gateway) : [],
      ),
      ipv6: network.enableIpv6,
    };
  }

  async cutNetwork(network: NetworkRecord): Promise<string> {
    const { device } = network.bridge!;
    await this.#kernel.changes.run('cutBridge', device);
    return device;
  }

  async connect(
    network: NetworkRecord,
    endpoint: EndpointRecord,
    namespace: string,
    waysOut: readonly WayOut[],
  ): Promise<{ readonly made: boolean }> {
    const bridge = this.#bridgeRequest(network);
    const { hostInterface, interfaceName, macAddress, ipv4Address, ipv6Address } = endpoint;
    const address = ipv4Address ?? ipv6Address;
    const outcome = await this.#kernel.changes
      .run('attachToBridge', {
        namespace,
        bridge,
        hostInterface: hostInterface!,
        interfaceName: interfaceName!,
        macAddress,
        announce: address !== undefined && macAddress !== macAddressFor(address),
        mark: endpointMark(this.#installation, endpoint),
        addresses: [
          ...inSubnet(subnetOfFamily(network, 'ipv4'), ipv4Address),
          ...inSubnet(subnetOfFamily(network, 'ipv6'), ipv6Address),
        ],
        sysctls: (endpoint.sysctls ?? []).map(
          (sysctl) => [sysctlPath(sysctl, interfaceName!), sysctl[1]] as const,
        ),
        gateways: waysOut.flatMap((way) => (way.endpoint.id === endpoint.id ? way.gateway : [])),
      })
      .catch((error) => {
        const message = `failed to set up container networking: attach ${hostInterface} to ${bridge.name}: ${messageOf(error)}`;
        throw internal('attach-failed', message, { endpoint: endpoint.id, network: network.id }, error);
      });
    if (outcome.kind === 'foreign') throw foreignBridge(network, outcome);
    return { made: outcome.created };
  }

  async isConnected(endpoint: EndpointRecord, namespace: string): Promise<boolean> {
    const { hostInterface } = endpoint;
    if (hostInterface === undefined) return true;
    const mark = endpointMark(this.#installation, endpoint);
    return this.#kernel.changes.run('isAttached', { namespace, hostInterface, mark });
  }

  async silence({ hostInterface }: EndpointRecord, namespace: string): Promise<void> {
    if (hostInterface === undefined) return;
    await this.#kernel.changes.run('silenceInterface', { namespace, hostInterface });
  }

  async cut(endpoint: EndpointRecord, namespace: string, waysOut: readonly WayOut[]): Promise<void> {
    const { hostInterface, id } = endpoint;
    if (hostInterface === undefined) return;
    await this.#kernel.changes.run('cutInterface', {
      namespace,
      hostInterface,
      parkedName: `removed-${id.slice(0, 7)}`,
      defaultRoutes: waysOut.map(({ gateway, endpoint: { hostInterface = '' } }) => ({
        gateway,
        hostInterface,
      })),
    });
  }
}

function inSubnet(config: SubnetConfig | undefined, address: string | undefined): InterfaceAddress[] {
  if (!config || address === undefined) return [];
  const subnet = mustParseSubnet(config.subnet);
  const broadcast = broadcastAddress(subnet);
  return [{ address, prefixLength: subnet.prefixLength, ...(broadcast ? { broadcast } : {}) }];
}

function foreignBridge(network: NetworkRecord, outcome: Extract<BridgeOutcome, { kind: 'foreign' }>) {
  const { device } = network.bridge!;
  const owner = outcome.mark === '' ? '' : ` (marked "${outcome.mark}")`;
  const option =
    network.name === 'bridge' ? '--bridge' : '-o com.docker.network.bridge.name, or leave that to Seaway';
  return conflict(
    'foreign-bridge',
    `${outcome.linkKind} ${device} exists and was not made by this Seaway${owner}: it is left as it is. ` +
      `Choose another name with ${option}, or delete it first`,
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
