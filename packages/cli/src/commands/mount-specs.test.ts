import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { describe, test } from 'node:test';
import { parseMount, volumeFields } from './mount-specs.ts';

test('-v is a volume without a name, or a bind; paths from here become absolute', () => {
  assert.deepEqual(
    volumeFields(['/data', 'db:/db:ro', '/a:/b', './c:/d', '..:/e'], ['/t', '/u:size=1m,exec']),
    {
      paths: { '/data': {} },
      binds: ['db:/db:ro', '/a:/b', `${resolve('c')}:/d`, `${resolve('..')}:/e`],
      tmpfs: { '/t': '', '/u': 'size=1m,exec' },
    },
  );
});

describe('--mount', () => {
  for (const [text, expected] of [
    ['src=data,dst=/d', { Type: 'volume', Source: 'data', Target: '/d' }],
    ['type=bind,source=/a,target=/b,readonly', { Type: 'bind', Source: '/a', Target: '/b', ReadOnly: true }],
    [
      'type=bind,src=./a,dst=/b,ro=false',
      { Type: 'bind', Source: resolve('a'), Target: '/b', ReadOnly: false },
    ],
    [
      'type=bind,src=/a,dst=/b,bind-propagation=rslave,bind-recursive=readonly,bind-create-src',
      {
        Type: 'bind',
        Source: '/a',
        Target: '/b',
        BindOptions: { Propagation: 'rslave', ReadOnlyForceRecursive: true, CreateMountpoint: true },
      },
    ],
    [
      'type=volume,src=n,destination=/n,volume-driver=local,volume-opt=type=nfs,"volume-opt=o=addr=x,rw","volume-label=a=""b""",volume-nocopy,volume-subpath=s',
      {
        Type: 'volume',
        Source: 'n',
        Target: '/n',
        VolumeOptions: {
          DriverConfig: { Name: 'local', Options: { type: 'nfs', o: 'addr=x,rw' } },
          Labels: { a: '"b"' },
          NoCopy: true,
          Subpath: 's',
        },
      },
    ],
    [
      'type=tmpfs,dst=/t,tmpfs-size=1.5m,tmpfs-mode=1770',
      { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1572864, Mode: 0o1770 } },
    ],
  ] as const) {
    test(text, () => assert.deepEqual(parseMount(text), expected));
  }

  for (const [text, message] of [
    ['', "invalid field '' must be a key=value pair"],
    ['src=data', 'target is required'],
    ['dst=/d,odd', "invalid field 'odd' must be a key=value pair"],
    ['dst=/d,odd=1', "unexpected key 'odd' in 'odd=1'"],
    ['dst=/d,ro=maybe', 'invalid boolean value "maybe"'],
    ['type=bind,src=/a,dst=/d,bind-recursive=x', 'invalid value for bind-recursive: x'],
    ['type=tmpfs,dst=/d,tmpfs-size=big', "invalid size: 'big'"],
    ['type=tmpfs,dst=/d,tmpfs-mode=9', 'invalid value for tmpfs-mode: 9'],
    ['type=bind,src=/a,dst=/d,volume-nocopy', "cannot mix 'volume-*' options with mount type 'bind'"],
    ['dst=/d,constructor=1', "unexpected key 'constructor' in 'constructor=1'"],
  ] as const) {
    test(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseMount(text), { message }));
  }
});
