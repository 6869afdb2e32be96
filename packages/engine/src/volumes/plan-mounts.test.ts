import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { notFound } from '../base/errors.ts';
import { containerRequest } from '../containers/container-request.ts';
import type { HostConfig } from '../model/container.ts';
import { parseBindText, parseVolumesFrom } from '../model/mount-text.ts';
import type { MountPoint, MountRequest } from '../model/mounts.ts';
import { type MountFacts, planMounts } from './plan-mounts.ts';

const { host: plain } = containerRequest({ image: 'x' });
const newName = '0'.repeat(64);

interface Asked {
  readonly binds?: readonly string[];
  readonly mounts?: readonly MountRequest[];
  readonly from?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly paths?: readonly string[];
  readonly driver?: string;
}

const other: readonly MountPoint[] = [
  { type: 'volume', volume: 'shared', destination: '/s', readonly: false, mode: 'z', isFilled: true },
  { type: 'volume', volume: 'anon', destination: '/o', readonly: false, mode: '', isOwn: true },
  { type: 'bind', source: '/h', destination: '/h', readonly: true, mode: 'ro', propagation: 'rprivate' },
];

function plan({ binds = [], mounts = [], from = [], tmpfs = [], paths = [], driver }: Asked) {
  const host: HostConfig = {
    ...plain,
    binds: binds.map((text) => parseBindText(text, driver ?? '')),
    mounts: mounts.map((request) => ({ request, given: {} })),
    volumesFrom: from.map(parseVolumesFrom),
    tmpfs: Object.fromEntries(tmpfs.map((path) => [path, ''])),
    ...(driver ? { volumeDriver: driver } : {}),
  };
  const facts: MountFacts = {
    host,
    volumePaths: paths,
    resolveContainer: (reference) => {
      if (reference !== 'other') throw notFound('container-not-found', `No such container: ${reference}`);
      return { mounts: other, host: { binds: [] } };
    },
    newName: () => newName,
  };
  return planMounts(facts);
}

/** What is where, in short. */
const places = (asked: Asked) =>
  plan(asked).mounts.map(({ destination, volume, source, readonly }) =>
    [destination, volume ?? source ?? 'memory', ...(readonly ? ['ro'] : [])].join(' '),
  );

describe('the mounts of a new container', () => {
  it('are none where none is asked for', () => assert.deepEqual(plan({}), { mounts: [], volumes: [] }));

  it('have all that runs and shows them', () => {
    const { mounts, volumes } = plan({
      binds: ['/a:/b:ro', 'data:/d:nocopy', 'log:/l'],
      mounts: [{ type: 'tmpfs', destination: '/t', readonly: false, options: ['size=1'] }],
      paths: ['/p'],
    });
    assert.deepEqual(mounts, [
      {
        type: 'bind',
        source: '/a',
        destination: '/b',
        readonly: true,
        mode: 'ro',
        propagation: 'rprivate',
        createSource: true,
      },
      { type: 'volume', volume: 'data', destination: '/d', readonly: false, mode: 'nocopy' },
      { type: 'volume', volume: 'log', destination: '/l', readonly: false, mode: 'z', isFilled: true },
      { type: 'tmpfs', destination: '/t', readonly: false, mode: '', options: ['size=1'] },
      {
        type: 'volume',
        volume: newName,
        destination: '/p',
        readonly: false,
        mode: '',
        isOwn: true,
        isFilled: true,
      },
    ]);
    assert.deepEqual(volumes, [
      { name: 'data', driver: '', options: {}, labels: {} },
      { name: 'log', driver: '', options: {}, labels: {} },
      { name: newName, driver: '', options: {}, labels: { 'com.docker.volume.anonymous': '' } },
    ]);
  });

  it('make volumes with what --mount says of them', () => {
    const { mounts, volumes } = plan({
      mounts: [
        {
          type: 'volume',
          source: 'disk',
          destination: '/d/',
          readonly: true,
          labels: { a: 'b' },
          driver: 'local',
          driverOptions: { type: 'tmpfs', device: 'tmpfs' },
          subpath: 'x/y',
        },
        { type: 'volume', source: '', destination: '/e', readonly: false, labels: { c: 'd' } },
      ],
    });
    assert.deepEqual(
      mounts.map(({ destination, subpath, isOwn = false }) => [destination, subpath, isOwn]),
      [
        ['/d', 'x/y', false],
        ['/e', undefined, true],
      ],
    );
    assert.deepEqual(volumes[0], {
      name: 'disk',
      driver: 'local',
      options: { type: 'tmpfs', device: 'tmpfs' },
      labels: { a: 'b' },
    });
    assert.deepEqual(volumes[1]?.labels, { c: 'd', 'com.docker.volume.anonymous': '' });
  });

  it('come from other containers, read-only where either says so', () => {
    assert.deepEqual(places({ from: ['other'] }), ['/s shared', '/o anon', '/h /h ro']);
    assert.deepEqual(places({ from: ['other:ro'] }), ['/s shared ro', '/o anon ro', '/h /h ro']);
    const { mounts, volumes } = plan({ from: ['other'] });
    assert.deepEqual(volumes, []);
    assert.ok(mounts.every(({ isFilled }) => !isFilled));
  });

  it('take the place of what comes from others, and leave no place to those without a name', () => {
    assert.deepEqual(places({ from: ['other'], binds: ['/mine:/s'], paths: ['/o', '/s/', '/new'] }), [
      '/s /mine',
      '/o anon',
      '/h /h ro',
      `/new ${newName}`,
    ]);
    assert.deepEqual(places({ tmpfs: ['/t/'], paths: ['/t', '/u', 'u/', '/'] }), [`/u ${newName}`]);
  });

  for (const [what, asked, code, message] of [
    ['two at one place', { binds: ['/a:/b', 'c:/b/'] }, 'duplicate-mount-point', 'Duplicate mount point: /b'],
    [
      'one where memory is',
      { binds: ['/a:/t'], tmpfs: ['/t'] },
      'duplicate-mount-point',
      'Duplicate mount point: /t',
    ],
    [
      'a -v and a --mount at one place',
      { binds: ['/a:/b'], mounts: [{ type: 'tmpfs', destination: '/b', readonly: false, options: [] }] },
      'duplicate-mount-point',
      'Duplicate mount point: /b',
    ],
    [
      'a relative path of the host',
      { binds: ['./x:/b'] },
      'invalid-volume-name',
      'create ./x: "./x" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
    ],
    [
      'a name of one character',
      { binds: ['x:/b'] },
      'invalid-volume-name',
      'create x: volume name is too short, names should be at least two alphanumeric characters',
    ],
    [
      'an unknown driver',
      { binds: ['xx:/b'], driver: 'nfs' },
      'volume-driver-not-found',
      'create xx: error looking up volume plugin nfs: plugin "nfs" not found',
    ],
    ['an unknown container', { from: ['nope'] }, 'container-not-found', 'No such container: nope'],
  ] as const satisfies readonly (readonly [string, Asked, string, string])[]) {
    it(`are not ${what}`, () => assert.throws(() => plan(asked), { code, message }));
  }
});
