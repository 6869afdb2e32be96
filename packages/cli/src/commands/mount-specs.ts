/** `-v`, `--mount` and `--tmpfs`, as `run` and `create` take them. */
import { resolve } from 'node:path';
import type { MountRequest } from '../client/types.ts';

/** What of a request the options are about. */
export interface VolumeFields {
  /** Destinations of volumes without a name. */
  readonly paths: Record<string, object>;
  readonly binds: string[];
  readonly tmpfs: Record<string, string>;
}

/** Sorts what `-v` and `--tmpfs` name. Relative paths of ours, `./x`, become absolute ones. */
export function volumeFields(volumes: readonly string[], tmpfs: readonly string[]): VolumeFields {
  return {
    paths: Object.fromEntries(volumes.filter((text) => !text.includes(':')).map((path) => [path, {}])),
    binds: volumes.filter((text) => text.includes(':')).map(absoluteSource),
    tmpfs: Object.fromEntries(
      tmpfs.map((text) => {
        const [path = '', ...options] = text.split(':');
        return [path, options.join(':')];
      }),
    ),
  };
}

function absoluteSource(text: string): string {
  const [source = '', ...rest] = text.split(':');
  return source.startsWith('.') ? [resolve(source), ...rest].join(':') : text;
}

/** A mount while it is put together from its fields. */
type Draft = { -readonly [Field in keyof MountRequest]: MountRequest[Field] };

type Setter = (mount: Draft, value: string) => void;

const source: Setter = (mount, value) => {
  // As a shell's user means it: a path of ours, where it is one.
  mount.Source = value.startsWith('.') ? resolve(value) : value;
};
const target: Setter = (mount, value) => {
  mount.Target = value;
};
const readonly: Setter = (mount, value) => {
  mount.ReadOnly = parseBoolean(value);
};
const bind = (options: NonNullable<MountRequest['BindOptions']>) => (mount: Draft) => {
  mount.BindOptions = { ...mount.BindOptions, ...options };
};
const volume = (mount: Draft, options: NonNullable<MountRequest['VolumeOptions']>) => {
  mount.VolumeOptions = { ...mount.VolumeOptions, ...options };
};
const memory = (mount: Draft, options: NonNullable<MountRequest['TmpfsOptions']>) => {
  mount.TmpfsOptions = { ...mount.TmpfsOptions, ...options };
};

/** What `bind-recursive` can be. */
const recursions: Readonly<Record<string, NonNullable<MountRequest['BindOptions']>>> = {
  enabled: {},
  disabled: { NonRecursive: true },
  writable: { ReadOnlyNonRecursive: true },
  readonly: { ReadOnlyForceRecursive: true },
};

const fields: Readonly<Record<string, Setter>> = {
  type: (mount, value) => {
    mount.Type = value.toLowerCase();
  },
  source,
  src: source,
  target,
  dst: target,
  destination: target,
  readonly,
  ro: readonly,
  consistency: (mount, value) => {
    mount.Consistency = value.toLowerCase();
  },
  'bind-propagation': (mount, value) => bind({ Propagation: value.toLowerCase() })(mount),
  'bind-create-src': (mount, value) => bind({ CreateMountpoint: parseBoolean(value) })(mount),
  'bind-recursive': (mount, value) => {
    const options = recursions[value];
    if (!options) throw new Error(`invalid value for bind-recursive: ${value}`);
    bind(options)(mount);
  },
  'volume-nocopy': (mount, value) => volume(mount, { NoCopy: parseBoolean(value) }),
  'volume-subpath': (mount, value) => volume(mount, { Subpath: value }),
  'volume-label': (mount, value) =>
    volume(mount, { Labels: { ...mount.VolumeOptions?.Labels, ...pair(value) } }),
  'volume-driver': (mount, value) =>
    volume(mount, { DriverConfig: { ...mount.VolumeOptions?.DriverConfig, Name: value } }),
  'volume-opt': (mount, value) => {
    const { Options: options, ...config } = mount.VolumeOptions?.DriverConfig ?? {};
    volume(mount, { DriverConfig: { ...config, Options: { ...options, ...pair(value) } } });
  },
  'tmpfs-size': (mount, value) => memory(mount, { SizeBytes: parseBytes(value) }),
  'tmpfs-mode': (mount, value) => {
    if (!/^[0-7]{1,5}$/.test(value)) throw new Error(`invalid value for tmpfs-mode: ${value}`);
    memory(mount, { Mode: Number.parseInt(value, 8) });
  },
};

/** Fields that need no value. */
const flags: readonly string[] = ['readonly', 'ro', 'volume-nocopy', 'bind-create-src'];

/** Reads `type=volume,src=data,dst=/data,...`. @throws Error for what is no field of a mount */
export function parseMount(text: string): MountRequest {
  const mount: Draft = { Type: 'volume' };
  for (const field of splitFields(text)) {
    const equals = field.indexOf('=');
    const name = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    if (equals < 0 && !flags.includes(name)) {
      throw new Error(`invalid field '${field}' must be a key=value pair`);
    }
    if (!Object.hasOwn(fields, name)) throw new Error(`unexpected key '${name}' in '${field}'`);
    fields[name]!(mount, equals < 0 ? 'true' : field.slice(equals + 1));
  }
  if (!mount.Target) throw new Error('target is required');
  for (const [type, options] of [
    ['bind', mount.BindOptions],
    ['volume', mount.VolumeOptions],
    ['tmpfs', mount.TmpfsOptions],
  ] as const) {
    if (options && mount.Type !== type) {
      throw new Error(`cannot mix '${type}-*' options with mount type '${mount.Type}'`);
    }
  }
  return mount;
}

/** Values with commas between; one in double quotes may have commas itself, and double quotes twice (RFC 4180). */
function splitFields(text: string): string[] {
  const parts = [...text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"(?=,|$)|([^,]*))/g)];
  return parts.map(([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain);
}

function pair(text: string): Record<string, string> {
  const [name = '', ...value] = text.split('=');
  return { [name]: value.join('=') };
}

function parseBoolean(text: string): boolean {
  if (['1', 'true', 't', 'T', 'True', 'TRUE'].includes(text)) return true;
  if (['0', 'false', 'f', 'F', 'False', 'FALSE'].includes(text)) return false;
  throw new Error(`invalid boolean value "${text}"`);
}

/** `64m` is 64 times 1024 times 1024. */
function parseBytes(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text) ?? [];
  if (number === '') throw new Error(`invalid size: '${text}'`);
  return Math.floor(Number(number) * 1024 ** ['', 'k', 'm', 'g', 't', 'p'].indexOf(unit.toLowerCase()));
}

/** A check for `-v`, which is left as it is: the daemon says what else is wrong with it. */
export function checkVolume(text: string): string {
  if (text === '') throw new Error('invalid empty volume spec');
  return text;
}
