import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, formatManifest, parseManifest } from './manifest.ts';
import { throttled } from './progress.ts';

const digest = `sha256:${'ab'.repeat(32)}`;
const descriptor = { mediaType: 'x', digest, size: 5 };
const parse = (document: unknown, type?: string) =>
  parseManifest(Buffer.from(JSON.stringify(document)), type);

test('manifests and indices of all present formats are read', () => {
  const read = { mediaType: 'x', digest, sizeBytes: 5 };
  assert.deepEqual(parse({ schemaVersion: 2, config: descriptor, layers: [descriptor] }), {
    kind: 'image',
    config: read,
    layers: [read],
  });
  const platform = { os: 'linux', architecture: 'arm', variant: 'v7', 'os.version': '1' };
  assert.deepEqual(parse({ manifests: [{ ...descriptor, platform }, descriptor] }), {
    kind: 'index',
    entries: [{ ...read, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } }, read],
  });
});

test('what is no manifest of today is refused', () => {
  const rows: [unknown, string | undefined, RegExp][] = [
    [{ schemaVersion: 1, fsLayers: [] }, undefined, /schema 1 are not supported/],
    [{ schemaVersion: 2 }, 'application/vnd.docker.distribution.manifest.v1+prettyjws', /schema 1/],
    [{ schemaVersion: 2 }, 'text/plain', /^EngineError: unsupported manifest format \(text\/plain\)$/],
    [{ schemaVersion: 2, config: descriptor }, undefined, /unsupported manifest format/],
    [[], undefined, /unsupported manifest format/],
    [{ config: { ...descriptor, digest: 'sha256:../../x' }, layers: [] }, undefined, /bad descriptor/],
    [
      { config: { ...descriptor, digest: `sha512:${'a'.repeat(128)}` }, layers: [] },
      undefined,
      /bad descriptor/,
    ],
    [{ config: descriptor, layers: [{ ...descriptor, size: -1 }] }, undefined, /bad descriptor/],
    [{ config: descriptor, layers: [{ ...descriptor, size: '5' }] }, undefined, /bad descriptor/],
    [{ config: descriptor, layers: [null] }, undefined, /bad descriptor/],
    [{ manifests: [{}] }, undefined, /bad descriptor/],
  ];
  for (const [document, type, message] of rows) assert.throws(() => parse(document, type), message);
  assert.throws(() => parseManifest(Buffer.from('no json')), /invalid manifest/);
});

test('a manifest of our own is read back', () => {
  const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, sizeBytes: 7 }];
  const bytes = formatManifest(digest, 3, layers);
  const manifest = parseManifest(bytes);
  assert.deepEqual(manifest.kind === 'image' && manifest.layers, layers);
  assert.match(digestOf(bytes), /^sha256:[0-9a-f]{64}$/);
});

test('progress is told at once at the end, and else not more often than ten times a second', () => {
  const told: number[] = [];
  const tell = throttled((current) => told.push(current), 1000);
  for (let current = 1; current <= 1000; current += 1) tell(current);
  assert.equal(told.at(-1), 1000);
  assert.ok(told.length <= 10, told.join());
});
