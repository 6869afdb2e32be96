import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSecurityOptions, type SecurityOptions } from './security-options.ts';

const usual: SecurityOptions = { noNewPrivileges: false, seccomp: 'default', apparmor: '' };

const accepted: readonly (readonly [options: string[], expected: Partial<SecurityOptions>])[] = [
  [[], {}],
  [['no-new-privileges'], { noNewPrivileges: true }],
  [['no-new-privileges:true'], { noNewPrivileges: true }],
  [['no-new-privileges=1', 'no-new-privileges=false'], {}],
  [['seccomp=unconfined'], { seccomp: 'unconfined' }],
  [['seccomp:unconfined'], { seccomp: 'unconfined' }],
  [['seccomp=builtin'], {}],
  [['seccomp={"defaultAction":"a:b=c"}'], { seccomp: '{"defaultAction":"a:b=c"}' }],
  [['apparmor=unconfined'], { apparmor: 'unconfined' }],
  [['label=disable', 'label=level:s0:c1', 'disable'], {}],
];
for (const [options, expected] of accepted) {
  test(`takes ${options.join(', ') || 'nothing'}`, () =>
    assert.deepEqual(parseSecurityOptions(options), { ...usual, ...expected }));
}

const refused: readonly (readonly [option: string, place: number])[] = [
  ['', 1],
  ['seccomp', 1],
  ['junk', 1],
  ['junk=1', 2],
  ['no-new-privileges=yes', 2],
];
for (const [option, place] of refused) {
  test(`refuses ${JSON.stringify(option)}`, () =>
    assert.throws(() => parseSecurityOptions([option]), {
      kind: 'invalid',
      code: 'invalid-security-option',
      message: `invalid --security-opt ${place}: "${option}"`,
    }));
}
