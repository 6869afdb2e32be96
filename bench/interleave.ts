import { median } from './report.ts';

const warmUps = 2;

/** Runs all contenders in turn, round by round, so that a noisy moment of the machine hits them alike. */
export async function interleave(
  contenders: readonly [string, () => Promise<number>][],
  rounds: number,
): Promise<Map<string, number>> {
  const samples = new Map<string, number[]>(contenders.map(([name]) => [name, []]));
  for (let round = -warmUps; round < rounds; round++) {
    for (const [name, run] of contenders) {
      const milliseconds = await run();
      if (round >= 0) samples.get(name)?.push(milliseconds);
    }
    if (process.stderr.isTTY) process.stderr.write(`\rround ${Math.max(0, round + 1)} of ${rounds} `);
  }
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  return new Map([...samples].map(([name, values]) => [name, median(values)]));
}
