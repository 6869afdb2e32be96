/** What a command may touch: the daemon, the process's streams, its environment and the clock. */
import { CliError } from './cli-error.ts';
import { parseAddress } from './client/address.ts';
import { Client } from './client/http-client.ts';
import type { Terminal } from './client/terminal.ts';

export interface Context {
  /** The daemon's client; nothing is connected before the first request. */
  readonly client: Client;
  readonly terminal: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Writes a result to stdout. */
  print(text: string): void;
  /** Writes one line for the person at the terminal to stderr. */
  complain(message: string): void;
}

/** Makes the context of a real process. @throws CliError when the daemon's address cannot be read. */
export function createContext(host: string, terminal: Terminal, env: Context['env']): Context {
  let address: ReturnType<typeof parseAddress>;
  try {
    address = parseAddress(host);
  } catch (cause) {
    throw new CliError((cause as Error).message, { cause });
  }
  return {
    client: new Client(address),
    terminal,
    env,
    now: Date.now,
    print: (text) => void terminal.stdout.write(text),
    complain: (message) => void terminal.stderr.write(`seaway: ${message}\n`),
  };
}
