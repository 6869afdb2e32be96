/** What is at a path in the root that this process has entered. */
import { lstatSync } from 'node:fs';
import { invalid } from '../base/errors.ts';
import { absolutePath, baseName, resolveLinks } from './paths.ts';
import type { PathStat } from './protocol.ts';

/** @throws the system's errors; invalid `link-loop` when links lead nowhere */
export function statPath(path: string): PathStat {
  const wanted = absolutePath(path);
  const stats = lstatSync(wanted, { bigint: true });
  const target = stats.isSymbolicLink() ? resolveLinks(wanted) : '';
  if (target === undefined) {
    throw invalid('link-loop', `too many links: ${wanted} leads from link to link`);
  }
  return {
    name: baseName(wanted),
    sizeBytes: Number(stats.size),
    mode: Number(stats.mode),
    mtimeNs: String(stats.mtimeNs),
    linkTarget: target,
  };
}
