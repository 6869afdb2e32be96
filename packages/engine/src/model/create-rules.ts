/** Which options of a new container exclude each other. Pure; texts are those that Docker's clients know. */
import { parseAddress } from '../base/address.ts';
import { conflict, type EngineError, invalid, messageOf } from '../base/errors.ts';
import type { EndpointSettings, NetworkMode } from './container.ts';
import { endpointOptionProblems } from './endpoint-options.ts';
import { parseLink } from './links.ts';
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

/**
 * What is wrong with how a container wants to sit on a network, as far as that can be said without knowing the
 * network.
 * @returns Docker's words, or undefined
 */
function endpointSettingsProblem(network: string, settings: EndpointSettings): string | undefined {
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
  if (settings.macAddress && !isUsableMacAddress(settings.macAddress)) {
    problems.push(`invalid MAC address: ${settings.macAddress}`);
  }
  problems.push(...endpointOptionProblems(settings.driverOptions));
  for (const link of settings.links) {
    try {
      parseLink(link);
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  if (problems.length === 0) return undefined;
  const list = problems.length === 1 ? problems[0] : problems.map((problem) => `* ${problem}`).join('\n');
  return `invalid endpoint settings:\n${list}`;
}

/** Six bytes of which the first is even: an odd one means a group of hosts (IEEE 802). */
function isUsableMacAddress(text: string): boolean {
  return /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i.test(text) && !/^00(:00){5}$/.test(text);
}

/**
 * @param occasion a new container may name several networks, so its error says which one is meant
 * @throws invalid for settings that the network cannot honour
 */
export function checkEndpointSettings(
  network: string,
  settings: EndpointSettings,
  occasion: 'create' | 'connect',
): void {
  const problem = endpointSettingsProblem(network, settings);
  if (problem === undefined) return;
  const place = occasion === 'create' ? `invalid config for network ${network}: ` : '';
  throw invalid('invalid-endpoint-settings', `${place}${problem}`, { network });
}
