/**
 * Where Debian's dockerd (20.10, as it starts without options) gives another verdict than Seaway, and why. Each row says
 * what dockerd does; the first that fits an attempt counts, and where none fits both do the same.
 */
import {
  type Attempt,
  isIpv6,
  type NetworkName,
  type Place,
  type Target,
  type Verdict,
  type Way,
} from './firewall-matrix.ts';

/** The reasons, as the page on the firewall gives them: what is different, and why. */
export const reasons = {
  direct: {
    what: 'Other hosts that route container addresses here reach published ports there, also those bound to 127.0.0.1',
    why: "dockerd 20.10 opens the container's port to everybody and trusts that nobody has a route; Docker closed that in 28, Seaway from its start.",
  },
  unfiltered: {
    what: 'Over IPv6, everybody with a route reaches all ports of containers, `icc` and `--internal` do nothing, and nothing is masqueraded',
    why: 'dockerd 20.10 has no IPv6 firewall unless it is started with `--experimental --ip6tables`; Seaway treats both families alike.',
  },
  proxied: {
    what: "Over IPv6, servers see the bridge's address in place of the client's",
    why: "dockerd's proxy process accepts the connection and opens another one; Seaway translates addresses in the kernel wherever the container has IPv6.",
  },
  'proxied datagrams': {
    what: 'UDP to a published port by an address of the host that is not the nearest one gets no answer',
    why: "dockerd's proxy answers from the address that the host prefers towards the client, and connected sockets do not take that; Seaway translates.",
  },
  crafted: {
    what: 'Neighbours that send packets for 127.0.0.1 over the wire reach ports, also those bound to 127.0.0.1',
    why: 'dockerd 20.10 translates before the kernel could refuse such packets; Docker closed that in 28, Seaway from its start.',
  },
  'internal route': {
    what: 'Containers of internal networks are dropped or refused where Seaway says that the network is unreachable, and reach the host by all its addresses',
    why: 'dockerd 20.10 gives internal networks a default route and filters behind it; newer Docker and Seaway give them none.',
  },
  'internal relay': {
    what: 'Containers of internal networks reach ports that other networks publish, over IPv6',
    why: "dockerd's proxy listens on the internal bridge's address too; Seaway drops that as it does with IPv4.",
  },
  modes: {
    what: 'The gateway modes `nat-unprotected`, `routed` and `isolated` do nothing',
    why: 'dockerd 20.10 does not know them and takes options that it does not know in silence.',
  },
} as const;

export type Reason = keyof typeof reasons;

interface Row {
  readonly because: Reason;
  readonly dockerd: Verdict;
  readonly places: readonly Place[];
  readonly targets: readonly Target[];
  readonly ways: readonly Way[];
  /** Only where Seaway's verdict is one of these. @default any */
  readonly ours?: readonly Verdict[];
  /** @default all */
  readonly networks?: readonly NetworkName[];
}

const v4 = ['tcp4', 'udp4'] as const;
const v6 = ['tcp6', 'udp6'] as const;
const udp = ['udp4', 'udp6'] as const;
const all = [...v4, ...v6] as const;
const hostPorts = [
  'host: published',
  'host: unpublished',
  'host: to loopback',
  'host: to one address',
] as const;
const containerPorts = [
  'container: published',
  'container: unpublished',
  'container: to loopback',
  'container: to one address',
] as const;
/** Networks that publish on every address of the host. */
const publishing = ['plain', 'bridge', 'icc-off', 'masquerade-off'] as const;

