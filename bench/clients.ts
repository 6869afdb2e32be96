/**
 * What people wait for at their terminals: `docker run --rm IMAGE true` and `docker ps` with many containers, by the
 * docker client, beside Debian's dockerd in the same run.
 */
import { interleave } from './interleave.ts';
import { EnginePeer } from './peers.ts';
import { type Aim, formatTable, printAims } from './report.ts';

const rounds = 15;
const containers = 500;

/** Measures and prints; `withDockerd` is false where it is not installed. */
export async function benchClients(withDockerd: boolean): Promise<void> {
  await using seaway = await EnginePeer.start('seaway');
  await using dockerd = withDockerd ? await EnginePeer.start('dockerd') : undefined;
  const peers = [['Seaway', seaway] as const, ...(dockerd ? ([['dockerd', dockerd]] as const) : [])];
  const run = await interleave(
    peers.map(([name, { lab }]) => [name, () => timed(() => lab.docker('run --rm busybox true'))]),
    rounds,
  );
  for (const [, peer] of peers) await createMany(peer);
  const list = await interleave(
    peers.map(([name, { lab }]) => [name, () => timed(() => lab.docker('ps --all --quiet'))]),
    rounds,
  );
  const ms = (value = Number.NaN): string => `${value.toFixed(1)} ms`;
  console.log(`\nThe docker client, end to end (medians of ${rounds}, interleaved)\n`);
  const rows = peers.map(([name]) => [name, ms(run.get(name)), ms(list.get(name))]);
  console.log(formatTable([['', 'run --rm true', `ps --all of ${containers}`], ...rows]));
  if (!dockerd) return;
  const ratio = (medians: ReadonlyMap<string, number>): number =>
    (medians.get('dockerd') ?? Number.NaN) / (medians.get('Seaway') ?? Number.NaN);
  const aims: Aim[] = [
    { what: 'docker run --rm: dockerd / Seaway', value: ratio(run), unit: 'x', least: 3.5 },
    { what: 'docker ps: dockerd / Seaway', value: ratio(list), unit: 'x', least: 1 },
  ];
  printAims(aims);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Containers that were never started: a list of them is as long as one of those that run. */
async function createMany(peer: EnginePeer): Promise<void> {
  const body = { Image: 'busybox', Cmd: ['true'], Labels: { tier: 'bench' } };
  for (let made = 0; made < containers; made += 10) {
    await Promise.all(Array.from({ length: 10 }, () => peer.call('POST', '/containers/create', body)));
  }
}
