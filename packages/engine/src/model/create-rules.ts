/** Which options of a new container exclude each other. Pure; texts are those that Docker's clients know. */
import { parseAddress } from '../base/address.ts';
import { conflict, type EngineError, invalid } from '../base/errors.ts';
import type { EndpointSettings, NetworkMode } from './container.ts';
import { isPredefinedNetwork } from './network.ts';

/** What of a create request the rules look at. */
export interface CreateOptions {
  readonly networkMode: NetworkMode;
  readonly hostname: string;
  readonly utsMode: 'private' | 'host';
  readonly links: readonly string[];
  readonly dns: readonly string[];
  readonly extraHosts: readonly string[];
  readonly publishesPorts: boolean;
  readonly exposedPorts: readonly string[];
  /** The container-wide MAC address of API versions before 1.44. */
  readonly macAddress: string;
}

const conflicts: readonly { readonly when: (options: CreateOptions) => boolean; readonly message: string }[] =
  [
    {
      when: (o) => o.networkMode.kind === 'container' && o.hostname !== '',
      message: 'conflicting options: hostname and the network mode',
    },
    {
      when: (o) => o.utsMode === 'host' && o.hostname !== '',
      message: 'conflicting options: hostname and the UTS mode',
    },
    {
      when: (o) => o.networkMode.kind === 'container' && o.links.length > 0,
      message:
        "conflicting options: container type network can't be used with links. This would result in undefined behavior",
    },
    {
      when: (o) => o.networkMode.kind === 'host' && o.links.length > 0,
      message:
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    },
    {
      when: (o) => o.networkMode.kind === 'container' && o.dns.length > 0,
      message: 'conflicting options: dns and the network mode',
    },
    {
      when: (o) => o.networkMode.kind === 'container' && o.extraHosts.length > 0,
      message: 'conflicting options: custom host-to-IP mapping and the network mode',
    },
    {
      when: (o) => o.networkMode.kind === 'container' && o.publishesPorts,
      message: 'conflicting options: port publishing and the container type network mode',
    },
    {
      when: (o) => o.networkMode.kind === 'container' && o.exposedPorts.length > 0,
      message: 'conflicting options: port exposing and the container type network mode',
    },
    {
      when: (o) => o.networkMode.kind !== 'network' && o.macAddress !== '',
      message: 'conflicting options: mac-address and the network mode',
    },
  ];

/** The first rule that the options break, or undefined. */
export function findConflict(options: CreateOptions): EngineError | undefined {
  const broken = conflicts.find((rule) => rule.when(options));
  return broken && invalid('conflicting-options', broken.message);
}

/** @throws invalid unless the name is at least two of the characters that Docker allows */
export function checkContainerName(name: string): void {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
    throw invalid(
      'invalid-container-name',
      `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
      { name },
    );
  }
}

export function nameTaken(name: string, id: string): EngineError {
  return conflict(
    'container-name-taken',
    `Conflict. The container name "/${name}" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    { name, id },
  );
}

/**
 * What one `--add-host` entry may look like: `name:address`, where the address may be `host-gateway`.
 * @throws invalid naming the entry or its address
 */
export function parseExtraHost(entry: string): { readonly name: string; readonly address: string } {
  const separator = entry.indexOf(':');
  const name = entry.slice(0, separator);
  const address = entry.slice(separator + 1);
  if (separator < 1 || address === '') {
    throw invalid('invalid-extra-host', `bad format for add-host: "${entry}"`, { entry });
  }
  if (address !== 'host-gateway' && !parseAddress(address)) {
    throw invalid('invalid-extra-host', `invalid IP address in add-host: "${address}"`, { entry });
  }
  return { name, address };
}

/** @throws invalid for settings that the network cannot honour */
export function checkEndpointSettings(network: string, settings: EndpointSettings): void {
  const problems: string[] = [];
  if (isPredefinedNetwork(network)) {
    if (settings.aliases.length > 0) {
      problems.push('network-scoped aliases are only supported for user-defined networks');
    }
    if (settings.ipv4Address || settings.ipv6Address) {
      problems.push('user-specified IP address is supported on user-defined networks only');
    }
  }
  if (settings.ipv4Address && parseAddress(settings.ipv4Address)?.family !== 'ipv4') {
    problems.push(`invalid IPv4 address: ${settings.ipv4Address}`);
  }
  if (settings.ipv6Address && parseAddress(settings.ipv6Address)?.family !== 'ipv6') {
    problems.push(`invalid IPv6 address: ${settings.ipv6Address}`);
  }
  if (settings.macAddress && !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(settings.macAddress)) {
    problems.push(`invalid MAC address: ${settings.macAddress}`);
  }
  if (problems.length === 0) return;
  const list = problems.length === 1 ? problems[0] : problems.map((problem) => `* ${problem}`).join('\n');
  throw invalid(
    'invalid-endpoint-settings',
    `invalid config for network ${network}: invalid endpoint settings:\n${list}`,
    { network, problems },
  );
}
