/** Who carries traffic to a server behind a published port: an engine, or rules and a bridge made by hand. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Output } from '../test/lab/command.ts';
import type { EngineKind } from '../test/lab/engine.ts';
import { type Background, hostAddress, Lab } from '../test/lab/lab.ts';
import type { ConnectionLoad } from './connection-load.ts';
import { EnginePeer } from './peers.ts';

const loadProgram = fileURLToPath(new URL('connection-load.ts', import.meta.url));

const connectionPort = 5202;
const streamPort = 5201;

/** From where a client comes: from another host, from the host itself over 127.0.0.1, from a neighbour on the bridge. */
export const paths = ['outside', 'loopback', 'neighbour'] as const;
export type Path = (typeof paths)[number];

/** Two servers in a namespace on a bridge, published on the host under their own numbers, and a client beside it. */
export class Carrier implements AsyncDisposable {
  readonly name: string;
  readonly #lab: Lab;
  readonly #close: () => Promise<void>;
  /** Paths of network namespaces in the lab, and the server's address. */
  readonly #client: string;
  readonly #address: string;
  readonly #servers: readonly Background[];

  private constructor(
    name: string,
    lab: Lab,
    {
      server,
      client,
      address,
    }: { readonly server: string; readonly client: string; readonly address: string },
    close: () => Promise<void>,
  ) {
    this.name = name;
    this.#lab = lab;
    this.#client = client;
    this.#address = address;
    this.#close = close;
    this.#servers = [
      lab.background(inside(server, [process.execPath, loadProgram, 'serve', String(connectionPort)])),
      lab.background(inside(server, ['iperf3', '--server', '--forceflush', '--port', String(streamPort)])),
    ];
  }

  /** Containers of an engine on a network of its own. */
  static async ofEngine(kind: EngineKind): Promise<Carrier> {
    const peer = await EnginePeer.start(kind);
    await bridgesWithoutFilter(peer.lab);
    await peer.call('POST', '/networks/create', { Name: 'traffic' });
    const start = async (name: string, ports: readonly number[]) => {
      const PortBindings = Object.fromEntries(
        ports.map((port) => [`${port}/tcp`, [{ HostPort: String(port) }]]),
      );
      const HostConfig = { NetworkMode: 'traffic', PortBindings };
      const ExposedPorts = Object.fromEntries(ports.map((port) => [`${port}/tcp`, {}]));
      const body = { Image: 'busybox', Cmd: ['sleep', '3600'], HostConfig, ExposedPorts };
      await peer.call('POST', `/containers/create?name=${name}`, body);
      await peer.call('POST', `/containers/${name}/start`);
      const { NetworkSettings } = JSON.parse(await peer.call('GET', `/containers/${name}/json`)) as {
        NetworkSettings: { SandboxKey: string; Networks: { traffic: { IPAddress: string } } };
      };
      return { namespace: NetworkSettings.SandboxKey, address: NetworkSettings.Networks.traffic.IPAddress };
    };
    const server = await start('server', [connectionPort, streamPort]);
    const client = await start('client', []);
    const places = { server: server.namespace, client: client.namespace, address: server.address };
    const name = kind === 'seaway' ? 'Seaway' : `dockerd ${await peer.version()}`;
    const carrier = new Carrier(name, peer.lab, places, () => peer[Symbol.asyncDispose]());
    await carrier.#ready();
    return carrier;
  }

  /** The same without an engine: a bridge, and the fewest rules that lead there. */
  static async byHand(): Promise<Carrier> {
    const lab = await Lab.create();
    await bridgesWithoutFilter(lab);
    await lab.run(['sh', '-ec', bridgeByHand]);
    await lab.run(['nft', '--file', '-'], { input: rulesByHand });
    const places = { server: '/run/netns/server', client: '/run/netns/client', address: '10.9.0.2' };
    const carrier = new Carrier('nf_tables by hand', lab, places, () => lab.close());
    await carrier.#ready();
    return carrier;
  }

  async #ready(): Promise<void> {
    for (const server of this.#servers) {
      const deadline = performance.now() + 10_000;
      while (!/listening/i.test(server.output())) {
        if (performance.now() > deadline) throw new Error(`${this.name}: no server: ${server.output()}`);
        await sleep(10);
      }
    }
  }

  #run(path: Path, argv: readonly string[]): Promise<Output> {
    if (path === 'outside') return this.#lab.outside(argv);
    return this.#lab.run(path === 'loopback' ? argv : inside(this.#client, argv));
  }

  #addressFor(path: Path): string {
    return { outside: hostAddress, loopback: '127.0.0.1', neighbour: this.#address }[path];
  }

  /** New connections in a second, one after the other. */
  async connections(path: Path, milliseconds: number): Promise<number> {
    const destination = [this.#addressFor(path), String(connectionPort), String(milliseconds)];
    const { stdout } = await this.#run(path, [process.execPath, loadProgram, 'connect', ...destination]);
    return (JSON.parse(stdout) as ConnectionLoad).perSecond;
  }

  /** Bits in a second over one connection. */
  async throughput(path: Path, seconds: number): Promise<number> {
    const destination = ['--client', this.#addressFor(path), '--port', String(streamPort)];
    const { stdout } = await this.#run(path, ['iperf3', ...destination, '--time', String(seconds), '--json']);
    const { end } = JSON.parse(stdout) as { end: { sum_received: { bits_per_second: number } } };
    return end.sum_received.bits_per_second;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) await server.stop();
    await this.#close();
  }
}

function inside(namespace: string, argv: readonly string[]): string[] {
  return ['nsenter', `--net=${namespace}`, '--', ...argv];
}

/** Otherwise bridged packets pass the rules of routed ones, which costs both sides more than what is compared. */
async function bridgesWithoutFilter(lab: Lab): Promise<void> {
  const file = '/proc/sys/net/bridge/bridge-nf-call-iptables';
  await lab.run(['sh', '-c', `[ ! -e ${file} ] || echo 0 > ${file}`]);
}

const bridgeByHand = `
echo 1 > /proc/sys/net/ipv4/ip_forward
ip link add br0 type bridge
ip address add 10.9.0.1/24 dev br0
ip link set br0 up
echo 1 > /proc/sys/net/ipv4/conf/br0/route_localnet
number=2
for name in server client; do
  : > /run/netns/$name
  unshare --net=/run/netns/$name ip link set lo up
  ip link add $name type veth peer name eth0 netns $name
  ip link set $name master br0 up
  nsenter --net=/run/netns/$name ip address add 10.9.0.$number/24 dev eth0
  nsenter --net=/run/netns/$name ip link set eth0 up
  nsenter --net=/run/netns/$name ip route add default via 10.9.0.1
  number=$((number + 1))
done`;

const rulesByHand = `
table ip byhand {
  chain prerouting {
    type nat hook prerouting priority -100
    fib daddr type local tcp dport { ${streamPort}, ${connectionPort} } dnat to 10.9.0.2
  }
  chain output {
    type nat hook output priority -100
    fib daddr type local tcp dport { ${streamPort}, ${connectionPort} } dnat to 10.9.0.2
  }
  chain postrouting {
    type nat hook postrouting priority 100
    oifname br0 ip saddr 127.0.0.0/8 masquerade
  }
}`;
