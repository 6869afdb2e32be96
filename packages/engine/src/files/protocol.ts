/**
 * What the daemon and the helper that looks into containers say to each other: one line of JSON with the task, at most
 * two lines of answers, all on descriptor 3. Archives go over standard input and output.
 */

/** A folder or file of the host that the task sees as a mount. */
export interface TaskMount {
  readonly source: string;
  /** Absolute, as the container sees it. */
  readonly target: string;
  readonly readonly: boolean;
}

export interface Task {
  /** A mount point that becomes the root. With `isEmpty`, a folder on which an empty root is mounted first. */
  readonly root: string;
  readonly isEmpty?: boolean;
  readonly isReadonly?: boolean;
  /** Mounted below the root in this order; those whose source does not exist are left out. */
  readonly mounts: readonly TaskMount[];
  readonly work: Work;
}

export type Work =
  /** Tells what is at a path. */
  | { readonly kind: 'stat'; readonly path: string }
  /** The same, and an archive of it on standard output. */
  | { readonly kind: 'read'; readonly path: string }
  /** An archive of the whole root on standard output. */
  | { readonly kind: 'export' }
  /** Unpacks the archive on standard input into a folder. */
  | ({ readonly kind: 'write'; readonly path: string } & UnpackOptions)
  /** What differs between `/lower` and the overlay's upper folder `/upper`: as a list, or as a layer on standard output. */
  | { readonly kind: 'changes' }
  | { readonly kind: 'diff' };

export interface UnpackOptions {
  /** Whether a folder is replaced by no file, and no file by a folder. */
  readonly noOverwriteDirNonDir: boolean;
  /** Whose everything is to be, as `user[:group]` in the container's own words. @default as in the archive */
  readonly user?: string;
}

/** What is at a path, links not followed. */
export interface PathStat {
  readonly name: string;
  readonly sizeBytes: number;
  /** st_mode of inode(7): type and permissions. */
  readonly mode: number;
  /** Nanoseconds since the epoch, as digits. */
  readonly mtimeNs: string;
  /** Where a symbolic link leads in the end, absolute; else empty. */
  readonly linkTarget: string;
}

export type ChangeKind = 'modified' | 'added' | 'deleted';

export interface FileChange {
  readonly path: string;
  readonly kind: ChangeKind;
}

/** What went wrong: the system's word for it (`ENOENT`), or one of ours in kebab case. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

export type Answer =
  /** The work has begun: what it is about is found. */
  | { readonly kind: 'begun'; readonly stat?: PathStat }
  | { readonly kind: 'done'; readonly changes?: readonly FileChange[] }
  | { readonly kind: 'failed'; readonly failure: Failure };
