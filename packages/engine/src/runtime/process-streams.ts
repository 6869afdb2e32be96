/** The input and output of a process, whoever holds them. */

export interface OutputHandlers {
  /** A client that cannot keep up returns a promise; while that is open the process's output waits. */
  onData(stream: 'stdout' | 'stderr', data: Uint8Array): void | Promise<void>;
  /** The process is gone, and everything it wrote was handed over. */
  onEnd(): void;
}

export interface ProcessStreams {
  /** Writes to the process's stdin, in order; resolves when that was taken, also when the process is gone. */
  write(data: Uint8Array): Promise<void>;
  /** Tells the process that no more input comes. */
  endInput(): Promise<void>;
  /** No handler is called any more; the process goes on. */
  close(): Promise<void>;
}
