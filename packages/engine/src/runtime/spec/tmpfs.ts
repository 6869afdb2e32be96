/** Options of `--tmpfs`: the user's over the safe ones. Pure. Source: tmpfs(5), mount(8). */
import { invalid } from '../../base/errors.ts';

const defaults: readonly string[] = ['noexec', 'nosuid', 'nodev', 'rprivate'];

/** Options that take a value. */
const values: ReadonlySet<string> = new Set(['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol']);

/** Each with what it takes the place of: of those that exclude each other the last one holds. */
const flags: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ['ro', 'rw'],
    ['suid', 'nosuid'],
    ['dev', 'nodev'],
    ['exec', 'noexec'],
    ['sync', 'async'],
    ['dirsync'],
    ['mand', 'nomand'],
    ['atime', 'noatime'],
    ['diratime', 'nodiratime'],
    ['relatime', 'norelatime'],
    ['strictatime', 'nostrictatime'],
    ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave', 'unbindable', 'runbindable'],
    ['bind', 'rbind'],
    ['remount'],
  ].flatMap((group) => group.map((word) => [word, group[0]!])),
);

/** @param text `size=64m,exec`; empty: the defaults alone @throws invalid naming the options that are none */
export function tmpfsOptions(text: string): string[] {
  const words = text.split(',').filter((word) => word !== '' && word !== 'defaults');
  const unknown = words.filter((word) => !Object.hasOwn(flags, word) && !isValue(word));
  if (unknown.length > 0) {
    const list = unknown.map((word) => JSON.stringify(word)).join(' ');
    throw invalid('invalid-tmpfs', `invalid tmpfs option [${list}]`, { options: text });
  }
  const chosen = new Map<string, string>();
  for (const word of [...defaults, ...words]) {
    const key = flags[word] ?? word.split('=', 1)[0]!;
    // Later ones also come later in the list.
    chosen.delete(key);
    chosen.set(key, word);
  }
  return [...chosen.values()];
}

function isValue(word: string): boolean {
  const at = word.indexOf('=');
  return at > 0 && values.has(word.slice(0, at));
}
