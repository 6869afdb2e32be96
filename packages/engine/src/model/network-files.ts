/**
 * The three files that tell programs in a container about its network: what goes into hosts, hostname and
 * resolv.conf in each mode. Pure text; see hosts(5) and resolv.conf(5).
 */

export interface HostsEntry {
  readonly address: string;
  readonly names: readonly string[];
}

const loopbackIpv4: readonly HostsEntry[] = [{ address: '127.0.0.1', names: ['localhost'] }];

const loopbackIpv6: readonly HostsEntry[] = [
  { address: '::1', names: ['localhost', 'ip6-localhost', 'ip6-loopback'] },
  { address: 'fe00::', names: ['ip6-localnet'] },
  { address: 'ff00::', names: ['ip6-mcastprefix'] },
  { address: 'ff02::1', names: ['ip6-allnodes'] },
  { address: 'ff02::2', names: ['ip6-allrouters'] },
];

export interface HostsFile {
  /** Whether the sandbox has IPv6 at all; without it programs must not be told of IPv6 addresses. */
  readonly ipv6: boolean;
  readonly extraHosts: readonly HostsEntry[];
  /** Containers that this one is linked to. */
  readonly links: readonly HostsEntry[];
  /** The container's own addresses, and by which names it knows itself. */
  readonly own: readonly HostsEntry[];
}

export function formatHostsFile({ ipv6, extraHosts, links, own }: HostsFile): string {
  return [...loopbackIpv4, ...loopbackIpv6, ...extraHosts, ...links, ...own]
    .filter((entry) => ipv6 || !isIpv6(entry))
    .map(formatEntry)
    .join('');
}

/**
 * A hosts file of a container that has got IPv6 after its start, with the lines that it lacked until now; as it is
 * where it has them already.
 */
export function withIpv6Lines(text: string, extraHosts: readonly HostsEntry[]): string {
  const lines = splitLines(text);
  const missing = [...loopbackIpv6, ...extraHosts.filter(isIpv6)].map(formatEntry);
  if (lines.some((line) => line.startsWith('::1\t'))) return text;
  const loopback = formatEntry(loopbackIpv4[0]!);
  return lines.includes(loopback)
    ? lines.flatMap((line) => (line === loopback ? [line, ...missing] : line)).join('')
    : [...missing, ...lines].join('');
}

function isIpv6({ address }: HostsEntry): boolean {
  return address.includes(':');
}

/** The lines of a hosts file with the container's own addresses. */
export function ownLines(addresses: readonly string[], names: readonly string[]): string {
  return addresses.map((address) => formatEntry({ address, names })).join('');
}

/** A hosts file without those lines of the container's own; what else stands in it stays as it is. */
export function withoutOwnLines(
  text: string,
  addresses: readonly string[],
  names: readonly string[],
): string {
  const gone = new Set(addresses.map((address) => formatEntry({ address, names })));
  return splitLines(text)
    .filter((line) => !gone.has(line))
    .join('');
}

/**
 * A hosts file with the lines of one link as they are now, where they were before; what else stands in it stays.
 * @param own the lines of the container's own addresses, one of which may look like a link's
 */
export function withLinkLines(
  text: string,
  alias: string,
  entries: readonly HostsEntry[],
  own: string,
): string {
  const ownLines = new Set(splitLines(own));
  // The alias and at least the other's host name: extra hosts have one name only.
  const isOfLink = (line: string) => line.split('\t')[1]?.startsWith(`${alias} `) && !ownLines.has(line);
  const lines = splitLines(text);
  const kept = lines.filter((line) => !isOfLink(line));
  const first = lines.findIndex(isOfLink);
  const place = first < 0 ? kept.length : first;
  return [...kept.slice(0, place).map(ended), ...entries.map(formatEntry), ...kept.slice(place)].join('');
}

function ended(line: string): string {
  return line.endsWith('\n') ? line : `${line}\n`;
}

/** Lines with their ends, the last one too where it has none. */
function splitLines(text: string): string[] {
  return text.split(/(?<=\n)/).filter((line) => line !== '');
}

function formatEntry({ address, names }: HostsEntry): string {
  return `${address}\t${names.join(' ')}\n`;
}

