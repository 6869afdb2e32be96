/** All client commands. Each is loaded only when it is asked for. */
import type { CommandSpec } from './spec.ts';

export interface CommandEntry {
  readonly summary: string;
  load(): Promise<{ readonly spec: CommandSpec<never> }>;
}

/** Commands by full name, in the order help lists them. */
export const commandTable: Readonly<Record<string, CommandEntry>> = {
  run: { summary: 'Create a container and start it', load: () => import('./run.ts') },
  create: { summary: 'Create a container without starting it', load: () => import('./create.ts') },
  start: { summary: 'Start containers that exist', load: () => import('./start.ts') },
  exec: { summary: 'Run a command in a running container', load: () => import('./exec.ts') },
  ps: { summary: 'List containers', load: () => import('./ps.ts') },
  port: { summary: "Show where the host answers for a container's ports", load: () => import('./port.ts') },
  logs: { summary: 'Show what a container has written', load: () => import('./logs.ts') },
  wait: { summary: 'Wait until containers end', load: () => import('./wait.ts') },
  stop: { summary: 'Stop running containers', load: () => import('./stop.ts') },
  kill: { summary: 'Send a signal to running containers', load: () => import('./kill.ts') },
  rm: { summary: 'Remove containers', load: () => import('./rm.ts') },
  rename: { summary: 'Rename a container', load: () => import('./rename.ts') },
  inspect: { summary: 'Show everything about an object', load: () => import('./inspect.ts') },
  images: { summary: 'List images', load: () => import('./images.ts') },
  pull: { summary: 'Bring an image from a registry', load: () => import('./pull.ts') },
  push: { summary: 'Bring an image to a registry', load: () => import('./push.ts') },
  import: { summary: 'Make an image of a file system archive', load: () => import('./import.ts') },
  load: { summary: 'Load images from an archive', load: () => import('./load.ts') },
  save: { summary: 'Write images into an archive', load: () => import('./save.ts') },
  tag: { summary: 'Give an image another name', load: () => import('./tag.ts') },
  rmi: { summary: 'Remove images', load: () => import('./rmi.ts') },
  'network create': { summary: 'Make a network', load: () => import('./network-create.ts') },
  'network connect': {
    summary: 'Bring a container to a network',
    load: () => import('./network-connect.ts'),
  },
  'network disconnect': {
    summary: 'Take a container off a network',
    load: () => import('./network-disconnect.ts'),
  },
  'network ls': { summary: 'List networks', load: () => import('./network-ls.ts') },
  'network inspect': {
    summary: 'Show everything about networks',
    load: () => import('./network-inspect.ts'),
  },
  'network rm': { summary: 'Remove networks', load: () => import('./network-rm.ts') },
  'network prune': {
    summary: 'Remove all networks that are not in use',
    load: () => import('./network-prune.ts'),
  },
  'firewall show': {
    summary: 'Show what the firewall is for, its live rules, and whether both agree',
    load: () => import('./firewall-show.ts'),
  },
  'volume create': { summary: 'Make a volume', load: () => import('./volume-create.ts') },
  'volume ls': { summary: 'List volumes', load: () => import('./volume-ls.ts') },
  'volume inspect': {
    summary: 'Show everything about volumes',
    load: () => import('./volume-inspect.ts'),
  },
  'volume rm': { summary: 'Remove volumes with what is in them', load: () => import('./volume-rm.ts') },
  'volume prune': {
    summary: 'Remove volumes without a name that no container has',
    load: () => import('./volume-prune.ts'),
  },
  version: { summary: 'Show versions', load: () => import('./version.ts') },
  info: { summary: 'Show the daemon and its machine', load: () => import('./info.ts') },
};

/** Finds the command at the start of `words`, and what follows it. */
export function findCommand(words: readonly string[]): { entry: CommandEntry; rest: string[] } | undefined {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ');
    if (words.length >= length && Object.hasOwn(commandTable, name)) {
      return { entry: commandTable[name]!, rest: words.slice(length) };
    }
  }
  return undefined;
}

/** The names and summaries of all commands, or of those that begin with the word `group`, for help. */
export function listCommands(group?: string): (readonly [name: string, summary: string])[] {
  return Object.entries(commandTable)
    .filter(([name]) => group === undefined || name.startsWith(`${group} `))
    .map(([name, { summary }]) => [name, summary] as const);
}
