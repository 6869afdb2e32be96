/** The lines that clients show while an image is pulled, pushed, loaded or imported. Source: Engine API, "Create an image". */
import type { TransferProgress } from '@seaway/engine';

export function toDockerProgress(progress: TransferProgress): object {
  switch (progress.kind) {
    case 'status':
      return { status: progress.status, ...(progress.id === undefined ? {} : { id: progress.id }) };
    case 'pushed':
      return {
        progressDetail: {},
        aux: { Tag: progress.tag, Digest: progress.digest, Size: progress.sizeBytes },
      };
    case 'layer': {
      const { status, current, total, id } = progress;
      if (current === undefined) return { status, progressDetail: {}, id };
      return {
        status,
        progressDetail: { current, ...(total ? { total } : {}) },
        progress: progressBar(current, total ?? 0),
        id,
      };
    }
  }
}

const BAR_WIDTH = 50;

/** `[====>    ]  1.2MB/3.4MB`; only the bytes where the whole is not known. */
export function progressBar(current: number, total: number): string {
  const done = humanSize(current).padStart(8);
  if (total <= 0) return done;
  const filled = Math.min(BAR_WIDTH, Math.floor((current / total) * BAR_WIDTH));
  const bar = `[${'='.repeat(filled)}>${' '.repeat(BAR_WIDTH - filled)}] `;
  return bar + (current > total ? done : `${done}/${humanSize(total)}`);
}

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Four digits that matter, in powers of a thousand. */
function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}
