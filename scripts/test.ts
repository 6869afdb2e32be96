/**
 * Runs the tests: all of them, several files at a time, with one line per file and the details of what failed; or the
 * files given as arguments, with one line per test. Ends with the test runner's own summary lines.
 *
 *     npm test                              everything
 *     npm test -- test/four-modes.test.ts   one file
 *
 * With CI=true a skipped test counts as a failure: a machine that cannot run everything proves nothing.
 */
import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { CompactReporter } from './compact-reporter.ts';

const repository = fileURLToPath(new URL('../', import.meta.url));

/** Slow files first, so that none of them is left to run alone at the end. */
function allFiles(): string[] {
  const stories = globSync('test/*.test.ts', { cwd: repository }).sort();
  const units = globSync('packages/*/src/**/*.test.ts', { cwd: repository }).sort();
  return [...stories, ...units];
}

process.chdir(repository);
const chosen = process.argv.slice(2);
const files = (chosen.length > 0 ? chosen : allFiles()).map((path) => resolve(path));

// Labs mostly wait for the kernel, so more files than processors run at a time.
const stream = run({ files, concurrency: 4, timeout: 240_000 });

let failed = 0;
let skipped = 0;
stream.on('test:fail', (event) => {
  if (event.todo === undefined) failed++;
});
stream.on('test:pass', (event) => {
  if (event.skip !== undefined || event.todo !== undefined) skipped++;
});
stream.once('end', () => {
  if (failed > 0) process.exitCode = 1;
  if (skipped > 0 && process.env.CI === 'true') {
    console.error(`${skipped} skipped tests: in CI everything has to run`);
    process.exitCode = 1;
  }
});

const reporter = chosen.length > 0 ? new spec() : new CompactReporter(repository);
stream.compose(reporter).pipe(process.stdout);