/** By which names a container knows itself: the full name first when there is a domain. */
export function ownNames(hostname: string, domainname: string): string[] {
  const full = domainname === '' ? hostname : `${hostname}.${domainname}`;
  const short = hostname.split('.', 1)[0]!;
  return full === short ? [full] : [full, short];
}

export interface ResolverConfig {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
  /** Lines of other directives, as they were. */
  readonly others: readonly string[];
}

/** Reads a resolv.conf: the last `search` or `domain` line counts, options accumulate, comments are dropped. */
export function parseResolvConf(text: string): ResolverConfig {
  const nameservers: string[] = [];
  const options: string[] = [];
  const others: string[] = [];
  let search: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword = '', ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && values[0]) nameservers.push(values[0]);
    else if (keyword === 'search' || keyword === 'domain') search = values;
    else if (keyword === 'options') options.push(...values);
    else if (keyword !== '') others.push([keyword, ...values].join(' '));
  }
  return { nameservers, search, options, others };
}

export function formatResolvConf(config: ResolverConfig): string {
  return [
    ...config.nameservers.map((server) => `nameserver ${server}`),
    ...(config.search.length > 0 ? [`search ${config.search.join(' ')}`] : []),
    ...(config.options.length > 0 ? [`options ${config.options.join(' ')}`] : []),
    ...config.others,
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** What a container or the daemon asks for; an empty list leaves the host's values. */
export interface ResolverOverrides {
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
}

/** Each list that is given replaces the host's values completely; a search domain of `.` removes them. */
export function overrideResolver(host: ResolverConfig, overrides: ResolverOverrides): ResolverConfig {
  const search = overrides.dnsSearch.length > 0 ? overrides.dnsSearch : host.search;
  return {
    nameservers: overrides.dns.length > 0 ? overrides.dns : host.nameservers,
    search: search.includes('.') ? [] : search,
    options: overrides.dnsOptions.length > 0 ? overrides.dnsOptions : host.options,
    others: host.others,
  };
}

/** Asked when the host has no server that a container could reach. */
const publicServersIpv4 = ['8.8.8.8', '8.8.4.4'];
const publicServersIpv6 = ['2001:4860:4860::8888', '2001:4860:4860::8844'];

/**
 * A host's configuration as a container on a network of its own can use it: servers on the host's loopback, and
 * IPv6 ones where the container has no IPv6, are out of its reach.
 */
export function reachableResolver(config: ResolverConfig, ipv6: boolean): ResolverConfig {
  const reachable = config.nameservers.filter(
    (server) => !/^(127\.|::1$|::ffff:127\.)/.test(server) && (ipv6 || !server.includes(':')),
  );
  const fallback = [...publicServersIpv4, ...(ipv6 ? publicServersIpv6 : [])];
  return { ...config, nameservers: reachable.length > 0 ? reachable : fallback };
}

/** Where names of the users' networks are answered, inside each container that is on one. */
export const embeddedServer = '127.0.0.11';

/** Where the settings of a resolv.conf come from, for the comments in it. */
export interface ResolverOrigin {
  /** The host's file that it is based on. */
  readonly hostFile: string;
  /** What the embedded server asks in turn, and whether from the host's namespace or from the container's. */
  readonly servers: readonly string[];
  readonly askedFrom: 'host' | 'container';
  /** Which lists the container or the daemon gave. */
  readonly overridden: readonly string[];
}

/**
 * resolv.conf of a container on a user-defined network: only the embedded server, which asks the others. Names are
 * looked up as they are first (`ndots:0`) unless the options say otherwise.
 */
export function formatEmbeddedResolvConf(config: ResolverConfig, origin: ResolverOrigin): string {
  const hasNdots = config.options.some((option) => option.startsWith('ndots:'));
  const options = hasNdots ? config.options : [...config.options, 'ndots:0'];
  const servers = origin.servers.map((server) => (origin.askedFrom === 'host' ? `host(${server})` : server));
  return [
    formatResolvConf({ ...config, nameservers: [embeddedServer], options }),
    `\n# Based on host file: '${origin.hostFile}' (internal resolver)\n`,
    servers.length > 0 ? `# ExtServers: [${servers.join(' ')}]\n` : '# NO EXTERNAL NAMESERVERS DEFINED\n',
    `# Overrides: [${origin.overridden.join(' ')}]\n`,
    hasNdots ? '' : '# Option ndots from: internal\n',
  ].join('');
}
