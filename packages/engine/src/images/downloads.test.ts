import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Readable } from 'node:stream';
import { after, beforeEach, test } from 'node:test';
import { silentLog } from '../base/log.ts';
import type { ImageRecord } from '../model/image.ts';
import { DocumentTable } from '../store/document-table.ts';
import { Downloads, type LayerReport, type LayerSource } from './downloads.ts';
import { ImageStore } from './image-store.ts';
import type { Exchange } from './registry/exchange.ts';

const folder = await mkdtemp(join(tmpdir(), 'image-downloads-test-'));
let store: ImageStore;

after(() => rm(folder, { recursive: true, force: true }));

beforeEach(async () => {
  const root = await mkdtemp(join(folder, 'root-'));
  const table = new DocumentTable<ImageRecord>(new DatabaseSync(':memory:'), 'images');
  store = await ImageStore.open({ root, table, log: silentLog });
});

/** A layer whose blob comes when it is let go. */
function layerOf(bytes: Buffer) {
  const gate = Promise.withResolvers<void>();
  let opened = 0;
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const source: LayerSource = {
    layer: { digest, sizeBytes: bytes.length, mediaType: 'application/vnd.oci.image.layer.v1.tar' },
    open: async () => {
      opened += 1;
      await gate.promise;
      return { status: 200, body: Readable.from([bytes]) } as unknown as Exchange;
    },
  };
  return { source, release: () => gate.resolve(), opened: () => opened };
}

function note(): { said: string[]; report: LayerReport } {
  const said: string[] = [];
  return { said, report: (status) => said.push(status) };
}

test('a few go on at a time, and the others say that they wait', async () => {
  const downloads = new Downloads(store, { concurrentDownloads: 2 });
  const layers = Array.from({ length: 3 }, () => layerOf(randomBytes(1000)));
  const notes = layers.map(note);
  const all = layers.map(({ source }, index) => downloads.fetch(source, notes[index]!.report));
  await new Promise(setImmediate);
  assert.deepEqual(
    notes.map(({ said }) => said),
    [[], [], ['Waiting']],
  );
  for (const layer of layers) layer.release();
  for (const [index, stored] of (await Promise.all(all)).entries()) {
    assert.equal(stored.digest, layers[index]!.source.layer.digest);
    assert.deepEqual(notes[index]!.said.slice(-3), [
      'Downloading',
      'Verifying Checksum',
      'Download complete',
    ]);
  }
});

test('one download serves all who want the layer, and goes on while one of them stays', async () => {
  const downloads = new Downloads(store);
  const layer = layerOf(randomBytes(1000));
  const controller = new AbortController();
  const leaving = downloads.fetch(layer.source, note().report, controller.signal);
  const staying = downloads.fetch(layer.source, note().report);
  controller.abort(new Error('gone'));
  await assert.rejects(leaving, /gone/);
  layer.release();
  assert.equal((await staying).unpackedBytes, 1000);
  assert.equal(layer.opened(), 1);
});

test('the last who leaves ends it, a later one begins anew, and nothing lies about', async () => {
  const downloads = new Downloads(store, { concurrentDownloads: 1 });
  const layer = layerOf(randomBytes(1000));
  const controller = new AbortController();
  const leaving = downloads.fetch(layer.source, note().report, controller.signal);
  controller.abort(new Error('gone'));
  layer.release();
  await assert.rejects(leaving, /gone/);
  assert.deepEqual(await readdir(store.files.blobs.folder), []);
  assert.equal((await downloads.fetch(layer.source, note().report)).digest, layer.source.layer.digest);
  await assert.rejects(
    downloads.fetch(layer.source, note().report, AbortSignal.abort(new Error('too late'))),
    /too late/,
  );
});
