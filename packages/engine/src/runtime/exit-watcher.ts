import { type FSWatcher, watch } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { ContainerId } from '../base/ids.ts';

/** Watches the folder where conmon writes down how containers ended (inotify; no polling). */
export class ExitWatcher {
  readonly #watcher: FSWatcher;

  /** @param onExit called with the container's id, perhaps more than once for one exit */
  constructor(folder: string, onExit: (id: ContainerId) => void) {
    // conmon writes a temporary file, `<id>.XXXXXX`, and renames it: only whole ids are news.
    this.#watcher = watch(folder, (_event, name) => {
      if (name && isId(name)) onExit(name as ContainerId);
    });
  }

  close(): void {
    this.#watcher.close();
  }

  /** Ids of the containers whose end is written down already. */
  static async scan(folder: string): Promise<ContainerId[]> {
    return (await readdir(folder)).filter(isId) as ContainerId[];
  }
}

function isId(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}
