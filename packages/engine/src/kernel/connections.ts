/** What the kernel remembers of connections (conntrack), where published ports come and go. */
import { type ConntrackSelection, deleteConntrack } from '@seaway/linux';
import { route } from './sockets.ts';

/** A UDP port at an address; `0.0.0.0` and `::` are every address of the host. */
export interface UdpPort {
  readonly address: string;
  readonly port: number;
}

export interface UdpChange {
  /** Ports of containers that nothing leads to any more. */
  readonly left: readonly UdpPort[];
  /** Ports of the host that lead to containers from now on. */
  readonly taken: readonly UdpPort[];
}

/**
 * Forgets UDP flows that would go on as they began: a client that keeps sending is one connection to the kernel for as
 * long as it does, and nothing of it is translated anew. TCP needs no such thing, its connections end.
 */
export function forgetUdpFlows({ left, taken }: UdpChange): void {
  const selections = [
    ...left.map(
      ({ address, port }): ConntrackSelection => ({
        family: familyOf(address),
        protocol: 'udp',
        replySource: address,
        replySourcePort: port,
      }),
    ),
    ...taken.flatMap(({ address, port }) =>
      hostAddresses(address).map(
        (destination): ConntrackSelection => ({
          family: familyOf(destination),
          protocol: 'udp',
          originalDestination: destination,
          originalDestinationPort: port,
          // Those that are translated go where they should.
          replySource: destination,
        }),
      ),
    ),
  ];
  deleteConntrack(selections);
}

/** Not by the port alone: what containers ask of others at the same port is none of it. */
function hostAddresses(address: string): string[] {
  if (address !== '0.0.0.0' && address !== '::') return [address];
  const family = address === '::' ? 6 : 4;
  return route()
    .addresses({ family })
    .map((one) => one.address);
}

function familyOf(address: string): ConntrackSelection['family'] {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}
