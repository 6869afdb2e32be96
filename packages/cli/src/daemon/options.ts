/**
 * The daemon's options in one table: dockerd's flag names, types, defaults and what they mean. The command line, the
 * configuration file and `--help` are all read from here.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';

type Kind = 'text' | 'list' | 'boolean' | 'integer';

interface OptionSpec {
  readonly kind: Kind;
  readonly short?: string;
  /** Key in the configuration file, where it differs from the flag's name. */
  readonly fileKey?: string;
  /** Key of a list in older configuration files, where it was one text. */
  readonly oldFileKey?: string;
  readonly fallback?: string | number | boolean;
  readonly description: string;
}

export const optionSpecs = {
  host: {
    kind: 'list',
    short: 'H',
    fileKey: 'hosts',
    description:
      'address to listen on: unix:///path or tcp://127.0.0.1:port (default unix:///run/seaway.sock)',
  },
  'data-root': {
    kind: 'text',
    fallback: '/var/lib/seaway',
    description: 'folder for images, containers and the database',
  },
  'exec-root': {
    kind: 'text',
    fallback: '/run/seaway',
    description: 'folder for state that a reboot makes void',
  },
  pidfile: { kind: 'text', short: 'p', fallback: '/run/seaway.pid', description: 'file for the process id' },
  'config-file': {
    kind: 'text',
    description: 'JSON file with the same options; a flag must not repeat one of them',
  },
  bip: { kind: 'text', description: 'address with prefix length of the default bridge' },
  bridge: {
    kind: 'text',
    short: 'b',
    fallback: 'docker0',
    description: "name of the default bridge; 'none' for no default bridge",
  },
  'fixed-cidr': { kind: 'text', description: 'block of the default bridge that addresses are taken from' },
  'default-address-pool': {
    kind: 'list',
    fileKey: 'default-address-pools',
    description: 'pool for the subnets of networks, base=CIDR,size=PREFIX',
  },
  'default-gateway': {
    kind: 'text',
    description: "gateway of the default bridge's containers, if not the bridge",
  },
  mtu: { kind: 'integer', fallback: 1500, description: 'MTU of the default bridge, in bytes' },
  icc: {
    kind: 'boolean',
    fallback: true,
    description: 'let containers on the default bridge talk to each other',
  },
  ip: {
    kind: 'text',
    fallback: '0.0.0.0',
    description:
      'address that ports are published on where they name none; 0.0.0.0 is every address, IPv4 and IPv6',
  },
  ipv6: { kind: 'boolean', fallback: false, description: 'IPv6 on the default bridge; not supported yet' },
  'ip-forward': {
    kind: 'boolean',
    fallback: true,
    description: 'turn forwarding on where it is off and networks need it, and off again at the end',
  },
  'ip-masq': { kind: 'boolean', fallback: true, description: "give outbound traffic the host's address" },
  'userland-proxy': {
    kind: 'boolean',
    fallback: true,
    description: 'taken because dockerd has it, and without effect: there is no proxy process for a port',
  },
  dns: { kind: 'list', description: 'name server for containers' },
  'dns-search': { kind: 'list', description: 'search domain for containers' },
  'dns-opt': { kind: 'list', fileKey: 'dns-opts', description: 'resolver option for containers' },
  'host-gateway-ip': {
    kind: 'list',
    fileKey: 'host-gateway-ips',
    oldFileKey: 'host-gateway-ip',
    description:
      "what 'host-gateway' means in --add-host, one address of each family (default: the default bridge's)",
  },
  'insecure-registry': {
    kind: 'list',
    fileKey: 'insecure-registries',
    description:
      'registry that is spoken to without encryption too, HOST[:PORT] or a block of addresses; those on loopback always are',
  },
  'registry-mirror': {
    kind: 'list',
    fileKey: 'registry-mirrors',
    description: 'URL of a registry that is asked before Docker Hub',
  },
  'max-concurrent-downloads': {
    kind: 'integer',
    fallback: 3,
    description: 'layers that come from registries at a time',
  },
  'max-concurrent-uploads': {
    kind: 'integer',
    fallback: 5,
    description: 'layers of one push that go to a registry at a time',
  },
  'max-download-attempts': {
    kind: 'integer',
    fallback: 5,
    description: 'how often a layer is asked for, or sent, before the pull or push fails',
  },
  'cgroup-parent': { kind: 'text', fallback: '/seaway', description: "parent of the containers' cgroups" },
  'default-runtime': { kind: 'text', fallback: 'runc', description: 'path or name of the OCI runtime' },
  label: { kind: 'list', fileKey: 'labels', description: 'label of the daemon, shown by info' },
  'log-level': {
    kind: 'text',
    short: 'l',
    fallback: 'info',
    description: 'debug, info, warn, error or fatal',
  },
  debug: { kind: 'boolean', short: 'D', fallback: false, description: 'the same as --log-level=debug' },
} as const satisfies Record<string, OptionSpec>;

