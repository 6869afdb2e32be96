/** Who a client is to a registry, as it says so in a header. Source: Engine API, "Authentication". */
import type { IncomingHttpHeaders } from 'node:http';
import { invalid, type RegistryAuth } from '@seaway/engine';

/** Fields of Docker's AuthConfig that are used, as the client sends them. */
export interface DockerAuth {
  readonly username?: string | null;
  readonly password?: string | null;
  /** Base64 of `username:password`. */
  readonly auth?: string | null;
  readonly serveraddress?: string | null;
  readonly identitytoken?: string | null;
  readonly registrytoken?: string | null;
}

/**
 * Reads `X-Registry-Auth`. Not giving one, an empty one, and one of no fields are all nobody in particular.
 * @throws invalid when it is no base64 of a JSON object
 */
export function readRegistryAuth(headers: IncomingHttpHeaders): RegistryAuth {
  const header = headers['x-registry-auth'];
  const text = (Array.isArray(header) ? header[0] : header) ?? '';
  if (text === '') return {};
  // Both alphabets are in use, with padding and without.
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) throw badHeader('it is no base64');
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  } catch {
    throw badHeader('it holds no JSON');
  }
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw badHeader('it holds no JSON object');
  const fields = Object.fromEntries(
    Object.entries(value).map(([name, field]) => [name.toLowerCase(), field]),
  );
  for (const name of ['username', 'password', 'auth', 'identitytoken', 'registrytoken']) {
    if (fields[name] != null && typeof fields[name] !== 'string') throw badHeader(`${name} is no text`);
  }
  return fromDockerAuth(fields);
}

export function fromDockerAuth(given: DockerAuth): RegistryAuth {
  const decoded = Buffer.from(given.auth ?? '', 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  const username = given.username || (colon > 0 ? decoded.slice(0, colon) : '');
  const password = given.password || (colon > 0 ? decoded.slice(colon + 1) : '');
  return {
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(given.identitytoken ? { identityToken: given.identitytoken } : {}),
    ...(given.registrytoken ? { registryToken: given.registrytoken } : {}),
  };
}

function badHeader(reason: string): Error {
  return invalid('invalid-registry-auth', `invalid X-Registry-Auth header: ${reason}`);
}
