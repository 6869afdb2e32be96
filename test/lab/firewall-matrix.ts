/**
 * Who reaches what: one verdict for each way to a server in a container, on networks with all of the bridge's options.
 * This is the expectation as data; `firewall-lab.ts` sends the packets.
 */
import type { Outcome } from './probes.ts';

/** The four ways to ask, in the order in which tables show them. */
export const ways = ['tcp4', 'udp4', 'tcp6', 'udp6'] as const;
export type Way = (typeof ways)[number];

/**
 * From where. `neighbour` is on the server's own network, `stranger` on another one, `internal` on a third one without
 * a way out; `outside` is another host, which also routes container addresses to this one.
 */
export const places = ['outside', 'host', 'neighbour', 'stranger', 'internal', 'itself'] as const;
export type Place = (typeof places)[number];

/** The container's ports that are listened at, by how they are published. */
export const containerPorts = { published: 80, unpublished: 81, 'to loopback': 82, 'to one address': 83 };
export type PortName = keyof typeof containerPorts;

/**
 * At which address: the container's own; the host's own on the way to the outside; 127.0.0.1 or ::1 of the one who
 * asks; the same of the host, in packets that were crafted to be sent there over a wire; the host's on the server's
 * bridge, or on the bridge of the one who asks; and another host's. The ports are those of the container at its own
 * address, else the host's that lead to them; a `service` is a server of the host, or of the other host.
 */
export type Target =
  | `${'container' | 'host' | 'loopback' | 'crafted loopback' | 'bridge' | 'own bridge'}: ${PortName}`
  | `${'host' | 'crafted loopback' | 'own bridge' | 'outside'}: service`;

/**
 * What becomes of it; where it is answered, whom the server sees: the `client` itself, the `host` by its own address, or
 * the host by its address on the server's `bridge`.
 */
export type Verdict = `from ${'client' | 'host' | 'bridge'}` | Exclude<Outcome['kind'], 'answered'>;

/** One verdict for all ways, or one for IPv4 and one for IPv6; `-` where there is no such address. */
export type Cell = Verdict | readonly [ipv4: Verdict | '-', ipv6: Verdict | '-'];
export type Row = Partial<Record<Target, Cell>>;
export type Matrix = Readonly<Record<Place, Row>>;

const option = (name: string) => `com.docker.network.bridge.${name}`;
const modes = (ipv4: string, ipv6 = ipv4) => ({
  [option('gateway_mode_ipv4')]: ipv4,
  [option('gateway_mode_ipv6')]: ipv6,
});

/** The networks that have a server, by name, with what makes each of them special. */
export const networks = {
  plain: {},
  bridge: { isDefault: true },
  'icc-off': { options: { [option('enable_icc')]: 'false' } },
  internal: { internal: true },
  'masquerade-off': { options: { [option('enable_ip_masquerade')]: 'false' } },
  'nat-unprotected': { options: modes('nat-unprotected') },
  routed: { options: modes('routed') },
  'nat-routed': { options: modes('nat', 'routed') },
  isolated: { internal: true, options: modes('isolated') },
  'bound-to-loopback': { options: { [option('host_binding_ipv4')]: '127.0.0.1' } },
} satisfies Record<string, NetworkTraits>;

export interface NetworkTraits {
  /** The default bridge, with IPv4 alone; the others have both families. */
  readonly isDefault?: boolean;
  readonly internal?: boolean;
  readonly options?: Readonly<Record<string, string>>;
}

export type NetworkName = keyof typeof networks;

