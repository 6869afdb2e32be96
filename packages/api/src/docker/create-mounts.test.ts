import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type DockerMount, parseMounts } from './create-mounts.ts';

const parse = (mount: DockerMount, version = 150) =>
  parseMounts({ Mounts: [mount] }, version).mounts?.[0]?.request;

describe('--mount', () => {
  const bind = { type: 'bind', source: '/a', destination: '/b', readonly: false, createSource: false };
  const volume = { type: 'volume', source: 'data', destination: '/b', readonly: false };
  const memory = { type: 'tmpfs', destination: '/b', readonly: false, options: [] };
  const given = { bind: { Type: 'bind', Source: '/a', Target: '/b' } } as const;
  for (const [mount, expected] of [
    [given.bind, bind],
    [
      { ...given.bind, ReadOnly: true, Consistency: 'default' },
      { ...bind, readonly: true },
    ],
    [
      { ...given.bind, BindOptions: { Propagation: 'rslave' } },
      { ...bind, propagation: 'rslave' },
    ],
    [
      { ...given.bind, BindOptions: { CreateMountpoint: true } },
      { ...bind, createSource: true },
    ],
    [
      { ...given.bind, BindOptions: { NonRecursive: true } },
      { ...bind, nonRecursive: true },
    ],
    [
      { ...given.bind, BindOptions: { ReadOnlyNonRecursive: true } },
      { ...bind, readonlyDepth: 'top' },
    ],
    [
      { ...given.bind, BindOptions: { ReadOnlyForceRecursive: true } },
      { ...bind, readonlyDepth: 'forced' },
    ],
    [{ ...given.bind, BindOptions: null, VolumeOptions: null }, bind],
    [{ Type: 'volume', Source: 'data', Target: '/b' }, volume],
    [
      { Type: 'volume', Target: '/b' },
      { ...volume, source: '' },
    ],
    [
      {
        Type: 'volume',
        Source: 'data',
        Target: '/b',
        VolumeOptions: {
          NoCopy: true,
          Labels: { a: 'b' },
          Subpath: 'x/./y/..',
          DriverConfig: { Name: 'local', Options: { type: 'nfs' } },
        },
      },
      {
        ...volume,
        noCopy: true,
        labels: { a: 'b' },
        driver: 'local',
        driverOptions: { type: 'nfs' },
        subpath: 'x/./y/..',
      },
    ],
    [{ Type: 'tmpfs', Target: '/b' }, memory],
    [
      {
        Type: 'tmpfs',
        Target: '/b',
        ReadOnly: true,
        TmpfsOptions: { SizeBytes: 65536, Mode: 0o1770, Options: [['exec']] },
      },
      { ...memory, readonly: true, options: ['mode=1770', 'size=65536', 'exec'] },
    ],
  ] as const) {
    test(`takes ${JSON.stringify(mount)}`, () => assert.deepEqual(parse(mount as DockerMount), expected));
  }

  for (const [mount, type, problem] of [
    [{ Type: 'npipe', Target: '/b' }, 'npipe', 'mount type unknown'],
    [{ Target: '/b' }, '', 'mount type unknown'],
    [{ Type: 'bind', Source: '/a' }, 'bind', 'field Target must not be empty'],
    [{ Type: 'bind', Target: '/b' }, 'bind', 'field Source must not be empty'],
    [{ ...given.bind, Target: '/' }, 'bind', "invalid specification: destination can't be '/'"],
    [{ ...given.bind, Target: 'b' }, 'bind', "invalid mount path: 'b' mount path must be absolute"],
    [{ ...given.bind, Source: 'a' }, 'bind', "invalid mount path: 'a' mount path must be absolute"],
    [{ ...given.bind, VolumeOptions: {} }, 'bind', 'field VolumeOptions must not be specified'],
    [{ ...given.bind, TmpfsOptions: {} }, 'bind', 'field TmpfsOptions must not be specified'],
    [{ ...given.bind, BindOptions: { Propagation: 'x' } }, 'bind', 'invalid propagation mode: x'],
    [
      { ...given.bind, BindOptions: { ReadOnlyNonRecursive: true, ReadOnlyForceRecursive: true } },
      'bind',
      'fields ReadOnlyNonRecursive and ReadOnlyForceRecursive exclude each other',
    ],
    [{ Type: 'volume', Target: '/b', BindOptions: {} }, 'volume', 'field BindOptions must not be specified'],
    [
      { Type: 'volume', Target: '/b', ReadOnly: true },
      'volume',
      'must not set ReadOnly mode when using anonymous volumes',
    ],
    [
      { Type: 'volume', Target: '/b', VolumeOptions: { Subpath: 'x' } },
      'volume',
      'must not set Subpath when using anonymous volumes',
    ],
    ...['/x', '..', 'x/../../y'].map((Subpath) => [
      { Type: 'volume', Source: 'data', Target: '/b', VolumeOptions: { Subpath } },
      'volume',
      'subpath must be a relative path within the volume',
    ]),
    [{ Type: 'tmpfs', Source: '/a', Target: '/b' }, 'tmpfs', 'field Source must not be specified'],
    [{ Type: 'tmpfs', Target: '/b', TmpfsOptions: { SizeBytes: -1 } }, 'tmpfs', 'invalid size: -1 bytes'],
    [{ Type: 'tmpfs', Target: '/b', TmpfsOptions: { Options: [['suid']] } }, 'tmpfs', 'invalid option: suid'],
    [
      { Type: 'tmpfs', Target: '/b', TmpfsOptions: { Options: [[]] } },
      'tmpfs',
      'invalid option array length',
    ],
  ] as const) {
    test(`refuses ${JSON.stringify(mount)}`, () => {
      assert.throws(() => parse(mount as DockerMount), {
        kind: 'invalid',
        code: 'invalid-mount',
        message: `invalid mount config for type "${type}": ${problem}`,
      });
    });
  }

  test('of an image is not supported yet', () => {
    assert.throws(() => parse({ Type: 'image', Source: 'busybox', Target: '/b' }), {
      code: 'unsupported-option',
    });
  });

  test('is kept as it was given', () => {
    const mount = { ...given.bind, BindOptions: { Propagation: '' } };
    assert.equal(parseMounts({ Mounts: [mount] }, 150).mounts?.[0]?.given, mount);
  });
});

test('before 1.44 read-only does not reach below, and cannot be forced to', () => {
  const mount = { Type: 'bind', Source: '/a', Target: '/b', ReadOnly: true };
  const depth = (version: number) => (parse(mount, version) as { readonlyDepth?: string }).readonlyDepth;
  assert.equal(depth(143), 'top');
  assert.equal(depth(144), undefined);
  assert.throws(() => parse({ ...mount, BindOptions: { ReadOnlyForceRecursive: true } }, 143), {
    message: 'BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer',
  });
  const [old] = parseMounts({ Binds: ['/a:/b:ro'] }, 143).binds;
  assert.deepEqual(old?.request && 'readonlyDepth' in old.request && old.request.readonlyDepth, 'top');
});

test('what is not given is nothing', () => {
  assert.deepEqual(parseMounts({}, 150), { binds: [] });
  assert.deepEqual(parseMounts({ Binds: null, Mounts: [], VolumesFrom: null, VolumeDriver: '' }, 150), {
    binds: [],
  });
  assert.deepEqual(parseMounts({ VolumesFrom: ['x:ro'], VolumeDriver: 'd' }, 150), {
    binds: [],
    volumesFrom: [{ container: 'x', readonly: true, text: 'x:ro' }],
    volumeDriver: 'd',
  });
});
