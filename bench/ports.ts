/**
 * What published ports cost: a container with 500 of them beside one with none; one port more where there are many; and
 * traffic through a port beside rules made by hand and beside Debian's dockerd, all in the same run.
 */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { labMemory } from './memory.ts';
import { EnginePeer } from './peers.ts';
import { Carrier, type Path, paths } from './port-traffic.ts';
import { type Aim, formatTable, median, printAims } from './report.ts';

const rounds = 9;
const trafficRounds = 3;
/** What an engine still does behind an answer is over by then. */
const PAUSE_MS = 100;
const manyPorts = 500;
/** Dockerd starts two processes for each. */
const dockerdPorts = 50;

/** Measures and prints; `withDockerd` is false where it is not installed. */
export async function benchPorts(withDockerd: boolean): Promise<void> {
  const aims = [...(await benchLifecycle(withDockerd)), ...(await benchUpdates())];
  if (['/usr/bin/iperf3', '/usr/local/bin/iperf3'].some((path) => existsSync(path))) {
    aims.push(...(await benchTraffic(withDockerd)));
  } else {
    console.log('\niperf3 (Debian package of that name) is not installed: no traffic is measured.');
  }
  printAims(aims);
}

interface Lifecycle {
  readonly start: number;
  readonly stop: number;
}

interface WithPorts {
  readonly plain: Lifecycle;
  readonly many: Lifecycle;
  readonly moreProcesses: number;
  readonly moreBytes: number;
}

async function benchLifecycle(withDockerd: boolean): Promise<Aim[]> {
  const seaway = await measureLifecycle('seaway', manyPorts);
  const dockerd = withDockerd ? await measureLifecycle('dockerd', dockerdPorts) : undefined;
  const row = (name: string, { start, stop }: Lifecycle) => [name, start.toFixed(1), stop.toFixed(1)];
  console.log(`\nA container with published ports (medians of ${rounds}, interleaved)\n`);
  const rows = [
    ['milliseconds', 'start', 'stop'],
    row('Seaway, no ports', seaway.plain),
    row(`Seaway, ${manyPorts} ports`, seaway.many),
  ];
  if (dockerd)
    rows.push(row('dockerd, no ports', dockerd.plain), row(`dockerd, ${dockerdPorts} ports`, dockerd.many));
  console.log(formatTable(rows));
  if (dockerd) {
    const { moreProcesses, moreBytes } = dockerd;
    const megabytes = (moreBytes / 2 ** 20).toFixed(1);
    console.log(
      `\n  dockerd, for ${dockerdPorts} ports: ${moreProcesses} more processes, ${megabytes} MB more memory`,
    );
  }
  const { plain, many, moreProcesses, moreBytes } = seaway;
  return [
    { what: `${manyPorts} ports: longer start`, value: many.start - plain.start, unit: 'ms', most: 40 },
    { what: `${manyPorts} ports: longer stop`, value: many.stop - plain.stop, unit: 'ms', most: 20 },
    { what: `${manyPorts} ports: more processes`, value: moreProcesses, unit: '', most: 0 },
    { what: `${manyPorts} ports: more memory`, value: moreBytes / 2 ** 20, unit: 'MB', most: 10 },
  ];
}

/** Ports of the host from a number on, which lead to the same ports of the container. */
function portRange(first: number, count: number) {
  const ports = Array.from({ length: count }, (_, index) => first + index);
  return {
    PortBindings: Object.fromEntries(ports.map((port) => [`${port}/tcp`, [{ HostPort: String(port) }]])),
    ExposedPorts: Object.fromEntries(ports.map((port) => [`${port}/tcp`, {}])),
  };
}

async function create(peer: EnginePeer, name: string, ports: ReturnType<typeof portRange>, mode = 'bridge') {
  const { PortBindings, ExposedPorts } = ports;
  const HostConfig = { NetworkMode: mode, PortBindings };
  const body = { Image: 'busybox', Cmd: ['sleep', '3600'], ExposedPorts, HostConfig };
  await peer.call('POST', `/containers/create?name=${name}`, body);
}

async function measureLifecycle(kind: 'seaway' | 'dockerd', count: number): Promise<WithPorts> {
  await using peer = await EnginePeer.start(kind);
  const samples = { plain: { start: [], stop: [] }, many: { start: [], stop: [] } } as Record<
    'plain' | 'many',
    Record<'start' | 'stop', number[]>
  >;
  const names = ['plain', 'many'] as const;
  for (const name of names) await create(peer, name, portRange(20_000, name === 'many' ? count : 0));
  for (let round = -1; round < rounds; round++) {
    for (const name of names) {
      const start = await timed(() => peer.call('POST', `/containers/${name}/start`));
      await sleep(PAUSE_MS);
      const stop = await timed(() => peer.call('POST', `/containers/${name}/stop?t=0`));
      await sleep(PAUSE_MS);
      if (round < 0) continue;
      samples[name].start.push(start);
      samples[name].stop.push(stop);
    }
  }
  const without = await usage(peer, 'plain');
  const inUse = await usage(peer, 'many');
  return {
    plain: { start: median(samples.plain.start), stop: median(samples.plain.stop) },
    many: { start: median(samples.many.start), stop: median(samples.many.stop) },
    moreProcesses: inUse.processes - without.processes,
    moreBytes: inUse.bytes - without.bytes,
  };
}

