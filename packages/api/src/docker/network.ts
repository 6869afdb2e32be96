/** Networks as Docker's clients see them. */
import { type EndpointRecord, mustParseSubnet, type NetworkRecord, type SubnetConfig } from '@seaway/engine';

/** Before this version the list shows each network's containers, as `inspect` does. */
export const LIST_WITHOUT_CONTAINERS = 128;

/** @param endpoints the live endpoints, or undefined where they are not shown */
export function toDockerNetwork(network: NetworkRecord, endpoints: readonly EndpointRecord[] | undefined) {
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
      Options: null,
      Config: network.subnets.length > 0 ? network.subnets.map(toDockerSubnet) : null,
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    ...(endpoints
      ? {
          Containers: Object.fromEntries(
            endpoints.map((endpoint) => [endpoint.containerId, toDockerMember(endpoint, network)]),
          ),
        }
      : {}),
    Options: network.options,
    Labels: network.labels,
  };
}

function toDockerSubnet({ subnet, gateway, range, auxiliary }: SubnetConfig) {
  return {
    Subnet: subnet,
    ...(range ? { IPRange: range } : {}),
    Gateway: gateway,
    ...(auxiliary ? { AuxiliaryAddresses: auxiliary } : {}),
  };
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
