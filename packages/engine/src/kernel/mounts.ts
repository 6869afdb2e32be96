/** Root filesystems of containers. */
import { existsSync, mkdirSync } from 'node:fs';
import { isMountPoint, type MountFlag, mount, unmount } from '@seaway/linux';

export interface OverlayRequest {
  /** Read-only layer folders, topmost first. */
  readonly lower: readonly string[];
  readonly upper: string;
  readonly work: string;
  readonly target: string;
}

/** Mounts a writable view over read-only layers, or finds it mounted. */
export function ensureOverlay({ lower, upper, work, target }: OverlayRequest): void {
  for (const folder of [upper, work, target]) mkdirSync(folder, { recursive: true, mode: 0o711 });
  if (isMountPoint(target)) return;
  const quote = (path: string) => path.replace(/[\\:,]/g, '\\$&');
  mount({
    source: 'overlay',
    target,
    type: 'overlay',
    flags: [] satisfies MountFlag[],
    data: `lowerdir=${lower.map(quote).join(':')},upperdir=${quote(upper)},workdir=${quote(work)}`,
  });
}

/** Unmounts; what still uses it keeps it alive until it is done. */
export function removeMount(target: string): void {
  if (existsSync(target)) unmount(target, { detach: true });
}
