import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allCapabilities, defaultCapabilities } from './capabilities.ts';
import type { OciSeccomp, OciSeccompRule } from './oci-types.ts';
import { buildSeccomp, type SeccompInput } from './seccomp.ts';

const usual: SeccompInput = {
  capabilities: defaultCapabilities,
  architecture: 'x64',
  kernel: [6, 18],
};

/** What the filter does with one call, by the semantics of seccomp_rule_add(3): any matching rule decides. */
function decide(filter: OciSeccomp, name: string, ...args: number[]): string {
  const rule = filter.syscalls.find(
    (candidate) => candidate.names.includes(name) && matches(candidate, args),
  );
  if (!rule) return `errno ${filter.defaultErrnoRet}`;
  return rule.action === 'SCMP_ACT_ALLOW' ? 'allow' : `errno ${rule.errnoRet}`;
}

function matches(rule: OciSeccompRule, args: readonly number[]): boolean {
  return (rule.args ?? []).every((wanted) => {
    const given = BigInt(args[wanted.index] ?? 0);
    if (wanted.op === 'SCMP_CMP_EQ') return given === BigInt(wanted.value);
    if (wanted.op === 'SCMP_CMP_LT') return given < BigInt(wanted.value);
    assert.equal(wanted.op, 'SCMP_CMP_MASKED_EQ');
    return (given & BigInt(wanted.value)) === BigInt(wanted.valueTwo ?? 0);
  });
}

test('ordinary calls are allowed and unknown ones fail with EPERM', () => {
  const filter = buildSeccomp(usual);
  for (const name of [
    'read',
    'execve',
    'futex_waitv',
    'close_range',
    'landlock_add_rule',
    'statmount',
    'chroot',
  ]) {
    assert.equal(decide(filter, name), 'allow', name);
  }
  for (const name of [
    'mount',
    'unshare',
    'setns',
    'bpf',
    'keyctl',
    'add_key',
    'kexec_load',
    'userfaultfd',
    'nope',
  ]) {
    assert.equal(decide(filter, name), 'errno 1', name);
  }
});

test('io_uring is never allowed', () => {
  const filter = buildSeccomp({ ...usual, capabilities: allCapabilities });
  for (const name of ['io_uring_setup', 'io_uring_enter', 'io_uring_register']) {
    assert.equal(decide(filter, name), 'errno 1', name);
  }
});

test('clone may not make namespaces, and clone3 pretends not to exist', () => {
  const filter = buildSeccomp(usual);
  const thread = 0x3d0f00;
  assert.equal(decide(filter, 'clone', thread), 'allow');
  for (const flag of [0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000]) {
    assert.equal(decide(filter, 'clone', thread | flag), 'errno 1', flag.toString(16));
  }
  assert.equal(decide(filter, 'clone3'), 'errno 38');
});

test('capabilities bring their calls', () => {
  const withAdmin = buildSeccomp({ ...usual, capabilities: [...defaultCapabilities, 'CAP_SYS_ADMIN'] });
  assert.equal(decide(withAdmin, 'clone', 0x10000000), 'allow');
  assert.equal(decide(withAdmin, 'clone3'), 'allow');
  assert.equal(decide(withAdmin, 'mount'), 'allow');
  assert.equal(decide(withAdmin, 'reboot'), 'errno 1');
  const withTime = buildSeccomp({ ...usual, capabilities: ['CAP_SYS_TIME'] });
  assert.equal(decide(withTime, 'clock_settime'), 'allow');
  assert.equal(decide(withTime, 'chroot'), 'errno 1');
});

test('tracing is allowed from Linux 4.8 on', () => {
  assert.equal(decide(buildSeccomp(usual), 'ptrace'), 'allow');
  assert.equal(decide(buildSeccomp({ ...usual, kernel: [4, 8] }), 'ptrace'), 'allow');
  assert.equal(decide(buildSeccomp({ ...usual, kernel: [4, 7] }), 'ptrace'), 'errno 1');
  const tracer = { ...usual, kernel: [3, 10], capabilities: ['CAP_SYS_PTRACE'] } as const;
  assert.equal(decide(buildSeccomp(tracer), 'ptrace'), 'allow');
});

test('sockets of the ordinary families are allowed, those that reach past the namespace are not', () => {
  const filter = buildSeccomp(usual);
  const allowed = { unix: 1, inet: 2, inet6: 10, netlink: 16, packet: 17, can: 29, xdp: 44, mctp: 45 };
  for (const [name, family] of Object.entries(allowed)) {
    assert.equal(decide(filter, 'socket', family), 'allow', name);
  }
  for (const [name, family] of Object.entries({ decnet: 12, alg: 38, vsock: 40, unknown: 46 })) {
    assert.equal(decide(filter, 'socket', family), 'errno 1', name);
  }
});

test('personality may ask and choose Linux, and nothing that weakens memory protection', () => {
  const filter = buildSeccomp(usual);
  for (const value of [0, 8, 0x20000, 0x20008, 0xffffffff]) {
    assert.equal(decide(filter, 'personality', value), 'allow');
  }
  const readImpliesExec = 0x0400000;
  assert.equal(decide(filter, 'personality', readImpliesExec), 'errno 1');
});

test('each architecture has its 32-bit companion and its own calls', () => {
  const arm = buildSeccomp({ ...usual, architecture: 'arm64' });
  assert.deepEqual(arm.architectures, ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
  assert.equal(decide(arm, 'cacheflush'), 'allow');
  assert.equal(decide(arm, 'arch_prctl'), 'errno 1');
  const x64 = buildSeccomp(usual);
  assert.deepEqual(x64.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
  assert.equal(decide(x64, 'arch_prctl'), 'allow');
});

test('no name is listed twice in a rule', () => {
  for (const rule of buildSeccomp({ ...usual, capabilities: allCapabilities }).syscalls) {
    assert.equal(new Set(rule.names).size, rule.names.length);
  }
});
