/**
 * The networks, containers, servers and clients of the firewall's matrix, in a lab. Crafted packets are made by renaming:
 * a namespace that wants to speak to 127.0.0.1 of another host sends to a stand-in address, and rules of its own put
 * 127.0.0.1 in its place behind all routing decisions; and back, before the kernel looks at the answer.
 */
import assert from 'node:assert/strict';
import type {
  Attempt,
  NetworkName,
  NetworkTraits,
  Place,
  PortName,
  Verdict,
  Way,
} from './firewall-matrix.ts';
import { containerPorts, isIpv6, networks } from './firewall-matrix.ts';
import { hostAddress, hostAddress6, type Lab, outsideAddress, outsideAddress6 } from './lab.ts';
import { type Outcome, type ProbeProtocol, type Target as ProbeTarget, probe, serve } from './probes.ts';
import { RawApi } from './raw-api.ts';

type Addresses = readonly [ipv4: string, ipv6: string];

/** Stand for 127.0.0.1 and ::1 of the host. */
const standIns: Addresses = ['192.0.2.77', '2001:db8:77::77'];
/** Of the host's and the other host's own servers. */
const servicePort = 9000;

const host: Addresses = [hostAddress, hostAddress6];
const outside: Addresses = [outsideAddress, outsideAddress6];

/** Somebody who asks. */
interface Client {
  readonly namespace: string;
  readonly addresses: Addresses;
  /** The host's addresses on the bridge of the client. */
  readonly gateway: Addresses;
}

interface Server extends Client {
  readonly firstHostPort: number;
}

const networkNames = Object.keys(networks) as NetworkName[];

export class FirewallLab {
  readonly #lab: Lab;
  readonly #api: RawApi;
  readonly #servers = new Map<NetworkName, Server>();
  readonly #neighbours = new Map<NetworkName, Client>();
  #stranger!: Client;

  private constructor(lab: Lab) {
    this.#lab = lab;
    this.#api = new RawApi(lab, '1.41');
  }

  /** Makes all networks and containers, and starts the servers. */
  static async open(lab: Lab): Promise<FirewallLab> {
    const made = new FirewallLab(lab);
    await made.#create();
    return made;
  }

