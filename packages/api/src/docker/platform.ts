/** Platforms of images as Docker's clients write them: `linux/arm64/v8`. */
import { type ImageRecord, invalid } from '@seaway/engine';

export interface Platform {
  readonly os: string;
  /** In Go's words, such as `amd64`. */
  readonly architecture: string;
  readonly variant?: string;
}

/** What clients also write, by Go's name. */
const synonyms: Readonly<Record<string, string>> = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64' };

/**
 * Reads `os[/architecture[/variant]]`.
 * @returns undefined where nothing is asked for: the operating system alone says nothing new
 * @throws invalid for what is no platform, and for another operating system
 */
export function parsePlatform(text: string | undefined): Platform | undefined {
  if (!text) return undefined;
  const [os = '', given = '', variant] = text.toLowerCase().split('/');
  if (os !== 'linux') throw invalid('invalid-platform', `"${text}": images are for linux alone here`);
  if (text.toLowerCase() === 'linux') return undefined;
  const architecture = synonyms[given] ?? given;
  if (!/^[a-z0-9]+$/.test(architecture)) {
    throw invalid('invalid-platform', `"${text}": invalid platform: use linux/ARCHITECTURE[/VARIANT]`);
  }
  return { os, architecture, ...(variant ? { variant } : {}) };
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant ? [variant] : [])].join('/');
}

/** Whether an image is of a platform; where either names no variant, any will do. */
export function isOfPlatform(image: Pick<ImageRecord, 'os' | 'architecture' | 'variant'>, wanted: Platform) {
  return (
    image.os === wanted.os &&
    image.architecture === wanted.architecture &&
    (!image.variant || !wanted.variant || image.variant === wanted.variant)
  );
}