type Specs = typeof optionSpecs;
type ValueOf<S extends OptionSpec> = S['kind'] extends 'list'
  ? readonly string[]
  : S['kind'] extends 'boolean'
    ? boolean
    : S['kind'] extends 'integer'
      ? number
      : S extends { fallback: string }
        ? string
        : string | undefined;

export type DaemonOptions = { readonly [Name in keyof Specs]: ValueOf<Specs[Name]> };
type OptionValue = string | number | boolean | readonly string[];
type Given = Partial<Record<keyof Specs, OptionValue>>;

/** What the user got wrong; its message is for the terminal as it stands. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

export type ParsedCommandLine =
  | { readonly kind: 'run'; readonly options: DaemonOptions }
  | { readonly kind: 'help' };

const logLevels = ['debug', 'info', 'warn', 'error', 'fatal'];

/**
 * Reads the command line and the configuration file that it names.
 * @throws OptionError naming the option, its value and what is allowed
 */
export function parseDaemonOptions(argv: readonly string[]): ParsedCommandLine {
  if (argv.includes('--help') || argv.includes('-h')) return { kind: 'help' };
  const flags = parseFlags(argv);
  const file = flags['config-file'] === undefined ? {} : readConfigFile(String(flags['config-file']));
  const repeated = Object.keys(file).filter((name) => name in flags);
  if (repeated.length > 0) {
    throw new OptionError(`given both as a flag and in the configuration file: ${repeated.join(', ')}`);
  }
  const options = withFallbacks({ ...file, ...flags });
  if (!logLevels.includes(options['log-level'])) {
    throw new OptionError(`--log-level ${options['log-level']}: it should be one of ${logLevels.join(', ')}`);
  }
  // Taken for the sake of who starts dockerd with them, and refused rather than ignored where they ask for something.
  if (options.ipv6)
    throw new OptionError('--ipv6: IPv6 on the default bridge is not supported by this version');
  if (isIP(options.ip) === 0 || options.ip.includes('%')) {
    throw new OptionError(`--ip ${options.ip}: it should be an IP address`);
  }
  if (options.mtu < 68 || options.mtu > 65535) {
    throw new OptionError(`--mtu ${options.mtu}: it should be from 68 to 65535 bytes`);
  }
  checkHostGateways(options['host-gateway-ip']);
  return { kind: 'run', options };
}

function checkHostGateways(addresses: readonly string[]): void {
  for (const address of addresses) {
    const family = isIP(address);
    if (family === 0) throw new OptionError(`--host-gateway-ip ${address}: it should be an IP address`);
    if (addresses.filter((other) => isIP(other) === family).length > 1) {
      throw new OptionError(`--host-gateway-ip ${address}: there should be one IPv${family} address at most`);
    }
  }
}

function withFallbacks(given: Given): DaemonOptions {
  const entries = Object.entries<OptionSpec>(optionSpecs).map(([name, spec]) => [
    name,
    given[name as keyof Specs] ?? spec.fallback ?? (spec.kind === 'list' ? [] : undefined),
  ]);
  return Object.freeze(Object.fromEntries(entries)) as DaemonOptions;
}

