/** Docker's endpoints that Seaway does not serve yet: they answer 501 and say so, while unknown paths answer 404. */
const endpoints: readonly (readonly [method: string, path: RegExp])[] = [
  ['GET', /^\/containers\/[^/]+\/(top|stats|changes|export|archive|attach\/ws)$/],
  ['HEAD', /^\/containers\/[^/]+\/archive$/],
  ['PUT', /^\/containers\/[^/]+\/archive$/],
  ['POST', /^\/containers\/[^/]+\/(update|pause|unpause|exec)$/],
  ['POST', /^\/containers\/prune$/],
  ['POST', /^\/exec\/[^/]+\/(start|resize)$/],
  ['GET', /^\/exec\/[^/]+\/json$/],
  ['POST', /^\/networks\/create$/],
  ['POST', /^\/networks\/prune$/],
  ['POST', /^\/networks\/[^/]+\/(connect|disconnect)$/],
  ['POST', /^\/(build|build\/.*|commit|auth|session|grpc)$/],
  ['GET', /^\/images\/(.+\/)?get$/],
  ['GET', /^\/images\/search$/],
  ['POST', /^\/images\/.+\/push$/],
  ['GET', /^\/distribution\/.+\/json$/],
  ['GET', /^\/volumes(\/.*)?$/],
  ['POST', /^\/volumes\/(create|prune)$/],
  ['PUT', /^\/volumes\/.+$/],
  ['DELETE', /^\/volumes\/.+$/],
  ['GET', /^\/system\/df$/],
  ['GET', /^\/plugins(\/.*)?$/],
  ['POST', /^\/plugins\/.*$/],
  ['DELETE', /^\/plugins\/.+$/],
  ['GET', /^\/(swarm|nodes|services|tasks|secrets|configs)(\/.*)?$/],
  ['POST', /^\/(swarm|nodes|services|secrets|configs)(\/.*)?$/],
  ['DELETE', /^\/(nodes|services|secrets|configs)\/.+$/],
];

export function isDockerEndpoint(method: string, path: string): boolean {
  return endpoints.some(([endpointMethod, pattern]) => endpointMethod === method && pattern.test(path));
}
