/** The API versions that are spoken, and which one a request is in. */
import { invalid } from '@seaway/engine';

export const MAX_API_VERSION = '1.50';
export const MIN_API_VERSION = '1.24';

/** A version as a number that compares: `1.24` is 124, `1.5` is 105. */
export type ApiVersion = number;

export function parseVersion(text: string): ApiVersion {
  const [major = '0', minor = '0'] = text.split('.');
  return Number(major) * 100 + Number(minor);
}

const maxVersion = parseVersion(MAX_API_VERSION);
const minVersion = parseVersion(MIN_API_VERSION);

export interface VersionedPath {
  readonly path: string;
  /** As the client wrote it; undefined when the path has no version. */
  readonly version: string | undefined;
}

/** Takes the version prefix off a path: `/v1.41/info` is `/info` in `1.41`. */
export function splitVersion(url: string): VersionedPath {
  const match = /^\/v(\d+\.\d+)(\/.*|\?.*|)$/.exec(url);
  return match ? { version: match[1]!, path: match[2]! || '/' } : { version: undefined, path: url };
}

/** @throws invalid, in Docker's words, for a version that is not spoken */
export function checkVersion(text: string | undefined): ApiVersion {
  if (text === undefined) return maxVersion;
  const version = parseVersion(text);
  if (version > maxVersion) {
    throw invalid(
      'client-too-new',
      `client version ${text} is too new. Maximum supported API version is ${MAX_API_VERSION}`,
    );
  }
  if (version < minVersion) {
    throw invalid(
      'client-too-old',
      `client version ${text} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    );
  }
  return version;
}
