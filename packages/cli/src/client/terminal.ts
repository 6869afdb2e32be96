/** The process's own streams, and what only a real terminal can do. */
import type { Readable, Writable } from 'node:stream';

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

export interface Terminal {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Whether stdin is a terminal. */
  readonly isInteractive: boolean;
  /** The terminal's size, or undefined when stdout is none. */
  size(): TerminalSize | undefined;
  /** Calls back whenever the size changes; returns how to stop that. */
  onResize(callback: () => void): () => void;
  /** Hands every key through as it is typed; returns how to give the terminal back. */
  enterRawMode(): () => void;
  /** Calls back for every signal that a user would want the container to get; returns how to stop that. */
  onSignal(callback: (signal: NodeJS.Signals) => void): () => void;
}

/** The signals that an attached container gets in our place. */
const proxiedSignals: readonly NodeJS.Signals[] = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
];

/** The terminal of the running process. */
export function processTerminal(): Terminal {
  const { stdout, stderr } = process;
  return {
    // Node opens stdin when it is first asked for; most commands never do.
    get stdin() {
      return process.stdin;
    },
    stdout,
    stderr,
    get isInteractive() {
      return process.stdin.isTTY === true;
    },
    size: () => (stdout.isTTY ? { rows: stdout.rows, columns: stdout.columns } : undefined),
    onResize(callback) {
      stdout.on('resize', callback);
      return () => void stdout.off('resize', callback);
    },
    enterRawMode() {
      const { stdin } = process;
      if (stdin.isTTY !== true) return () => {};
      stdin.setRawMode(true);
      return () => void stdin.setRawMode(false);
    },
    onSignal(callback) {
      for (const signal of proxiedSignals) process.on(signal, callback);
      return () => {
        for (const signal of proxiedSignals) process.off(signal, callback);
      };
    },
  };
}
