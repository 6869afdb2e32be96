/** Where the runtime has put a container's control groups, and the processes in them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Folders by controller; with control groups of version 2 the one folder under the empty name. */
export type CgroupPaths = Readonly<Record<string, string>>;

/** @param stateFolder what runc keeps of the container @throws when it keeps nothing */
export async function readCgroupPaths(stateFolder: string): Promise<CgroupPaths> {
  const state = JSON.parse(await readFile(join(stateFolder, 'state.json'), 'utf8')) as {
    readonly cgroup_paths?: CgroupPaths;
  };
  return state.cgroup_paths ?? {};
}

/** The processes in a container's control groups and those below, as this namespace numbers them. */
export async function processesIn(paths: CgroupPaths): Promise<number[]> {
  // One that all containers have: the devices controller, or the one folder of version 2.
  const folder = paths.devices ?? paths[''] ?? Object.values(paths)[0];
  return folder === undefined ? [] : processesBelow(folder);
}

async function processesBelow(folder: string): Promise<number[]> {
  const [text, entries] = await Promise.all([
    readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => ''),
    readdir(folder, { withFileTypes: true }).catch(() => []),
  ]);
  const below = await Promise.all(
    entries.filter((entry) => entry.isDirectory()).map(({ name }) => processesBelow(join(folder, name))),
  );
  return [...text.split('\n').filter(Boolean).map(Number), ...below.flat()];
}
