/** Starts the package's worker threads, as small as Node makes them. */
import module from 'node:module';
import { Worker } from 'node:worker_threads';

export interface WorkerSettings {
  /** Shown by debuggers. */
  readonly name: string;
  /** The module beside `ourUrl` that runs on the thread, without its extension. */
  readonly entry: string;
  readonly ourUrl: string;
  readonly workerData: unknown;
}

/**
 * Starts a thread. Call `unref()` after adding listeners: adding one for messages makes Node hold the process again.
 * Where the process has a compile cache (`module.enableCompileCache()`), so has the thread, which saves it from
 * loading the TypeScript stripper: 10 MB and 30 ms. A thread then takes about 9 MB, of which 6 are Node's floor.
 */
export function startWorker({ name, entry, ourUrl, workerData }: WorkerSettings): Worker {
  return new Worker(bootstrap(siblingModule(entry, ourUrl), module.getCompileCacheDir()), {
    eval: true,
    name,
    workerData,
    // System calls need little heap; a small young generation is collected before it takes memory from the system.
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 128 },
  });
}

/** A worker has a compile cache only if it turns it on itself, before it imports anything. */
function bootstrap(entry: URL, cacheFolder: string | undefined): string {
  const load = `import(${JSON.stringify(entry.href)});`;
  if (cacheFolder === undefined) return load;
  return `require('node:module').enableCompileCache(${JSON.stringify(cacheFolder)}); ${load}`;
}

/** The URL of a module beside ours, under the extension that we ourselves have: `.ts` as written, `.js` as published. */
function siblingModule(name: string, ourUrl: string): URL {
  return new URL(`./${name}${ourUrl.endsWith('.ts') ? '.ts' : '.js'}`, ourUrl);
}
