/**
 * Names of images: `[registry/]path[:tag][@digest]`. Pure: parsing, the short form that people read, and finding
 * the image that a text means. The grammar is that of the OCI distribution specification with Docker's defaults.
 */
import { invalid } from '../base/errors.ts';
import type { ImageId } from '../base/ids.ts';

/** A parsed name; either of `tag` and `digest` may be missing. */
export interface ImageReference {
  /** Registry host with optional port. */
  readonly domain: string;
  /** Repository within the registry. */
  readonly path: string;
  readonly tag?: string;
  /** `sha256:<64 hex digits>`. */
  readonly digest?: string;
}

/** What a name without registry belongs to. Part of the name only: nothing here contacts it. */
const DEFAULT_DOMAIN = 'docker.io';
const OLD_DEFAULT_DOMAIN = 'index.docker.io';
const DEFAULT_NAMESPACE = 'library';
const DEFAULT_TAG = 'latest';
const MAX_NAME_LENGTH = 255;

const domainPattern =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const pathPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[\w][\w.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** Parses a name in short or full form. Throws `invalid` with Docker's texts. */
export function parseReference(text: string): ImageReference {
  if (/^[0-9a-f]{64}$/.test(text)) {
    throw invalidReference(
      text,
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
    );
  }
  const { domain, rest } = splitDomain(text);
  const at = rest.indexOf('@');
  const named = at < 0 ? rest : rest.slice(0, at);
  const digest = at < 0 ? undefined : rest.slice(at + 1);
  const colon = named.indexOf(':');
  const path = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);

  if (path.toLowerCase() !== path) {
    throw invalidReference(text, `invalid reference format: repository name (${path}) must be lowercase`);
  }
  const isValid =
    domainPattern.test(domain) &&
    pathPattern.test(path) &&
    (tag === undefined || tagPattern.test(tag)) &&
    (digest === undefined || digestPattern.test(digest));
  if (!isValid) throw invalidReference(text, 'invalid reference format');
  if (domain.length + 1 + path.length > MAX_NAME_LENGTH) {
    throw invalidReference(text, `repository name must not be more than ${MAX_NAME_LENGTH} characters`);
  }
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** The name as people type it: without the default registry and namespace. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${formatRepository(reference)}${tag}${digest}`;
}

/** As {@link formatReference}, without tag and digest. */
export function formatRepository({ domain, path }: ImageReference): string {
  if (domain !== DEFAULT_DOMAIN) return `${domain}/${path}`;
  const prefix = `${DEFAULT_NAMESPACE}/`;
  const inNamespace = path.startsWith(prefix) ? path.slice(prefix.length) : path;
  return inNamespace.includes('/') ? path : inNamespace;
}

/** The short form with a tag (`latest` when the text has neither tag nor digest): how the store keeps names. */
export function normaliseReference(text: string): string {
  return formatReference(withDefaultTag(parseReference(text)));
}

/**
 * A name from the two parameters that registries are asked with: a tag of its own, or a digest, goes before that in the
 * name. Throws `invalid`.
 */
export function parseTagged(name: string, tag?: string): ImageReference {
  const reference = parseReference(name);
  if (!tag) return reference;
  const { domain, path } = reference;
  if (digestPattern.test(tag)) return { domain, path, digest: tag };
  if (!tagPattern.test(tag)) throw invalid('invalid-image-tag', 'invalid tag format', { tag });
  return { domain, path, tag };
}

/**
 * The name for a new tag, from the API's two parameters. The tag in `repository` counts when `tag` is empty.
 * Throws `invalid`, also for a digest, which nobody can choose.
 */
export function parseNewTag(repository: string, tag?: string): string {
  const reference = parseReference(repository);
  if (reference.digest !== undefined) {
    throw invalid('image-tag-with-digest', 'refusing to create a tag with a digest reference', {
      repository,
    });
  }
  if (!tag) return formatReference(withDefaultTag(reference));
  if (!tagPattern.test(tag)) throw invalid('invalid-image-tag', 'invalid tag format', { tag });
  return formatReference({ ...reference, tag });
}

/** The fields of an image that it can be found by. */
export interface FindableImage {
  readonly id: ImageId;
  readonly references: readonly string[];
  readonly repoDigests: readonly string[];
  readonly digest: string;
}

/** How a text led to an image: Docker removes a name and an image by id by different rules. */
export type FoundImage<T extends FindableImage> =
  | { readonly image: T; readonly by: 'id' }
  /** `name` is the one of its names that was meant. */
  | { readonly image: T; readonly by: 'name'; readonly name: string };

/**
 * Finds the image that `text` means: a full id, else a name, else the unique beginning of an id. A name goes
 * before an id that begins alike. Throws `invalid` for what can be none of them.
 */
export function findImage<T extends FindableImage>(
  images: Iterable<T>,
  text: string,
): FoundImage<T> | undefined {
  const all = [...images];
  const fullId = /^(?:sha256:)?([0-9a-f]{64})$/.exec(text)?.[1];
  if (fullId) return foundById(all.filter((image) => image.id === `sha256:${fullId}`));

  const prefix = /^(?:sha256:)?([0-9a-f]{1,64})$/.exec(text)?.[1];
  const named = findByName(all, withDefaultTag(parseReference(text)));
  if (named) return named;
  if (!prefix) return undefined;
  return foundById(all.filter((image) => image.id.startsWith(`sha256:${prefix}`)));
}

function findByName<T extends FindableImage>(
  images: readonly T[],
  wanted: ImageReference,
): FoundImage<T> | undefined {
  if (wanted.digest === undefined) {
    const name = formatReference(wanted);
    const image = images.find(({ references }) => references.includes(name));
    return image && { image, by: 'name', name };
  }
  const repository = formatRepository(wanted);
  const repoDigest = `${repository}@${wanted.digest}`;
  const known = images.find(({ repoDigests }) => repoDigests.includes(repoDigest));
  if (known) return { image: known, by: 'name', name: repoDigest };
  // An image that no registry has seen is known by the digest of its manifest here.
  for (const image of images.filter(({ digest }) => digest === wanted.digest)) {
    const name = image.references.find((name) => formatRepository(parseReference(name)) === repository);
    if (name !== undefined) return { image, by: 'name', name };
  }
  return undefined;
}

function foundById<T extends FindableImage>(matches: readonly T[]): FoundImage<T> | undefined {
  const [image] = matches;
  return image && matches.length === 1 ? { image, by: 'id' } : undefined;
}

/** The reference itself when it says which image it means, else with the tag `latest`. */
export function withDefaultTag(reference: ImageReference): ImageReference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: DEFAULT_TAG };
}

/** A first component is a registry only when it looks like a host: has a dot, a port or capitals, or is localhost. */
function splitDomain(text: string): { domain: string; rest: string } {
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash);
  const isHost = /[.:A-Z]/.test(first) || first === 'localhost';
  const domain = !isHost || first === OLD_DEFAULT_DOMAIN ? DEFAULT_DOMAIN : first;
  const rest = isHost ? text.slice(slash + 1) : text;
  const needsNamespace = domain === DEFAULT_DOMAIN && !rest.includes('/');
  return { domain, rest: needsNamespace ? `${DEFAULT_NAMESPACE}/${rest}` : rest };
}

function invalidReference(reference: string, message: string): Error {
  return invalid('invalid-image-reference', message, { reference });
}
