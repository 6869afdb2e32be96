/** Ports in one line, as `ps` shows them. Pure. */
import type { PortSummary } from '../client/types.ts';
import { compareText } from './natural-order.ts';

/**
 * `53/udp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp`. Ports that are only exposed come first, in runs such as
 * `80-82/tcp`; likewise those that the host answers for under the same number (`0.0.0.0:80-82->80-82/tcp`); then the
 * rest, one by one.
 */
export function formatPorts(ports: readonly PortSummary[]): string {
  const sorted = ports.toSorted(byPort);
  const finished: string[] = [];
  const open = new Map<string, Run>();
  for (const { IP: address = '', PrivatePort: port, PublicPort: hostPort, Type: protocol } of sorted) {
    if (address !== '' && hostPort !== port) continue;
    const key = `${address}/${protocol}`;
    const run = open.get(key);
    if (run?.last === port - 1) {
      run.last = port;
      continue;
    }
    // A run that is interrupted is shown before all that are still open: Docker's order.
    if (run) finished.push(formatRun(run));
    open.set(key, { address, protocol, first: port, last: port });
  }
  const elsewhere = sorted.filter(({ IP, PrivatePort, PublicPort }) => IP && PublicPort !== PrivatePort);
  return [
    ...finished,
    ...[...open.values()].map(formatRun),
    ...elsewhere.map(
      ({ IP, PublicPort, PrivatePort, Type }) =>
        `${joinHostPort(IP!, String(PublicPort ?? 0))}->${PrivatePort}/${Type}`,
    ),
  ].join(', ');
}

/** Ports in a row, all at one address or at none. */
interface Run {
  readonly address: string;
  readonly protocol: string;
  readonly first: number;
  last: number;
}

function formatRun({ address, protocol, first, last }: Run): string {
  const ports = first === last ? `${first}` : `${first}-${last}`;
  return `${address === '' ? '' : `${joinHostPort(address, ports)}->`}${ports}/${protocol}`;
}

/** An IPv6 address goes into brackets. */
export function joinHostPort(address: string, port: string): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function byPort(a: PortSummary, b: PortSummary): number {
  return (
    a.PrivatePort - b.PrivatePort ||
    compareText(a.IP ?? '', b.IP ?? '') ||
    (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
    compareText(a.Type, b.Type)
  );
}
