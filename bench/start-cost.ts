/**
 * What it costs to run `true` in a container, from the request to the last trace, beside raw `runc run` and Debian's
 * dockerd in the same run; the time until the daemon answers; and the memory it takes when idle.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { interleave } from './interleave.ts';
import { labMemory, sharedWithUs } from './memory.ts';
import { EnginePeer, RawRunc } from './peers.ts';
import { type Aim, formatTable, median, printAims } from './report.ts';

const rounds = 15;

/** Measures and prints; `withDockerd` is false where it is not installed. */
export async function benchStartCost(withDockerd: boolean): Promise<void> {
  await using runc = await RawRunc.start('its own default');
  await using equalRunc = await RawRunc.start('that of the engine');
  await using seaway = await EnginePeer.start('seaway');
  await using dockerd = withDockerd ? await EnginePeer.start('dockerd') : undefined;
  const contenders: [string, () => Promise<number>][] = [
    ['runc', () => runc.runTrue()],
    ['equal runc', () => equalRunc.runTrue()],
    ['seaway none', () => seaway.runTrue('none')],
    ['seaway bridge', () => seaway.runTrue('bridge')],
  ];
  if (dockerd !== undefined) {
    contenders.push(
      ['dockerd none', () => dockerd.runTrue('none')],
      ['dockerd bridge', () => dockerd.runTrue('bridge')],
    );
  }
  const medians = await interleave(contenders, rounds);
  const at = (name: string) => medians.get(name) ?? Number.NaN;

  const rows = [
    ['', 'none', 'bridge', 'bridge - none'],
    ['raw runc run, as "runc spec" configures it', ms(at('runc')), '', ''],
    ["raw runc run, with Docker's profile as Seaway", ms(at('equal runc')), '', ''],
    ['Seaway', ms(at('seaway none')), ms(at('seaway bridge')), ms(at('seaway bridge') - at('seaway none'))],
  ];
  if (dockerd !== undefined) {
    const difference = at('dockerd bridge') - at('dockerd none');
    rows.push([
      `dockerd ${await dockerd.version()}`,
      ms(at('dockerd none')),
      ms(at('dockerd bridge')),
      ms(difference),
    ]);
  }
  console.log(
    `\nRun "true" in a container: create, start, wait, remove (medians of ${rounds}, interleaved)\n`,
  );
  console.log(formatTable(rows));

  const ready = await readyTime(seaway);
  const memory = await idleMemory(seaway);
  console.log(`\nMemory of the idle daemon, proportional set size\n`);
  console.log(formatTable(memory.rows));

  const aims: Aim[] = [
    { what: 'Seaway bridge / raw runc', value: at('seaway bridge') / at('runc'), unit: 'x', most: 2.2 },
    {
      what: "Seaway bridge / raw runc with Docker's profile",
      value: at('seaway bridge') / at('equal runc'),
      unit: 'x',
      most: 2.2,
    },
    {
      what: 'networking: bridge - none',
      value: at('seaway bridge') - at('seaway none'),
      unit: 'ms',
      most: 8,
    },
    { what: 'daemon ready', value: ready, unit: 'ms', most: 400 },
    { what: 'idle memory, all processes', value: memory.totalBytes / 2 ** 20, unit: 'MB', most: 100 },
  ];
  if (dockerd !== undefined) {
    const value = at('dockerd bridge') / at('seaway bridge');
    aims.splice(2, 0, { what: 'dockerd bridge / Seaway bridge', value, unit: 'x', least: 3 });
  }
  printAims(aims);
}

/** From the start of the process to the first answer, with what an earlier life left in the data root. */
async function readyTime(peer: EnginePeer): Promise<number> {
  const samples: number[] = [];
  for (let start = 0; start < 7; start++) {
    await peer.engine.restart();
    samples.push(peer.engine.readyMs);
  }
  return median(samples);
}

async function idleMemory(peer: EnginePeer): Promise<{ totalBytes: number; rows: string[][] }> {
  await peer.runTrue('bridge');
  await sleep(3000);
  const list = labMemory(peer.lab);
  const shared = sharedWithUs();
  const totalBytes = list.reduce((sum, { pssBytes }) => sum + pssBytes, shared);
  const rows = list.map(({ command, pssBytes }) => [shorten(command), megabytes(pssBytes)]);
  rows.push(
    ['at most, of pages shared with this benchmark', megabytes(shared)],
    ['together', megabytes(totalBytes)],
  );
  return { totalBytes, rows };
}

/** Programs without their folders and long arguments. */
function shorten(command: string): string {
  const words = command.split(' ').map((word) => word.split('/').at(-1) ?? '');
  return words.slice(0, 3).join(' ').slice(0, 50);
}

const ms = (value: number): string => `${value.toFixed(1)} ms`;
const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;
