/** Writes /etc/hosts, /etc/hostname and /etc/resolv.conf of a container, as its network mode has them. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { hostname as hostHostname } from 'node:os';
import { join } from 'node:path';
import { internal } from '../base/errors.ts';
import { KeyedLock } from '../base/keyed-lock.ts';
import type { ContainerRecord } from '../model/container.ts';
import { parseExtraHost } from '../model/create-rules.ts';
import { hostnameOf } from '../model/names.ts';
import type { EndpointAddresses } from '../model/network.ts';
import {
  formatEmbeddedResolvConf,
  formatHostsFile,
  formatResolvConf,
  type HostsEntry,
  overrideResolver,
  ownLines,
  ownNames,
  parseResolvConf,
  type ResolverConfig,
  type ResolverOverrides,
  reachableResolver,
  withIpv6Lines,
  withLinkLines,
  withoutOwnLines,
} from '../model/network-files.ts';

/** The files' paths on the host, and how the container calls itself. */
export interface SandboxFiles {
  readonly hostnamePath: string;
  readonly hostsPath: string;
  readonly resolvConfPath: string;
}

export function sandboxFiles(folder: string): SandboxFiles {
  return {
    hostnamePath: join(folder, 'hostname'),
    hostsPath: join(folder, 'hosts'),
    resolvConfPath: join(folder, 'resolv.conf'),
  };
}

export interface FileFacts {
  readonly container: ContainerRecord;
  /** The container's own addresses, in the order of its networks, IPv4 before IPv6. */
  readonly addresses: readonly string[];
  /** Lines for the containers that this one is linked to, as they are when the file is written. */
  readonly links: () => readonly HostsEntry[];
  readonly ipv6: boolean;
  /** What `host-gateway` stands for, one address of each family at most. */
  readonly hostGateways: readonly string[];
  /** The daemon's own `--dns` options, which hold where the container gives none. */
  readonly daemonResolver: ResolverOverrides;
  /** Whether the container is on a user-defined network, where an embedded server answers. */
  readonly hasEmbeddedServer: boolean;
}

/** The name by which the container knows itself. */
export function effectiveHostname(container: ContainerRecord): string {
  return hostnameOf(container, hostHostname());
}

/** systemd-resolved's stub listens on the host's loopback; the real servers stand in the second file. */
const stubResolver = '127.0.0.53';
const resolvedUpstreams = '/run/systemd/resolve/resolv.conf';

/**
 * Changes of hosts files, by folder: those that are linked to a container and its own networks change the same file,
 * each keeping what the other has written.
 */
const hostsChanges = new KeyedLock();

/** Writes all three files into the folder, in place: they are bind-mounted, and a rename would leave the old ones. */
export async function writeSandboxFiles(folder: string, facts: FileFacts): Promise<void> {
  const files = sandboxFiles(folder);
  await Promise.all([
    writeFile(files.hostnamePath, `${effectiveHostname(facts.container)}\n`),
    hostsChanges.run(folder, async () => writeFile(files.hostsPath, await hostsFile(facts))),
    writeResolvConf(files.resolvConfPath, facts),
  ]);
}

async function hostsFile(facts: FileFacts): Promise<string> {
  const { host } = facts.container;
  if (host.networkMode.kind === 'host' && host.extraHosts.length === 0) {
    return readFile('/etc/hosts', 'utf8').catch(() => '');
  }
  const names = namesInHosts(facts.container);
  return formatHostsFile({
    ipv6: facts.ipv6,
    extraHosts: extraHosts(facts),
    links: facts.links(),
    own: facts.addresses.map((address) => ({ address, names })),
  });
}

function namesInHosts(container: ContainerRecord): string[] {
  return ownNames(effectiveHostname(container), container.config.domainname);
}

/**
 * Adds and takes away lines of the container's own addresses; all that others wrote into the file stays.
 * @param facts with IPv6 where a network that has it is new: a container that had none lacks more lines
 */
export async function changeHostsFile(
  folder: string,
  facts: FileFacts,
  change: { readonly added: readonly string[]; readonly removed: readonly string[] },
): Promise<void> {
  const names = namesInHosts(facts.container);
  await changeHosts(folder, (before) => {
    const kept = withoutOwnLines(before, change.removed, names);
    const text = facts.ipv6 ? withIpv6Lines(kept, extraHosts(facts)) : kept;
    const separator = text === '' || text.endsWith('\n') ? '' : '\n';
    return `${text}${separator}${ownLines(change.added, names)}`;
  });
}

/** How the lines of one link should be, and by which own lines the container knows itself. */
export interface LinkLines {
  readonly container: ContainerRecord;
  readonly addresses: readonly string[];
  readonly entries: readonly HostsEntry[];
}