const rows: readonly Row[] = [
  {
    because: 'direct',
    dockerd: 'from client',
    places: ['outside'],
    targets: ['container: published', 'container: to loopback', 'container: to one address'],
    ways: v4,
    networks: [...publishing, 'bound-to-loopback'],
  },
  {
    because: 'unfiltered',
    dockerd: 'from client',
    places: ['outside', 'stranger'],
    targets: containerPorts,
    ways: v6,
  },
  {
    because: 'unfiltered',
    dockerd: 'from client',
    places: ['neighbour'],
    targets: containerPorts,
    ways: v6,
    networks: ['icc-off'],
  },
  {
    because: 'unfiltered',
    dockerd: 'from client',
    places: ['itself'],
    targets: ['outside: service'],
    ways: v6,
    ours: ['from host', 'unreachable'],
  },
  {
    because: 'unfiltered',
    dockerd: 'from client',
    places: ['internal'],
    targets: containerPorts,
    ways: v6,
  },
  {
    because: 'crafted',
    dockerd: 'from client',
    places: ['outside'],
    targets: ['crafted loopback: published', 'crafted loopback: to loopback'],
    ways: v4,
    networks: [...publishing, 'bound-to-loopback'],
  },
  {
    because: 'proxied datagrams',
    dockerd: 'dropped',
    places: ['outside'],
    targets: ['bridge: published'],
    ways: ['udp6'],
    ours: ['from client'],
  },
  {
    because: 'proxied datagrams',
    dockerd: 'dropped',
    places: ['neighbour', 'stranger', 'itself'],
    targets: ['host: published'],
    ways: udp,
    ours: ['from bridge'],
  },
  {
    because: 'proxied datagrams',
    dockerd: 'dropped',
    places: ['stranger'],
    targets: ['bridge: published'],
    ways: udp,
    ours: ['from bridge'],
  },
  {
    because: 'proxied',
    dockerd: 'from bridge',
    places: ['outside', 'host'],
    targets: ['host: published', 'host: to one address', 'bridge: published'],
    ways: v6,
    ours: ['from client', 'from host'],
  },
  {
    because: 'internal route',
    dockerd: 'dropped',
    places: ['internal'],
    targets: containerPorts,
    ways: v4,
  },
  {
    because: 'internal relay',
    dockerd: 'from bridge',
    places: ['internal'],
    targets: ['host: published', 'bridge: published'],
    ways: ['tcp6'],
    networks: publishing,
  },
  {
    because: 'internal relay',
    dockerd: 'from bridge',
    places: ['internal'],
    targets: ['own bridge: published'],
    ways: v6,
    networks: publishing,
  },
  {
    because: 'internal route',
    dockerd: 'dropped',
    places: ['internal'],
    targets: ['host: published', 'bridge: published'],
    ways: ['tcp4', 'udp4', 'udp6'],
    networks: publishing,
  },
  {
    because: 'internal route',
    dockerd: 'refused',
    places: ['internal'],
    targets: ['host: published', 'bridge: published'],
    ways: all,
  },
  {
    because: 'internal route',
    dockerd: 'refused',
    places: ['neighbour', 'itself'],
    targets: hostPorts,
    ways: all,
    networks: ['internal'],
  },
  {
    because: 'internal route',
    dockerd: 'from client',
    places: ['itself'],
    targets: ['host: service'],
    ways: all,
    networks: ['internal'],
  },
  {
    because: 'internal route',
    dockerd: 'dropped',
    places: ['itself'],
    targets: ['outside: service'],
    ways: v4,
    networks: ['internal'],
  },
];

/** What dockerd makes of networks whose gateway modes it does not know. */
const withoutModes: Partial<Record<NetworkName, NetworkName>> = {
  'nat-unprotected': 'plain',
  routed: 'plain',
  'nat-routed': 'plain',
  isolated: 'internal',
};

export interface Difference {
  readonly verdict: Verdict;
  readonly because: Reason;
}

/**
 * What dockerd does with each attempt where that is something else.
 * @param attempts all of them: those on networks with gateway modes are looked up among those without
 */
export function differences(attempts: readonly Attempt[]): (Difference | undefined)[] {
  const known = new Map(attempts.map((attempt) => [keyOf(attempt), attempt]));
  return attempts.map((attempt) => {
    const network = withoutModes[attempt.network] ?? attempt.network;
    // The one on the internal network is not asked to reach its own network from elsewhere.
    const plain = known.get(keyOf({ ...attempt, network })) ?? attempt;
    const row = rows.find((candidate) => fits(candidate, plain));
    const verdict = row?.dockerd ?? plain.verdict;
    if (verdict === attempt.verdict) return undefined;
    // Where the mode alone would change our verdict, that is the reason.
    return { verdict, because: row && plain.verdict === attempt.verdict ? row.because : 'modes' };
  });
}

function fits({ places, targets, ways, ours, networks }: Row, attempt: Attempt): boolean {
  return (
    places.includes(attempt.place) &&
    targets.includes(attempt.target) &&
    ways.includes(attempt.way) &&
    (ours?.includes(attempt.verdict) ?? true) &&
    (networks?.includes(attempt.network) ?? true)
  );
}

/** Rows that say nothing, because no attempt has them as the first that fits or because Seaway does the same there. */
export function idleRows(attempts: readonly Attempt[]): number[] {
  const used = new Set(
    attempts.flatMap((attempt) => {
      const row = rows.find((candidate) => fits(candidate, attempt));
      return row && row.dockerd !== attempt.verdict ? row : [];
    }),
  );
  return rows.flatMap((row, index) => (used.has(row) ? [] : index));
}

function keyOf({ network, place, target, way }: Pick<Attempt, 'network' | 'place' | 'target' | 'way'>) {
  return `${network}: ${place} to ${target} over ${way}`;
}

/** Whether the keeper has to carry the bytes: the kernel translates neither ::1 nor one family into the other. */
export function isRelayed({ network, place, target, way, verdict }: Attempt): boolean {
  if (!isIpv6(way)) return false;
  if (target.startsWith('loopback:')) return verdict === 'from bridge';
  const leadsToAnotherFamily = network === 'bridge' && /^(host|own bridge): /.test(target);
  return leadsToAnotherFamily && (verdict === 'from bridge' || place === 'internal');
}
