/** `--publish` and `--expose` as the docker command line reads them. Pure. */
import { isIP } from 'node:net';
import type { PortBinding } from '../client/types.ts';

const MAX_PORT = 65535;
const protocols = ['tcp', 'udp', 'sctp'];

/** Both ends included. */
interface Range {
  readonly first: number;
  readonly last: number;
}

/**
 * Reads `[[ADDRESS:][HOST_PORTS]:]PORTS[/PROTOCOL]`, an IPv6 address with brackets or without. A range of the host for
 * one port leaves the choice to the daemon; two ranges of one length are paired.
 * @returns container ports such as `80/tcp`, each with where the host shall answer for it
 * @throws Error in Docker's words for what is none
 */
export function parsePublish(text: string): (readonly [port: string, binding: PortBinding])[] {
  const parts = text.split(':');
  const [containerText, protocol] = splitProtocol(parts.pop()!);
  const hostText = parts.pop() ?? '';
  const addressText = parts.join(':');
  const address = addressText.replace(/^\[(.+)\]$/, '$1');
  if (address !== '' && (isIP(address) === 0 || address.includes('%'))) {
    throw new Error(`invalid IP address: ${addressText}`);
  }
  if (containerText === '') throw new Error(`no port specified: ${text}<empty>`);
  const ports = parseRange(containerText);
  if (!ports) throw new Error(`invalid containerPort: ${containerText}`);
  const hostPorts = hostText === '' ? undefined : parseRange(hostText);
  if (hostText !== '' && !hostPorts) throw new Error(`invalid hostPort: ${hostText}`);
  const isChoice = ports.first === ports.last;
  if (hostPorts && !isChoice && hostPorts.last - hostPorts.first !== ports.last - ports.first) {
    throw new Error(
      `invalid ranges specified for container and host Ports: ${containerText} and ${hostText}`,
    );
  }
  if (!protocols.includes(protocol.toLowerCase())) throw new Error(`invalid proto: ${protocol}`);
  return numbersOf(ports).map((port, index) => [
    `${port}/${protocol.toLowerCase()}`,
    { HostIp: address, HostPort: formatHostPort(hostPorts, index, isChoice) },
  ]);
}

function formatHostPort(range: Range | undefined, index: number, isChoice: boolean): string {
  if (!range) return '';
  return isChoice && range.first !== range.last ? `${range.first}-${range.last}` : `${range.first + index}`;
}

/**
 * Reads `PORTS[/PROTOCOL]`. The protocol is the daemon's to judge.
 * @returns each port with its protocol
 * @throws Error in Docker's words for what is none
 */
export function parseExpose(text: string): string[] {
  if (text.includes(':')) throw new Error(`invalid port format for --expose: ${text}`);
  const [portText, protocol] = splitProtocol(text);
  const ports = parseRange(portText);
  if (!ports) throw new Error(`invalid range format for --expose: ${text}`);
  return numbersOf(ports).map((port) => `${port}/${protocol}`);
}

/** The protocol is tcp where there is none. */
function splitProtocol(text: string): [ports: string, protocol: string] {
  const slash = text.indexOf('/');
  return slash < 0 ? [text, 'tcp'] : [text.slice(0, slash), text.slice(slash + 1) || 'tcp'];
}

function parseRange(text: string): Range | undefined {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  return match && first <= last && last <= MAX_PORT ? { first, last } : undefined;
}

function numbersOf({ first, last }: Range): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** What a create request says of ports: all that is published is exposed too. */
export function portFields(publish: readonly string[], expose: readonly string[]) {
  const bindings: Record<string, PortBinding[]> = {};
  for (const [port, binding] of publish.flatMap(parsePublish)) {
    bindings[port] = [...(bindings[port] ?? []), binding];
  }
  const exposed = [...Object.keys(bindings), ...expose.flatMap(parseExpose)];
  return { bindings, exposed: Object.fromEntries(exposed.map((port) => [port, {}])) };
}
