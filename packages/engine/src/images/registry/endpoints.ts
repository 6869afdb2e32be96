/** Where the registry of a name is reached, by the daemon's settings. Pure, but for the lookup that the caller brings. */
import { contains, mustParseSubnet, parseAddress, parseCidr, type Subnet } from '../../base/address.ts';
import { invalid } from '../../base/errors.ts';

export interface RegistrySettings {
  /** Registries that may be spoken to without, or with unproven, encryption: `HOST[:PORT]` or blocks of addresses. */
  readonly insecureRegistries: readonly string[];
  /** Asked before Docker Hub for what is pulled from there: base URLs, in this order. */
  readonly mirrors: readonly string[];
  /** How many layers come at a time. @default 3 */
  readonly concurrentDownloads?: number;
  /** How many layers of one push go at a time. @default 5 */
  readonly concurrentUploads?: number;
  /** How often a layer is asked for, or sent, before its pull or push has failed. @default 5 */
  readonly attempts?: number;
}

export interface RegistryEndpoint {
  /** Without a path, or with one that `/v2/` follows; ends without a slash. */
  readonly url: string;
  /** Whether the certificate of the server has to be good. */
  readonly isVerified: boolean;
}

/** Where what is named without a registry is kept. */
const HUB_DOMAIN = 'docker.io';
const HUB_HOST = 'registry-1.docker.io';

/** What leaves this host nowhere needs no encryption. */
const loopback: readonly Subnet[] = ['127.0.0.0/8', '::1/128'].map(mustParseSubnet);

/**
 * Checks settings.
 * @throws invalid naming the bad value and what is allowed
 */
export function checkRegistrySettings(settings: RegistrySettings): void {
  const { insecureRegistries, mirrors, concurrentDownloads, concurrentUploads, attempts } = settings;
  for (const [name, count] of Object.entries({ concurrentDownloads, concurrentUploads, attempts })) {
    if (count === undefined || (Number.isSafeInteger(count) && count > 0)) continue;
    throw invalid('invalid-registry-setting', `invalid value ${count} for ${name}: it should be 1 or more`);
  }
  for (const text of insecureRegistries) {
    if (parseCidr(text) || /^(?:[\w.-]+|\[[\da-f:]+\])(?::\d+)?$/i.test(text)) continue;
    throw invalid(
      'invalid-registry-setting',
      `insecure registry ${text} is not valid: it should be HOST[:PORT] or a block of addresses`,
    );
  }
  for (const text of mirrors) {
    const url = URL.parse(text);
    const isPlain =
      url && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '' && url.username === '';
    if (isPlain) continue;
    throw invalid(
      'invalid-registry-setting',
      `invalid mirror: "${text}": it should be http://HOST[:PORT] or https://HOST[:PORT]`,
    );
  }
}

/**
 * The places to try, best first. Encryption goes first also where it is not required.
 * @param addressesOf looks a host name up; an unknown one has no addresses
 */
export async function endpointsOf(
  domain: string,
  settings: RegistrySettings,
  addressesOf: (host: string) => Promise<readonly string[]>,
): Promise<readonly RegistryEndpoint[]> {
  const host = domain === HUB_DOMAIN ? HUB_HOST : domain;
  const isInsecure = await isInsecureHost(host, settings, addressesOf);
  const encrypted = { url: `https://${host}`, isVerified: !isInsecure };
  return isInsecure ? [encrypted, { url: `http://${host}`, isVerified: true }] : [encrypted];
}

/** The mirrors of a registry; only Docker Hub has any. */
export async function mirrorsOf(
  domain: string,
  settings: RegistrySettings,
  addressesOf: (host: string) => Promise<readonly string[]>,
): Promise<readonly RegistryEndpoint[]> {
  if (domain !== HUB_DOMAIN) return [];
  return Promise.all(
    settings.mirrors.map(async (mirror) => ({
      url: mirror.replace(/\/+$/, ''),
      isVerified: !(await isInsecureHost(new URL(mirror).host, settings, addressesOf)),
    })),
  );
}

async function isInsecureHost(
  host: string,
  { insecureRegistries }: RegistrySettings,
  addressesOf: (host: string) => Promise<readonly string[]>,
): Promise<boolean> {
  if (insecureRegistries.includes(host)) return true;
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  const blocks = [...loopback, ...insecureRegistries.flatMap((text) => parseCidr(text)?.subnet ?? [])];
  const own = parseAddress(name);
  const addresses = own ? [own] : (await addressesOf(name)).flatMap((text) => parseAddress(text) ?? []);
  return addresses.some((address) => blocks.some((block) => contains(block, address)));
}
