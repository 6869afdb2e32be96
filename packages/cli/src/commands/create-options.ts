/** The options that `run` and `create` share, and how they become the API's create request. */
import { isIP } from 'node:net';
import type { Command } from 'commander';
import type { CreateRequest, MountRequest } from '../client/types.ts';
import { checkEnv, type Environment, readEnv, readTextFile } from './env-options.ts';
import { addFlag, addList, addParsedList, addValue, parseInteger } from './flags.ts';
import { checkVolume, parseMount, volumeFields } from './mount-specs.ts';
import { checkLink } from './network-connect.ts';
import { checkLabel, readPairs } from './pairs.ts';
import { parseExpose, parsePublish, portFields } from './port-specs.ts';

export interface CreateOptions {
  addHost?: string[];
  attach?: string[];
  capAdd?: string[];
  capDrop?: string[];
  dns?: string[];
  dnsOption?: string[];
  dnsSearch?: string[];
  domainname?: string;
  entrypoint?: string;
  env?: string[];
  envFile?: string[];
  expose?: string[];
  hostname?: string;
  interactive?: boolean;
  label?: string[];
  link?: string[];
  mount?: MountRequest[];
  name?: string;
  network?: string[];
  publish?: string[];
  publishAll?: boolean;
  readOnly?: boolean;
  rm?: boolean;
  stopSignal?: string;
  stopTimeout?: number;
  tmpfs?: string[];
  tty?: boolean;
  user?: string;
  volume?: string[];
  volumeDriver?: string;
  volumesFrom?: string[];
  workdir?: string;
}

/** Declares the options that describe a container. */
export function addCreateOptions(command: Command): void {
  command.argument('<IMAGE>', 'image to make the container from').argument('[COMMAND...]', 'command to run');
  addList(command, '--add-host <HOST:IP>', 'add a line to /etc/hosts', parseExtraHost);
  addList(command, '-a, --attach <STREAM>', 'attach to stdin, stdout or stderr', parseStream);
  addList(command, '--cap-add <CAPABILITY>', 'add a capability', parseCapability);
  addList(command, '--cap-drop <CAPABILITY>', 'drop a capability', parseCapability);
  addList(command, '--dns <IP>', 'use this name server', parseDnsServer);
  addList(command, '--dns-option <OPTION>', 'set a resolver option');
  addList(command, '--dns-search <DOMAIN>', 'search this domain', parseDnsSearch);
  command.option('--domainname <NAME>', 'NIS domain name of the container');
  command.option('--entrypoint <COMMAND>', "replace the image's entry point");
  addList(command, '-e, --env <NAME=VALUE>', 'set an environment variable', checkEnv);
  addList(command, '--env-file <FILE>', 'set environment variables from a file');
  addList(command, '--expose <PORT>', 'expose a port or a range of ports', checked(parseExpose));
  command.option('-h, --hostname <NAME>', 'host name of the container');
  addFlag(command, '-i, --interactive', 'keep stdin open');
  addList(command, '-l, --label <NAME=VALUE>', 'set a label', checkLabel);
  addList(command, '--link <CONTAINER[:ALIAS]>', 'a name by which this container finds another', checkLink);
  addParsedList(command, '--mount <MOUNT>', 'mount a volume, a path of the host or memory', parseMount);
  command.option('--name <NAME>', 'name of the container');
  addList(
    command,
    '--net, --network <NETWORK>',
    'bridge, host, none, container:NAME or a network',
    checkNetwork,
  );
  addList(
    command,
    '-p, --publish <PORTS>',
    'have the host answer for ports: [[ADDRESS:][HOST_PORT]:]PORT[/PROTOCOL]',
    checked(parsePublish),
  );
  addFlag(command, '-P, --publish-all', 'publish all exposed ports to random ports of the host');
  addFlag(command, '--read-only', "make the container's root file system read only");
  addFlag(command, '--rm', 'remove the container when it has ended');
  command.option('--stop-signal <SIGNAL>', 'signal that stops the container');
  addValue(command, '--stop-timeout <SECONDS>', 'seconds to wait before killing', parseInteger);
  addList(command, '--tmpfs <PATH[:OPTIONS]>', 'mount memory');
  addFlag(command, '-t, --tty', 'give the container a terminal');
  command.option('-u, --user <USER[:GROUP]>', 'user name or id to run as');
  addList(
    command,
    '-v, --volume <[SOURCE:]PATH[:OPTIONS]>',
    'mount a volume or a path of the host',
    checkVolume,
  );
  command.option('--volume-driver <DRIVER>', 'driver of new volumes (default: local)');
  addList(command, '--volumes-from <CONTAINER[:ro]>', 'mount what another container has mounted');
  command.option('-w, --workdir <PATH>', 'working directory');
}

/**
 * Builds the request from parsed options. `args` are the image and the command; `env` is our own environment, from
 * which `-e NAME` takes its value; `readFile` reads `--env-file`.
 * @throws CliError when an environment file is missing or malformed.
 */
