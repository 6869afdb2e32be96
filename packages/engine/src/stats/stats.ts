/**
 * What running containers use: one look a second at each container that somebody watches, however many watch it.
 * Without watchers nothing is read.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerId } from '../base/ids.ts';
import { nowText } from '../base/time.ts';
import { type ContainerRecord, isRunning } from '../model/container.ts';
import type { CgroupPaths } from '../runtime/cgroup-paths.ts';
import { cgroupV1Files, parseCgroupV1 } from './cgroup-v1.ts';
import { cgroupV2Files, parseCgroupV2 } from './cgroup-v2.ts';
import { parseInterfaces, parseMachineStat } from './proc.ts';
import type { ContainerSample, GroupSample, InterfaceSample, MachineSample } from './sample.ts';

export interface StatsParts {
  readonly cgroupVersion: 1 | 2;
  readonly find: (id: ContainerId) => ContainerRecord | undefined;
  /** Where the container's control groups are, by controller. */
  readonly cgroupsOf: (id: ContainerId) => Promise<CgroupPaths>;
  /** Names of the interfaces that its networks gave it. */
  readonly interfacesOf: (id: ContainerId) => readonly string[];
}

const INTERVAL_MS = 1000;
/** So that between the many files of many containers others get their turn. */
const MAX_LOOKS_AT_ONCE = 4;

/** Undefined: the container does not run. */
export type Look = ContainerSample | undefined;

/** What somebody who watches has not yet taken; of looks that come too fast the older ones are dropped. */
interface Watcher {
  look(look: Look): void;
  /** The container is gone. */
  end(): void;
}

export class Stats {
  readonly #parts: StatsParts;
  readonly #watchers = new Map<ContainerId, Set<Watcher>>();
  readonly #cgroups = new Map<ContainerId, { readonly startedAt: string; readonly paths: CgroupPaths }>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(parts: StatsParts) {
    this.#parts = parts;
  }

  /** One look now. @returns undefined when the container does not run */
  async once(id: ContainerId): Promise<Look> {
    return this.#look(id, await readMachine());
  }

  /**
   * A look now, and then one a second, until the container is removed or the signal says so. Whoever takes them slowly
   * misses some.
   */
  async *watch(id: ContainerId, signal: AbortSignal): AsyncGenerator<Look, void> {
    let pending: { readonly look: Look } | undefined;
    let hasEnded = false;
    let wake: (() => void) | undefined;
    const watcher: Watcher = {
      look: (look) => {
        pending = { look };
        wake?.();
      },
      end: () => {
        hasEnded = true;
        wake?.();
      },
    };
    signal.addEventListener('abort', watcher.end);
    if (signal.aborted) hasEnded = true;
    this.#add(id, watcher);
    try {
      if (!hasEnded) yield await this.once(id);
      while (!hasEnded) {
        if (!pending) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        const next = pending as { readonly look: Look } | undefined;
        pending = undefined;
        if (next && !signal.aborted) yield next.look;
      }
    } finally {
      signal.removeEventListener('abort', watcher.end);
      this.#remove(id, watcher);
    }
  }

  /** How many containers are watched. */
  get watched(): number {
    return this.#watchers.size;
  }

  close(): void {
    for (const watchers of this.#watchers.values()) for (const watcher of watchers) watcher.end();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #add(id: ContainerId, watcher: Watcher): void {
    const watchers = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, watchers.add(watcher));
    this.#timer ??= setInterval(() => void this.#lookAtAll(), INTERVAL_MS).unref();
  }

  #remove(id: ContainerId, watcher: Watcher): void {
    const watchers = this.#watchers.get(id);
    watchers?.delete(watcher);
    if (watchers?.size === 0) {
      this.#watchers.delete(id);
      this.#cgroups.delete(id);
    }
    if (this.#watchers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #lookAtAll(): Promise<void> {
    // A machine that is too busy to look in time is not given more to do.
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const machine = await readMachine();
      const waiting = [...this.#watchers].values();
      const lookAtNext = async () => {
        for (const [id, watchers] of waiting) {
          const look = await this.#look(id, machine);
          const isGone = this.#parts.find(id) === undefined;
          for (const watcher of watchers) isGone ? watcher.end() : watcher.look(look);
        }
      };
      await Promise.all(Array.from({ length: MAX_LOOKS_AT_ONCE }, lookAtNext));
    } catch {
      // Out of descriptors, perhaps: the next look may be luckier, and nobody is told a wrong figure.
    } finally {
      this.#isLooking = false;
    }
  }

  async #look(id: ContainerId, machine: MachineSample): Promise<Look> {
    const container = this.#parts.find(id);
    if (!container || !isRunning(container)) return undefined;
    const { cgroupVersion } = this.#parts;
    const [group, interfaces] = await Promise.all([
      this.#readGroup(container),
      this.#readInterfaces(container),
    ]);
    if (!group) return undefined;
    return { ...group, readAt: nowText(), cgroupVersion, machine, ...(interfaces ? { interfaces } : {}) };
  }

  async #readGroup(container: ContainerRecord): Promise<GroupSample | undefined> {
    const paths = await this.#cgroupsOf(container);
    if (!paths) return undefined;
    if (this.#parts.cgroupVersion === 2) {
      const folder = paths[''] ?? '';
      return parseCgroupV2(await readFiles(cgroupV2Files.map((name) => [name, join(folder, name)])));
    }
    const files = cgroupV1Files.flatMap(([controller, name]): [string, string][] => {
      const folder = paths[controller];
      return folder === undefined ? [] : [[name, join(folder, name)]];
    });
    return parseCgroupV1(await readFiles(files));
  }

  /** A container has new control groups in each of its lives, under the same paths; they are asked for once. */
  async #cgroupsOf({ id, state }: ContainerRecord): Promise<CgroupPaths | undefined> {
    const known = this.#cgroups.get(id);
    if (known?.startedAt === state.startedAt) return known.paths;
    const paths = await this.#parts.cgroupsOf(id).catch(() => undefined);
    if (paths && this.#watchers.has(id)) this.#cgroups.set(id, { startedAt: state.startedAt, paths });
    return paths;
  }

  /** The counters are those of the namespace that the container's first process is in. */
  async #readInterfaces({ id, host, state }: ContainerRecord) {
    if (host.networkMode.kind !== 'network') return undefined;
    const text = await readFile(`/proc/${state.pid}/net/dev`, 'utf8').catch(() => '');
    const all = parseInterfaces(text);
    const own = this.#parts
      .interfacesOf(id)
      .flatMap((name): [string, InterfaceSample][] => (all.has(name) ? [[name, all.get(name)!]] : []));
    return own.length > 0 ? Object.fromEntries(own) : undefined;
  }
}

async function readMachine(): Promise<MachineSample> {
  return parseMachineStat(await readFile('/proc/stat', 'utf8'));
}

/** A file that is not there is left out: not every kernel has every one, and a container may end at any moment. */
async function readFiles(
  files: readonly (readonly [name: string, path: string])[],
): Promise<Record<string, string>> {
  const read = await Promise.all(
    files.map(async ([name, path]): Promise<[string, string][]> => {
      const text = await readFile(path, 'utf8').catch(() => undefined);
      return text === undefined ? [] : [[name, text]];
    }),
  );
  return Object.fromEntries(read.flat());
}