  async #create(): Promise<void> {
    await this.#lab.run(['sh', '-c', hostSettings]);
    for (const [index, name] of networkNames.entries())
      await this.#createNetwork(name, index, networks[name]);
    await this.#createNetwork('elsewhere', networkNames.length, {});
    await Promise.all([
      ...networkNames.map(async (name, index) => {
        this.#neighbours.set(name, await this.#runContainer(`neighbour-${name}`, name, {}));
        this.#servers.set(name, await this.#runServer(name, 10_000 + 10 * index));
      }),
      this.#runContainer('stranger', 'elsewhere', {}).then((stranger) => {
        this.#stranger = stranger;
      }),
      this.#lab.outside(['sh', '-c', outsideRoutes]),
      this.#serveOn(
        outsideNamespace(this.#lab),
        outside.map((address) => [address, servicePort]),
      ),
    ]);
    await this.#serveOnHost();
    await Promise.all([
      this.#allowCrafting(outsideNamespace(this.#lab), host),
      ...[...this.#servers.values(), ...this.#neighbours.values(), this.#stranger].map(
        ({ namespace, gateway }) => this.#allowCrafting(namespace, gateway),
      ),
    ]);
  }

  async #createNetwork(name: string, index: number, traits: NetworkTraits): Promise<void> {
    if (traits.isDefault) return;
    const { internal = false, options = {} } = traits;
    const Config = [{ Subnet: `10.50.${index + 1}.0/24` }, { Subnet: `fd50:${index + 1}::/64` }];
    await this.#api.createNetwork(name, {
      EnableIPv6: true,
      Internal: internal,
      Options: options,
      IPAM: { Config },
    });
  }

  async #runContainer(name: string, network: string, bindings: object): Promise<Client> {
    const ExposedPorts = Object.fromEntries(Object.keys(bindings).map((port) => [port, {}]));
    await this.#api.run(name, network, { ExposedPorts, HostConfig: { PortBindings: bindings } });
    const { State, NetworkSettings } = await this.#api.inspect(name);
    const endpoint = NetworkSettings.Networks[network]!;
    const { IPAM } = await this.#api.network(network);
    // Of an isolated network the first address is nobody's, and is not asked for.
    const gateway = (family: 4 | 6) => {
      const subnet = IPAM.Config?.find(({ Subnet }) => Subnet.includes(':') === (family === 6))?.Subnet;
      return subnet === undefined ? '' : subnet.replace(family === 6 ? /\/.*/ : /0\/.*/, '1');
    };
    return {
      namespace: this.#lab.pathInside(`/proc/${State.Pid}/ns/net`),
      addresses: [endpoint.IPAddress, endpoint.GlobalIPv6Address],
      gateway: [gateway(4), gateway(6)],
    };
  }

  async #runServer(network: NetworkName, firstHostPort: number): Promise<Server> {
    const client = await this.#runContainer(`server-${network}`, network, portBindings(firstHostPort));
    const ports = Object.values(containerPorts);
    const places = client.addresses.filter((address) => address !== '');
    await this.#serveOn(
      client.namespace,
      places.flatMap((address) => ports.map((port) => [address, port] as const)),
    );
    return { ...client, firstHostPort };
  }

  async #serveOn(namespace: string, where: readonly (readonly [address: string, port: number])[]) {
    for (const [address, port] of where) {
      for (const protocol of ['tcp', 'udp'] as const) await serve(namespace, { protocol, address, port });
    }
  }

  /** Each address has a server of its own: what is asked at one must not be answered from another. */
  async #serveOnHost(): Promise<void> {
    const { stdout } = await this.#lab.run('ip -json address');
    const links = JSON.parse(stdout) as { addr_info: { local: string; scope: string }[] }[];
    const addresses = links.flatMap(({ addr_info }) =>
      addr_info.flatMap(({ local, scope }) => (scope === 'link' ? [] : local)),
    );
    await this.#serveOn(
      hostNamespace(this.#lab),
      addresses.map((address) => [address, servicePort]),
    );
  }

  async #allowCrafting(namespace: string, gateway: Addresses): Promise<void> {
    const script = [0, 1].flatMap((family) =>
      gateway[family] === '' ? [] : [`ip route add ${standIns[family]} via ${gateway[family]} || exit`],
    );
    // Without a way there, as in isolated networks, there is nothing to craft.
    await this.#lab.run(
      ['nsenter', `--net=${insideLab(this.#lab, namespace)}`, 'sh', '-c', [...script, craft].join('\n')],
      { allowFailure: true },
    );
  }

  serverAddresses(network: NetworkName): Addresses {
    return this.#servers.get(network)!.addresses;
  }

  /** Makes all attempts at once. @returns the verdicts, in their order */
  probeAll(attempts: readonly Attempt[]): Promise<Verdict[]> {
    return Promise.all(attempts.map((attempt) => this.#probe(attempt)));
  }

  async #probe(attempt: Attempt): Promise<Verdict> {
    const { place, way, network, verdict } = attempt;
    const server = this.#servers.get(network)!;
    const client = this.#client(place, network);
    const target = this.#target(attempt, server, client);
    // Whatever is to be answered may take its time on a busy machine; silence shows soon enough.
    const timeoutMs = verdict === 'dropped' ? 1000 : 4000;
    const outcome = await probe(client.namespace, target, timeoutMs);
    return toVerdict(outcome, way, client, server);
  }

  #client(place: Place, network: NetworkName): Client {
    switch (place) {
      case 'outside':
        return { namespace: outsideNamespace(this.#lab), addresses: outside, gateway: host };
      case 'host':
        return { namespace: hostNamespace(this.#lab), addresses: host, gateway: host };
      case 'itself':
        return this.#servers.get(network)!;
      case 'neighbour':
        return this.#neighbours.get(network)!;
      case 'stranger':
        return this.#stranger;
      case 'internal':
        return this.#neighbours.get('internal')!;
    }
  }

  #target({ target, way }: Attempt, server: Server, client: Client): ProbeTarget {
    const [where, what] = target.split(': ') as [string, PortName | 'service'];
    const addresses: Readonly<Record<string, Addresses>> = {
      container: server.addresses,
      host,
      loopback: ['127.0.0.1', '::1'],
      'crafted loopback': standIns,
      bridge: server.gateway,
      'own bridge': client.gateway,
      outside,
    };
    return {
      protocol: way.slice(0, 3) as ProbeProtocol,
      address: addresses[where]![isIpv6(way) ? 1 : 0],
      port: portNumber(where, what, server),
    };
  }
}

function portNumber(where: string, what: PortName | 'service', { firstHostPort }: Server): number {
  if (what === 'service') return servicePort;
  return where === 'container' ? containerPorts[what] : hostPort(firstHostPort, what);
}

function hostPort(first: number, name: PortName): number {
  return first + Object.keys(containerPorts).indexOf(name);
}

function portBindings(first: number): object {
  const hosts: Partial<Record<PortName, readonly string[]>> = {
    published: [''],
    'to loopback': ['127.0.0.1', '::1'],
    'to one address': host,
  };
  const entries = (Object.entries(hosts) as [PortName, readonly string[]][]).flatMap(([name, addresses]) => {
    const bindings = addresses.map((HostIp) => ({ HostIp, HostPort: String(hostPort(first, name)) }));
    return ['tcp', 'udp'].map((protocol) => [`${containerPorts[name]}/${protocol}`, bindings]);
  });
  return Object.fromEntries(entries);
}

function toVerdict(outcome: Outcome, way: Way, client: Client, server: Server): Verdict {
  if (outcome.kind !== 'answered') return outcome.kind;
  const { seenAs } = outcome;
  if (client.addresses.includes(seenAs))
    return seenAs === host[isIpv6(way) ? 1 : 0] ? 'from host' : 'from client';
  if (server.gateway.includes(seenAs)) return 'from bridge';
  if (host.includes(seenAs)) return 'from host';
  assert.fail(`the server saw ${seenAs}, which is neither the client nor the host`);
}

function hostNamespace(lab: Lab): string {
  return `/proc/${lab.holderPid}/ns/net`;
}

function outsideNamespace(lab: Lab): string {
  return lab.pathInside('/run/netns/outside');
}

/** The path as the lab's own processes see it. */
function insideLab(lab: Lab, path: string): string {
  return path.replace(lab.pathInside(''), '');
}

const outsideRoutes = `
echo 0 > /proc/sys/net/ipv4/ip_forward
echo 0 > /proc/sys/net/ipv6/conf/all/forwarding
ip route add 10.50.0.0/16 via ${hostAddress}
ip route add 172.17.0.0/16 via ${hostAddress}
ip route add fd50::/16 via ${hostAddress6}
`;

/**
 * So many refusals at once would be cut down to a few; icmp(7). And bridges of dockerd's would have no IPv6 address for
 * their first second, in which the kernel looks whether somebody else has it.
 */
const hostSettings = `
echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
echo 0 > /proc/sys/net/ipv6/icmp/ratelimit
echo 1000000 > /proc/sys/net/ipv4/icmp_msgs_per_sec
echo 1000000 > /proc/sys/net/ipv4/icmp_msgs_burst
`;

const craft = `
sysctl -qw net.ipv4.conf.all.route_localnet=1 2> /dev/null || :
nft -f - << 'END'
table inet crafted {
  chain out {
    type filter hook postrouting priority 300
    ip daddr ${standIns[0]} ip daddr set 127.0.0.1
    ip6 daddr ${standIns[1]} ip6 daddr set ::1
  }
  chain in {
    type filter hook prerouting priority -400
    iifname != "lo" ip saddr 127.0.0.1 ip saddr set ${standIns[0]}
    iifname != "lo" ip6 saddr ::1 ip6 saddr set ${standIns[1]}
  }
}
END
`;
