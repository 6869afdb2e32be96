/** Routes: the wire form of RTM_*ROUTE, requests, and how they read. */
import { familyOf, formatIp, ipAddress, parsePrefix } from '../addresses.ts';
import { attributeTable, bytes, i32, messageCodec, struct, u8, u32, type ValueOf } from '../codec.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../message.ts';
import { defined } from './defined.ts';
import { type ScopeName, scopeName, scopeNumber } from './scope.ts';

/** Message types. Source: linux/rtnetlink.h. */
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;

/** Route types. Source: linux/rtnetlink.h, RTN_*. */
const types = {
  unspecified: 0,
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
} as const;

export type RouteTypeName = keyof typeof types;

const typeNames = new Map(Object.entries(types).map(([name, n]) => [n as number, name as RouteTypeName]));

/** Tables with a name. Source: linux/rtnetlink.h, RT_TABLE_*. */
export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;

/** Who made a route. Source: linux/rtnetlink.h, RTPROT_*. */
export const RTPROT_KERNEL = 2;
export const RTPROT_BOOT = 3;
export const RTPROT_STATIC = 4;

/** The next hop is on the link even though no prefix says so. Source: linux/rtnetlink.h, RTNH_F_ONLINK. */
const RTNH_F_ONLINK = 4;

/** struct rtmsg. Source: linux/rtnetlink.h. */
const routeHeader = struct(12, {
  family: [0, u8],
  destinationLength: [1, u8],
  sourceLength: [2, u8],
  tos: [3, u8],
  /** The low byte of what the TABLE attribute has in full. */
  table: [4, u8],
  protocol: [5, u8],
  scope: [6, u8],
  type: [7, u8],
  flags: [8, u32],
});

/** RTA_*. Source: linux/rtnetlink.h. */
const routeAttributes = attributeTable({
  destination: { id: 1, as: ipAddress }, // RTA_DST; absent for the default route
  index: { id: 4, as: i32 }, // RTA_OIF
  gateway: { id: 5, as: ipAddress }, // RTA_GATEWAY
  metric: { id: 6, as: u32 }, // RTA_PRIORITY
  preferredSource: { id: 7, as: ipAddress }, // RTA_PREFSRC
  metrics: { id: 8, as: bytes }, // RTA_METRICS
  multipath: { id: 9, as: bytes }, // RTA_MULTIPATH: struct rtnexthop and attributes, repeated
  table: { id: 15, as: u32 }, // RTA_TABLE
});

export const routeMessage = messageCodec(routeHeader, routeAttributes);
export type RouteMessage = ValueOf<typeof routeMessage>;

/** A request about routes; plain data. */
export interface RouteTableRequest {
  readonly message: 'route';
  readonly type: number;
  readonly flags: number;
  readonly description: string;
  readonly header: Partial<RouteMessage['header']>;
  readonly attributes: RouteMessage['attributes'];
}

export interface RouteKey {
  /** `10.0.0.0/8`, `2001:db8::/32`, an address alone for a host route. @default the default route */
  readonly destination?: string | undefined;
  /** Only needed when neither destination, gateway nor source tells. @default 4 */
  readonly family?: 4 | 6;
  readonly gateway?: string;
  /** Index of the link that packets leave by. */
  readonly index?: number;
  /** @default RT_TABLE_MAIN (254) */
  readonly table?: number;
  /** Lower wins. */
  readonly metric?: number;
  /** @default 'unicast' */
  readonly type?: RouteTypeName;
}

export interface NewRoute extends RouteKey {
  /** @default 'link' for IPv4 without a gateway, 'host' for the type local, else 'universe'; as ip-route(8) has it */
  readonly scope?: ScopeName;
  /** The source address that packets get when the program chose none. */
  readonly preferredSource?: string;
  /** Take the gateway to be on the link, whatever the prefixes say. @default false */
  readonly onLink?: boolean;
  /** Who made it. @default RTPROT_BOOT (3), as ip-route(8) */
  readonly protocol?: number;
  /** Change a route with the same key, instead of failing with EEXIST. @default false */
  readonly replace?: boolean;
}

