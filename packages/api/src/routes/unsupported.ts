/**
 * Docker's endpoints that Seaway does not serve: they answer 501 and say so, while unknown paths answer 404.
 * `{name}` is one part of a path, `{name...}` any number of them. `docs/compatibility.md` lists the
 * same.
 */
type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

export const unsupportedEndpoints: readonly (readonly [method: Method, path: string, hint?: string])[] = [
  ['POST', '/build', 'build the image elsewhere, and "docker load" it'],
  ['POST', '/build/cancel'],
  ['POST', '/session'],
  ['POST', '/grpc'],
  ['GET', '/plugins/privileges'],
  ['POST', '/plugins/pull'],
  ['POST', '/plugins/create'],
  ['GET', '/containers/{id}/checkpoints'],
  ['POST', '/containers/{id}/checkpoints'],
  ['DELETE', '/containers/{id}/checkpoints/{checkpoint}'],
];

const patterns = unsupportedEndpoints.map(([method, path, hint]) => ({
  method,
  path: new RegExp(`^${path.replaceAll(/\{\w+\.\.\.\}/g, '.+').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  hint,
}));

/** @returns what to tell the client; undefined for what Docker does not have either */
export function whyUnsupported(method: string, path: string): string | undefined {
  const found = patterns.find((pattern) => pattern.method === method && pattern.path.test(path));
  if (!found) return undefined;
  const message = `${method} ${path} is not supported by this version of Seaway`;
  return found.hint ? `${message}: ${found.hint}` : message;
}
