/** By which names the members of a user-defined network find each other. Pure. */
import { shortId } from '../base/ids.ts';
import type { ContainerRecord, EndpointSettings } from './container.ts';
import { parseLink } from './links.ts';

/** The name by which the container knows itself; `hostHostname` is that of its host. */
export function hostnameOf({ config, host, id }: ContainerRecord, hostHostname: string): string {
  if (config.hostname !== '') return config.hostname;
  return host.networkMode.kind === 'host' || host.utsMode === 'host' ? hostHostname : shortId(id);
}

/** The names of one endpoint, the first of which a reverse lookup gives. */
export function dnsNames(
  container: ContainerRecord,
  { aliases }: Pick<EndpointSettings, 'aliases'>,
  hostHostname: string,
): readonly string[] {
  const { name, id } = container;
  return [...new Set([name, ...aliases, shortId(id), hostnameOf(container, hostHostname)])];
}

/**
 * Reads the links of an endpoint, `target:alias` or `target` alone, which is its own alias.
 * @returns targets by their aliases
 */
export function linkAliases(links: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(links.map(parseLink).map(({ alias, target }) => [alias, target]));
}
