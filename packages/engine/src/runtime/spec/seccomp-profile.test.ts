import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seccompFromProfile } from './seccomp-profile.ts';

const machine = { capabilities: ['CAP_SYS_ADMIN'], architecture: 'x64', kernel: [6, 18] } as const;
const read = (profile: object | string, input: Parameters<typeof seccompFromProfile>[1] = machine) =>
  seccompFromProfile(typeof profile === 'string' ? profile : JSON.stringify(profile), input);

const profile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 38,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
  ],
  syscalls: [
    { names: ['read'], action: 'SCMP_ACT_ALLOW', args: null, comment: 'x', includes: {}, excludes: {} },
    { name: 'chmod', action: 'SCMP_ACT_ERRNO', errnoRet: 1 },
    { names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['clone'], action: 'SCMP_ACT_ALLOW', excludes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['ptrace'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '4.8' } },
    { names: ['future'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '99.0' } },
    { names: ['arm'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['arm64'] } },
    { names: ['x86'], action: 'SCMP_ACT_ALLOW', excludes: { arches: ['amd64'] } },
    {
      names: ['personality'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value: 8, valueTwo: 0, op: 'SCMP_CMP_EQ' }],
    },
  ],
};

test('of a profile for many machines what holds on this one is kept', () => {
  const filter = read(profile);
  assert.deepEqual(filter.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
  assert.deepEqual([filter.defaultAction, filter.defaultErrnoRet], ['SCMP_ACT_ERRNO', 38]);
  assert.deepEqual(
    filter.syscalls.flatMap(({ names }) => names),
    ['read', 'chmod', 'mount', 'ptrace', 'personality'],
  );
  assert.deepEqual(filter.syscalls[0], { names: ['read'], action: 'SCMP_ACT_ALLOW' });
  assert.deepEqual(filter.syscalls[1], { names: ['chmod'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 });
  assert.deepEqual(filter.syscalls[4]?.args, profile.syscalls[8]?.args);
});

test('on another machine other parts hold', () => {
  const filter = read(profile, { capabilities: [], architecture: 'arm64', kernel: [4, 4] });
  assert.deepEqual(filter.architectures, ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
  assert.deepEqual(
    filter.syscalls.flatMap(({ names }) => names),
    ['read', 'chmod', 'clone', 'arm', 'x86', 'personality'],
  );
});

for (const [text, why] of [
  ['{', /^Decoding seccomp profile failed: /],
  ['[]', /it is no object$/],
  ['null', /it is no object$/],
  ['{}', /it has no defaultAction$/],
  ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":{}}', /'syscalls' is no list$/],
  [
    JSON.stringify({ ...profile, architectures: ['SCMP_ARCH_X86'] }),
    /use either 'architectures' or 'archMap'$/,
  ],
  [
    '{"defaultAction":"a","syscalls":[{"name":"a","names":["b"],"action":"c"}]}',
    /use either 'name' or 'names'$/,
  ],
  [
    '{"defaultAction":"a","syscalls":[{"name":"a","action":"c","includes":{"minKernel":"x"}}]}',
    /invalid kernel version: "x"/,
  ],
] as const) {
  test(`${text.slice(0, 60)} is refused`, () =>
    assert.throws(() => read(text), { kind: 'invalid', message: why }));
}