function parseFlags(argv: readonly string[]): Given {
  const options = Object.fromEntries(
    Object.entries<OptionSpec>(optionSpecs).map(([name, { kind, short }]) => [
      name,
      { type: 'string' as const, multiple: kind === 'list', ...(short ? { short } : {}) },
    ]),
  );
  try {
    const { values } = parseArgs({ args: argv.map(normalizeFlag), options, strict: true });
    return Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        parseFlag(name as keyof Specs, value as string | string[]),
      ]),
    );
  } catch (error) {
    if (error instanceof OptionError) throw error;
    throw new OptionError(`${(error as Error).message.split('.')[0]}. See 'seaway daemon --help'`);
  }
}

/**
 * dockerd's spellings that parseArgs does not know: a boolean flag stands alone or with `=value`, never with the next
 * word as its value, and a short flag may have an equals sign.
 */
function normalizeFlag(argument: string): string {
  const found = Object.entries<OptionSpec>(optionSpecs).find(
    ([name, { kind, short }]) =>
      kind === 'boolean' && (argument === `--${name}` || (short && argument === `-${short}`)),
  );
  return found ? `--${found[0]}=true` : argument.replace(/^-(\w)=/, '-$1');
}

function parseFlag(name: keyof Specs, value: string | string[]): OptionValue {
  if (Array.isArray(value)) return value;
  const { kind } = optionSpecs[name];
  if (kind === 'boolean') {
    if (/^(1|t|true)$/i.test(value)) return true;
    if (/^(0|f|false)$/i.test(value)) return false;
    throw new OptionError(`--${name} ${value}: it should be true or false`);
  }
  if (kind === 'integer') {
    if (/^\d+$/.test(value)) return Number(value);
    throw new OptionError(`--${name} ${value}: it should be a whole number`);
  }
  return value;
}

function readConfigFile(path: string): Given {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new OptionError(`--config-file ${path}: ${(error as Error).message}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new OptionError(`--config-file ${path}: it should hold one JSON object`);
  }
  return Object.fromEntries(Object.entries(content).map(([key, value]) => parseFileEntry(path, key, value)));
}

function parseFileEntry(path: string, key: string, value: unknown): [string, OptionValue] {
  const found = Object.entries<OptionSpec>(optionSpecs).find(
    ([name, spec]) => (spec.fileKey ?? name) === key || spec.oldFileKey === key,
  );
  if (found?.[1].oldFileKey === key && typeof value === 'string') return [found[0], [value]];
  if (!found || found[0] === 'config-file')
    throw new OptionError(`--config-file ${path}: unknown option '${key}'`);
  const [name, { kind }] = found;
  const isFitting =
    kind === 'list'
      ? Array.isArray(value)
      : kind === 'integer'
        ? Number.isInteger(value)
        : typeof value === (kind === 'text' ? 'string' : 'boolean');
  if (!isFitting) {
    throw new OptionError(`--config-file ${path}: ${key} should be a ${kind}, not ${JSON.stringify(value)}`);
  }
  return [name, kind === 'list' ? (value as unknown[]).map(poolText) : (value as OptionValue)];
}

/** dockerd's file has address pools as objects, its flag as text. */
function poolText(entry: unknown): string {
  if (typeof entry !== 'object' || entry === null) return String(entry);
  return Object.entries(entry)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

export function formatHelp(): string {
  const rows = Object.entries<OptionSpec>(optionSpecs).map(
    ([name, { kind, short, fallback, description }]) => {
      const value = kind === 'boolean' ? '' : ` ${kind}`;
      const ending = fallback === undefined || fallback === false ? '' : ` (default ${fallback})`;
      return [`  ${short ? `-${short}, ` : '    '}--${name}${value}`, `${description}${ending}`] as const;
    },
  );
  const width = Math.max(...rows.map(([flag]) => flag.length));
  const table = rows.map(([flag, text]) => `${flag.padEnd(width)}   ${text}`).join('\n');
  return `Usage: seaway daemon [OPTIONS]\n\nRuns the engine and serves the Docker Engine API.\n\nOptions:\n${table}\n`;
}
