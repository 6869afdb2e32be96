/**
 * What an unpacked `docker load` archive contains: `docker save`'s own layout (manifest.json), or an OCI image
 * layout (index.json). Every path comes from outside and is kept inside the folder.
 */
import { lstat, readFile, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { invalid } from '../base/errors.ts';
import { asObject, parseJson, strings, text } from './image-config.ts';
import type { Platform } from './manifest.ts';
import { normaliseReference } from './reference.ts';

/** One image of the archive. */
export interface ArchivedImage {
  readonly configPath: string;
  /** Layer files, lowest first, compressed or not. */
  readonly layerPaths: readonly string[];
  /** Normalised names. */
  readonly names: readonly string[];
}

/** Far more than any real manifest or configuration; a bound on what a sender can make us hold. */
const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;
/** An index of an index is common, anything deeper a mistake or an attack. */
const MAX_INDEX_DEPTH = 4;

/** Lists the images. Throws `invalid` when it is neither layout, or refers to what is not in the archive. */
export async function readLoadArchive(folder: string, platform: Platform): Promise<ArchivedImage[]> {
  const root = await realpath(folder);
  const manifest = await readDocumentIfExists(root, 'manifest.json');
  if (manifest) return readDockerManifest(root, manifest);
  const index = await readDocumentIfExists(root, 'index.json');
  if (index) return readIndex({ root, platform, depth: 0 }, asObject(index), []);
  throw invalid('invalid-load-archive', 'invalid archive: it has neither manifest.json nor index.json');
}

/** Reads a configuration or manifest that belongs to the archive. */
export async function readDocumentBytes(path: string): Promise<Buffer> {
  const { size } = await lstat(path);
  if (size > MAX_DOCUMENT_BYTES)
    throw invalid('invalid-load-archive', 'invalid archive: a document is too large');
  return readFile(path);
}

async function readDockerManifest(root: string, manifest: unknown): Promise<ArchivedImage[]> {
  if (!Array.isArray(manifest)) throw invalid('invalid-load-archive', 'invalid manifest.json: not a list');
  return Promise.all(
    manifest.map(asObject).map(async (entry) => ({
      configPath: await resolveInside(root, text(entry.Config)),
      layerPaths: await Promise.all((strings(entry.Layers) ?? []).map((path) => resolveInside(root, path))),
      names: (strings(entry.RepoTags) ?? []).map(normaliseReference),
    })),
  );
}

interface IndexContext {
  readonly root: string;
  readonly platform: Platform;
  readonly depth: number;
}

async function readIndex(
  context: IndexContext,
  index: Record<string, unknown>,
  inherited: readonly string[],
): Promise<ArchivedImage[]> {
  if (context.depth > MAX_INDEX_DEPTH) {
    throw invalid('invalid-load-archive', 'invalid index.json: nested too deeply');
  }
  const all = (Array.isArray(index.manifests) ? index.manifests.map(asObject) : []).filter(isImage);
  // Within a nested index the entries are the same image for different platforms; at the top they are images.
  const chosen = context.depth === 0 ? all : choosePlatform(all, context.platform);
  const images = await Promise.all(
    chosen.map(async (descriptor) => {
      const path = await resolveInside(context.root, blobPath(descriptor));
      const document = asObject(parseJson(await readDocumentBytes(path), 'image manifest'));
      const names = namesOf(descriptor, inherited);
      return 'manifests' in document
        ? readIndex({ ...context, depth: context.depth + 1 }, document, names)
        : [await readManifest(context.root, document, names)];
    }),
  );
  return images.flat();
}

async function readManifest(
  root: string,
  manifest: Record<string, unknown>,
  names: readonly string[],
): Promise<ArchivedImage> {
  const layers = Array.isArray(manifest.layers) ? manifest.layers.map(asObject) : [];
  return {
    configPath: await resolveInside(root, blobPath(asObject(manifest.config))),
    layerPaths: await Promise.all(layers.map((layer) => resolveInside(root, blobPath(layer)))),
    names,
  };
}

/** Builders put statements about an image beside it, which are in the form of one. Source: BuildKit, attestation storage. */
function isImage(descriptor: Record<string, unknown>): boolean {
  return asObject(descriptor.annotations)['vnd.docker.reference.type'] !== 'attestation-manifest';
}

function choosePlatform(
  descriptors: readonly Record<string, unknown>[],
  wanted: Platform,
): Record<string, unknown>[] {
  const isWanted = (descriptor: Record<string, unknown>): boolean => {
    const platform = asObject(descriptor.platform);
    return platform.os === wanted.os && platform.architecture === wanted.architecture;
  };
  const match = descriptors.find(isWanted) ?? (descriptors.length === 1 ? descriptors[0] : undefined);
  if (match) return [match];
  throw invalid('image-platform-missing', `the archive has no image for ${wanted.os}/${wanted.architecture}`);
}

/** containerd writes the full name; others write a name or just a tag, which alone names nothing. */
function namesOf(descriptor: Record<string, unknown>, inherited: readonly string[]): readonly string[] {
  const annotations = asObject(descriptor.annotations);
  const full = text(annotations['io.containerd.image.name']);
  const name = text(annotations['org.opencontainers.image.ref.name']);
  if (full !== '') return [normaliseReference(full)];
  return /[:/]/.test(name) ? [normaliseReference(name)] : inherited;
}

function blobPath(descriptor: Record<string, unknown>): string {
  const [, algorithm, hex] = /^(sha256|sha512):([0-9a-f]+)$/.exec(text(descriptor.digest)) ?? [];
  if (!algorithm || !hex)
    throw invalid('invalid-load-archive', 'invalid archive: a descriptor has no digest');
  return join('blobs', algorithm, hex);
}

async function readDocumentIfExists(root: string, name: string): Promise<unknown> {
  const exists = await lstat(join(root, name)).catch(() => undefined);
  if (!exists) return undefined;
  return parseJson(await readDocumentBytes(await resolveInside(root, name)), name);
}

/** The regular file that `path` leads to, links followed, when that is inside `root`. */
async function resolveInside(root: string, path: string): Promise<string> {
  const resolved = path === '' ? undefined : await realpath(join(root, path)).catch(() => undefined);
  if (!resolved?.startsWith(root + sep)) {
    throw invalid('invalid-load-archive', `invalid archive: it does not contain "${path}"`, { path });
  }
  // A pipe or a device would be opened, and block or worse.
  if (!(await lstat(resolved)).isFile()) {
    throw invalid('invalid-load-archive', `invalid archive: "${path}" is not a file`, { path });
  }
  return resolved;
}
