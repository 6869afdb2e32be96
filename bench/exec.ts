/**
 * What it costs to run `true` in a container that runs already, over the API from the request to the exit code, beside
 * raw `runc exec` and Debian's dockerd in the same run.
 */
import { interleave } from './interleave.ts';
import { EnginePeer, RawRunc } from './peers.ts';
import { type Aim, formatTable, printAims } from './report.ts';

const rounds = 40;

/** Measures and prints; `withDockerd` is false where it is not installed. */
export async function benchExec(withDockerd: boolean): Promise<void> {
  await using runc = await RawRunc.start('that of the engine', 'exec');
  await using seaway = await EnginePeer.start('seaway');
  await using dockerd = withDockerd ? await EnginePeer.start('dockerd') : undefined;
  const contenders: [string, () => Promise<number>][] = [['runc', () => runc.runTrue()]];
  for (const [name, peer] of [
    ['seaway', seaway],
    ['dockerd', dockerd],
  ] as const) {
    if (!peer) continue;
    const container = await peer.startSleeper();
    contenders.push([name, () => peer.execTrue(container)]);
  }
  const medians = await interleave(contenders, rounds);
  const at = (name: string) => medians.get(name) ?? Number.NaN;
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const rows = [
    ["raw runc exec, with Docker's profile as Seaway", ms(at('runc'))],
    ['Seaway', ms(at('seaway'))],
    ...(dockerd ? [[`dockerd ${await dockerd.version()}`, ms(at('dockerd'))]] : []),
  ];
  console.log(`\nexec of "true": create, start, inspect (medians of ${rounds}, interleaved)\n`);
  console.log(formatTable(rows));
  const aims: Aim[] = [
    { what: 'Seaway / raw runc exec', value: at('seaway') / at('runc'), unit: 'x', most: 1.2 },
  ];
  if (dockerd) {
    aims.unshift({ what: 'dockerd / Seaway', value: at('dockerd') / at('seaway'), unit: 'x', least: 1.5 });
  }
  printAims(aims);
}
