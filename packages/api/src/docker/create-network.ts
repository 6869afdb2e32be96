/** How Docker's request to create a network becomes the engine's. */
import { isIP } from 'node:net';
import { invalid, type NetworkRequest, parseCidr, type SubnetRequest } from '@seaway/engine';
import type { ApiVersion } from '../http/version.ts';
import type { CreateNetworkBody, DockerSubnetConfig } from './network-bodies.ts';

/** Before this version clients could not switch IPv4 off; what they sent under that name meant nothing. */
const ENABLE_IPV4: ApiVersion = 148;

/**
 * Turns the request into the engine's. Whether its parts fit each other is for the engine to say.
 * @throws invalid for texts that are no addresses: Docker decodes them with the rest of the JSON
 */
export function fromDockerNetwork(body: CreateNetworkBody, version: ApiVersion): NetworkRequest {
  const { IPAM: ipam, EnableIPv4: ipv4, EnableIPv6: ipv6 } = body;
  return {
    name: body.Name ?? '',
    ...(body.Driver ? { driver: body.Driver } : {}),
    ...(version >= ENABLE_IPV4 && ipv4 != null ? { enableIpv4: ipv4 } : {}),
    ...(ipv6 == null ? {} : { enableIpv6: ipv6 }),
    internal: body.Internal ?? false,
    attachable: body.Attachable ?? false,
    ingress: body.Ingress ?? false,
    configOnly: body.ConfigOnly ?? false,
    ...(body.ConfigFrom?.Network ? { configFrom: body.ConfigFrom.Network } : {}),
    ...(body.Scope ? { scope: body.Scope } : {}),
    ...(ipam?.Driver ? { ipamDriver: ipam.Driver } : {}),
    ...(ipam?.Options ? { ipamOptions: ipam.Options } : {}),
    subnets: (ipam?.Config ?? []).map(parseSubnet),
    options: body.Options ?? {},
    labels: body.Labels ?? {},
  };
}

const expectations = {
  block: { isOne: (text: string) => parseCidr(text) !== undefined, name: 'a block (ADDRESS/PREFIX)' },
  address: { isOne: (text: string) => isIP(text) !== 0, name: 'an IP address' },
};

function parseSubnet(config: DockerSubnetConfig, index: number): SubnetRequest {
  const checked = (field: string, text: string, what: keyof typeof expectations) => {
    const { isOne, name } = expectations[what];
    if (isOne(text)) return text;
    throw invalid('invalid-json', `invalid JSON: IPAM.Config.${index}.${field} must be ${name}: ${text}`);
  };
  const { Subnet: subnet, Gateway: gateway, IPRange: range } = config;
  const auxiliary = Object.entries(config.AuxiliaryAddresses ?? {}).map(
    ([name, text]) => [name, checked(`AuxiliaryAddresses.${name}`, text, 'address')] as const,
  );
  return {
    ...(subnet ? { subnet: checked('Subnet', subnet, 'block') } : {}),
    ...(gateway ? { gateway: checked('Gateway', gateway, 'address') } : {}),
    ...(range ? { range: checked('IPRange', range, 'block') } : {}),
    ...(auxiliary.length > 0 ? { auxiliary: Object.fromEntries(auxiliary) } : {}),
  };
}
