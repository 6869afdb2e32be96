/**
 * Docker's endpoints that Seaway does not serve yet: they answer 501 and say so, while unknown paths answer 404.
 * `{name}` is one part of a path, `{name...}` any number of them. `docs/api.md` lists the same.
 */
type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

export const unsupportedEndpoints: readonly (readonly [method: Method, path: string])[] = [
  ['GET', '/containers/{id}/top'],
  ['GET', '/containers/{id}/stats'],
  ['GET', '/containers/{id}/changes'],
  ['GET', '/containers/{id}/export'],
  ['GET', '/containers/{id}/attach/ws'],
  ['HEAD', '/containers/{id}/archive'],
  ['GET', '/containers/{id}/archive'],
  ['PUT', '/containers/{id}/archive'],
  ['POST', '/containers/{id}/update'],
  ['POST', '/containers/{id}/pause'],
  ['POST', '/containers/{id}/unpause'],
  ['POST', '/containers/prune'],
  ['GET', '/images/get'],
  ['GET', '/images/{name...}/get'],
  ['GET', '/images/search'],
  ['POST', '/images/{name...}/push'],
  ['GET', '/distribution/{name...}/json'],
  ['POST', '/build'],
  ['POST', '/build/cancel'],
  ['POST', '/commit'],
  ['POST', '/auth'],
  ['POST', '/session'],
  ['POST', '/grpc'],
  ['GET', '/system/df'],
  ['GET', '/plugins/privileges'],
  ['POST', '/plugins/pull'],
  ['POST', '/plugins/create'],
  ['GET', '/containers/{id}/checkpoints'],
  ['POST', '/containers/{id}/checkpoints'],
  ['DELETE', '/containers/{id}/checkpoints/{checkpoint}'],
];

const patterns = unsupportedEndpoints.map(([method, path]) => ({
  method,
  path: new RegExp(`^${path.replaceAll(/\{\w+\.\.\.\}/g, '.+').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
}));

export function isDockerEndpoint(method: string, path: string): boolean {
  return patterns.some((pattern) => pattern.method === method && pattern.path.test(path));
}
