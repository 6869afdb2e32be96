/**
 * From what a user asks for to a network's record: the rules of Docker's networks, in the order in which Docker
 * applies them, so that of several mistakes the same one is named. Pure; what exists comes in as facts.
 */
import { type Family, formatSubnet, parseCidr } from '../base/address.ts';
import { conflict, forbidden, invalid, notFound, notImplemented } from '../base/errors.ts';
import type { NetworkId } from '../base/ids.ts';
import { type AddressFacts, AddressSpace, finishSubnet } from '../ipam/plan-subnets.ts';
import { type ParsedSubnet, parseSubnetRequests } from '../ipam/subnet-request.ts';
import { parseBoolean, parseBridgeOptions } from './bridge-options.ts';
import {
  type BridgeSettings,
  isPredefinedNetwork,
  type NetworkRecord,
  type SubnetConfig,
} from './network.ts';
import type { NetworkRequest, SubnetRequest } from './network-request.ts';

export interface PlanningFacts extends AddressFacts {
  /** The new network's. */
  readonly id: NetworkId;
  /** RFC 3339 with nanoseconds. */
  readonly createdAt: string;
}

export interface PlannedNetwork {
  readonly network: NetworkRecord;
  /** What the user should know all the same; empty when there is nothing. */
  readonly warning: string;
}

/**
 * Plans a new network.
 * @throws forbidden, invalid, notFound, conflict, notImplemented: Docker's texts, see docs/errors.md
 */
export function planNetwork(given: NetworkRequest, facts: PlanningFacts): PlannedNetwork {
  checkName(given.name);
  checkScope(given);
  if (!given.configOnly) checkDriver(given.driver || 'bridge');
  checkIpamDriver(given.ipamDriver || 'default');
  checkUnique(given.name, facts.networks);
  if (given.configOnly) checkTemplate(given);
  if (given.ingress) {
    throw forbidden('swarm-required', 'Ingress network can only be global scope network');
  }
  const request = given.configFrom ? fromTemplate(given, given.configFrom, facts.networks) : given;

  const families = chooseFamilies(request);
  const requests = parseSubnetRequests(request.subnets ?? [], families);
  if (!families.ipv4 && !families.ipv6) {
    throw invalid('no-address-family', 'IPv4 or IPv6 must be enabled');
  }
  const base = baseRecord(request, families, facts);
  const ignored = ignoredSubnets(request.subnets ?? [], families);
  if (given.configOnly) {
    const subnets = requests.map(templateSubnet);
    return { network: { ...base, driver: 'null', subnets }, warning: ignored.join('; ') };
  }
  const bridge = parseBridgeOptions(request.options ?? {}, facts.id, families.ipv6);
  checkDevice(facts.id, bridge.device, facts.networks);
  const { subnets, warnings } = planSubnets(requests, families, facts);
  checkIsolation(bridge, base.internal);
  return {
    network: { ...base, subnets, bridge },
    warning: [...warnings, ...ignored].join('; '),
  };
}

function checkName(name: string): void {
  if (isPredefinedNetwork(name) || name === 'default') {
    throw forbidden('network-name-reserved', `operation is not permitted on predefined ${name} network `, {
      name,
    });
  }
  if (name.trim() === '') throw invalid('invalid-network-name', 'invalid name: name is empty');
}

