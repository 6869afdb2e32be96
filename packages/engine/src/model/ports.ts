/** Ports of containers and where the host answers for them: as they are asked for, and as they are. Pure. */
import { formatAddress, mustParseAddress } from '../base/address.ts';
import { invalid } from '../base/errors.ts';

export const portProtocols = ['tcp', 'udp', 'sctp'] as const;

export type PortProtocol = (typeof portProtocols)[number];

/** A container's port, as in `80/tcp`. */
export interface ContainerPort {
  readonly port: number;
  readonly protocol: PortProtocol;
}

/** One binding that was asked for. */
export interface PortRequest extends ContainerPort {
  /**
   * '' : every address of the host, IPv4 and IPv6; else one address in its canonical form, where 0.0.0.0 and :: mean
   * every address of that family.
   */
  readonly hostAddress: string;
  /** Both 0: any free port. Different: the first free one from here to `hostPortLast`. */
  readonly hostPortFirst: number;
  readonly hostPortLast: number;
}

/** One binding as it is. A request without an address gives two, of 0.0.0.0 and ::, with the same number. */
export interface PublishedPort extends ContainerPort {
  /** '0.0.0.0', '::' or one address, in its canonical form. */
  readonly hostAddress: string;
  readonly hostPort: number;
}

const MAX_PORT = 65535;

/** `PORT[-PORT][/PROTOCOL]`, the protocol in any case and tcp where none is given. */
const portRange = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i;

/** Reads `80`, `53/udp`. @throws invalid unless it is a port from 1 to 65535 and a protocol, if any, that there is */
export function parseContainerPort(text: string): ContainerPort {
  const [port, another] = parseContainerPorts(text);
  if (!port || another || text.includes('-')) throw invalidPort(text);
  return port;
}

/** Reads `80/tcp` and `8000-8010/udp`. @throws invalid as {@link parseContainerPort}, and for a range that ends before it begins */
export function parseContainerPorts(text: string): readonly ContainerPort[] {
  const ports = readContainerPorts(text);
  if (!ports) throw invalidPort(text);
  return ports;
}

function readContainerPorts(text: string): readonly ContainerPort[] | undefined {
  const match = portRange.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (!match || first < 1 || last > MAX_PORT || first > last) return undefined;
  const protocol = (match[3]?.toLowerCase() ?? 'tcp') as PortProtocol;
  return Array.from({ length: last - first + 1 }, (_, index) => ({ port: first + index, protocol }));
}

export function formatContainerPort({ port, protocol }: ContainerPort): string {
  return `${port}/${protocol}`;
}

/**
 * Reads where the host shall answer: '' and '0' are any free port, `8080` one, `8000-8010` the first free one of these.
 * @throws invalid for anything else
 */
export function parseHostPorts(text: string): Pick<PortRequest, 'hostPortFirst' | 'hostPortLast'> {
  const match = /^(?:(\d{1,5})(?:-(\d{1,5}))?)?$/.exec(text);
  const hostPortFirst = Number(match?.[1] ?? 0);
  const hostPortLast = Number(match?.[2] ?? hostPortFirst);
  const isRangeFromZero = hostPortFirst === 0 && hostPortLast > 0;
  if (!match || isRangeFromZero || hostPortFirst > hostPortLast || hostPortLast > MAX_PORT) {
    throw invalidPort(text);
  }
  return { hostPortFirst, hostPortLast };
}

/** The text that {@link parseHostPorts} reads; '' for any free port. */
export function formatHostPorts(request: Pick<PortRequest, 'hostPortFirst' | 'hostPortLast'>): string {
  const { hostPortFirst: first, hostPortLast: last } = request;
  if (first === 0) return '';
  return first === last ? String(first) : `${first}-${last}`;
}

/** The number that begins an IPv4 address written as an IPv6 one (RFC 4291 section 2.5.5.2). */
const IPV4_MAPPED = 0xffffn;

/**
 * The canonical form of the address that a binding asks for; '' stays. An IPv4 address in IPv6's clothes is an IPv4
 * address: no socket that is for IPv6 alone could be bound to it.
 * @throws invalid for what is no address
 */
export function parseHostAddress(text: string): string {
  if (text === '') return '';
  const { family, value } = mustParseAddress(text);
  const isMapped = family === 'ipv6' && value >> 32n === IPV4_MAPPED;
  return formatAddress(isMapped ? { family: 'ipv4', value: value & 0xffffffffn } : { family, value });
}

/**
 * What a container publishes in all: its bindings and, with `publishAll`, one random binding for each exposed port
 * without one. Fixed numbers come first, random ones last, so that nobody is given what another one needs; a fixed
 * binding that is asked for twice is one. Exposures that are no ports (an image may say anything) are left out.
 * @param portBindings absent in records of versions that could not publish
 */
export function wantedPorts(
  portBindings: readonly PortRequest[] | undefined,
  exposedPorts: readonly string[],
  publishAll: boolean | undefined,
): readonly PortRequest[] {
  const wanted = withoutRepetition(portBindings ?? []);
  if (publishAll) {
    const bound = new Set(wanted.map(formatContainerPort));
    for (const port of exposedPorts.flatMap((text) => readContainerPorts(text) ?? [])) {
      const name = formatContainerPort(port);
      if (!bound.has(name)) wanted.push({ ...port, hostAddress: '', hostPortFirst: 0, hostPortLast: 0 });
      bound.add(name);
    }
  }
  return wanted.sort((a, b) => freedom(a) - freedom(b));
}

function withoutRepetition(requests: readonly PortRequest[]): PortRequest[] {
  const seen = new Set<string>();
  return requests.filter((request) => {
    if (freedom(request) > 0) return true;
    const key = `${formatContainerPort(request)} ${request.hostAddress} ${request.hostPortFirst}`;
    return !seen.has(key) && seen.add(key);
  });
}

/** 0: this very number. 1: one of a range. 2: any. */
function freedom({ hostPortFirst, hostPortLast }: PortRequest): number {
  if (hostPortFirst === 0) return 2;
  return hostPortFirst === hostPortLast ? 0 : 1;
}

function invalidPort(text: string): Error {
  return invalid('invalid-port', `invalid port specification: "${text}"`, { port: text });
}
