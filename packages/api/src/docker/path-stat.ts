/** What is at a path in a container, as Docker's clients see it. */
import type { FileChange, PathStat } from '@seaway/engine';

/** Bits of st_mode; inode(7). */
const S_IFMT = 0o170000;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_ISVTX = 0o1000;

/** Bits of Go's fs.FileMode, by st_mode's file type; see its documentation. */
const goTypes: ReadonlyMap<number, number> = new Map([
  [0o040000, 2 ** 31], // directory
  [0o120000, 2 ** 27], // symbolic link
  [0o060000, 2 ** 26], // block device
  [0o010000, 2 ** 25], // named pipe
  [0o140000, 2 ** 24], // socket
  [0o020000, 2 ** 26 + 2 ** 21], // character device
]);
const GO_SETUID = 2 ** 23;
const GO_SETGID = 2 ** 22;
const GO_STICKY = 2 ** 20;

export function toGoMode(mode: number): number {
  return (
    (mode & 0o777) +
    (goTypes.get(mode & S_IFMT) ?? 0) +
    (mode & S_ISUID ? GO_SETUID : 0) +
    (mode & S_ISGID ? GO_SETGID : 0) +
    (mode & S_ISVTX ? GO_STICKY : 0)
  );
}

/** The value of the header X-Docker-Container-Path-Stat. */
export function toDockerPathStat(stat: PathStat): string {
  const { name, sizeBytes, mode, mtimeNs, linkTarget } = stat;
  const json = { name, size: sizeBytes, mode: toGoMode(mode), mtime: toTime(mtimeNs), linkTarget };
  return Buffer.from(JSON.stringify(json)).toString('base64');
}

/** RFC 3339 with as many digits as it takes, as Go writes it. */
function toTime(ns: string): string {
  const total = BigInt(ns);
  const fraction = ((total % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = new Date(Number((total - fraction) / 1_000_000n)).toISOString().slice(0, 19);
  const digits = String(fraction).padStart(9, '0').replace(/0+$/, '');
  return `${seconds}${digits === '' ? '' : `.${digits}`}Z`;
}

const changeKinds = { modified: 0, added: 1, deleted: 2 } as const;

/** Nothing changed is `null`. */
export function toDockerChanges(changes: readonly FileChange[]) {
  if (changes.length === 0) return null;
  return changes.map(({ path, kind }) => ({ Path: path, Kind: changeKinds[kind] }));
}
