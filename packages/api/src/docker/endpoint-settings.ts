/** How a container sits on a network, as Docker's clients say it: when they create a container and when they connect one. */
import { type EndpointSettings, noEndpointSettings } from '@seaway/engine';
import type { FromSchema } from 'json-schema-to-ts';
import type { ApiVersion } from '../http/version.ts';

/** From this version on a client can say which network gives a container its way out. */
const GATEWAY_PRIORITY: ApiVersion = 148;

const text = { type: ['string', 'null'] } as const;
const texts = { type: ['array', 'null'], items: { type: 'string' } } as const;

/** What clients say about addresses and names; what `inspect` shows beside it is accepted and ignored. */
export const endpointSettingsSchema = {
  type: ['object', 'null'],
  properties: {
    IPAMConfig: {
      type: ['object', 'null'],
      properties: { IPv4Address: text, IPv6Address: text, LinkLocalIPs: texts },
    },
    Links: texts,
    Aliases: texts,
    DriverOpts: { type: ['object', 'null'], additionalProperties: { type: 'string' } },
    GwPriority: { type: ['integer', 'null'] },
    MacAddress: text,
  },
} as const;

export type DockerEndpointSettings = FromSchema<typeof endpointSettingsSchema>;

/** Whether an address is right is for the engine to say, which knows the network. */
export function fromDockerEndpoint(
  settings: DockerEndpointSettings | undefined,
  version: ApiVersion,
): EndpointSettings {
  if (!settings) return noEndpointSettings;
  const { IPAMConfig: ipam } = settings;
  return {
    aliases: settings.Aliases ?? [],
    links: settings.Links ?? [],
    driverOptions: settings.DriverOpts ?? {},
    gatewayPriority: (version >= GATEWAY_PRIORITY && settings.GwPriority) || 0,
    ...(ipam?.IPv4Address ? { ipv4Address: ipam.IPv4Address } : {}),
    ...(ipam?.IPv6Address ? { ipv6Address: ipam.IPv6Address } : {}),
    ...(settings.MacAddress ? { macAddress: settings.MacAddress } : {}),
  };
}
