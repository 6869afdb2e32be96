/**
 * Everything of a lab that an engine could forget to clean up, as lists of lines that can be compared.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabEngine } from './engine.ts';
import { apiRequest } from './http.ts';
import type { Lab } from './lab.ts';

/** Section name to its lines; equal things give equal lines on every run. */
export type Inventory = Readonly<Record<string, readonly string[]>>;

/** Lists links, addresses, routes, rules, namespaces, mounts, processes, control groups, files and records. */
export async function takeInventory(lab: Lab, engine?: LabEngine): Promise<Inventory> {
  const [kernel, records] = await Promise.all([kernelSections(lab), engine ? recordSections(engine) : {}]);
  // After the commands above have ended, so that they are not among the processes.
  return {
    ...kernel,
    ...records,
    mounts: mounts(lab),
    processes: processes(lab).map((process) => process.command),
    namespaces: namespaces(lab),
    cgroups: cgroups(lab.id),
    // Debian's dockerd keeps files of removed containers for later; only ours is held to the files.
    ...(engine?.kind === 'seaway' && {
      data: filesBelow(lab.pathInside(engine.dataRoot)),
      exec: filesBelow(lab.pathInside(engine.execRoot)),
    }),
  };
}

/**
 * Fails with a readable difference unless the lab is as it was. The kernel removes network devices and mounts in the
 * background, so a difference counts only when it stays.
 */
export async function expectSameInventory(
  lab: Lab,
  before: Inventory,
  engine?: LabEngine,
  settleMs = 8000,
): Promise<void> {
  const deadline = performance.now() + settleMs;
  for (;;) {
    const difference = inventoryDifference(before, await takeInventory(lab, engine));
    if (difference.length === 0) return;
    if (performance.now() > deadline) assert.fail(`left behind or lost:\n${difference.join('\n')}`);
    await sleep(50);
  }
}

/** How a process is listed that has ended and that nobody has waited for. */
const ended = /^\[\d+ has ended\]$/;

/** Lines of `after` that `before` lacks with `+`, the opposite with `-`; equal lines are counted, order is not. */
export function inventoryDifference(before: Inventory, after: Inventory): string[] {
  const sections = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return sections.flatMap((section) => {
    const added = subtract(after[section] ?? [], before[section] ?? []);
    // That one which had ended before is cleared away by now is no loss; that one is left would be.
    const lost = subtract(before[section] ?? [], after[section] ?? []).filter((line) => !ended.test(line));
    return [
      ...added.map((line) => `  ${section}: + ${line}`),
      ...lost.map((line) => `  ${section}: - ${line}`),
    ];
  });
}

function subtract(from: readonly string[], what: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of what) counts.set(line, (counts.get(line) ?? 0) + 1);
  return from.filter((line) => {
    const left = counts.get(line) ?? 0;
    counts.set(line, left - 1);
    return left <= 0;
  });
}

interface IpLink {
  readonly ifname: string;
  readonly master?: string;
  readonly addr_info: readonly {
    readonly local: string;
    readonly prefixlen: number;
    readonly scope: string;
  }[];
}

async function kernelSections(lab: Lab): Promise<Record<string, string[]>> {
  const separator = '-----';
  const script = ['ip -json address', 'ip route', 'ip -6 route', 'nft --stateless list ruleset'].join(
    `; echo ${separator}; `,
  );
  const { stdout } = await lab.run(['sh', '-c', script]);
  const [addressJson = '[]', routes = '', routes6 = '', rules = ''] = stdout.split(`${separator}\n`);
  const links = JSON.parse(addressJson) as IpLink[];
  return {
    links: links.map((link) => (link.master ? `${link.ifname} on ${link.master}` : link.ifname)),
    // Link-local addresses come and go with the carrier.
    addresses: links.flatMap((link) =>
      link.addr_info
        .filter((address) => address.scope !== 'link')
        .map((address) => `${address.local}/${address.prefixlen} on ${link.ifname}`),
    ),
    routes: lines(routes + routes6)
      .filter((route) => !route.startsWith('fe80:'))
      .map((route) => route.replace(/ linkdown| metric \d+| pref \w+/g, '').trim()),
    rules: lines(rules).map((rule) => rule.trim()),
  };
}