/** Processes and memory of the lab while a container runs alone. */
async function usage(peer: EnginePeer, name: string): Promise<{ processes: number; bytes: number }> {
  await peer.call('POST', `/containers/${name}/start`);
  await sleep(1000);
  const list = labMemory(peer.lab);
  await peer.call('POST', `/containers/${name}/stop?t=0`);
  await sleep(PAUSE_MS);
  return { processes: list.length, bytes: list.reduce((sum, { pssBytes }) => sum + pssBytes, 0) };
}

/** How long it takes to publish one port, with the network that brings it, and to take it back. */
async function benchUpdates(): Promise<Aim[]> {
  await using peer = await EnginePeer.start('seaway');
  await peer.call('POST', '/networks/create', { Name: 'inner', Internal: true });
  for (const [name, count] of [
    ['none', 0],
    ['one', 1],
  ] as const) {
    await create(peer, name, portRange(9000, count), 'inner');
    await peer.call('POST', `/containers/${name}/start`);
  }
  const costs = new Map<number, Record<'none' | 'one', number>>();
  let others = 0;
  for (const existing of [1, 1000, 10_000]) {
    while (others < existing) {
      const count = Math.min(1000, existing - others);
      await create(peer, `others${others}`, withAddress(portRange(10_000 + others, count)));
      await peer.call('POST', `/containers/others${others}/start`);
      others += count;
    }
    await sleep(500);
    const samples = { none: [] as number[], one: [] as number[] };
    for (let round = -2; round < 2 * rounds; round++) {
      for (const name of ['none', 'one'] as const) {
        const milliseconds = await timed(async () => {
          await peer.call('POST', '/networks/bridge/connect', { Container: name });
          await peer.call('POST', '/networks/bridge/disconnect', { Container: name });
        });
        if (round >= 0) samples[name].push(milliseconds);
        await sleep(50);
      }
    }
    costs.set(existing, { none: median(samples.none), one: median(samples.one) });
  }
  console.log(
    `\nOne port published and taken back, with the network that brings it (medians of ${2 * rounds})\n`,
  );
  const rows = [...costs].map(([existing, { none, one }]) => [
    `${existing} ports beside it`,
    ...[none, one, one - none].map((value) => value.toFixed(2)),
  ]);
  console.log(formatTable([['milliseconds', 'without it', 'with it', 'the port'], ...rows]));
  const ratio = costs.get(10_000)!.one / costs.get(1)!.one;
  return [{ what: 'one port, 10,000 others / 1 other', value: ratio, unit: 'x', most: 1.2 }];
}

/** One socket for each port instead of two, since processes may not have any number of them. */
function withAddress({ PortBindings, ExposedPorts }: ReturnType<typeof portRange>) {
  const bound = Object.entries(PortBindings).map(([port, [binding]]) => [
    port,
    [{ ...binding!, HostIp: '0.0.0.0' }],
  ]);
  return { PortBindings: Object.fromEntries(bound), ExposedPorts };
}

const from: Readonly<Record<Path, string>> = {
  outside: 'from outside',
  loopback: 'from the host, 127.0.0.1',
  neighbour: 'from a neighbour',
};

async function benchTraffic(withDockerd: boolean): Promise<Aim[]> {
  await using byHand = await Carrier.byHand();
  await using seaway = await Carrier.ofEngine('seaway');
  await using dockerd = withDockerd ? await Carrier.ofEngine('dockerd') : undefined;
  const carriers = [seaway, byHand, ...(dockerd ? [dockerd] : [])];
  const connections = await compare(carriers, (carrier, path) => carrier.connections(path, 1000));
  const throughput = await compare(carriers, (carrier, path) => carrier.throughput(path, 2));

  const names = paths.map((path) => from[path]);
  console.log(
    `\nTraffic to a published port, or between neighbours (medians of ${trafficRounds}, interleaved)\n`,
  );
  console.log(
    formatTable([
      ['new connections a second', ...names],
      ...carriers.map((one) => [one.name, ...paths.map((path) => connections(one, path).toFixed(0))]),
      ['Gbit/s over one connection', ...names],
      ...carriers.map((one) => [one.name, ...paths.map((path) => (throughput(one, path) / 1e9).toFixed(1))]),
    ]),
  );
  const ratio = (figure: typeof connections, path: Path) => figure(seaway, path) / figure(byHand, path);
  return [
    ...(['outside', 'loopback'] as const).map((path): Aim => {
      const what = `new connections ${from[path]}: Seaway / by hand`;
      return { what, value: ratio(connections, path), unit: 'x', least: 0.9 };
    }),
    ...paths.map((path): Aim => {
      const least = path === 'neighbour' ? 0.97 : 0.9;
      const what = `throughput ${from[path]}: Seaway / by hand`;
      return { what, value: ratio(throughput, path), unit: 'x', least };
    }),
  ];
}

/** Measures all paths of all carriers in turn, round by round. @returns the medians */
async function compare(
  carriers: readonly Carrier[],
  measure: (carrier: Carrier, path: Path) => Promise<number>,
): Promise<(carrier: Carrier, path: Path) => number> {
  const samples = new Map<string, number[]>();
  for (let round = 0; round < trafficRounds; round++) {
    for (const path of paths) {
      for (const carrier of carriers) {
        const key = `${carrier.name} ${path}`;
        samples.set(key, [...(samples.get(key) ?? []), await measure(carrier, path)]);
      }
    }
  }
  return (carrier, path) => median(samples.get(`${carrier.name} ${path}`) ?? []);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
