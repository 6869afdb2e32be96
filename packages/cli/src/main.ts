/**
 * The program's entry: `seaway daemon` goes straight to the daemon, everything else to the command line. Neither
 * loads the other's code, because both are judged by how fast they start.
 */
const [first, ...rest] = process.argv.slice(2);

if (first === 'daemon') {
  const { runDaemon } = await import('./daemon/daemon.ts');
  process.exit(await runDaemon(rest));
} else {
  const { runCommandLine } = await import('./command-line.ts');
  process.exit(await runCommandLine(process.argv.slice(2)));
}
