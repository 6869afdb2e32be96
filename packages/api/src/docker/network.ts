/** Networks as Docker's clients see them. */
import {
  type ContainerId,
  type EndpointRecord,
  mustParseSubnet,
  type NetworkRecord,
  type SubnetConfig,
} from '@seaway/engine';

/** Before this version the list shows each network's containers, as `inspect` does. */
export const LIST_WITHOUT_CONTAINERS = 128;

/** The endpoints of a network, and of which containers the engine knows. */
export interface NetworkMembers {
  readonly endpoints: readonly EndpointRecord[];
  readonly isContainer: (id: ContainerId) => boolean;
}

/** @param members undefined where they are not shown */
export function toDockerNetwork(network: NetworkRecord, members: NetworkMembers | undefined) {
  return {
    Name: network.name,
    Id: network.id,
    Created: network.createdAt,
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: network.enableIpv4,
    EnableIPv6: network.enableIpv6,
    IPAM: {
      Driver: 'default',
      Options: network.ipamOptions ?? null,
      Config: network.subnets.length > 0 ? network.subnets.map(toDockerSubnet) : null,
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: network.configFrom ?? '' },
    ConfigOnly: network.configOnly,
    ...(members ? { Containers: toDockerMembers(network, members) } : {}),
    Options: network.options,
    Labels: network.labels,
  };
}

function toDockerSubnet({ subnet, gateway, range, auxiliary }: SubnetConfig) {
  return {
    Subnet: subnet,
    ...(range ? { IPRange: range } : {}),
    ...(gateway ? { Gateway: gateway } : {}),
    ...(auxiliary ? { AuxiliaryAddresses: auxiliary } : {}),
  };
}

/** By container; an endpoint that a container left behind stands under its own name. */
function toDockerMembers(network: NetworkRecord, { endpoints, isContainer }: NetworkMembers) {
  return Object.fromEntries(
    endpoints.map((endpoint) => [
      isContainer(endpoint.containerId) ? endpoint.containerId : `ep-${endpoint.id}`,
      toDockerMember(endpoint, network),
    ]),
  );
}

function toDockerMember(endpoint: EndpointRecord, network: NetworkRecord) {
  const { containerName, id, macAddress, ipv4Address, ipv6Address } = endpoint;
  const subnets = network.subnets.map(({ subnet }) => mustParseSubnet(subnet));
  const withPrefix = (address: string | undefined, family: 'ipv4' | 'ipv6') => {
    const subnet = subnets.find((candidate) => candidate.family === family);
    return address && subnet ? `${address}/${subnet.prefixLength}` : '';
  };
  return {
    Name: containerName,
    EndpointID: id,
    MacAddress: macAddress,
    IPv4Address: withPrefix(ipv4Address, 'ipv4'),
    IPv6Address: withPrefix(ipv6Address, 'ipv6'),
  };
}
