/** What PollThread and its worker say to each other. */
import type { PostedError } from './posted-error.ts';

/** How many bytes of a watch may wait for its handler before its descriptor is left alone. */
export const MAX_UNHANDLED_BYTES = 256 * 1024;

/** Slots of a watch's shared counters. */
export const UNHANDLED = 0;
export const PAUSED = 1;

/** What the thread is told. */
export type PollCommand =
  | {
      readonly kind: 'watch';
      readonly id: number;
      readonly fd: number;
      readonly maxMessageBytes: number;
      readonly counters: Int32Array<SharedArrayBuffer>;
    }
  | { readonly kind: 'unwatch'; readonly id: number }
  | { readonly kind: 'stop' };

/** What it reports, several at a time. */
export type PollReport =
  | { readonly kind: 'message'; readonly id: number; readonly data: Uint8Array }
  | { readonly kind: 'overrun'; readonly id: number }
  | { readonly kind: 'end'; readonly id: number; readonly error?: PostedError | undefined }
  /** The thread has let go of the descriptor. */
  | { readonly kind: 'unwatched'; readonly id: number };
