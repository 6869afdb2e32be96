/**
 * Links of the default bridge: how they are written, and what a container learns from them of those it is linked to:
 * variables in its environment and lines in its hosts file. Pure.
 */
import { invalid } from '../base/errors.ts';
import type { HostsEntry } from './network-files.ts';

/** What one `--link` says. */
export interface LinkRequest {
  /** Name or id of the container that is meant. */
  readonly target: string;
  /** What it is called in the linking container. */
  readonly alias: string;
}

/**
 * Reads `NAME:ALIAS`, or `NAME` alone, which is its own alias; also `/NAME:/PARENT/ALIAS`, as `inspect` shows it and
 * clients send it back.
 * @throws invalid
 */
export function parseLink(text: string): LinkRequest {
  const [name = '', given = name, ...more] = text.split(':');
  const target = name.replace(/^\//, '');
  const alias = name.startsWith('/') ? given.slice(given.lastIndexOf('/') + 1) : given;
  // The alias becomes a word of the hosts file and the second half of the name PARENT/ALIAS.
  if (more.length > 0 || target === '' || !/^[^\s/#]+$/.test(alias)) {
    throw invalid('invalid-link', `bad format for links: ${text}`, { link: text });
  }
  return { target, alias };
}

/** One running container as another that is linked to it sees it. */
export interface LinkedContainer {
  readonly alias: string;
  /** Of the linking container. */
  readonly parentName: string;
  readonly name: string;
  readonly hostname: string;
  /** Its addresses on the default bridge, IPv4 before IPv6. */
  readonly addresses: readonly string[];
  readonly env: readonly string[];
  /** `80/tcp`. */
  readonly exposedPorts: readonly string[];
}

interface Port {
  readonly number: number;
  readonly protocol: string;
}

/** Fewer ports in a row than this are not worth a range. */
const SHORTEST_RANGE = 3;

/** The variables, `NAME=value`, that tell a program where the linked container's ports are. */
export function linkEnvironment(link: LinkedContainer): string[] {
  const { alias, parentName, exposedPorts, env } = link;
  const prefix = alias.toUpperCase().replaceAll('-', '_');
  const address = link.addresses[0] ?? '';
  const host = address.includes(':') ? `[${address}]` : address;
  const ports = sortPorts(exposedPorts);
  const url = ({ number, protocol }: Port) => `${protocol}://${host}:${number}`;
  const variables: [name: string, value: string | number][] = [];
  const first = ports[0];
  if (first) variables.push(['PORT', url(first)]);
  for (const range of ranges(ports)) {
    const [start, end] = [range[0]!, range.at(-1)!];
    const name = portName(start);
    variables.push(
      [`${name}_START`, url(start)],
      [`${name}_END`, url(end)],
      [`${name}_PORT_START`, start.number],
      [`${name}_PORT_END`, end.number],
    );
  }
  for (const port of ports) {
    const name = portName(port);
    variables.push(
      [name, url(port)],
      [`${name}_ADDR`, address],
      [`${name}_PORT`, port.number],
      [`${name}_PROTO`, port.protocol],
    );
  }
  variables.push(['NAME', `/${parentName}/${alias}`]);
  for (const entry of env) {
    const [name = '', ...value] = entry.split('=');
    if (value.length > 0 && name !== 'HOME' && name !== 'PATH') {
      variables.push([`ENV_${name}`, value.join('=')]);
    }
  }
  return variables.map(([name, value]) => `${prefix}_${name}=${value}`);
}

function portName({ number, protocol }: Port): string {
  return `PORT_${number}_${protocol.toUpperCase()}`;
}

/** TCP first, then by protocol; within one the lowest first. */
function sortPorts(texts: readonly string[]): Port[] {
  const ports = texts.map((text) => {
    const [number, protocol = 'tcp'] = text.split('/');
    return { number: Number(number), protocol };
  });
  const rank = ({ protocol }: Port) => (protocol === 'tcp' ? '' : protocol);
  return ports.sort((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : a.number - b.number));
}

/** Runs of ports without a gap, each within one protocol. */
function ranges(sorted: readonly Port[]): Port[][] {
  const runs: Port[][] = [];
  for (const port of sorted) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    const isNext = last?.protocol === port.protocol && last.number + 1 === port.number;
    if (run && isNext) run.push(port);
    else runs.push([port]);
  }
  return runs.filter((run) => run.length >= SHORTEST_RANGE);
}

/** The lines of the linking container's hosts file: the alias first, then how the other calls itself. */
export function linkEntries({ alias, hostname, name, addresses }: LinkedContainer): HostsEntry[] {
  const names = name === alias ? [alias, hostname] : [alias, hostname, name];
  return addresses.map((address) => ({ address, names }));
}
