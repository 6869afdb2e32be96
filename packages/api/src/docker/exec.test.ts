import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecRecord } from '@seaway/engine';
import { fromConsoleSize, fromDockerExec, toDockerExec } from './exec.ts';

const nothing = {
  command: [],
  env: [],
  user: '',
  workingDir: '',
  tty: false,
  attachStdin: false,
  attachStdout: false,
  attachStderr: false,
  privileged: false,
  detachKeys: '',
};

test('what is not given, or null, is nothing', () => {
  assert.deepEqual(fromDockerExec({}), nothing);
  const nulls = Object.fromEntries(
    ['Cmd', 'Env', 'User', 'WorkingDir', 'Tty', 'AttachStdin', 'Privileged', 'DetachKeys', 'ConsoleSize'].map(
      (name) => [name, null],
    ),
  );
  assert.deepEqual(fromDockerExec(nulls), nothing);
});

test('all fields arrive', () => {
  const request = fromDockerExec({
    Cmd: ['a', 'b'],
    Env: ['A=1'],
    User: 'www',
    WorkingDir: '/w',
    Tty: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Privileged: true,
    DetachKeys: 'ctrl-x',
    ConsoleSize: [24, 80],
  });
  assert.deepEqual(request, {
    command: ['a', 'b'],
    env: ['A=1'],
    user: 'www',
    workingDir: '/w',
    tty: true,
    attachStdin: true,
    attachStdout: true,
    attachStderr: true,
    privileged: true,
    detachKeys: 'ctrl-x',
    size: { rows: 24, columns: 80 },
  });
  assert.deepEqual(fromDockerExec({ Cmd: 'one word' }).command, ['one word']);
});

test('a size is two numbers, and none where one is zero', () => {
  assert.deepEqual(fromConsoleSize([1, 2]), { rows: 1, columns: 2 });
  for (const none of [undefined, null, [], [0, 0], [5, 0]]) assert.equal(fromConsoleSize(none), undefined);
  for (const wrong of [[1], [1, 2, 3]]) assert.throws(() => fromConsoleSize(wrong), { kind: 'invalid' });
});

test('inspect has no exit code before the end, and no user where none was asked for', () => {
  const record = {
    id: 'e1',
    containerId: 'c1',
    request: { ...nothing, command: ['sh', '-c', 'x'], attachStdout: true, detachKeys: 'ctrl-x' },
    status: 'running',
    pid: 42,
    since: 0,
  } as unknown as ExecRecord;
  assert.deepEqual(toDockerExec(record), {
    ID: 'e1',
    Running: true,
    ExitCode: null,
    ProcessConfig: { tty: false, entrypoint: 'sh', arguments: ['-c', 'x'], privileged: false },
    OpenStdin: false,
    OpenStderr: false,
    OpenStdout: true,
    CanRemove: false,
    ContainerID: 'c1',
    DetachKeys: 'Y3RybC14',
    Pid: 42,
  });
  const ended = toDockerExec({ ...record, status: 'ended', exitCode: 3, pid: 0 });
  assert.deepEqual([ended.Running, ended.ExitCode, ended.Pid], [false, 3, 0]);
});
