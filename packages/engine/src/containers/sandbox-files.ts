/** Writes /etc/hosts, /etc/hostname and /etc/resolv.conf of a container, as its network mode has them. */
import { readFile, writeFile } from 'node:fs/promises';
import { hostname as hostHostname } from 'node:os';
import { join } from 'node:path';
import type { ContainerRecord } from '../model/container.ts';
import { parseExtraHost } from '../model/create-rules.ts';
import {
  formatHostsFile,
  formatResolvConf,
  type HostsEntry,
  overrideResolver,
  ownNames,
  parseResolvConf,
  type ResolverOverrides,
  reachableResolver,
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
  /** The container's own IPv4 addresses, in the order of its networks. */
  readonly addresses: readonly string[];
  readonly ipv6: boolean;
  /** What `host-gateway` stands for. */
  readonly hostGateway: string | undefined;
  /** The daemon's own `--dns` options, which hold where the container gives none. */
  readonly daemonResolver: ResolverOverrides;
}

/** The name by which the container knows itself. */
export function effectiveHostname({ config, host, id }: ContainerRecord): string {
  if (config.hostname !== '') return config.hostname;
  return host.networkMode.kind === 'host' || host.utsMode === 'host' ? hostHostname() : id.slice(0, 12);
}

/** systemd-resolved's stub listens on the host's loopback; the real servers stand in the second file. */
const stubResolver = '127.0.0.53';
const resolvedUpstreams = '/run/systemd/resolve/resolv.conf';

/** Writes all three files into the folder, in place: they are bind-mounted, and a rename would leave the old ones. */
export async function writeSandboxFiles(folder: string, facts: FileFacts): Promise<void> {
  const files = sandboxFiles(folder);
  const [hosts, resolvConf] = await Promise.all([hostsFile(facts), resolvConfFile(facts)]);
  await Promise.all([
    writeFile(files.hostnamePath, `${effectiveHostname(facts.container)}\n`),
    writeFile(files.hostsPath, hosts),
    writeFile(files.resolvConfPath, resolvConf),
  ]);
}

async function hostsFile(facts: FileFacts): Promise<string> {
  const { host, config } = facts.container;
  if (host.networkMode.kind === 'host' && host.extraHosts.length === 0) {
    return readFile('/etc/hosts', 'utf8').catch(() => '');
  }
  const names = ownNames(effectiveHostname(facts.container), config.domainname);
  return formatHostsFile({
    ipv6: facts.ipv6,
    extraHosts: host.extraHosts.flatMap((entry) => extraHost(entry, facts.hostGateway)),
    own: facts.addresses.map((address) => ({ address, names })),
  });
}

function extraHost(entry: string, hostGateway: string | undefined): HostsEntry[] {
  const { name, address } = parseExtraHost(entry);
  if (address !== 'host-gateway') return [{ address, names: [name] }];
  if (hostGateway === undefined) throw new Error('unable to derive the IP value for host-gateway');
  return [{ address: hostGateway, names: [name] }];
}

async function resolvConfFile({ container, ipv6, daemonResolver }: FileFacts): Promise<string> {
  const { host } = container;
  const isHostMode = host.networkMode.kind === 'host';
  const resolver = overrideResolver(await hostResolver(isHostMode), {
    dns: host.dns.length > 0 ? host.dns : daemonResolver.dns,
    dnsSearch: host.dnsSearch.length > 0 ? host.dnsSearch : daemonResolver.dnsSearch,
    dnsOptions: host.dnsOptions.length > 0 ? host.dnsOptions : daemonResolver.dnsOptions,
  });
  const isOverridden = host.dns.length > 0 || daemonResolver.dns.length > 0;
  return formatResolvConf(isHostMode || isOverridden ? resolver : reachableResolver(resolver, ipv6));
}

async function hostResolver(isHostMode: boolean) {
  const own = parseResolvConf(await readFile('/etc/resolv.conf', 'utf8').catch(() => ''));
  if (isHostMode || own.nameservers.join() !== stubResolver) return own;
  const upstreams = await readFile(resolvedUpstreams, 'utf8').catch(() => undefined);
  return upstreams === undefined ? own : parseResolvConf(upstreams);
}
