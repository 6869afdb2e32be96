/** What pulling and pushing tell while they go on, in Docker's words. */
export type TransferProgress =
  /** A line of its own. `id` is what it is about, if that has one. */
  | { readonly kind: 'status'; readonly status: string; readonly id?: string }
  /** Where a layer stands. Bytes, with the whole when that is known. */
  | {
      readonly kind: 'layer';
      readonly id: string;
      readonly status: string;
      readonly current?: number;
      readonly total?: number;
    }
  /** What was pushed, for programs. */
  | { readonly kind: 'pushed'; readonly tag: string; readonly digest: string; readonly sizeBytes: number };

export type OnProgress = (progress: TransferProgress) => void;

/** Layers and configurations are told by twelve digits. */
export function shortDigest(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12);
}

const INTERVAL_MS = 100;

/** Lets at most ten calls a second through, and every one that says that all is done. */
export function throttled(report: (current: number) => void, total: number): (current: number) => void {
  let last = 0;
  return (current) => {
    const now = performance.now();
    if (now - last < INTERVAL_MS && current < total) return;
    last = now;
    report(current);
  };
}
