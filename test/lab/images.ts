/** What the stories of images have in common. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { encodeDockerArchive } from './docker-archive.ts';
import type { Lab } from './lab.ts';
import { busyboxRootfs } from './rootfs.ts';
import { encodeTar } from './tar.ts';

/** The parts of an inspected image that stories look at. */
export interface InspectedImage {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Architecture: string;
  readonly Comment: string;
  readonly Size: number;
  readonly RootFS: { readonly Layers: readonly string[] };
}

export async function inspectImage(lab: Lab, reference: string): Promise<InspectedImage> {
  const { json, status, text } = await lab.api<InspectedImage>('GET', `/images/${reference}/json`);
  assert.equal(status, 200, text);
  return json;
}

/** An image of two layers, the upper one its own, and half a megabyte that does not compress. */
export async function loadTwoLayers(lab: Lab, name: string, seed: string): Promise<void> {
  const upper = encodeTar([
    { kind: 'file', path: 'www/seed', data: Buffer.from(seed) },
    { kind: 'file', path: 'www/noise', data: randomBytes(512 * 1024) },
  ]);
  await lab.docker('load', { input: encodeDockerArchive(name, [busyboxRootfs(), upper]) });
}

/** Runs a docker command that is to fail with code 1. */
export async function fails(lab: Lab, command: string, message: RegExp): Promise<void> {
  const { code, stderr } = await lab.docker(command, { allowFailure: true });
  assert.match(stderr, message);
  assert.equal(code, 1);
}

/** The messages of an answer of one JSON object a line. */
export async function progressOf(lab: Lab, path: string): Promise<Record<string, unknown>[]> {
  const { text, status } = await lab.api('POST', path);
  assert.equal(status, 200, text);
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** Sends a request and goes away when told; `started` is over when the first bytes of the answer are here. */
export function leaveWhenTold(
  lab: Lab,
  path: string,
  method = 'POST',
): { started: Promise<void>; leave: () => void } {
  const started = Promise.withResolvers<void>();
  const sent = request({ socketPath: lab.engine.socket, method, path, agent: false }, (response) => {
    response.once('data', () => {
      response.pause();
      started.resolve();
    });
    response.on('error', () => {});
  });
  sent.on('error', started.reject);
  sent.end();
  return { started: started.promise, leave: () => sent.destroy() };
}
