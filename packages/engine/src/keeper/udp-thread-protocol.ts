/** What the keeper's main thread and its UDP thread say to each other. */
import type { KeeperChange } from './protocol.ts';

/** A socket that the thread serves. */
export interface UdpService {
  /** Names the service in messages; never used again. Not 0. */
  readonly slot: number;
  readonly fd: number;
  readonly sandbox: string;
  /** One number: the queries handed over that are not answered yet. */
  readonly handedOver: Int32Array<SharedArrayBuffer>;
}

export interface UdpThreadData {
  /** Raised when a command waits. */
  readonly wakeUp: number;
  /** One number: 1 when the thread is to end. */
  readonly ending: Int32Array<SharedArrayBuffer>;
}

/** All of it at once, as far as lookups can tell. */
export interface UdpCommand {
  readonly n: number;
  readonly change: KeeperChange;
  readonly start: readonly UdpService[];
  /** Slots; once it is done, their descriptors may be closed. */
  readonly stop: readonly number[];
}

export type UdpReport =
  | { readonly kind: 'done'; readonly n: number }
  | { readonly kind: 'failed'; readonly slot: number; readonly reason: string }
  | { readonly kind: 'forward'; readonly queries: readonly HandedOver[] };

/** A query that other servers are to be asked. */
export interface HandedOver {
  readonly slot: number;
  readonly packet: Uint8Array<ArrayBuffer>;
  /** The client's address, as `sendDatagram` takes it. */
  readonly sender: Uint8Array<ArrayBuffer>;
}
