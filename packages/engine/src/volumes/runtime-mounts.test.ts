import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MountEntry } from '@seaway/linux';
import type { MountPoint } from '../model/mounts.ts';
import { rootPropagation, runtimeMount, sourceProblem } from './runtime-mounts.ts';

describe('what the runtime is told of a mount', () => {
  const bind: MountPoint = {
    type: 'bind',
    source: '/a',
    destination: '/b',
    readonly: false,
    mode: '',
    propagation: 'rprivate',
  };
  for (const [what, changes, isReadonlyBelow, expected] of [
    ['a bind mount', {}, false, ['rbind', 'rprivate', 'rw']],
    ['one that is not recursive', { nonRecursive: true }, false, ['bind', 'rprivate', 'rw']],
    ['one that follows the host', { propagation: 'rslave' }, false, ['rbind', 'rslave', 'rw']],
    ['one that is read-only at its top', { readonly: true }, false, ['rbind', 'rprivate', 'ro']],
    ['one that is read-only throughout', { readonly: true }, true, ['rbind', 'rprivate', 'rro']],
    ['a volume', { type: 'volume', propagation: undefined }, false, ['rbind', 'rprivate', 'rw']],
  ] as const) {
    it(`says ${expected.join(',')} of ${what}`, () => {
      const mount = runtimeMount({ ...bind, ...changes } as MountPoint, '/s', isReadonlyBelow);
      assert.deepEqual(mount, { type: 'bind', source: '/s', destination: '/b', options: expected });
    });
  }

  it('has all options of memory', () => {
    const point = {
      type: 'tmpfs',
      destination: '/t',
      mode: '',
      readonly: true,
      options: ['size=1', 'exec'],
    } as const;
    const { type, options } = runtimeMount(point, 'tmpfs', false);
    assert.equal(type, 'tmpfs');
    for (const word of ['nosuid', 'nodev', 'size=1', 'exec', 'ro']) assert.ok(options.includes(word), word);
  });
});

describe('the propagation of the root', () => {
  const mount = (...options: string[]) => ({ type: 'bind', source: '/a', destination: '/b', options });
  it('is that of the mount that needs most', () => {
    assert.equal(rootPropagation([]), undefined);
    assert.equal(rootPropagation([mount('rbind', 'rprivate')]), undefined);
    assert.equal(rootPropagation([mount('rbind', 'rslave'), mount('private')]), 'rslave');
    assert.equal(rootPropagation([mount('slave'), mount('rshared')]), 'shared');
  });
});

describe('a source', () => {
  const entry = (target: string, ...tags: string[]) => ({ target, tags }) as unknown as MountEntry;
  const host = [
    entry('/'),
    entry('/shared', 'shared:1'),
    entry('/slave', 'master:1'),
    entry('/shared/private'),
    entry('/twice', 'shared:2'),
    entry('/twice'),
  ];
  for (const [source, propagation, problem] of [
    ['/x', 'rprivate', undefined],
    ['/x', 'shared', 'path /x is mounted on / but it is not a shared mount'],
    ['/sharedx', 'rshared', 'path /sharedx is mounted on / but it is not a shared mount'],
    ['/shared', 'rshared', undefined],
    ['/shared/deep/x', 'slave', undefined],
    [
      '/shared/private/x',
      'rslave',
      'path /shared/private/x is mounted on /shared/private but it is not a shared or slave mount',
    ],
    ['/slave/x', 'rslave', undefined],
    ['/slave/x', 'shared', 'path /slave/x is mounted on /slave but it is not a shared mount'],
    ['/twice', 'shared', 'path /twice is mounted on /twice but it is not a shared mount'],
  ] as const) {
    it(`at ${source} ${problem ? 'cannot' : 'can'} be ${propagation}`, () => {
      assert.equal(sourceProblem(host, source, propagation), problem);
    });
  }
});
