/** What the keeper's main thread and its relay thread say to each other. */
import type { RelayTarget } from './protocol.ts';

/** A socket whose connections, or datagrams, the thread passes on. */
export interface RelayService {
  /** Names the service in messages; never used again. Not 0. */
  readonly slot: number;
  readonly protocol: 'tcp' | 'udp';
  readonly family: 'ipv4' | 'ipv6';
  /** Listens already, or hears; it stays the main thread's. */
  readonly fd: number;
  readonly target: RelayTarget;
}

export interface RelayThreadData {
  /** Raised when a command waits. */
  readonly wakeUp: number;
  /** Two numbers: 1 when the thread is to end, and how many TCP connections are passed on. */
  readonly shared: Int32Array<SharedArrayBuffer>;
}

/** Where each number stands in `RelayThreadData.shared`. */
export const ENDING = 0;
export const CONNECTIONS = 1;

export interface RelayCommand {
  readonly n: number;
  readonly start: readonly RelayService[];
  /** From now on to another target. Connections to the earlier one are reset. */
  readonly move: readonly { readonly slot: number; readonly target: RelayTarget }[];
  /** Once it is done, their descriptors may be closed. */
  readonly stop: readonly number[];
  /** Whether the connections of what is stopped go on. */
  readonly keepConnections: boolean;
}

export type RelayReport =
  | { readonly kind: 'done'; readonly n: number }
  | {
      readonly kind: 'complaint';
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };
