/**
 * Tells whether the kernel still holds what was put there, without comparing every word: how many rules each chain has,
 * and how many elements each set. Pure.
 */
import type { NftCommand, NftObject } from '@seaway/linux/nftables-json';

/** Number of rules by chain and of elements by set; those that are empty are left out. */
export type Fingerprint = Readonly<Record<string, number>>;

/** Of what commands put in place. */
export function fingerprintOfCommands(commands: readonly NftCommand[]): Fingerprint {
  return count(commands.flatMap((command): NftObject[] => ('add' in command ? [command.add] : [])));
}

/** Of what the kernel lists. */
export function fingerprintOfObjects(objects: readonly NftObject[]): Fingerprint {
  return count(objects);
}

export function isSameFingerprint(a: Fingerprint, b: Fingerprint): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => a[name] === b[name]);
}

interface Part {
  readonly family: string;
  readonly chain?: string;
  readonly name?: string;
  readonly elem?: readonly unknown[];
}

function count(objects: readonly NftObject[]): Fingerprint {
  const counts: Record<string, number> = {};
  for (const object of objects) {
    for (const [kind, part] of Object.entries(object) as [string, Part][]) {
      const isRule = kind === 'rule';
      const amount = isRule ? 1 : (part.elem?.length ?? 0);
      if (amount === 0) continue;
      const name = `${part.family} ${isRule ? `chain ${part.chain}` : `set ${part.name}`}`;
      counts[name] = (counts[name] ?? 0) + amount;
    }
  }
  return counts;
}
