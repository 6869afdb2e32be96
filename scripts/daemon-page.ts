/**
 * The reference page of the daemon's options, made from the table that the daemon itself reads. Run it after a change of
 * the table: `node scripts/daemon-page.ts > docs/daemon.md`; a test compares the two.
 */
import { optionSpecs } from '../packages/cli/src/daemon/options.ts';

/** The whole text of docs/daemon.md. */
export function daemonPage(): string {
  return `${introduction}\n${optionTable()}\n${rest}`;
}

const introduction = `# The daemon

\`bin/seaway daemon\` runs the engine and serves the Docker Engine API. It needs root. Its options have dockerd's names, so
that whoever can start dockerd can start it.

\`\`\`sh
sudo bin/seaway daemon
sudo bin/seaway daemon -H unix:///run/other.sock --data-root /srv/seaway --bip 10.20.0.1/16
\`\`\`

## Options

A flag given on the command line must not also be in the configuration file. The file is JSON with the same names as
keys (\`hosts\` for \`--host\`, and the plural where the table says so).
`;

const rest = `
## Sockets

Unix sockets are made with mode 0660. Whoever may open one is root on the host: treat it like a root shell. There is no
authentication on TCP: whoever reaches the port is root, too, so use a loopback address if you need one at all.

## Signals and restarts

SIGTERM and SIGINT stop the daemon and leave containers running. A new daemon on the same data root finds them again,
also after the old one was killed: what ended in the meantime has ended with its own exit code, and logs are complete.

One daemon manages the network of a host; a second one on the same host or the same data root says so and ends.

## Files

| place | what |
| --- | --- |
| data root | the database (SQLite), images, the containers' file systems and logs |
| exec root | sockets, process ids and network namespaces; void after a reboot |
`;

function optionTable(): string {
  const rows = Object.entries(optionSpecs).map(([name, spec]) => {
    const short = 'short' in spec ? `\`-${spec.short}\`, ` : '';
    const key = 'fileKey' in spec ? `; \`${spec.fileKey}\` in the file` : '';
    const fallback = 'fallback' in spec ? `\`${spec.fallback}\`` : '';
    return `| ${short}\`--${name}\` | ${spec.kind}${key} | ${fallback} | ${spec.description} |`;
  });
  return ['| option | value | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

if (import.meta.main) process.stdout.write(daemonPage());
