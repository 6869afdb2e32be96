/**
 * What it costs to make, use and remove networks, beside Debian's dockerd in the same run: with none and with many
 * others, one request after the other.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EnginePeer } from './peers.ts';
import { type Aim, formatTable, median, printAims } from './report.ts';

const rounds = 15;
/** After many changes at once: what an engine still does behind its answers is over by then. */
const SETTLE_MS = 500;

const operations = ['create', 'connect', 'disconnect', 'rm'] as const;
type Operation = (typeof operations)[number];
type Costs = Readonly<Record<Operation, number>>;

/** Measures and prints; `withDockerd` is false where it is not installed. */
export async function benchNetworks(withDockerd: boolean): Promise<void> {
  await using seaway = await NetworkPeer.start('seaway');
  await using dockerd = withDockerd ? await NetworkPeer.start('dockerd') : undefined;

  const rows: string[][] = [['milliseconds, medians', ...operations]];
  const empty = await seaway.measure();
  const idle = await dockerd?.measure();
  if (dockerd && idle) rows.push(costRow(`dockerd ${await dockerd.peer.version()}, no others`, idle));
  rows.push(costRow('Seaway, no others', empty));
  await seaway.addOthers(100);
  await dockerd?.addOthers(100);
  const busy = await dockerd?.measure();
  if (busy) rows.push(costRow('dockerd, 100 others', busy));
  rows.push(costRow('Seaway, 100 others', await seaway.measure()));
  await seaway.addOthers(500);
  const full = await seaway.measure();
  rows.push(costRow('Seaway, 500 others', full));
  const burst = await seaway.burst(50);
  rows.push(['Seaway, 50 in a row', burst.create.toFixed(1), '', '', burst.rm.toFixed(1)]);

  console.log(`\nNetworks over the API (medians of ${rounds})\n`);
  console.log(formatTable(rows));
  const aims: Aim[] = [
    { what: 'create', value: empty.create, unit: 'ms', most: 2 },
    { what: 'create, 500 others / none', value: full.create / empty.create, unit: 'x', most: 1.5 },
    { what: 'rm answered', value: empty.rm, unit: 'ms', most: 3 },
    { what: 'connect', value: empty.connect, unit: 'ms', most: 4 },
    { what: 'disconnect', value: empty.disconnect, unit: 'ms', most: 6 },
    {
      what: 'everything of a removed network gone after',
      value: await seaway.goneAfter(),
      unit: 'ms',
      most: 1000,
    },
  ];
  if (idle) {
    for (const operation of operations) {
      aims.push({
        what: `${operation}: dockerd / Seaway`,
        value: idle[operation] / empty[operation],
        unit: 'x',
        least: 5,
      });
    }
  }
  printAims(aims);
}

function costRow(name: string, costs: Costs): string[] {
  return [name, ...operations.map((operation) => costs[operation].toFixed(1))];
}

class NetworkPeer implements AsyncDisposable {
  readonly peer: EnginePeer;
  #others = 0;

  private constructor(peer: EnginePeer) {
    this.peer = peer;
  }

  /** An engine with one running container on its default bridge, which is brought to networks. */
  static async start(kind: 'seaway' | 'dockerd'): Promise<NetworkPeer> {
    const peer = await EnginePeer.start(kind);
    await peer.call('POST', '/containers/create?name=guest', { Image: 'busybox', Cmd: ['sleep', '3600'] });
    await peer.call('POST', '/containers/guest/start');
    return new NetworkPeer(peer);
  }

  /** Networks that are only there, up to a number of them; subnets are named, for dockerd's own end at 31. */
  async addOthers(count: number): Promise<void> {
    for (; this.#others < count; this.#others++) {
      await this.#create(`other${this.#others}`, `10.${this.#others >> 8}.${this.#others & 255}.0/24`);
    }
    await sleep(SETTLE_MS);
  }

  async #create(name: string, subnet: string): Promise<void> {
    const IPAM = { Driver: 'default', Config: [{ Subnet: subnet }] };
    await this.peer.call('POST', '/networks/create', { Name: name, CheckDuplicate: true, IPAM });
  }

  async measure(): Promise<Costs> {
    const samples: Record<Operation, number[]> = { create: [], connect: [], disconnect: [], rm: [] };
    const guest = { Container: 'guest' };
    for (let round = -1; round < rounds; round++) {
      const name = `measured${round}`;
      const steps: Record<Operation, () => Promise<unknown>> = {
        create: () => this.peer.call('POST', '/networks/create', { Name: name, CheckDuplicate: true }),
        connect: () => this.peer.call('POST', `/networks/${name}/connect`, guest),
        disconnect: () => this.peer.call('POST', `/networks/${name}/disconnect`, guest),
        rm: () => this.peer.call('DELETE', `/networks/${name}`),
      };
      for (const operation of operations) {
        const milliseconds = await timed(steps[operation]);
        if (round >= 0) samples[operation].push(milliseconds);
      }
    }
    return {
      create: median(samples.create),
      connect: median(samples.connect),
      disconnect: median(samples.disconnect),
      rm: median(samples.rm),
    };
  }

  /** Each operation many times without a pause. @returns milliseconds for one */
  async burst(count: number): Promise<Pick<Costs, 'create' | 'rm'>> {
    const names = Array.from({ length: count }, (_, index) => `burst${index}`);
    const create = await timed(async () => {
      for (const name of names) await this.peer.call('POST', '/networks/create', { Name: name });
    });
    const rm = await timed(async () => {
      for (const name of names) await this.peer.call('DELETE', `/networks/${name}`);
    });
    return { create: create / count, rm: rm / count };
  }

  /** From the request until the host has its links of before. */
  async goneAfter(): Promise<number> {
    await sleep(2000);
    const links = async () => (await this.peer.lab.run('ip -o link')).stdout.split('\n').length;
    const before = await links();
    await this.peer.call('POST', '/networks/create', { Name: 'short' });
    return timed(async () => {
      await this.peer.call('DELETE', '/networks/short');
      while ((await links()) > before) await sleep(5);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.peer[Symbol.asyncDispose]();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
