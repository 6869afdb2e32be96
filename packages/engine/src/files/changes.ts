/**
 * What a container has changed of its image: the overlay's upper folder, mounted as `/upper`, against the image's files
 * in `/lower`. How overlays tell of what is gone: a device 0/0 of the same name, and an attribute of folders that hide
 * all that was in them. Source: the kernel's filesystems/overlayfs.rst, "whiteouts and opaque directories".
 */
import { type BigIntStats, lstatSync } from 'node:fs';
import { readAttribute } from '@seaway/linux/files';
import { joinBytes } from './paths.ts';
import type { FileChange } from './protocol.ts';
import { childrenOf } from './read-tree.ts';

/** A change with what a layer needs to know of it. */
export interface TreeChange {
  readonly kind: FileChange['kind'];
  /** As the container sees it. */
  readonly path: Buffer;
  /** Of what is in the upper folder; undefined when it is deleted. */
  readonly stats?: BigIntStats;
}

/**
 * What every container finds in its root whatever its image has: mount points that the runtime makes, and the engine's
 * own mark. They count as the image's.
 */
const givenPaths: ReadonlySet<string> = new Set([
  '/.dockerenv',
  '/dev',
  '/dev/console',
  '/dev/mqueue',
  '/dev/pts',
  '/dev/shm',
  '/etc',
  '/etc/hostname',
  '/etc/hosts',
  '/etc/mtab',
  '/etc/resolv.conf',
  '/proc',
  '/sys',
]);

const upperRoot = Buffer.from('/upper');
const lowerRoot = Buffer.from('/lower');

/** All changes, folders before what is in them, in the order of their names' bytes. */
export function* treeChanges(): Generator<TreeChange> {
  yield* changesIn(Buffer.from('/'), { isAdded: false, isOpaque: false });
}

/** What holds for all that is in a folder. */
interface Surroundings {
  /** The image has no such folder. */
  readonly isAdded: boolean;
  /** Nothing of what the image has there shows through. */
  readonly isOpaque: boolean;
}

function* changesIn(folder: Buffer, around: Surroundings): Generator<TreeChange> {
  const upper = childrenOf(inTree(upperRoot, folder));
  const isOpaque = around.isOpaque || isMarkedOpaque(folder);
  const names = isOpaque && !around.isAdded ? withLower(folder, upper) : upper;
  for (const name of names) yield* changesAt(joinBytes(folder, name), { ...around, isOpaque });
}

function* changesAt(path: Buffer, around: Surroundings): Generator<TreeChange> {
  const stats = statIn(upperRoot, path);
  const before = around.isAdded ? undefined : statIn(lowerRoot, path);
  if (!stats || isWhiteout(stats)) {
    if (before) yield { kind: 'deleted', path };
    return;
  }
  const isGiven = before === undefined && givenPaths.has(path.toString('latin1'));
  const isAdded = before === undefined && !isGiven;
  const hadFolder = isGiven || (before?.isDirectory() ?? false);
  const inside = stats.isDirectory() ? changesIn(path, { ...around, isAdded: !hadFolder }) : [];
  if (isGiven || (before && isSame(path, stats, before))) {
    yield* withParent({ kind: 'modified', path, stats }, inside);
  } else {
    yield { kind: isAdded ? 'added' : 'modified', path, stats };
    yield* inside;
  }
}

/** A folder that is as it was counts as modified when something in it is. */
function* withParent(parent: TreeChange, inside: Iterable<TreeChange>): Generator<TreeChange> {
  let isTold = false;
  for (const change of inside) {
    if (!isTold) yield parent;
    isTold = true;
    yield change;
  }
}

/** Whether copying it up was all that happened; by what Docker compares. */
function isSame(path: Buffer, now: BigIntStats, before: BigIntStats): boolean {
  const sameKind = now.mode === before.mode && now.uid === before.uid && now.gid === before.gid;
  if (!sameKind || now.rdev !== before.rdev) return false;
  if (now.isDirectory()) return true;
  if (now.size !== before.size || now.mtimeNs !== before.mtimeNs) return false;
  const [own, old] = [upperRoot, lowerRoot].map((root) =>
    readAttribute(inTree(root, path), 'security.capability'),
  );
  return own === undefined || old === undefined ? own === old : own.equals(old);
}

function withLower(folder: Buffer, upper: readonly Buffer[]): Buffer[] {
  const known = new Set(upper.map((name) => name.toString('latin1')));
  const hidden = childrenOf(inTree(lowerRoot, folder)).filter((name) => !known.has(name.toString('latin1')));
  return [...upper, ...hidden].sort(Buffer.compare);
}

function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n;
}

function isMarkedOpaque(folder: Buffer): boolean {
  return readAttribute(inTree(upperRoot, folder), 'trusted.overlay.opaque')?.toString() === 'y';
}

function statIn(root: Buffer, path: Buffer): BigIntStats | undefined {
  try {
    return lstatSync(inTree(root, path), { bigint: true, throwIfNoEntry: false });
  } catch {
    // Something that is no folder stands in the way: then it is not there.
    return undefined;
  }
}

function inTree(root: Buffer, path: Buffer): Buffer {
  return Buffer.concat([root, path]);
}
