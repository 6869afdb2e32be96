/**
 * The physical limit: `runc run` of `true` in a new network namespace, with no engine around it. Runs as a process of
 * its own inside a lab, so that it pays for starting a program what an engine pays: one run per line of standard input,
 * answered with the time it took in milliseconds.
 *
 *     node raw-runc.ts BUNDLE STATE
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const [bundle = '', state = ''] = process.argv.slice(2);
let runs = 0;

for await (const _ of createInterface({ input: process.stdin })) {
  const startedAt = performance.now();
  const code = await runOnce(`raw-${runs++}`);
  if (code !== 0) throw new Error(`runc run ended with code ${code}`);
  process.stdout.write(`${performance.now() - startedAt}\n`);
}

function runOnce(id: string): Promise<number | null> {
  const child = spawn('runc', ['--root', state, 'run', '--bundle', bundle, id], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.once('exit', resolve);
    child.once('error', reject);
  });
}
