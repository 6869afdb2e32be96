import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { notFound } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { ContainerRecord, HostConfig } from '../model/container.ts';
import { sharedNamespaces, withJoinedIds } from './shared-namespaces.ts';

function container(id: string, host: Partial<HostConfig> = {}, status = 'running'): ContainerRecord {
  return {
    id: id as ContainerId,
    name: `name-${id}`,
    host: { shmSizeBytes: 64, ...host },
    state: { status, pid: 7 },
  } as unknown as ContainerRecord;
}

const others = [
  container('shares', { ipcMode: 'shareable' }),
  container('guest', { ipcMode: 'container:shares' }),
  container('alone'),
  container('host', { ipcMode: 'host' }),
  container('down', { ipcMode: 'shareable' }, 'exited'),
];
const parts = {
  resolve: (reference: string) => {
    const found = others.find(({ id, name }) => id === reference || name === reference);
    if (!found) throw notFound('container-not-found', `No such container: ${reference}`);
    return found;
  },
  sharedFolder: (id: string) => `/c/${id}/shm`,
};
const of = (host: Partial<HostConfig>) => sharedNamespaces(container('own', host), parts);
const own = { kind: 'own', sizeBytes: 64 };

describe('namespaces at a start', () => {
  const rows: readonly (readonly [host: Partial<HostConfig>, pid: unknown, ipc: unknown, memory: unknown])[] =
    [
      [{}, 'private', 'private', own],
      [{ ipcMode: 'private' }, 'private', 'private', own],
      [{ pidMode: 'host', ipcMode: 'host' }, 'host', 'host', { kind: 'folder', path: '/dev/shm' }],
      [{ ipcMode: 'none' }, 'private', 'private', { kind: 'none' }],
      [{ ipcMode: 'shareable' }, 'private', 'private', { kind: 'folder', path: '/c/own/shm' }],
      [{ pidMode: 'container:alone' }, { path: '/proc/7/ns/pid' }, 'private', own],
      ...['shares', 'guest'].map(
        (name) =>
          [
            { ipcMode: `container:${name}` },
            'private',
            { path: '/proc/7/ns/ipc' },
            { kind: 'folder', path: '/c/shares/shm' },
          ] as const,
      ),
      [
        { ipcMode: 'container:host' },
        'private',
        { path: '/proc/7/ns/ipc' },
        { kind: 'folder', path: '/dev/shm' },
      ],
    ];
  for (const [host, pid, ipc, sharedMemory] of rows) {
    test(JSON.stringify(host), () => assert.deepEqual(of(host), { pid, ipc, sharedMemory }));
  }

  for (const [host, kind, message] of [
    [{ pidMode: 'container:x' }, 'invalid', 'failed to join PID namespace: No such container: x'],
    [
      { pidMode: 'container:down' },
      'conflict',
      'failed to join PID namespace: container down is not running',
    ],
    [
      { ipcMode: 'container:down' },
      'conflict',
      'failed to join IPC namespace: container down is not running',
    ],
    [
      { ipcMode: 'container:alone' },
      'invalid',
      'failed to join IPC namespace: container alone: non-shareable IPC (hint: use IpcMode:shareable for the donor container)',
    ],
  ] as const) {
    test(`${JSON.stringify(host)}: ${message}`, () => assert.throws(() => of(host), { kind, message }));
  }
});

test('names of containers to join become ids, where they are known', () => {
  const host = { pidMode: 'container:name-alone', ipcMode: 'container:nobody' } as HostConfig;
  assert.deepEqual(withJoinedIds(host, parts.resolve), {
    pidMode: 'container:alone',
    ipcMode: 'container:nobody',
  });
  const plain = { pidMode: 'host' } as HostConfig;
  assert.equal(withJoinedIds(plain, parts.resolve), plain);
});
