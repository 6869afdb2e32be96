/**
 * The physical limit: `runc run` of `true` in a new network namespace, or `runc exec` of `true` in a container that
 * sleeps, with no engine around it. Runs as a process of its own inside a lab, so that it pays for starting a program
 * what an engine pays: one run per line of standard input, answered with the time it took in milliseconds.
 *
 *     node raw-runc.ts BUNDLE STATE         runs the bundle, which is to run `true`
 *     node raw-runc.ts BUNDLE STATE exec    runs it once, which is to sleep, and then `true` inside
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const [bundle = '', state = '', mode] = process.argv.slice(2);
const sleeper = 'raw-sleeper';
let runs = 0;

if (mode === 'exec') await runc('run', '--detach', '--bundle', bundle, sleeper);

for await (const _ of createInterface({ input: process.stdin })) {
  const startedAt = performance.now();
  await (mode === 'exec' ? runc('exec', sleeper, 'true') : runc('run', '--bundle', bundle, `raw-${runs++}`));
  process.stdout.write(`${performance.now() - startedAt}\n`);
}
if (mode === 'exec') await runc('delete', '--force', sleeper);

async function runc(...args: string[]): Promise<void> {
  const child = spawn('runc', ['--root', state, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('exit', resolve);
    child.once('error', reject);
  });
  if (code !== 0) throw new Error(`runc ${args[0]} ended with code ${code}`);
}
