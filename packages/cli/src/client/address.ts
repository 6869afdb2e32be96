/** Where the daemon listens, as given by `--host` or `$SEAWAY_HOST`. */

export type DaemonAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** The daemon's own default socket. */
export const defaultAddress = 'unix:///run/seaway.sock';

/** Engines listen here for plain HTTP by convention (IANA service name "docker"). */
const defaultTcpPort = 2375;

/**
 * Reads `unix:///path`, `tcp://host[:port]` or `tcp://[v6][:port]`.
 * @throws Error with a sentence for the user when the text is neither.
 */
export function parseAddress(text: string): DaemonAddress {
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    if (!path.startsWith('/')) throw malformed(text);
    return { kind: 'unix', path };
  }
  const tcp = /^tcp:\/\/(?:\[([0-9a-fA-F:.]+)\]|([^/:[\]]+))(?::(\d{1,5}))?\/?$/.exec(text);
  if (tcp === null) throw malformed(text);
  const port = tcp[3] === undefined ? defaultTcpPort : Number(tcp[3]);
  if (port < 1 || port > 65535) throw malformed(text);
  return { kind: 'tcp', host: tcp[1] ?? tcp[2]!, port };
}

/** The address as `parseAddress` reads it. */
export function formatAddress(address: DaemonAddress): string {
  if (address.kind === 'unix') return `unix://${address.path}`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `tcp://${host}:${address.port}`;
}

function malformed(text: string): Error {
  return new Error(`invalid host "${text}": expected unix:///PATH or tcp://ADDRESS:PORT`);
}
