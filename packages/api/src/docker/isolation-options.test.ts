import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ErrorKind, fullLimitSupport, type IsolationOptions } from '@seaway/engine';
import { containerRecord, fakeEngine } from '../fixtures/engine.ts';
import { toDockerInspect } from './container.ts';
import { fromDockerCreate } from './create-container.ts';
import type { DockerHostConfig } from './create-container-body.ts';
import { parseIsolation } from './isolation-options.ts';

type Given = Parameters<typeof parseIsolation>[0];

describe('how a container is kept apart', () => {
  const rows: readonly (readonly [given: Given, expected: IsolationOptions])[] = [
    [{}, {}],
    [
      {
        Privileged: false,
        Init: null,
        Devices: [],
        PidMode: '',
        MaskedPaths: null,
        Runtime: '',
        LogConfig: { Type: '', Config: {} },
      },
      {},
    ],
    [
      { Privileged: true, Init: true },
      { privileged: true, init: true },
    ],
    [{ Init: false }, { init: false }],
    [
      { Devices: [{ PathOnHost: '/dev/fuse' }] },
      { devices: [{ pathOnHost: '/dev/fuse', pathInContainer: '/dev/fuse', permissions: 'rwm' }] },
    ],
    [
      { Devices: [{ PathOnHost: '/dev/a', PathInContainer: '/dev/b', CgroupPermissions: 'r' }] },
      { devices: [{ pathOnHost: '/dev/a', pathInContainer: '/dev/b', permissions: 'r' }] },
    ],
    [{ DeviceCgroupRules: ['c 1:3 r'] }, { deviceCgroupRules: ['c 1:3 r'] }],
    [
      { PidMode: 'host', IpcMode: 'shareable' },
      { pidMode: 'host', ipcMode: 'shareable' },
    ],
    [
      { PidMode: 'container:x', IpcMode: 'container:x' },
      { pidMode: 'container:x', ipcMode: 'container:x' },
    ],
    [
      { UsernsMode: 'host', CgroupnsMode: 'private' },
      { usernsMode: 'host', cgroupnsMode: 'private' },
    ],
    [
      { MaskedPaths: [], ReadonlyPaths: ['/x'] },
      { maskedPaths: [], readonlyPaths: ['/x'] },
    ],
    [
      { Runtime: 'runc', Annotations: { a: 'b' } },
      { runtime: 'runc', annotations: { a: 'b' } },
    ],
    [
      { LogConfig: { Type: '', Config: { 'max-size': '1m' } } },
      { logging: { driver: 'json-file', options: { 'max-size': '1m' } } },
    ],
    [{ LogConfig: { Type: 'none' } }, { logging: { driver: 'none', options: {} } }],
    [
      { LogConfig: { Type: 'local', Config: { mode: 'non-blocking', 'max-buffer-size': '4m' } } },
      { logging: { driver: 'local', options: { mode: 'non-blocking', 'max-buffer-size': '4m' } } },
    ],
  ];
  for (const [given, expected] of rows) {
    test(JSON.stringify(given), () => assert.deepEqual(parseIsolation(given), expected));
  }
});

describe("what cannot be is refused in Docker's words", () => {
  const rows: readonly (readonly [given: Given, message: string, kind?: ErrorKind])[] = [
    [{ PidMode: 'private' }, 'invalid PID mode: private'],
    [{ PidMode: 'container:' }, 'invalid PID mode: container:'],
    [{ IpcMode: 'x' }, 'invalid IPC mode: x'],
    [{ UsernsMode: 'x' }, 'invalid user namespace mode: x'],
    [{ CgroupnsMode: 'x' }, 'invalid cgroup namespace mode: x'],
    [{ Runtime: 'kata' }, 'unknown or invalid runtime name: kata'],
    [
      { Annotations: { '': 'x' } },
      'invalid Annotations: the empty string is not permitted as an annotation key',
    ],
    [
      { StorageOpt: { size: '1G' } },
      "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
      'internal',
    ],
    [{ StorageOpt: { x: '1' } }, 'Unknown option x'],
    [{ LogConfig: { Type: 'syslog' } }, "logger: no log driver named 'syslog' is registered"],
    [{ LogConfig: { Type: 'toString' } }, "logger: no log driver named 'toString' is registered"],
    [{ LogConfig: { Config: { x: '1' } } }, "unknown log opt 'x' for json-file log driver"],
    [{ LogConfig: { Type: 'local', Config: { tag: '1' } } }, "unknown log opt 'tag' for log driver local"],
    [{ LogConfig: { Config: { mode: 'x' } } }, 'logger: logging mode not supported: x'],
    [
      { LogConfig: { Config: { 'max-buffer-size': '1m' } } },
      "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
    ],
  ];
  for (const [given, message, kind = 'invalid'] of rows) {
    test(`${JSON.stringify(given)}: ${message}`, () =>
      assert.throws(() => parseIsolation(given), { kind, message }));
  }

  test('numbers out of range', () => {
    const create = (HostConfig: DockerHostConfig) => () =>
      fromDockerCreate({ Image: 'x', HostConfig }, undefined, 150, fullLimitSupport);
    assert.throws(create({ ShmSize: -1 }), { message: 'SHM size can not be less than 0' });
    assert.throws(create({ OomScoreAdj: 1001 }), {
      message: 'Invalid value 1001, range for oom score adj is [-1000, 1000]',
    });
  });
});

describe('inspect', () => {
  const hostConfig = (host: DockerHostConfig) => {
    const { request } = fromDockerCreate({ Image: 'x', HostConfig: host }, undefined, 150);
    const record = containerRecord({ host: request.host });
    return toDockerInspect(fakeEngine({ containers: [record] }), record, 150).HostConfig as unknown as Record<
      string,
      unknown
    >;
  };

  test("shows what was asked for, and Docker's defaults", () => {
    const asked = {
      Privileged: true,
      Init: true,
      PidMode: 'host',
      Devices: [{ PathOnHost: '/dev/a', PathInContainer: '/dev/b', CgroupPermissions: 'r' }],
      DeviceCgroupRules: ['c 1:3 r'],
      DeviceRequests: [{ Driver: 'd', Count: -1, DeviceIDs: null, Capabilities: [['gpu']], Options: null }],
      LogConfig: { Type: 'local', Config: { 'max-size': '1m' } },
      Annotations: { a: 'b' },
    };
    const shown = hostConfig(asked);
    assert.deepEqual({ ...shown, ...asked }, shown);
    assert.deepEqual([shown.MaskedPaths, shown.ReadonlyPaths], [null, null]);
    assert.deepEqual(shown.SecurityOpt, ['label=disable'], "the host's processes have the host's labels");
    const usual = hostConfig({});
    assert.deepEqual(
      [usual.PidMode, usual.IpcMode, usual.CgroupnsMode, usual.Runtime, usual.SecurityOpt, usual.Devices],
      ['', 'private', 'host', 'runc', null, []],
    );
    assert.equal((usual.MaskedPaths as string[])[0], '/proc/acpi');
    assert.deepEqual(usual.LogConfig, { Type: 'json-file', Config: {} });
    assert.equal('Init' in usual, false);
    assert.equal('Annotations' in usual, false);
  });

  test('no network means the mode none, and is shown', () => {
    const { request } = fromDockerCreate({ Image: 'x', NetworkDisabled: true }, undefined, 150);
    assert.deepEqual(request.host.networkMode, { kind: 'none' });
    assert.equal(request.config.networkDisabled, true);
  });
});
