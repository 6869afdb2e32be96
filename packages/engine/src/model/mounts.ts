/** What containers see of volumes, folders of the host and memory: as it is asked for, and as it is settled. Pure. */

/** What happens to mounts that are made later, below a bind mount; mount_namespaces(7). */
export type Propagation = 'private' | 'rprivate' | 'slave' | 'rslave' | 'shared' | 'rshared';

export const propagations: readonly Propagation[] = [
  'private',
  'rprivate',
  'slave',
  'rslave',
  'shared',
  'rshared',
];

/** A bind mount without a word on propagation has this. */
export const defaultPropagation: Propagation = 'rprivate';

interface RequestedMount {
  /** Absolute path in the container. */
  readonly destination: string;
  readonly readonly: boolean;
}

/** A file or folder of the host's. */
export interface BindRequest extends RequestedMount {
  readonly type: 'bind';
  /** Absolute path on the host. */
  readonly source: string;
  /** @default rprivate */
  readonly propagation?: Propagation;
  /** Whether a missing source is made, as a folder, when the container starts. */
  readonly createSource: boolean;
  /** Leaves out what is mounted below the source. @default false */
  readonly nonRecursive?: boolean;
  /** How deep read-only goes: mounts below the source too where the kernel can (default), not at all, or by force. */
  readonly readonlyDepth?: 'top' | 'forced';
}

export interface VolumeMountRequest extends RequestedMount {
  readonly type: 'volume';
  /** The volume's name; empty: a new one of the container's own. */
  readonly source: string;
  /** Leaves an empty volume empty, instead of filling it with what the image has at the destination. @default false */
  readonly noCopy?: boolean;
  /** Of a volume that does not exist yet, as the next two. @default none */
  readonly labels?: Readonly<Record<string, string>>;
  /** @default 'local' */
  readonly driver?: string;
  readonly driverOptions?: Readonly<Record<string, string>>;
  /** Path in the volume that is mounted instead of its top. @default the top */
  readonly subpath?: string;
}

/** Memory that is empty at each start. */
export interface TmpfsRequest extends RequestedMount {
  readonly type: 'tmpfs';
  /** Words of tmpfs(5) and mount(8), after the defaults noexec, nosuid and nodev. */
  readonly options: readonly string[];
}

export type MountRequest = BindRequest | VolumeMountRequest | TmpfsRequest;

/** What `-v` asked for. Records of versions without volumes have the first four of these fields. */
export interface BindText {
  readonly source: string;
  readonly destination: string;
  readonly readonly: boolean;
  /** As the client wrote it. */
  readonly text: string;
  readonly request?: BindRequest | VolumeMountRequest;
  /** The third part of the text. */
  readonly mode?: string;
}

/** What `--mount` asked for. */
export interface GivenMount {
  readonly request: MountRequest;
  /** As the client wrote it, for `inspect`; nothing in here is looked at. */
  readonly given: Readonly<Record<string, unknown>>;
}

/** `--volumes-from`: all volumes and bind mounts of another container. */
export interface VolumesFrom {
  readonly container: string;
  readonly readonly: boolean;
  /** As the client wrote it. */
  readonly text: string;
}

/** One mount of a container, settled when it was made. */
export interface MountPoint {
  readonly type: 'bind' | 'volume' | 'tmpfs';
  /** Absolute path in the container, without `.`, `..` and doubled slashes; no other has the same. */
  readonly destination: string;
  readonly readonly: boolean;
  /** The options of `-v` as `inspect` shows them. */
  readonly mode: string;
  /** Of a bind mount: path on the host. */
  readonly source?: string;
  readonly propagation?: Propagation;
  readonly createSource?: boolean;
  readonly nonRecursive?: boolean;
  readonly readonlyDepth?: 'top' | 'forced';
  /** Of a volume: its name. */
  readonly volume?: string;
  /** Whether the volume goes with the container, where its volumes are removed too. */
  readonly isOwn?: boolean;
  /** Whether the volume, when empty, is filled from the image. */
  readonly isFilled?: boolean;
  readonly subpath?: string;
  /** Of memory. */
  readonly options?: readonly string[];
}

/** What a record must have for {@link mountPointsOf}. */
interface WithMounts {
  readonly mounts?: readonly MountPoint[];
  readonly host: { readonly binds: readonly BindText[] };
}

/** A container's mounts, also of one that a version without volumes has made. */
export function mountPointsOf({ mounts, host }: WithMounts): readonly MountPoint[] {
  return (
    mounts ??
    host.binds.map(
      ({ source, destination, readonly }): MountPoint => ({
        type: 'bind',
        source,
        destination,
        readonly,
        mode: readonly ? 'ro' : '',
        propagation: defaultPropagation,
        createSource: true,
      }),
    )
  );
}

/** Names of the volumes that a container has, each once. */
export function volumesOf(container: WithMounts): readonly string[] {
  return [...new Set(mountPointsOf(container).flatMap(({ volume }) => volume ?? []))];
}

/** `/a//b/../c/` is `/a/c`; a path without a leading slash has one afterwards. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}