/** A network without options. */
const plain: Matrix = {
  outside: {
    'container: published': 'dropped',
    'container: unpublished': 'dropped',
    'container: to loopback': 'dropped',
    'container: to one address': 'dropped',
    'host: published': 'from client',
    'host: unpublished': 'refused',
    'host: to loopback': 'refused',
    'host: to one address': 'from client',
    'bridge: published': 'from client',
    'crafted loopback: published': 'dropped',
    'crafted loopback: to loopback': 'dropped',
    'crafted loopback: service': 'dropped',
  },
  host: {
    'container: published': 'from bridge',
    'container: unpublished': 'from bridge',
    'host: published': 'from host',
    'host: unpublished': 'refused',
    'host: to loopback': 'refused',
    'host: to one address': 'from host',
    'loopback: published': 'from bridge',
    'loopback: unpublished': 'refused',
    'loopback: to loopback': 'from bridge',
    'loopback: to one address': 'refused',
    'bridge: published': 'from bridge',
  },
  neighbour: {
    'container: published': 'from client',
    'container: unpublished': 'from client',
    'host: published': 'from bridge',
    'host: unpublished': 'refused',
    'host: to loopback': 'refused',
    'host: to one address': 'from bridge',
    'bridge: published': 'from bridge',
    'crafted loopback: to loopback': 'dropped',
    'crafted loopback: service': 'dropped',
  },
  stranger: {
    'container: published': 'dropped',
    'container: unpublished': 'dropped',
    'host: published': 'from bridge',
    'host: unpublished': 'refused',
    'host: to loopback': 'refused',
    'host: to one address': 'from bridge',
    'bridge: published': 'from bridge',
    'own bridge: published': 'from bridge',
    'crafted loopback: to loopback': 'dropped',
    'crafted loopback: service': 'dropped',
  },
  internal: {
    'container: published': 'unreachable',
    'container: unpublished': 'unreachable',
    'host: published': 'unreachable',
    'bridge: published': 'unreachable',
    'own bridge: published': 'dropped',
  },
  itself: {
    'container: published': 'from client',
    'container: unpublished': 'from client',
    'host: published': 'from bridge',
    'host: unpublished': 'refused',
    'host: to loopback': 'refused',
    'host: to one address': 'from bridge',
    'bridge: published': 'from bridge',
    'crafted loopback: to loopback': 'dropped',
    'crafted loopback: service': 'dropped',
    'host: service': 'from client',
    'own bridge: service': 'from client',
    'outside: service': 'from host',
  },
};

type Changes = Partial<Record<Place, Row>>;

/** A matrix whose rows are made one by one. */
function eachPlace(row: (place: Place) => Row): Matrix {
  return Object.fromEntries(places.map((place) => [place, row(place)])) as Record<Place, Row>;
}

function changed(base: Matrix, changes: Changes): Matrix {
  return eachPlace((place) => ({ ...base[place], ...changes[place] }));
}

/** The cells of one matrix for IPv4 and of another for IPv6. */
function joined(ipv4: Matrix, ipv6: Matrix): Matrix {
  return eachPlace((place) => {
    const targets = Object.keys(ipv4[place]) as Target[];
    const cell = (target: Target): Cell => [half(ipv4[place][target]!, 0), half(ipv6[place][target]!, 1)];
    return Object.fromEntries(targets.map((target) => [target, cell(target)]));
  });
}

function half(cell: Cell, family: 0 | 1): Verdict | '-' {
  return typeof cell === 'string' ? cell : cell[family];
}

/** Where nothing is published, no port of the host leads anywhere. */
const unpublished: Changes = {
  outside: {
    'host: published': 'refused',
    'host: to one address': 'refused',
    'bridge: published': 'refused',
  },
  host: {
    'host: published': 'refused',
    'host: to one address': 'refused',
    'loopback: published': 'refused',
    'loopback: to loopback': 'refused',
    'bridge: published': 'refused',
  },
  neighbour: {
    'host: published': 'refused',
    'host: to one address': 'refused',
    'bridge: published': 'refused',
  },
  stranger: {
    'host: published': 'refused',
    'host: to one address': 'refused',
    'bridge: published': 'refused',
    'own bridge: published': 'refused',
  },
  internal: { 'own bridge: published': 'refused' },
  itself: {
    'host: published': 'refused',
    'host: to one address': 'refused',
    'bridge: published': 'refused',
  },
};

const internal = changed(changed(plain, unpublished), {
  neighbour: {
    'host: published': 'unreachable',
    'host: unpublished': 'unreachable',
    'host: to loopback': 'unreachable',
    'host: to one address': 'unreachable',
  },
  itself: {
    'host: published': 'unreachable',
    'host: unpublished': 'unreachable',
    'host: to loopback': 'unreachable',
    'host: to one address': 'unreachable',
    'host: service': 'unreachable',
    'outside: service': 'unreachable',
  },
});

const routed = changed(changed(plain, unpublished), {
  outside: { 'container: published': 'from client', 'container: to one address': 'from client' },
  stranger: { 'container: published': 'from bridge' },
  itself: { 'outside: service': 'from client' },
});

const noIpv6 = (cell: Verdict): Cell => [cell, '-'];

