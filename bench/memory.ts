/**
 * Memory of all processes of a lab, without counting a page twice.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { processes } from '../test/lab/inventory.ts';
import type { Lab } from '../test/lab/lab.ts';

export interface ProcessMemory {
  readonly command: string;
  readonly pssBytes: number;
}

/** The proportional set size of each process of a lab but its holder (proc_pid_smaps(5)). */
export function labMemory(lab: Lab): ProcessMemory[] {
  return processes(lab)
    .filter(({ pid }) => pid !== 1)
    .map(({ pid, command }) => ({
      command,
      pssBytes: rollup(join(lab.pathInside('/proc'), String(pid), 'smaps_rollup')).Pss ?? 0,
    }));
}

/**
 * Upper bound of what this process takes off the lab's share: it runs on the same Node as our daemon, and pages of files
 * that both map are split between them, which would flatter the daemon.
 */
export function sharedWithUs(): number {
  const own = rollup('/proc/self/smaps_rollup');
  return Math.max(0, (own.Pss_File ?? 0) - (own.Private_Clean ?? 0));
}

function rollup(path: string): Record<string, number> {
  const fields = readFileSync(path, 'utf8').matchAll(/^(\w+):\s+(\d+) kB$/gm);
  return Object.fromEntries([...fields].map(([, name = '', kilobytes]) => [name, Number(kilobytes) * 1024]));
}
