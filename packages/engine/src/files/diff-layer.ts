/** The changes of a container as one layer of an image. Whiteouts as in the OCI image specification, layer.md. */
import type { BigIntStats } from 'node:fs';
import { type TreeChange, treeChanges } from './changes.ts';
import { joinBytes, parentOf } from './paths.ts';
import { TreeReader } from './read-tree.ts';
import type { TarWriter } from './tar-writer.ts';

const WHITEOUT_PREFIX = Buffer.from('.wh.');

export function writeDiffLayer(tar: TarWriter): void {
  const reader = new TreeReader(tar);
  for (const change of treeChanges()) {
    if (change.kind === 'deleted') tar.add(whiteout(change));
    else addChanged(reader, change.path, change.stats!);
  }
}

function addChanged(reader: TreeReader, path: Buffer, stats: BigIntStats): void {
  // A folder that is only listed for what is in it has the image's own facts, which the upper copy has as well.
  reader.add(Buffer.concat([Buffer.from('/upper'), path]), path.subarray(1), stats);
}

function whiteout({ path }: TreeChange) {
  const parent = parentOf(path).subarray(1);
  const name = path.subarray(path.lastIndexOf('/') + 1);
  return {
    name: joinBytes(parent, Buffer.concat([WHITEOUT_PREFIX, name])),
    type: 'file' as const,
    mode: 0,
    uid: 0,
    gid: 0,
    mtimeSeconds: 0,
    sizeBytes: 0,
  };
}