interface ContainerRecord {
  readonly Id: string;
  readonly Names: readonly string[];
}
interface ImageRecord {
  readonly Id: string;
  readonly RepoTags: readonly string[] | null;
}
interface NetworkRecord {
  readonly Name: string;
  readonly Containers?: Record<string, { readonly Name: string; readonly IPv4Address: string }>;
}

async function recordSections(engine: LabEngine): Promise<Record<string, string[]>> {
  const get = async <T>(path: string): Promise<T> =>
    (await apiRequest<T>(engine.socket, 'GET', `/v1.41${path}`)).json;
  const [containers, images, networks] = await Promise.all([
    get<ContainerRecord[]>('/containers/json?all=1'),
    get<ImageRecord[]>('/images/json'),
    get<NetworkRecord[]>('/networks'),
  ]);
  const details = await Promise.all(
    networks.map((network) => get<NetworkRecord>(`/networks/${network.Name}`)),
  );
  return {
    containers: containers.map((container) => `${container.Names.join(',')} ${container.Id}`),
    images: images.map((image) => `${(image.RepoTags ?? []).join(',')} ${image.Id}`),
    networks: networks.map((network) => network.Name),
    endpoints: details.flatMap((network) =>
      Object.values(network.Containers ?? {}).map(
        (endpoint) => `${endpoint.Name} ${endpoint.IPv4Address} on ${network.Name}`,
      ),
    ),
  };
}

/** Every mount of the lab's own mount namespace (proc_pid_mountinfo(5)): type and place. */
function mounts(lab: Lab): string[] {
  return lines(readFileSync(`/proc/${lab.holderPid}/mountinfo`, 'utf8')).map((line) => {
    const [left = '', right = ''] = line.split(' - ');
    return `${right.split(' ')[0]} ${left.split(' ')[4]}`;
  });
}

/** A process of the lab; its id is the one inside the lab. */
export interface LabProcess {
  readonly pid: number;
  readonly command: string;
}

/** All processes of the lab, PID 1 included, oldest id first. */
export function processes(lab: Lab): LabProcess[] {
  const proc = lab.pathInside('/proc');
  return readdirSync(proc)
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const command = readFileSync(join(proc, name, 'cmdline'), 'utf8')
          .replaceAll('\0', ' ')
          .trim();
        return [{ pid: Number(name), command: command || `[${name} has ended]` }];
      } catch {
        return []; // ended meanwhile
      }
    });
}

/** Namespaces that some process of the lab is in. */
function namespaces(lab: Lab): string[] {
  const proc = lab.pathInside('/proc');
  const found = new Set<string>();
  for (const { pid } of processes(lab)) {
    for (const kind of ['net', 'mnt', 'uts', 'ipc', 'pid']) {
      try {
        found.add(readlinkSync(join(proc, String(pid), 'ns', kind)));
      } catch {
        // ended meanwhile
      }
    }
  }
  return [...found];
}

/** Control groups below the lab's own, in every hierarchy (cgroups(7): one tree, or one per version 1 controller). */
function cgroups(id: string): string[] {
  const root = '/sys/fs/cgroup';
  const trees = [root, ...directoriesIn(root).map((name) => join(root, name))].map((tree) => join(tree, id));
  const below = (folder: string): string[] =>
    directoriesIn(folder).flatMap((name) => [join(folder, name), ...below(join(folder, name))]);
  return [...new Set(trees.flatMap(below))];
}

function directoriesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

function filesBelow(folder: string, prefix = ''): string[] {
  try {
    return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
      const path = join(prefix, entry.name);
      return entry.isDirectory() ? [`${path}/`, ...filesBelow(folder, path)] : [path];
    });
  } catch {
    return [];
  }
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}
