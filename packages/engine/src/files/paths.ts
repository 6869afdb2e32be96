/** Paths inside a container, as bytes: not every name is text. Pure but for {@link resolveLinks}. */
import { lstatSync, readlinkSync } from 'node:fs';

const SLASH = 0x2f;

/** Joins a folder and a name below it. */
export function joinBytes(folder: Buffer, name: Uint8Array): Buffer {
  if (name.length === 0) return folder;
  const separator = folder.length === 0 || folder.at(-1) === SLASH ? [] : [Buffer.of(SLASH)];
  return Buffer.concat([folder, ...separator, name]);
}

/**
 * Takes `.`, `..` and doubled slashes out of a name of an archive. Above an absolute one there is nothing, so `..`
 * is dropped there. @returns undefined when it leads out of the folder that it is in
 */
export function cleanName(name: Buffer): Buffer | undefined {
  const isAbsolute = name[0] === SLASH;
  const parts: Buffer[] = [];
  for (const part of splitBytes(name)) {
    const text = part.toString('latin1');
    if (text === '' || text === '.') continue;
    if (text !== '..') parts.push(part);
    else if (parts.length > 0) parts.pop();
    else if (!isAbsolute) return undefined;
  }
  return parts.reduce(joinBytes, Buffer.alloc(0));
}

function splitBytes(name: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let start = 0;
  for (let at = 0; at <= name.length; at += 1) {
    if (at < name.length && name[at] !== SLASH) continue;
    parts.push(name.subarray(start, at));
    start = at + 1;
  }
  return parts;
}

/** The folder that a path is in. */
export function parentOf(path: Buffer): Buffer {
  const slash = path.lastIndexOf(SLASH);
  return slash <= 0 ? Buffer.from('/') : path.subarray(0, slash);
}

/** The last part of a path, as Go's filepath.Base has it: `/` of the root, `.` of `/a/.`, `a` of `/a/`. */
export function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  return trimmed === '' ? '/' : trimmed.slice(trimmed.lastIndexOf('/') + 1);
}

/**
 * An absolute path without `.`, `..` and doubled slashes, but with a slash or `/.` at its end where it had one: both
 * mean what a link there leads to.
 */
export function absolutePath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  const clean = `/${parts.join('/')}`;
  if (/(^|\/)\.$/.test(path)) return clean === '/' ? '/.' : `${clean}/.`;
  return path.endsWith('/') && clean !== '/' ? `${clean}/` : clean;
}

/** As many as the kernel follows in one path; path_resolution(7). */
const MAX_LINKS = 40;

/** Follows all symbolic links of a path as far as there is something. @returns an absolute path; undefined for a loop */
export function resolveLinks(path: string): string | undefined {
  const ahead = path.split('/');
  const resolved: string[] = [];
  let links = 0;
  while (ahead.length > 0) {
    const part = ahead.shift()!;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      resolved.pop();
      continue;
    }
    const here = `/${[...resolved, part].join('/')}`;
    const isLink = lstatSync(here, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
    if (!isLink) {
      resolved.push(part);
      continue;
    }
    if (++links > MAX_LINKS) return undefined;
    const target = readlinkSync(here);
    if (target.startsWith('/')) resolved.length = 0;
    ahead.unshift(...target.split('/'));
  }
  return `/${resolved.join('/')}`;
}
