/** The credentials that `docker login` has kept, for what the daemon does at registries. Source: docker-login(1). */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from '../context.ts';

/** Docker's clients keep those of Docker Hub under this name. */
const HUB_KEY = 'https://index.docker.io/v1/';

/**
 * Headers for a request that is about an image. Without a file, or without an entry for the registry, the daemon asks
 * as nobody. Programs that keep credentials ("credsStore") are left to Docker's own client.
 * @throws Error when the file is no JSON
 */
export async function registryHeaders(
  env: Context['env'],
  reference: string,
): Promise<Record<string, string>> {
  const folder = env.DOCKER_CONFIG ?? (env.HOME === undefined ? undefined : join(env.HOME, '.docker'));
  const path = folder === undefined ? undefined : join(folder, 'config.json');
  const text = path === undefined ? undefined : await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return {};
  let auths: Record<string, { auth?: string; identitytoken?: string } | undefined>;
  try {
    auths = JSON.parse(text).auths ?? {};
  } catch (cause) {
    throw new Error(`${path} is no JSON: ${(cause as Error).message}`, { cause });
  }
  const registry = registryOf(reference);
  const entry = auths[registry ?? HUB_KEY] ?? auths[`https://${registry}`];
  if (!entry?.auth && !entry?.identitytoken) return {};
  const { auth, identitytoken } = entry;
  const fields = { auth, identitytoken, serveraddress: registry ?? HUB_KEY };
  return { 'X-Registry-Auth': Buffer.from(JSON.stringify(fields)).toString('base64url') };
}

/** The first part of a name, where that is a registry; undefined is Docker Hub. */
export function registryOf(reference: string): string | undefined {
  const [first = '', ...rest] = reference.split('/');
  const isHost = rest.length > 0 && (/[.:A-Z]/.test(first) || first === 'localhost');
  return isHost && first !== 'docker.io' && first !== 'index.docker.io' ? first : undefined;
}
