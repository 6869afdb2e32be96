/**
 * The helper's process: reads one task from descriptor 3, makes a container's files its root, does the work and ends.
 * It is started in a mount namespace of its own (see helper.ts) for each piece of work, and whatever it needs is loaded
 * before it enters: from then on no file of the host is in its reach, and no program of the container's is ever run.
 * It works with blocking calls alone: nobody else waits for it.
 */
import { closeSync, fstatSync, lstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  attachTree,
  type DetachedTree,
  detachTree,
  enterRoot,
  isErrno,
  keepFileCapabilities,
  makeReadonly,
  mountEmpty,
} from '@seaway/linux/files';
import { invalid } from '../base/errors.ts';
import { treeChanges } from './changes.ts';
import { writeDiffLayer } from './diff-layer.ts';
import { describe } from './failure.ts';
import { absolutePath } from './paths.ts';
import type { Answer, FileChange, Task, TaskMount } from './protocol.ts';
import { TreeReader } from './read-tree.ts';
import { statPath } from './stat-path.ts';
import { TarWriter } from './tar-writer.ts';

type Unpacker = typeof import('./unpack.ts');

const STDIN = 0;
const STDOUT = 1;
const TALK = 3;

try {
  process.umask(0);
  const task = readTask();
  // A good part of the program, which most pieces of work can do without.
  const unpacker = task.work.kind === 'write' ? await import('./unpack.ts') : undefined;
  enter(task);
  const changes = await perform(task, unpacker);
  tell({ kind: 'done', ...(changes ? { changes } : {}) });
} catch (error) {
  tell({ kind: 'failed', failure: describe(error) });
  process.exitCode = 1;
}

function readTask(): Task {
  const chunks: Buffer[] = [];
  const buffer = Buffer.alloc(64 * 1024);
  while (chunks.at(-1)?.at(-1) !== 0x0a) {
    const length = readSync(TALK, buffer);
    if (length === 0) throw new Error('the task ended early');
    chunks.push(Buffer.from(buffer.subarray(0, length)));
  }
  return JSON.parse(Buffer.concat(chunks).toString()) as Task;
}

function tell(answer: Answer): void {
  const line = Buffer.from(`${JSON.stringify(answer)}\n`);
  try {
    for (let at = 0; at < line.length; ) at += writeSync(TALK, line, at);
  } catch (error) {
    // Who asked is gone.
    if (!isErrno(error, 'EPIPE', 'ECONNRESET')) throw error;
  }
}

/** What is mounted is opened while the host's paths still mean something, and placed when only the container's do. */
function enter(task: Task): void {
  const trees = task.mounts.flatMap((mount) => open(mount));
  if (task.isEmpty) mountEmpty(task.root);
  enterRoot(task.root);
  for (const { mount, tree } of trees) {
    makePlace(mount.target, mount.isFile);
    attachTree(tree, mount.target);
  }
  if (task.isReadonly) makeReadonly('/');
  keepFileCapabilities();
}

interface OpenedMount {
  readonly mount: TaskMount & { readonly isFile: boolean };
  readonly tree: DetachedTree;
}

function open(mount: TaskMount): OpenedMount[] {
  try {
    const tree = detachTree(mount.source, mount);
    const isFile = !fstatSync(tree.fd).isDirectory();
    return [{ mount: { ...mount, isFile }, tree }];
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** As the runtime makes what a mount needs at its start. */
function makePlace(target: string, isFile: boolean): void {
  if (lstatSync(target, { throwIfNoEntry: false })) return;
  mkdirSync(isFile ? dirname(target) : target, { recursive: true, mode: 0o755 });
  if (isFile) closeSync(openSync(target, 'a', 0o755));
}

/** The kernel would refuse it as well, in words that nobody knows from Docker. */
function checkWritable(folder: string, { isReadonly, mounts }: Task): void {
  const [mount] = mounts
    .filter(({ target }) => folder === target || folder.startsWith(`${target}/`))
    .sort((a, b) => b.target.length - a.target.length);
  if (mount?.readonly) throw invalid('mount-readonly', 'mounted volume is marked read-only');
  if (!mount && isReadonly) {
    throw invalid('rootfs-readonly', 'container rootfs is marked read-only');
  }
}

async function perform(task: Task, unpacker: Unpacker | undefined): Promise<FileChange[] | undefined> {
  const { work } = task;
  switch (work.kind) {
    case 'stat':
      tell({ kind: 'begun', stat: statPath(work.path) });
      return undefined;
    case 'read': {
      const stat = statPath(work.path);
      tell({ kind: 'begun', stat });
      archive((tar) => {
        // The root has no name: what is in it begins with a slash then.
        const name = stat.name === '/' ? '/' : stat.name;
        new TreeReader(tar).addTree(Buffer.from(absolutePath(work.path)), Buffer.from(name));
      });
      return undefined;
    }
    case 'export':
      tell({ kind: 'begun' });
      archive((tar) => new TreeReader(tar).addTree(Buffer.from('/'), Buffer.alloc(0)));
      return undefined;
    case 'write':
      await unpacker!.unpack(work.path, STDIN, work, (folder) => {
        checkWritable(folder, task);
        tell({ kind: 'begun' });
      });
      return undefined;
    case 'changes':
      tell({ kind: 'begun' });
      return [...treeChanges()].map(({ path, kind }) => ({ path: path.toString(), kind }));
    case 'diff':
      tell({ kind: 'begun' });
      archive(writeDiffLayer);
      return undefined;
  }
}

function archive(fill: (tar: TarWriter) => void): void {
  const tar = new TarWriter(STDOUT);
  fill(tar);
  tar.end();
}
