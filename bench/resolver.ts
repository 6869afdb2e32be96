/**
 * How many names a container can look up in a second, and how long one takes: our resolver beside Debian's dockerd and
 * beside servers that do nothing but send each packet back, in the same run.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Lab } from '../test/lab/lab.ts';
import type { LoadResult } from './dns-load.ts';
import { type Aim, formatTable, median, printAims } from './report.ts';

const loadProgram = fileURLToPath(new URL('dns-load.ts', import.meta.url));
const peersProgram = fileURLToPath(new URL('resolver-peers.ts', import.meta.url));

const address = '127.0.0.11';
const rounds = 3;
const milliseconds = 1000;
const inFlights = [1, 16] as const;

/** Somebody who answers, and where to ask from. */
interface Contender extends AsyncDisposable {
  readonly name: string;
  readonly lab: Lab;
  /** A path inside the lab. */
  readonly namespace: string;
}

type Figures = Pick<LoadResult, 'perSecond' | 'p50' | 'p99'>;

/** Measures and prints; `withDockerd` is false where it is not installed. */
export async function benchResolver(withDockerd: boolean): Promise<void> {
  await using lab = await Lab.create();
  await using keeper = await startPeer(lab, 'Seaway', 'keeper');
  await using batches = await startPeer(lab, 'echo, same way of receiving', 'batches');
  await using dgram = await startPeer(lab, 'echo, node:dgram', 'dgram');
  await using dockerd = withDockerd ? await startDockerd() : undefined;
  const contenders = [keeper, ...(dockerd === undefined ? [] : [dockerd]), dgram, batches];

  const figures = new Map<string, Figures>();
  for (const inFlight of inFlights) {
    const samples = new Map<Contender, LoadResult[]>(contenders.map((contender) => [contender, []]));
    for (let round = 0; round < rounds; round++) {
      for (const [contender, results] of samples) results.push(await load(contender, inFlight));
    }
    for (const [{ name }, results] of samples) {
      const middle = (field: keyof Figures) => median(results.map((result) => result[field]));
      figures.set(`${name} ${inFlight}`, {
        perSecond: middle('perSecond'),
        p50: middle('p50'),
        p99: middle('p99'),
      });
    }
  }
  const at = (name: string, inFlight: number) => figures.get(`${name} ${inFlight}`)!;

  const head = inFlights.flatMap((inFlight) => [`${inFlight} in flight`, 'p50', 'p99']);
  const rows = contenders.map(({ name }) => [
    name,
    ...inFlights.flatMap((inFlight) => {
      const { perSecond, p50, p99 } = at(name, inFlight);
      return [`${Math.round(perSecond)}/s`, us(p50), us(p99)];
    }),
  ]);
  console.log(
    `\nLook up a container's name from a container (medians of ${rounds} rounds of ${milliseconds / 1000} s)\n`,
  );
  console.log(formatTable([['', ...head], ...rows]));

  const seaway = at('Seaway', 16);
  const aims: Aim[] = [
    { what: 'queries per second, 16 in flight', value: seaway.perSecond, unit: '/s', least: 60_000 },
    { what: 'p99, 16 in flight', value: seaway.p99 / 1000, unit: 'ms', most: 1 },
  ];
  if (dockerd !== undefined) {
    const p50 = at(dockerd.name, 1).p50 / at('Seaway', 1).p50;
    const perSecond = seaway.perSecond / at(dockerd.name, 16).perSecond;
    aims.unshift({ what: 'p50, 1 in flight, dockerd / Seaway', value: p50, unit: 'x', least: 1 });
    aims.push({
      what: 'queries per second, 16 in flight, Seaway / dockerd',
      value: perSecond,
      unit: 'x',
      least: 1,
    });
  }
  printAims(aims);
}

/** One of our own servers, in a namespace of its own. */
async function startPeer(lab: Lab, name: string, kind: 'keeper' | 'dgram' | 'batches'): Promise<Contender> {
  const namespace = `/run/netns/${kind}`;
  await lab.run(['ip', 'netns', 'add', kind]);
  const argv =
    kind === 'keeper'
      ? [process.execPath, peersProgram, kind, '/run/bench-keeper', namespace]
      : ['nsenter', `--net=${namespace}`, '--', process.execPath, peersProgram, kind];
  const child = startInLab(lab, argv);
  await firstLine(child);
  return {
    name,
    lab,
    namespace,
    [Symbol.asyncDispose]: async () => {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.stdin?.end();
      await exited;
    },
  };
}

/** Debian's dockerd with a network of two containers; the second one asks for the first. */
async function startDockerd(): Promise<Contender> {
  const lab = await Lab.create();
  try {
    await lab.startDockerd();
    await lab.importBusybox();
    await lab.docker('network create bench');
    await lab.docker('run -d --network bench --name web busybox sleep 3600');
    await lab.docker('run -d --network bench --name asking busybox sleep 3600');
    const pid = await lab.dockerOutput('inspect --format {{.State.Pid}} asking');
    const version = await lab.dockerOutput(['version', '--format', '{{.Server.Version}}']);
    return {
      name: `dockerd ${version}`,
      lab,
      namespace: `/proc/${pid}/ns/net`,
      [Symbol.asyncDispose]: () => lab.close(),
    };
  } catch (error) {
    await lab.close();
    throw error;
  }
}

/** Asks a contender for a while, from inside its namespace. @throws Error when nothing sensible came back */
async function load({ name, lab, namespace }: Contender, inFlight: number): Promise<LoadResult> {
  const argv = [process.execPath, loadProgram, address, 'web', String(inFlight), String(milliseconds)];
  const { stdout } = await lab.run(['nsenter', `--net=${namespace}`, '--', ...argv]);
  const result = JSON.parse(stdout) as LoadResult;
  if (result.lost > 0 || !(result.perSecond > 0)) throw new Error(`${name} lost queries: ${stdout}`);
  if (!name.startsWith('echo') && result.answers !== 1) throw new Error(`${name} did not answer: ${stdout}`);
  return result;
}

function startInLab(lab: Lab, argv: readonly string[]): ChildProcess {
  const [program = '', ...rest] = lab.enter(argv);
  return spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'], env: lab.env });
}

function firstLine(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`a server of the benchmark ended with code ${code}`)));
  });
}

const us = (value: number): string => `${value.toFixed(0)} us`;
