/** Records for tests. */
import type { NetworkId } from '../base/ids.ts';
import type { BridgeSettings, NetworkRecord } from './network.ts';

/** A network of IPv4 without subnets, and what a test wants to be otherwise. */
export function networkRecord(changes: Partial<NetworkRecord>): NetworkRecord {
  return {
    id: '1'.repeat(64) as NetworkId,
    name: 'other',
    driver: 'bridge',
    createdAt: '2026-01-02T03:04:05.000000001Z',
    internal: false,
    attachable: false,
    enableIpv4: true,
    enableIpv6: false,
    subnets: [],
    options: {},
    labels: {},
    configOnly: false,
    ...changes,
  };
}

/** What a bridge is like where nobody asks for anything else. */
export function bridgeSettings(
  changes: Partial<BridgeSettings> & { readonly device: string },
): BridgeSettings {
  return {
    masquerade: true,
    interContainer: true,
    interfacePrefix: 'eth',
    gatewayModes: { ipv4: 'nat', ipv6: 'nat' },
    inhibitIpv4: false,
    ...changes,
  };
}