/**
 * Replaces the lines of one link; all that others wrote into the file stays.
 * @param lines asked when nobody else changes the file; undefined leaves it as it is
 */
export async function changeLinkLines(
  folder: string,
  alias: string,
  lines: () => LinkLines | undefined,
): Promise<void> {
  await changeHosts(folder, (text) => {
    const wanted = lines();
    if (!wanted) return text;
    const own = ownLines(wanted.addresses, namesInHosts(wanted.container));
    return withLinkLines(text, alias, wanted.entries, own);
  });
}

/** In place, one change after another. A file that is still to be written is left to who writes it. */
async function changeHosts(folder: string, change: (text: string) => string): Promise<void> {
  const { hostsPath } = sandboxFiles(folder);
  await hostsChanges.run(folder, async () => {
    if (!existsSync(hostsPath)) return;
    const before = await readFile(hostsPath, 'utf8');
    const text = change(before);
    if (text !== before) await writeFile(hostsPath, text);
  });
}

/** The addresses of endpoints, in their order, IPv4 before IPv6. */
export function ownAddresses(endpoints: readonly EndpointAddresses[]): string[] {
  return endpoints.flatMap(({ ipv4Address, ipv6Address }) => [ipv4Address ?? [], ipv6Address ?? []].flat());
}

/** @throws internal when `host-gateway` is asked for and stands for nothing */
function extraHosts({ container, hostGateways }: FileFacts): HostsEntry[] {
  return container.host.extraHosts.flatMap((entry) => {
    const { name, address } = parseExtraHost(entry);
    if (address !== 'host-gateway') return { address, names: [name] };
    if (hostGateways.length === 0) {
      throw internal('no-host-gateway', 'unable to derive the IP value for host-gateway');
    }
    return hostGateways.map((gateway) => ({ address: gateway, names: [name] }));
  });
}

async function writeResolvConf(path: string, facts: FileFacts): Promise<void> {
  const text = await resolvConfFile(facts);
  await Promise.all([writeFile(path, text), writeFile(hashPath(path), hashOf(text))]);
}

/** Writes resolv.conf anew for a changed set of networks, unless somebody has changed it since we wrote it. */
export async function updateResolvConf(folder: string, facts: FileFacts): Promise<void> {
  const path = sandboxFiles(folder).resolvConfPath;
  const [text, hash] = await Promise.all([readFile(path, 'utf8'), readFile(hashPath(path), 'utf8')]);
  if (hashOf(text) === hash) await writeResolvConf(path, facts);
}

function hashPath(path: string): string {
  return `${path}.hash`;
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function resolvConfFile(facts: FileFacts): Promise<string> {
  const { container, ipv6, daemonResolver, hasEmbeddedServer } = facts;
  const { host } = container;
  const overrides = {
    dns: host.dns.length > 0 ? host.dns : daemonResolver.dns,
    dnsSearch: host.dnsSearch.length > 0 ? host.dnsSearch : daemonResolver.dnsSearch,
    dnsOptions: host.dnsOptions.length > 0 ? host.dnsOptions : daemonResolver.dnsOptions,
  };
  if (hasEmbeddedServer) return embeddedResolvConf(await readResolvConf(hostResolvConf), overrides);
  const isHostMode = host.networkMode.kind === 'host';
  const resolver = overrideResolver(await hostResolver(isHostMode), overrides);
  const isOverridden = overrides.dns.length > 0;
  return formatResolvConf(isHostMode || isOverridden ? resolver : reachableResolver(resolver, ipv6));
}

function embeddedResolvConf(own: ResolverConfig, overrides: ResolverOverrides): string {
  const overridden = [
    ...(overrides.dns.length > 0 ? ['nameservers'] : []),
    ...(overrides.dnsSearch.length > 0 ? ['search'] : []),
    ...(overrides.dnsOptions.length > 0 ? ['options'] : []),
  ];
  const config = overrideResolver(own, overrides);
  return formatEmbeddedResolvConf(config, {
    hostFile: hostResolvConf,
    servers: config.nameservers,
    askedFrom: overrides.dns.length > 0 ? 'container' : 'host',
    overridden,
  });
}

const hostResolvConf = '/etc/resolv.conf';

async function readResolvConf(path: string): Promise<ResolverConfig> {
  return parseResolvConf(await readFile(path, 'utf8').catch(() => ''));
}

async function hostResolver(isHostMode: boolean): Promise<ResolverConfig> {
  const own = await readResolvConf(hostResolvConf);
  if (isHostMode || own.nameservers.join() !== stubResolver) return own;
  const upstreams = await readFile(resolvedUpstreams, 'utf8').catch(() => undefined);
  return upstreams === undefined ? own : parseResolvConf(upstreams);
}