/** A request that adds a route. Throws RangeError for addresses that are none. */
export function newRoute(route: NewRoute): RouteTableRequest {
  const { scope, preferredSource, onLink, protocol = RTPROT_BOOT, replace } = route;
  const key = encodeKey(route, 'unicast');
  return {
    message: 'route',
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL),
    description: `add route ${describe(route)}`,
    header: {
      ...key.header,
      protocol,
      scope: scopeNumber(scope ?? defaultScope(route, key.header.family)),
      flags: onLink ? RTNH_F_ONLINK : 0,
    },
    attributes: { ...key.attributes, preferredSource },
  };
}

/** A request that deletes the first route that has all the given properties. */
export function deleteRoute(route: RouteKey): RouteTableRequest {
  const key = encodeKey(route, 'unspecified');
  return {
    message: 'route',
    type: RTM_DELROUTE,
    flags: 0,
    description: `delete route ${describe(route)}`,
    header: { ...key.header, scope: scopeNumber('nowhere') }, // nowhere matches any scope
    attributes: key.attributes,
  };
}

function encodeKey(route: RouteKey & { readonly preferredSource?: string }, anyType: RouteTypeName) {
  const { destination, gateway, index, metric, table = RT_TABLE_MAIN } = route;
  const prefix =
    destination === undefined || destination === 'default' ? undefined : parsePrefix(destination);
  const telling = prefix?.address ?? gateway ?? route.preferredSource;
  const family = telling === undefined ? (route.family === 6 ? 10 : 2) : familyOf(telling);
  const length = prefix?.length ?? 0;
  return {
    header: {
      family,
      destinationLength: length,
      table: table < 256 ? table : 0,
      type: types[route.type ?? anyType],
    },
    attributes: {
      destination: length === 0 ? undefined : prefix?.address,
      gateway,
      index,
      metric,
      ...(table < 256 ? {} : { table }),
    },
  };
}

function defaultScope({ gateway, type = 'unicast' }: NewRoute, family: number): ScopeName {
  if (family !== 2) return 'universe'; // IPv6 routes have no scope
  if (type === 'local') return 'host';
  return type === 'unicast' && gateway === undefined ? 'link' : 'universe';
}

function describe({ destination = 'default', gateway, index }: RouteKey): string {
  const via = gateway === undefined ? '' : ` via ${gateway}`;
  return `${destination}${via}${index === undefined ? '' : ` on link ${index}`}`;
}

export interface RouteFilter {
  readonly family?: 4 | 6;
  /** Only those of this table. @default all tables */
  readonly table?: number;
  /** Only those that leave by this link. */
  readonly index?: number;
}

export function dumpRoutes({ family, table, index }: RouteFilter = {}): RouteTableRequest {
  return {
    message: 'route',
    type: RTM_GETROUTE,
    flags: 0,
    description: 'list routes',
    header: { family: family === undefined ? 0 : family === 4 ? 2 : 10 },
    attributes: { table, index },
  };
}

/** A route of one next hop, or of several with `multipath` as the kernel gave it. */
export interface Route {
  readonly family: 4 | 6;
  /** `address/length`; absent for the default route. */
  readonly destination?: string;
  readonly gateway?: string;
  readonly index?: number;
  readonly preferredSource?: string;
  readonly metric?: number;
  readonly table: number;
  /** RTPROT_*. */
  readonly protocol: number;
  readonly scope: ScopeName | number;
  readonly type: RouteTypeName | number;
  readonly multipath?: Uint8Array;
}

export function toRoute({ header, attributes }: RouteMessage): Route {
  const { destination } = attributes;
  const any = formatIp(new Uint8Array(header.family === 2 ? 4 : 16));
  const isDefault = destination === undefined && header.destinationLength === 0;
  return defined({
    family: header.family === 2 ? (4 as const) : (6 as const),
    destination: isDefault ? undefined : `${destination ?? any}/${header.destinationLength}`,
    gateway: attributes.gateway,
    index: attributes.index,
    preferredSource: attributes.preferredSource,
    metric: attributes.metric,
    table: attributes.table ?? header.table,
    protocol: header.protocol,
    scope: scopeName(header.scope),
    type: typeNames.get(header.type) ?? header.type,
    multipath: attributes.multipath,
  });
}
