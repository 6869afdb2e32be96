import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExecProcessInput, execProcess } from './exec-process.ts';
import type { OciProcess } from './oci-types.ts';

const container: OciProcess = {
  terminal: true,
  consoleSize: { height: 1, width: 2 },
  user: { uid: 5, gid: 6, additionalGids: [6, 7], umask: 0o22 },
  args: ['httpd'],
  env: ['PATH=/bin', 'HOSTNAME=web', 'HOME=/srv', 'TERM=xterm'],
  cwd: '/srv',
  capabilities: { bounding: ['CAP_KILL'], effective: [], permitted: [], inheritable: [], ambient: [] },
  rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 2 }],
  noNewPrivileges: true,
  oomScoreAdj: 3,
};

const usual: ExecProcessInput = {
  container,
  containerEnv: ['A=1', 'B=2'],
  args: ['id', '-u'],
  env: [],
  cwd: '',
  terminal: false,
  user: { uid: 0, gid: 0, additionalGids: [0], home: '/root', name: 'root' },
};

test("limits and privileges are the container's, the rest its own", () => {
  const { capabilities, env, ...rest } = execProcess(usual);
  assert.deepEqual(rest, {
    terminal: false,
    user: { uid: 0, gid: 0, additionalGids: [0] },
    args: ['id', '-u'],
    cwd: '/',
    rlimits: container.rlimits,
    noNewPrivileges: true,
    oomScoreAdj: 3,
  });
  assert.deepEqual(capabilities.effective, ['CAP_KILL']);
  assert.deepEqual(env.slice(1), ['HOSTNAME=web', 'A=1', 'B=2', 'HOME=/root']);
});

test('another user than root has the capabilities within reach only', () => {
  const { capabilities } = execProcess({ ...usual, user: { ...usual.user, uid: 33 } });
  assert.deepEqual([capabilities.bounding, capabilities.effective], [['CAP_KILL'], []]);
});

test("capabilities may be others than the container's", () => {
  const { capabilities } = execProcess({ ...usual, capabilities: ['CAP_KILL', 'CAP_SYS_ADMIN'] });
  assert.deepEqual(capabilities.permitted, ['CAP_KILL', 'CAP_SYS_ADMIN']);
});

for (const [what, change, expected] of [
  ["replaces the container's", { env: ['A=x'] }, ['HOSTNAME=web', 'A=x', 'B=2', 'HOME=/root']],
  ['is taken away by a name alone', { env: ['A', 'HOSTNAME'] }, ['B=2', 'HOME=/root']],
  ['sets HOME itself', { env: ['HOME=/x'] }, ['HOSTNAME=web', 'A=1', 'B=2', 'HOME=/x']],
  [
    'has TERM with a terminal',
    { terminal: true },
    ['HOSTNAME=web', 'TERM=xterm', 'A=1', 'B=2', 'HOME=/root'],
  ],
] as const) {
  test(`the environment ${what}`, () => {
    assert.deepEqual(execProcess({ ...usual, ...change }).env.slice(1), expected);
  });
}

test('a size goes with a terminal', () => {
  const size = { rows: 24, columns: 80 };
  assert.deepEqual(execProcess({ ...usual, terminal: true, size }).consoleSize, { height: 24, width: 80 });
  assert.equal('consoleSize' in execProcess({ ...usual, size }), false);
  assert.equal('consoleSize' in execProcess({ ...usual, terminal: true }), false);
});
