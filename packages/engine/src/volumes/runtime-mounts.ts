/** How a container's mounts are told to the OCI runtime. Pure. */
import type { MountEntry } from '@seaway/linux';
import type { MountPoint, Propagation } from '../model/mounts.ts';
import type { OciMount } from '../runtime/spec/oci-spec.ts';
import { tmpfsOptions } from '../runtime/spec/tmpfs.ts';

/** @param isReadonlyBelow whether read-only holds for what is mounted below it too, which not every runtime can do */
export function runtimeMount(point: MountPoint, source: string, isReadonlyBelow: boolean): OciMount {
  const { type, destination, readonly, options = [], propagation = 'rprivate' } = point;
  if (type === 'tmpfs') {
    const words = [...options, ...(readonly ? ['ro'] : [])].join(',');
    return { type, source: type, destination, options: tmpfsOptions(words) };
  }
  const readonlyOption = isReadonlyBelow ? 'rro' : 'ro';
  return {
    type: 'bind',
    source,
    destination,
    options: [point.nonRecursive ? 'bind' : 'rbind', propagation, readonly ? readonlyOption : 'rw'],
  };
}

/** What the propagation of the container's root has to be for the mounts in it; mount_namespaces(7). */
export function rootPropagation(mounts: readonly OciMount[]): 'shared' | 'rslave' | undefined {
  const has = (...words: Propagation[]) =>
    mounts.some(({ options }) => words.some((word) => options.includes(word)));
  if (has('shared', 'rshared')) return 'shared';
  return has('slave', 'rslave') ? 'rslave' : undefined;
}

/**
 * What keeps a source from being mounted with a propagation, in Docker's words.
 * @param entries the host's mounts
 */
export function sourceProblem(
  entries: readonly MountEntry[],
  source: string,
  propagation: Propagation,
): string | undefined {
  const isAbove = ({ target }: MountEntry) =>
    target === '/' || source === target || source.startsWith(`${target}/`);
  const around = entries.filter(isAbove);
  const depth = Math.max(...around.map(({ target }) => target.length));
  // Of several mounts on one place the last lies on top.
  const entry = around.findLast(({ target }) => target.length === depth);
  const tags = entry?.tags ?? [];
  const isShared = tags.some((tag) => tag.startsWith('shared:'));
  const isSlave = tags.some((tag) => tag.startsWith('master:'));
  const where = `path ${source} is mounted on ${entry?.target ?? '/'} but it is not a shared`;
  if (propagation === 'shared' || propagation === 'rshared') return isShared ? undefined : `${where} mount`;
  if (propagation === 'slave' || propagation === 'rslave') {
    return isShared || isSlave ? undefined : `${where} or slave mount`;
  }
  return undefined;
}