export function buildCreateRequest(
  args: readonly string[],
  options: CreateOptions,
  env: Environment,
  readFile: (path: string) => string = readTextFile,
): CreateRequest {
  const [image, ...command] = args;
  const attached = attachedStreams(options);
  const openStdin = options.interactive === true;
  const networks = options.network ?? ['default'];
  const volumes = volumeFields(options.volume ?? [], options.tmpfs ?? []);
  const ports = portFields(options.publish ?? [], options.expose ?? []);
  return {
    Hostname: options.hostname ?? '',
    Domainname: options.domainname ?? '',
    User: options.user ?? '',
    AttachStdin: attached.stdin,
    AttachStdout: attached.stdout,
    AttachStderr: attached.stderr,
    Tty: options.tty === true,
    OpenStdin: openStdin,
    StdinOnce: openStdin && attached.stdin,
    Env: readEnv(options, env, readFile),
    Cmd: command.length > 0 ? command : null,
    Image: image!,
    WorkingDir: options.workdir ?? '',
    // An empty entry point has a meaning of its own: run without the image's.
    Entrypoint: options.entrypoint === undefined ? null : [options.entrypoint],
    Labels: readPairs(options.label ?? []),
    ExposedPorts: ports.exposed,
    Volumes: volumes.paths,
    ...(options.stopSignal === undefined ? {} : { StopSignal: options.stopSignal }),
    ...(options.stopTimeout === undefined ? {} : { StopTimeout: options.stopTimeout }),
    HostConfig: {
      NetworkMode: networks[0]!,
      AutoRemove: options.rm === true,
      CapAdd: options.capAdd ?? [],
      CapDrop: options.capDrop ?? [],
      Dns: options.dns ?? [],
      DnsOptions: options.dnsOption ?? [],
      DnsSearch: options.dnsSearch ?? [],
      ExtraHosts: options.addHost ?? [],
      Links: options.link ?? [],
      ReadonlyRootfs: options.readOnly === true,
      PortBindings: ports.bindings,
      PublishAllPorts: options.publishAll === true,
      Binds: volumes.binds,
      Mounts: options.mount ?? [],
      Tmpfs: volumes.tmpfs,
      VolumesFrom: options.volumesFrom ?? [],
      VolumeDriver: options.volumeDriver ?? '',
    },
    NetworkingConfig: {
      EndpointsConfig: networks.length > 1 ? Object.fromEntries(networks.map((name) => [name, {}])) : {},
    },
  };
}

/** Which streams stay attached: those named by `-a`, else the outputs, and the input with `-i`. */
function attachedStreams(options: CreateOptions): Record<'stdin' | 'stdout' | 'stderr', boolean> {
  const named = options.attach;
  if (named === undefined) return { stdin: options.interactive === true, stdout: true, stderr: true };
  return {
    stdin: named.includes('stdin'),
    stdout: named.includes('stdout'),
    stderr: named.includes('stderr'),
  };
}

/** A check that the text can be read; it stays as the user wrote it. */
function checked(parse: (text: string) => unknown): (text: string) => string {
  return (text) => {
    parse(text);
    return text;
  };
}

function checkNetwork(network: string): string {
  if (network.includes('=')) throw new Error('settings after "=" are not supported, give the network only');
  return network;
}

function parseStream(text: string): string {
  const stream = text.toLowerCase();
  if (stream !== 'stdin' && stream !== 'stdout' && stream !== 'stderr') {
    throw new Error('valid streams are STDIN, STDOUT and STDERR');
  }
  return stream;
}

/** Spells a capability as the API wants it: upper case with `CAP_`, or `ALL`. */
function parseCapability(text: string): string {
  const name = text.trim().toUpperCase();
  if (name === '') throw new Error('a capability needs a name');
  return name === 'ALL' || name.startsWith('CAP_') ? name : `CAP_${name}`;
}

/** Reads `name:ip`, `name=ip`, with an IPv6 address in brackets or not, into `name:ip`. */
function parseExtraHost(text: string): string {
  const match = /^([^:=]+)[:=](.+)$/.exec(text);
  if (match === null) throw new Error(`bad format for add-host: "${text}"`);
  const address = match[2]!.replace(/^\[(.*)\]$/, '$1');
  if (address !== 'host-gateway' && isIP(address) === 0) {
    throw new Error(`invalid IP address in add-host: "${address}"`);
  }
  return `${match[1]}:${address}`;
}

function parseDnsServer(text: string): string {
  const address = text.trim();
  if (isIP(address) === 0) throw new Error(`IP address is not correctly formatted: ${text}`);
  return address;
}

/** Checks a search domain; `.` alone means none. */
function parseDnsSearch(text: string): string {
  const domain = text.trim();
  if (domain !== '.' && !/^(?!-)[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*\.?$/.test(domain)) {
    throw new Error(`${text} is not a valid domain`);
  }
  return domain;
}