/** Without IPv6 of its own; the host's IPv6 addresses lead there all the same. */
const ipv4Alone = changed(plain, {
  outside: {
    'container: published': noIpv6('dropped'),
    'container: unpublished': noIpv6('dropped'),
    'container: to loopback': noIpv6('dropped'),
    'container: to one address': noIpv6('dropped'),
    'host: published': ['from client', 'from bridge'],
    'host: to one address': ['from client', 'from bridge'],
    'bridge: published': noIpv6('from client'),
  },
  host: {
    'container: published': noIpv6('from bridge'),
    'container: unpublished': noIpv6('from bridge'),
    'host: published': ['from host', 'from bridge'],
    'host: to one address': ['from host', 'from bridge'],
    'bridge: published': noIpv6('from bridge'),
  },
  neighbour: {
    'container: published': noIpv6('from client'),
    'container: unpublished': noIpv6('from client'),
    'host: published': noIpv6('from bridge'),
    'host: unpublished': noIpv6('refused'),
    'host: to loopback': noIpv6('refused'),
    'host: to one address': noIpv6('from bridge'),
    'bridge: published': noIpv6('from bridge'),
    'crafted loopback: to loopback': noIpv6('dropped'),
    'crafted loopback: service': noIpv6('dropped'),
  },
  stranger: {
    'container: published': noIpv6('dropped'),
    'container: unpublished': noIpv6('dropped'),
    'bridge: published': noIpv6('from bridge'),
  },
  internal: {
    'container: published': noIpv6('unreachable'),
    'container: unpublished': noIpv6('unreachable'),
    'bridge: published': noIpv6('unreachable'),
  },
  itself: {
    'container: published': noIpv6('from client'),
    'container: unpublished': noIpv6('from client'),
    'host: published': noIpv6('from bridge'),
    'host: unpublished': noIpv6('refused'),
    'host: to loopback': noIpv6('refused'),
    'host: to one address': noIpv6('from bridge'),
    'bridge: published': noIpv6('from bridge'),
    'crafted loopback: to loopback': noIpv6('dropped'),
    'crafted loopback: service': noIpv6('dropped'),
    'host: service': noIpv6('from client'),
    'own bridge: service': noIpv6('from client'),
    'outside: service': noIpv6('from host'),
  },
});

const nowhere: Cell = ['-', '-'];

export const expected: Readonly<Record<NetworkName, Matrix>> = {
  plain,
  bridge: ipv4Alone,
  'icc-off': changed(plain, {
    neighbour: { 'container: published': 'dropped', 'container: unpublished': 'dropped' },
  }),
  internal,
  'masquerade-off': changed(plain, { itself: { 'outside: service': 'from client' } }),
  'nat-unprotected': changed(plain, {
    outside: {
      'container: published': 'from client',
      'container: unpublished': 'from client',
      'container: to loopback': 'from client',
      'container: to one address': 'from client',
    },
  }),
  routed,
  'nat-routed': joined(plain, routed),
  isolated: changed(internal, {
    // The bridge has no address, so that the host has no way there but the one that leads out.
    outside: { 'bridge: published': nowhere },
    host: {
      'container: published': 'dropped',
      'container: unpublished': 'dropped',
      'bridge: published': nowhere,
    },
    neighbour: {
      'bridge: published': nowhere,
      'crafted loopback: to loopback': nowhere,
      'crafted loopback: service': nowhere,
    },
    stranger: { 'bridge: published': nowhere },
    internal: { 'bridge: published': nowhere },
    itself: {
      'bridge: published': nowhere,
      'own bridge: service': nowhere,
      'crafted loopback: to loopback': nowhere,
      'crafted loopback: service': nowhere,
    },
  }),
  'bound-to-loopback': changed(plain, {
    outside: { 'host: published': 'refused', 'bridge: published': 'refused' },
    host: {
      'host: published': 'refused',
      'loopback: published': ['from bridge', 'refused'],
      'bridge: published': 'refused',
    },
    neighbour: { 'host: published': 'refused', 'bridge: published': 'refused' },
    stranger: {
      'host: published': 'refused',
      'bridge: published': 'refused',
      'own bridge: published': 'refused',
    },
    internal: { 'own bridge: published': 'refused' },
    itself: { 'host: published': 'refused', 'bridge: published': 'refused' },
  }),
};

/** One attempt, and what should become of it. */
export interface Attempt {
  readonly network: NetworkName;
  readonly place: Place;
  readonly target: Target;
  readonly way: Way;
  readonly verdict: Verdict;
}

/** The whole matrix, attempt by attempt. */
export function attempts(): Attempt[] {
  return (Object.keys(networks) as NetworkName[]).flatMap((network) =>
    places.flatMap((place) =>
      // The network without a way out is the neighbour's there.
      place === 'internal' && network === 'internal'
        ? []
        : (Object.entries(expected[network][place]) as [Target, Cell][]).flatMap(([target, cell]) =>
            ways.flatMap((way) => {
              const verdict = half(cell, isIpv6(way) ? 1 : 0);
              return verdict === '-' ? [] : [{ network, place, target, way, verdict }];
            }),
          ),
    ),
  );
}

export function isIpv6(way: Way): boolean {
  return way.endsWith('6');
}

/** `stranger to host: published over tcp4: from bridge` */
export function describeAttempt({ place, target, way }: Attempt, verdict: string): string {
  return `${place} to ${target} over ${way}: ${verdict}`;
}
