/** The network `bridge` as the daemon's flags want it. Pure. */
import { formatAddress, formatSubnet, type Subnet } from '../base/address.ts';
import { invalid } from '../base/errors.ts';
import { defaultGateway } from '../ipam/address-pool.ts';
import { claimSubnet, type SubnetPool } from '../ipam/subnet-pools.ts';
import type { NetworkRecord, SubnetConfig } from '../model/network.ts';
import {
  type DefaultBridgeOptions,
  defaultBridgeSubnet,
  firewallInterfaceNames,
  isFirewallInterfaceName,
} from '../model/network.ts';

export interface DefaultBridgeSettings extends DefaultBridgeOptions {
  /** Device of the network `bridge`; `none` leaves that network out. */
  readonly bridge: string;
  readonly mtuBytes: number;
  readonly interContainer: boolean;
  readonly masquerade: boolean;
  readonly addressPools: readonly SubnetPool[];
  /** Host address of published ports whose binding and network name none. @default every address */
  readonly defaultBindAddress?: string;
}

/**
 * What of the network `bridge` the flags decide.
 * @param known its subnet so far, which stays unless a flag says otherwise
 * @param avoid subnets that an automatic choice must not touch
 * @throws invalid naming the flag and its value
 */
export function planDefaultBridge(
  settings: DefaultBridgeSettings,
  known: SubnetConfig | undefined,
  avoid: readonly Subnet[],
): Pick<NetworkRecord, 'subnets' | 'options' | 'bridge'> {
  const { bridge: device, mtuBytes, interContainer, masquerade, defaultBindAddress } = settings;
  if (!isFirewallInterfaceName(device)) {
    throw invalid(
      'invalid-bridge-name',
      `--bridge ${device}: an interface's name has ${firewallInterfaceNames}`,
    );
  }
  const subnet = defaultBridgeSubnet(settings, () => known ?? automaticSubnet(settings.addressPools, avoid));
  return {
    subnets: [subnet],
    options: {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.enable_icc': String(interContainer),
      'com.docker.network.bridge.enable_ip_masquerade': String(masquerade),
      'com.docker.network.bridge.host_binding_ipv4': defaultBindAddress ?? '0.0.0.0',
      'com.docker.network.bridge.name': device,
      'com.docker.network.driver.mtu': String(mtuBytes),
    },
    bridge: {
      device,
      mtuBytes,
      masquerade,
      interContainer,
      interfacePrefix: 'eth',
      gatewayModes: { ipv4: 'nat', ipv6: 'nat' },
      inhibitIpv4: false,
    },
  };
}

function automaticSubnet(pools: readonly SubnetPool[], avoid: readonly Subnet[]): SubnetConfig {
  const subnet = claimSubnet(pools, avoid);
  return { subnet: formatSubnet(subnet), gateway: formatAddress(defaultGateway(subnet)) };
}
