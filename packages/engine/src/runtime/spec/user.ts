/** Who a container's process runs as: Docker's `user[:group]` against the image's own passwd and group files. */
import { invalid } from '../../base/errors.ts';

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, ascending, without `gid`. */
  readonly additionalGids: readonly number[];
  /** Home directory; `/` when the user has no passwd entry. */
  readonly home: string;
  /** Login name, where passwd has one. */
  readonly name?: string;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** Kernel ids are 32 bits wide, but the last value means "unchanged" (setuid(2)); Docker stops at 2^31 - 1. */
const MAX_ID = 2 ** 31 - 1;

/**
 * Resolves `spec` as Docker does. Empty means root; a number needs no passwd entry; a name does. Without a group
 * the primary one is passwd's (root's for an unknown number) and the supplementary ones come from the group file;
 * with a group given there are no supplementary ones.
 * @param passwd text of the container's /etc/passwd (passwd(5)), undefined when it has none
 * @param group text of the container's /etc/group (group(5)), undefined when it has none
 * Throws `invalid` with the runtime's texts for unknown names and for ids out of range.
 */
export function resolveUser(
  spec: string,
  passwd: string | undefined,
  group: string | undefined,
): ResolvedUser {
  const [userPart = '', groupPart = ''] = spec.split(':', 2);
  const groups = parseGroups(group);
  const user = findUser(userPart, parsePasswd(passwd));
  const identity = { uid: user.uid, home: user.home || '/', ...(user.name ? { name: user.name } : {}) };

  if (groupPart !== '') {
    return { ...identity, gid: findGroup(groupPart, groups), additionalGids: [] };
  }
  const supplementary = groups.filter((entry) => user.name !== '' && entry.members.includes(user.name));
  const additionalGids = [...new Set(supplementary.map((entry) => entry.gid))]
    .filter((gid) => gid !== user.gid)
    .sort((a, b) => a - b);
  return { ...identity, gid: user.gid, additionalGids };
}

/**
 * Group ids for `--group-add`: names from the group file, numbers as they are.
 * Throws `invalid` for a name that the file lacks.
 */
export function resolveGroups(specs: readonly string[], group: string | undefined): number[] {
  const groups = parseGroups(group);
  return specs.map((spec) => findGroup(spec, groups));
}

function findUser(spec: string, entries: readonly PasswdEntry[]): PasswdEntry {
  const wanted = spec === '' ? '0' : spec;
  // A name of digits only is legal in passwd and is looked up first, as the runtimes do.
  const byName = entries.find((entry) => entry.name === wanted);
  if (byName) return byName;
  const uid = parseId(wanted);
  if (uid === undefined) {
    throw invalid('user-not-found', `unable to find user ${spec}: no matching entries in passwd file`, {
      user: spec,
    });
  }
  return entries.find((entry) => entry.uid === uid) ?? { name: '', uid, gid: 0, home: '/' };
}

function findGroup(spec: string, entries: readonly GroupEntry[]): number {
  const byName = entries.find((entry) => entry.name === spec);
  if (byName) return byName.gid;
  const gid = parseId(spec);
  if (gid !== undefined) return gid;
  throw invalid('group-not-found', `unable to find group ${spec}: no matching entries in group file`, {
    group: spec,
  });
}

function parseId(text: string): number | undefined {
  if (!/^-?\d+$/.test(text)) return undefined;
  const id = Number(text);
  if (id >= 0 && id <= MAX_ID) return id;
  throw invalid('id-out-of-range', `uids and gids must be in range 0-${MAX_ID}`, { id: text });
}

function parsePasswd(text: string | undefined): PasswdEntry[] {
  return lines(text).flatMap((fields) => {
    const [name = '', , uid = '', gid = '', , home = ''] = fields;
    return isId(uid) && isId(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home }] : [];
  });
}

function parseGroups(text: string | undefined): GroupEntry[] {
  return lines(text).flatMap((fields) => {
    const [name = '', , gid = '', members = ''] = fields;
    return isId(gid) ? [{ name, gid: Number(gid), members: members.split(',').filter(Boolean) }] : [];
  });
}

/** A broken line must not keep the container from starting, so it is passed over. */
function isId(text: string): boolean {
  return /^\d+$/.test(text);
}

function lines(text: string | undefined): string[][] {
  return (text ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}