function checkScope({ driver, scope }: NetworkRequest): void {
  if (driver === 'overlay') {
    throw forbidden(
      'swarm-required',
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
  }
  if (scope === 'swarm') {
    throw forbidden('swarm-required', 'cannot create a swarm scoped network when swarm is not active');
  }
  if (scope && scope !== 'local') {
    throw invalid('invalid-network-scope', `invalid network scope: ${scope}: it should be local`, { scope });
  }
}

function checkDriver(driver: string): void {
  switch (driver) {
    case 'bridge':
      return;
    case 'host':
    case 'null':
      throw forbidden('one-network-of-driver', `only one instance of "${driver}" network is allowed`, {
        driver,
      });
    case 'macvlan':
    case 'ipvlan':
      throw notImplemented(
        'driver-unsupported',
        `the network driver ${driver} is not supported by this version of Seaway: use bridge`,
        { driver },
      );
    default:
      throw pluginNotFound(driver);
  }
}

function checkIpamDriver(driver: string): void {
  if (driver !== 'default') throw pluginNotFound(driver);
}

function pluginNotFound(name: string) {
  return notFound('plugin-not-found', `plugin ${JSON.stringify(name)} not found`, { name });
}

function checkUnique(name: string, networks: readonly NetworkRecord[]): void {
  if (networks.some((network) => network.name === name)) {
    throw conflict('network-name-taken', `network with name ${name} already exists`, { name });
  }
}

function checkTemplate({ ingress, internal, attachable, scope, configFrom }: NetworkRequest): void {
  if (ingress || internal || attachable || scope) {
    throw forbidden(
      'invalid-template',
      'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.',
    );
  }
  if (configFrom) {
    throw forbidden(
      'invalid-template',
      'a configuration network cannot depend on another configuration network',
    );
  }
}

/** The request with everything that its template says. */
function fromTemplate(
  request: NetworkRequest,
  name: string,
  networks: readonly NetworkRecord[],
): NetworkRequest {
  const template = networks.find((network) => network.configOnly && network.name === name);
  if (!template) {
    throw notFound('template-not-found', `configuration network ${JSON.stringify(name)} does not exist`, {
      name,
    });
  }
  const { enableIpv4, enableIpv6, subnets, labels, ipamOptions, options } = request;
  const settings = [subnets, labels, ipamOptions].some((given) => given && Object.keys(given).length > 0);
  const families = enableIpv6 || (enableIpv4 !== undefined && enableIpv4 !== template.enableIpv4);
  if (settings || families) {
    throw forbidden(
      'settings-beside-template',
      'user-specified configurations are not supported if the network depends on a configuration network',
    );
  }
  if (options && Object.keys(options).length > 0) {
    throw forbidden(
      'settings-beside-template',
      'network driver options are not supported if the network depends on a configuration network',
    );
  }
  return {
    ...request,
    enableIpv4: template.enableIpv4,
    enableIpv6: template.enableIpv6,
    subnets: template.subnets,
    labels: template.labels,
    options: template.options,
    ...(template.ipamOptions ? { ipamOptions: template.ipamOptions } : {}),
  };
}

function chooseFamilies({
  enableIpv4,
  enableIpv6,
  options = {},
}: NetworkRequest): Readonly<Record<Family, boolean>> {
  return {
    ipv4: enableIpv4 ?? readFamily(options, 'com.docker.network.enable_ipv4') ?? true,
    ipv6: enableIpv6 ?? readFamily(options, 'com.docker.network.enable_ipv6') ?? false,
  };
}

function readFamily(options: Readonly<Record<string, string>>, key: string): boolean | undefined {
  const text = options[key];
  if (text === undefined) return undefined;
  const value = parseBoolean(text);
  if (value === undefined) {
    throw invalid('invalid-network-option', `driver-opt "${key}" is not a valid bool: ${text}`, {
      key,
      text,
    });
  }
  return value;
}

function baseRecord(
  request: NetworkRequest,
  families: Readonly<Record<Family, boolean>>,
  { id, createdAt }: PlanningFacts,
): NetworkRecord {
  const { ipamOptions, configFrom } = request;
  return {
    id,
    name: request.name,
    driver: 'bridge',
    createdAt,
    internal: request.internal ?? false,
    attachable: request.attachable ?? false,
    enableIpv4: families.ipv4,
    enableIpv6: families.ipv6,
    subnets: [],
    options: request.options ?? {},
    labels: request.labels ?? {},
    configOnly: request.configOnly ?? false,
    ...(ipamOptions ? { ipamOptions } : {}),
    ...(configFrom ? { configFrom } : {}),
  };
}

/** A template keeps what is to be chosen later as open as it was asked for. */
function templateSubnet(request: ParsedSubnet): SubnetConfig {
  if (request.subnet) return finishSubnet(request, request.subnet);
  const any = request.family === 'ipv4' ? '0.0.0.0' : '::';
  return { subnet: `${any}/${request.size ?? 0}`, gateway: '' };
}

function checkDevice(id: NetworkId, device: string, networks: readonly NetworkRecord[]): void {
  const other = networks.find(({ bridge }) => bridge?.device === device);
  if (!other) return;
  throw forbidden(
    'bridge-name-taken',
    `cannot create network ${id} (${device}): conflicts with network ${other.id} (${device}): networks have same bridge name`,
    { device, network: other.name },
  );
}

/** One subnet for each family that is on: the one asked for, else a free one. */
function planSubnets(
  requests: readonly ParsedSubnet[],
  families: Readonly<Record<Family, boolean>>,
  facts: PlanningFacts,
): { readonly subnets: SubnetConfig[]; readonly warnings: string[] } {
  const space = new AddressSpace(facts);
  for (const { subnet } of requests) if (subnet) space.checkOverlap(subnet);
  const ordered = (['ipv4', 'ipv6'] as const).flatMap((family): ParsedSubnet[] => {
    const own = requests.filter((request) => request.family === family);
    return families[family] && own.length === 0 ? [{ family, auxiliary: {} }] : own;
  });
  const claimed = ordered.map((request) => request.subnet ?? space.claim(request.family, request.size));
  if (new Set(ordered.map(({ family }) => family)).size < ordered.length) {
    throw forbidden('several-subnets', "bridge driver doesn't support multiple subnets", {
      subnets: claimed.map(formatSubnet),
    });
  }
  return {
    subnets: ordered.map((request, index) => finishSubnet(request, claimed[index]!)),
    warnings: requests.flatMap(({ subnet }) => (subnet && space.warningAbout(subnet)) || []),
  };
}

function checkIsolation({ gatewayModes }: BridgeSettings, internal: boolean): void {
  if (!internal && Object.values(gatewayModes).includes('isolated')) {
    throw invalid(
      'invalid-network-option',
      "gateway mode 'isolated' can only be used for an internal network",
    );
  }
}

function ignoredSubnets(
  requests: readonly SubnetRequest[],
  families: Readonly<Record<Family, boolean>>,
): string[] {
  return requests.flatMap(({ subnet = '' }) => {
    const family = parseCidr(subnet)?.subnet.family;
    if (family === undefined || families[family]) return [];
    return `${subnet} is not used: ${family === 'ipv4' ? 'IPv4' : 'IPv6'} is off for this network`;
  });
}
