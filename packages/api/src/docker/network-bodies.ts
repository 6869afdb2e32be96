/** The shapes of Docker's requests about networks. */
import type { FromSchema } from 'json-schema-to-ts';
import { endpointSettingsSchema } from './endpoint-settings.ts';

/** Clients send `null` for whatever they leave open. */
const text = { type: ['string', 'null'] } as const;
const flag = { type: ['boolean', 'null'] } as const;
const textMap = { type: ['object', 'null'], additionalProperties: { type: 'string' } } as const;

const subnet = {
  type: 'object',
  properties: { Subnet: text, IPRange: text, Gateway: text, AuxiliaryAddresses: textMap },
} as const;

/** Body of POST /networks/create. Fields that are not listed are accepted and ignored, as Docker does. */
export const createNetworkBody = {
  type: 'object',
  properties: {
    Name: text,
    Driver: text,
    Scope: text,
    EnableIPv4: flag,
    EnableIPv6: flag,
    IPAM: {
      type: ['object', 'null'],
      properties: { Driver: text, Options: textMap, Config: { type: ['array', 'null'], items: subnet } },
    },
    Internal: flag,
    Attachable: flag,
    Ingress: flag,
    ConfigOnly: flag,
    ConfigFrom: { type: ['object', 'null'], properties: { Network: text } },
    Options: textMap,
    Labels: textMap,
  },
} as const;

export type CreateNetworkBody = FromSchema<typeof createNetworkBody>;
export type DockerSubnetConfig = FromSchema<typeof subnet>;

/** Body of POST /networks/ID/connect. */
export const connectBody = {
  type: 'object',
  properties: { Container: text, EndpointConfig: endpointSettingsSchema },
} as const;

export type ConnectBody = FromSchema<typeof connectBody>;

/** Body of POST /networks/ID/disconnect. */
export const disconnectBody = { type: 'object', properties: { Container: text, Force: flag } } as const;

export type DisconnectBody = FromSchema<typeof disconnectBody>;
